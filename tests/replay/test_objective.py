"""What must be true of the objective for Optuna: the clock, the curve, and what is not there."""

from __future__ import annotations

import optuna
import pytest
from optuna.trial import TrialState
from replay.made import FAILED, STEPS

from randsearch.base.errors import UserError
from randsearch.replay.objective import Objective
from randsearch.replay.records import TRAINED


def optimised(objective, pruner=None, trials=40):
    sampler = optuna.samplers.RandomSampler(seed=4)
    study = optuna.create_study(direction="maximize", sampler=sampler, pruner=pruner or optuna.pruners.NopPruner())
    study.optimize(objective, n_trials=trials)
    return study.get_trials(deepcopy=False)


def test_trials_have_the_scores_and_curves_of_the_table_until_the_seconds_are_spent(made):
    trials = optimised(made.objective(seconds=150))
    whole = [trial for trial in trials if trial.state == TrialState.COMPLETE]
    assert 3 < len(whole) < 12
    for trial in whole:
        name = trial.user_attrs["architecture"]
        assert trial.value == made.query(name, TRAINED, seed=0).score
        assert [*trial.intermediate_values] == list(range(1, STEPS + 1))
        assert trial.intermediate_values[3] == made.query(name, TRAINED, 0, 3).score
    before = {trial.user_attrs["architecture"] for trial in trials[: whole[-1].number + 1] if len(trial.user_attrs) > 1}
    spent = sum(made.query(name, TRAINED, seed=0).seconds for name in before)
    assert whole[-1].user_attrs["seconds"] == pytest.approx(spent)
    assert trials[-1].user_attrs["reason"] == "the seconds are spent"
    assert trials[-1].state == TrialState.PRUNED
    assert trials[-1].user_attrs["seconds"] <= 150
    assert len(trials) < 40


def test_a_pruner_saves_the_steps_behind(made):
    plain, pruned = made.objective(), made.objective()
    optimised(plain)
    trials = optimised(pruned, optuna.pruners.MedianPruner(n_startup_trials=3))
    stopped = [trial for trial in trials if trial.user_attrs.get("reason", "").startswith("stopped at step")]
    assert stopped
    assert all(max(trial.intermediate_values) < STEPS for trial in stopped)
    assert pruned.seconds < plain.seconds


def test_what_is_lacking_or_failed_is_pruned_with_its_reason(made, monkeypatch):
    monkeypatch.setattr(made.records, "trained", lambda seed: [*made.architectures][: FAILED + 1])
    objective = Objective(made.records, made.config, made.bound, None, None)
    trials = optimised(objective, trials=80)
    reasons = {trial.user_attrs.get("reason") for trial in trials}
    assert {"the benchmark has no training of it", "diverged"} <= reasons
    assert all(trial.state == TrialState.PRUNED for trial in trials if "reason" in trial.user_attrs)


def test_a_seed_that_is_not_there_is_refused(made):
    with pytest.raises(UserError, match="no training at seed 9"):
        made.objective(seed=9)
    with pytest.raises(UserError, match="must be more than 0"):
        made.objective(seconds=0)
    assert made.objective(seed=2).seconds == 0
