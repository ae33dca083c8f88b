"""Architectures that an adaptive sampler proposes, each after the scores of those before."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

import optuna
from optuna.samplers import BaseSampler, NSGAIISampler, TPESampler
from optuna.trial import TrialState

from randsearch.base.seeds import derive
from randsearch.models.architecture import Architecture
from randsearch.space import Invalid
from randsearch.space.sampling import Trial
from randsearch.study.config import StudyConfig
from randsearch.study.studies import Candidate, attributes_of


class Suggesting(Protocol):
    """What a sampler needs of a search space."""

    def suggest(self, trial: Trial) -> Architecture | Invalid:
        """Asks a trial for an architecture."""
        ...


class Proposals:
    """What the sampler of a study asks for.

    Args:
        config: whose sampler is adaptive.
        study: that the sampler learns from.
        space: of the study.
        candidates: that it has, by hash; who asks adds to them.
        values: what Optuna is told of a candidate; None if it failed.

    Attributes:
        asked: how often the sampler was.
    """

    def __init__(
        self,
        config: StudyConfig,
        study: optuna.Study,
        space: Suggesting,
        candidates: Mapping[str, Candidate],
        values: Callable[[Architecture], list[float] | None],
    ) -> None:
        self._config = config
        self._study = study
        self._space = space
        self._candidates = candidates
        self._values = values
        self.asked = 0

    def begin(self) -> None:
        """Makes a sampler that knows all trials so far."""
        self.asked = len(self._study.get_trials(deepcopy=False))
        self._study.sampler = self._sampler()

    def forget(self) -> None:
        """Gives up trials that a driver asked for and was killed before it could note what they are."""
        for trial in self._study.get_trials(deepcopy=False, states=(TrialState.RUNNING, TrialState.WAITING)):
            if "options" not in trial.user_attrs:
                self._study.tell(trial.number, state=TrialState.FAIL)

    def _sampler(self) -> BaseSampler:
        seed = derive("sampler", self._config.seed, self.asked) % 2**32
        if self._config.sampler == "nsga2":
            return NSGAIISampler(population_size=max(4, min(50, self._config.trials // 4)), seed=seed)
        return TPESampler(seed=seed)

    def ask(self) -> Candidate | None:
        """One proposal; None if it is invalid or known already, which the sampler is told at once."""
        self.asked += 1
        trial = self._study.ask()
        proposed = self._space.suggest(trial)
        if isinstance(proposed, Invalid):
            trial.set_user_attr("invalid", proposed.reason)
            # TPE learns from pruned trials and not from failed ones; several objectives know no pruning.
            self._study.tell(trial, state=TrialState.PRUNED if self._config.sampler == "tpe" else TrialState.FAIL)
            return None
        if proposed.hash in self._candidates:
            trial.set_user_attr("repeats", proposed.hash)
            values = self._values(proposed)
            if values is None:
                self._study.tell(trial, state=TrialState.FAIL)
            else:
                self._study.tell(trial, values)
            return None
        for name, value in attributes_of(proposed, self._config).items():
            trial.set_user_attr(name, value)
        return Candidate(trial.number, proposed, trial.params, trial.distributions, told=False)
