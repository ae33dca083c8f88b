"""An objective for Optuna that trains by looking up, on a simulated clock."""

from __future__ import annotations

import math

import numpy as np
import optuna

from randsearch.base.errors import UserError
from randsearch.replay.records import TRAINED, Records, score_of
from randsearch.replay.world import SpentError, World
from randsearch.space import BoundSpace, Invalid
from randsearch.study.config import StudyConfig


class Objective:
    """Trains the network that a trial proposes, as recorded: `study.optimize(objective, n_trials=100)`.

    Validations are reported one by one and `should_prune` is heeded; a trial that is pruned has paid for the steps so
    far. Each trial carries the seconds that were spent by its end as its user attribute `seconds`, and the network as
    `architecture`. What the benchmark lacks is pruned, with the reason as `reason`. Trials run one at a time.

    Args:
        records: of the benchmark.
        config: of its study.
        space: of its study.
        seconds: after which the study is stopped; None for no end. What they do not pay in full is not told.
        seed: of the trainings; None for the first.

    Raises:
        UserError: there is no training at that seed, or nothing may be spent.
    """

    def __init__(
        self, records: Records, config: StudyConfig, space: BoundSpace, seconds: float | None, seed: int | None
    ) -> None:
        if seconds is not None and not seconds > 0:
            raise UserError(f"seconds of a replay must be more than 0, not {seconds:g}.")
        chosen = records.seed(TRAINED) if seed is None else seed
        trained = records.trained(chosen)
        if not trained:
            raise UserError(f"{records.name} has no training at seed {chosen}.")
        limit = math.inf if seconds is None else seconds
        rng = np.random.default_rng(chosen)
        self._world = World(records, config, space, trained, rng=rng, limit=limit, train_seed=chosen)
        self._trainings = {name: records.at(TRAINED, name, chosen) for name in trained}

    @property
    def seconds(self) -> float:
        """Spent so far."""
        return self._world.seconds

    def __call__(self, trial: optuna.Trial) -> float:
        """The score of what a trial proposes.

        Args:
            trial: of a study that maximizes.

        Raises:
            TrialPruned: the pruner had it stopped, there is no score, or the seconds are spent.
        """
        try:
            return self._train(trial)
        except SpentError:
            trial.study.stop()
            raise self._pruned(trial, "the seconds are spent") from None
        finally:
            trial.set_user_attr("seconds", self.seconds)

    def _train(self, trial: optuna.Trial) -> float:
        architecture = self._world.space.suggest(trial)
        if isinstance(architecture, Invalid):
            raise self._pruned(trial, architecture.reason)
        trial.set_user_attr("architecture", architecture.hash)
        if architecture not in self._world:
            raise self._pruned(trial, "the benchmark has no training of it")
        whole = self._trainings[architecture.hash]
        for step, score in whole.curve:
            self._world.train(architecture, step)
            trial.report(score, step)
            if trial.should_prune():
                raise self._pruned(trial, f"stopped at step {step}")
        found = score_of(self._world.trained(architecture))
        if found is None:
            raise self._pruned(trial, whole.reason)
        return found

    def _pruned(self, trial: optuna.Trial, reason: str) -> optuna.TrialPruned:
        trial.set_user_attr("reason", reason)
        return optuna.TrialPruned(reason)
