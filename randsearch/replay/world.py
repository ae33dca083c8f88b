"""What a strategy sees: some networks, their measurements one by one, and a clock that these advance."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from randsearch.base.errors import UserError, quoted
from randsearch.models.architecture import Architecture
from randsearch.replay.records import TRAINED, Records, score_of, stopped
from randsearch.table.measurement import Measurement

if TYPE_CHECKING:
    from randsearch.space import BoundSpace
    from randsearch.study.config import StudyConfig

_ROUNDING = 1e-9
"""Share of a budget by which sums of seconds may miss it."""


class SpentError(BaseException):
    """The budget is spent; whatever a strategy catches, this ends it."""


@dataclass(frozen=True)
class Found:
    """What a strategy had found at a moment.

    Attributes:
        seconds: spent until then.
        architecture: of the best score that was seen.
        seen: that score.
    """

    seconds: float
    architecture: str
    seen: float


class World:
    """The networks of one repetition of a replay.

    Every measurement advances the clock by the seconds that it took when it was recorded; what was measured before
    costs nothing, and a training that goes on from where it was stopped costs the further steps alone. What the budget
    does not pay in full is not seen, and ends the strategy.

    Args:
        records: of the benchmark.
        config: of the study that the benchmark was.
        space: where its networks are from.
        visible: hashes of the networks that there are.
        rng: for the strategy.
        limit: seconds that it may spend.
        train_seed: of the trainings that are seen; the first if left out.

    Attributes:
        architectures: in random order.
        space: `suggest(trial)` asks one of Optuna's trials for an architecture, which may be none of these.
        config: whose `steps`, `validate_every` and `reduction` a strategy may go by.
        rng: numpy's generator, another one in each repetition.
        seconds: spent so far.
        found: what was found, at each rise of the best.
    """

    def __init__(
        self,
        records: Records,
        config: StudyConfig,
        space: BoundSpace,
        visible: tuple[str, ...],
        *,
        rng: np.random.Generator,
        limit: float = math.inf,
        train_seed: int | None = None,
    ) -> None:
        self.architectures = tuple(records.architectures[name] for name in visible)
        self.config = config
        self.space = space
        self.rng = rng
        self.seconds = 0.0
        self.found: list[Found] = []
        self._records = records
        self._train_seed = records.seed(TRAINED) if train_seed is None else train_seed
        self._visible = frozenset(visible)
        self._limit = limit
        self._is_spent = False
        self._paid: dict[tuple[str, str], float] = {}
        self._has_ended = False

    def __contains__(self, architecture: Architecture) -> bool:
        """Whether a network is one of these."""
        return architecture.hash in self._visible

    def seed(self, measure: str) -> int:
        """The seed at which a measure is seen."""
        return self._train_seed if measure == TRAINED else self._records.seed(measure)

    def measure(self, architecture: Architecture | str, measure: str) -> float | None:
        """Measures a network; higher is predicted better.

        Args:
            architecture: one of these, or its hash.
            measure: by name, such as `zen`.

        Returns:
            the score; None if the measurement failed.

        Raises:
            UserError: there is no such network or measure.
        """
        return self.measured(architecture, measure).score

    def train(self, architecture: Architecture | str, steps: int | None = None) -> float | None:
        """Trains a network, or trains it on.

        Args:
            architecture: one of these, or its hash.
            steps: at which it stops, from its beginning on; a whole training if left out.

        Returns:
            the best score by then; None if the training failed, or was never validated by then.

        Raises:
            UserError: there is no such network.
        """
        return score_of(self.trained(architecture, steps))

    def measured(self, architecture: Architecture | str, measure: str) -> Measurement:
        """As `measure`, with all that the search knows of a measurement."""
        if measure == TRAINED:
            return self.trained(architecture)
        name = self._name(architecture)
        found = self._records.at(measure, name, self.seed(measure))
        self._pay((name, measure), found.seconds)
        return found

    def trained(self, architecture: Architecture | str, until: int | None = None) -> Measurement:
        """As `train`, with all that the search knows of a training: one that was stopped is pruned."""
        name = self._name(architecture)
        found = self._records.at(TRAINED, name, self._train_seed)
        if until is not None and until < found.steps:
            if until < 1:
                raise UserError(f"a training takes 1 step or more, not {until}.")
            found = stopped(found, until)
        self._pay((name, TRAINED), found.seconds)
        self._see(name, score_of(found), ended=found.state == "complete")
        return found

    def _name(self, architecture: Architecture | str) -> str:
        name = architecture if isinstance(architecture, str) else architecture.hash
        if name not in self._visible:
            raise UserError(f"the architecture {quoted(name)} is not among the networks of this repetition.")
        return name

    def _pay(self, what: tuple[str, str], seconds: float) -> None:
        before = self._paid.get(what, 0.0)
        more = max(0.0, seconds - before)
        if self._is_spent or self.seconds + more > self._limit * (1 + _ROUNDING):
            self._is_spent = True
            raise SpentError
        self.seconds += more
        self._paid[what] = before + more

    def _see(self, name: str, score: float | None, *, ended: bool) -> None:
        """Takes note of the best: of the trainings that ended, or of those that were stopped while none has."""
        if score is None or (self._has_ended and not ended):
            return
        is_first = not self.found or (ended and not self._has_ended)
        self._has_ended = ended
        if is_first or score > self.found[-1].seen:
            self.found.append(Found(self.seconds, name, score))
