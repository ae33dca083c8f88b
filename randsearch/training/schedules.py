"""How the learning rate and the batch change while a network trains, and when its training ends early.

All of it follows from the number of the step and from the validation losses so far, so that a training that goes on
from a checkpoint needs to remember nothing else.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

ScheduleName = Literal["constant", "cosine"]
"""Schedules of a search: what they do depends on the step alone, so that equal budgets stay equal."""

FinishName = Literal["constant", "cosine", "plateau", "jnet"]
"""Schedules of a finish, which may also listen to validation."""

WARM_UP = 0.05
"""Part of the steps of a cosine over which the learning rate rises to its full value."""

Losses = Sequence[tuple[int, float]]
"""(step, validation loss) at every validation so far."""


@dataclass(frozen=True)
class Stage:
    """A stretch of a training.

    Attributes:
        rate: what the learning rate is multiplied by.
        batch: what the batch is multiplied by.
    """

    rate: float = 1.0
    batch: int = 1


@dataclass(frozen=True)
class Schedule:
    """Stages, each until patience runs out; and within them a decay to zero, if there is one.

    Attributes:
        stages: one after the other.
        decay: steps of a linear warm-up and a cosine decay to zero; None for a constant rate.
        patience: validations without a better validation loss after which a stage is over, and the training with the
            last; None for any number.
        restarts: whether a new stage begins from the best weights; the optimiser's moments stay as they are.

    Example:
        >>> schedule("cosine", 100).rate(0), schedule("cosine", 100).rate(5)
        (0.2, 1.0)
    """

    stages: tuple[Stage, ...] = (Stage(),)
    decay: int | None = None
    patience: int | None = None
    restarts: bool = False

    def course(self, losses: Losses) -> list[int]:
        """How many stages were over before the first of these validations, and after each; each has a best loss."""
        over, best, waited, found = 0, math.inf, 0, [0]
        for _, loss in losses:
            best, waited = (loss, 0) if loss < best else (best, waited + 1)
            if waited == self.patience:
                over, best, waited = over + 1, math.inf, 0
            found.append(over)
        return found

    def rate(self, step: int, over: int = 0) -> float:
        """What the learning rate is multiplied by at a step.

        Args:
            step: its number, from 0.
            over: how many stages are.
        """
        return self._stage(over).rate * self._decayed(step)

    def batch(self, over: int = 0) -> int:
        """What the batch is multiplied by once so many stages are over."""
        return self._stage(over).batch

    def ended(self, over: int) -> bool:
        """Whether the training is, once so many stages are."""
        return over >= len(self.stages)

    def _stage(self, over: int) -> Stage:
        return self.stages[min(over, len(self.stages) - 1)]

    def _decayed(self, step: int) -> float:
        if self.decay is None:
            return 1.0
        warm = max(1, round(WARM_UP * self.decay))
        if step < warm:
            return (step + 1) / warm
        return 0.5 + 0.5 * math.cos(math.pi * (step - warm) / max(1, self.decay - warm))


def schedule(name: FinishName, steps: int, *, patience: int | None = None) -> Schedule:
    """A schedule by name.

    `constant` and `cosine` are those of a search; `plateau` cuts the learning rate to three tenths whenever patience
    runs out, three times; `jnet` has the three stages of the authors' code, (1e-4, 16), (1e-5, 32) and (1e-6, 32) where
    the recipe says 1e-4 and 16, each from the best weights of that before (arXiv 1806.03185).

    Args:
        name: of the schedule.
        steps: that it is made for.
        patience: see `Schedule`.

    Example:
        >>> made = schedule("plateau", 100, patience=1)
        >>> made.course([(10, 1.0), (20, 2.0)]), made.rate(30, over=1)
        ([0, 0, 1], 0.3)
    """
    if name == "plateau":
        stages = tuple(Stage(rate) for rate in (1.0, 0.3, 0.09, 0.027))
        return Schedule(stages, patience=patience)
    if name == "jnet":
        stages = (Stage(), Stage(0.1, 2), Stage(0.01, 2))
        return Schedule(stages, patience=patience, restarts=True)
    return Schedule(decay=steps if name == "cosine" else None, patience=patience)
