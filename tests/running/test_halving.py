"""What must be true of trainings that are stopped on the way: `--train halving` and `--train asha`."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import optuna
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from optuna.trial import TrialState
from rich.console import Console
from running.interrupting import interrupt
from tiny import without_times

from randsearch.base.layout import StudyFolder
from randsearch.measures import MEASURES, Job, Measure, measure
from randsearch.models.architecture import Architecture
from randsearch.running import session
from randsearch.running.halving import Asha, Halving
from randsearch.space import SearchSpace
from randsearch.study.config import StudyConfig
from randsearch.study.findings import bias_of
from randsearch.study.merging import merge
from randsearch.study.rungs import Plan, Training, expected, open_rung, plan_of
from randsearch.study.status import read_status
from randsearch.study.studies import Candidate
from randsearch.table.measurement import Measurement
from randsearch.table.tidy import read_measurements

# Rungs of 3 architectures at step 2 and 1 at step 4.
OPTIONS = {"trials": 6, "steps": 4, "validate_every": 1, "reduction": 2, "proxy_steps": 1, "proxy": "params"}


@pytest.fixture(scope="module")
def run(tiny_options) -> Callable[..., Path]:
    """Runs a search below a folder; returns that of its study."""
    space = SearchSpace.load(Path(str(tiny_options["space"]))).to_dict()

    def search(results: Path, *, workers: int = 1, **changed: object) -> Path:
        machine = session.Machine(results, None, workers, Console(quiet=True))
        options = {**tiny_options, "space": space, "measures": [], **OPTIONS, **changed}
        return session.search(*session.resolve(options, machine), machine)

    return search


@pytest.fixture(scope="module")
def proxied(run, tmp_path_factory) -> Path:
    """A study of which nothing is trained yet; not to be changed."""
    return run(tmp_path_factory.mktemp("proxied"), train="none")


@pytest.fixture(scope="module")
def begin(proxied, run) -> Callable[..., Path]:
    """Goes on with a copy of it."""

    def go_on(results: Path, **changed: object) -> Path:
        if not (results / "tiny").exists():
            shutil.copytree(proxied, results / "tiny")
        return run(results, **changed)

    return go_on


@pytest.fixture(scope="module")
def halved(begin, tmp_path_factory) -> Path:
    return begin(tmp_path_factory.mktemp("halved"), train="halving")


@pytest.fixture(scope="module")
def interrupted(begin, tmp_path_factory) -> Path:
    """Stopped in the first rung, with one training paused; not to be changed."""
    results = tmp_path_factory.mktemp("interrupted")
    interrupt(2, partial(begin, results, train="halving"))
    return results / "tiny"


@pytest.fixture(scope="module")
def plain(begin, tmp_path_factory) -> Path:
    return begin(tmp_path_factory.mktemp("plain"), train="all")


def trained(study: Path) -> pd.DataFrame:
    table = without_times(study / "measurements.csv")
    return table[table["measure"] == "trained"].set_index("architecture").drop(columns="measure")


def best(study: Path, number: int) -> list[str]:
    """The architectures with the most weights, which is what the lowest rung goes by."""
    table = read_measurements(study / "measurements.csv")
    scores = table[table["measure"] == "params"].set_index("architecture")["score"]
    return sorted(scores.index, key=lambda name: (-scores[name], name))[:number]


class Backwards:
    """An executor with room for three that always finishes its latest job first."""

    capacity = 3

    def __init__(self, setting):
        self._setting, self._jobs = setting, []

    def submit(self, job):
        self._jobs.append(job)

    def finished(self):
        return [measure(self._setting, self._jobs.pop())]

    def __enter__(self):
        return self

    def __exit__(self, *_): ...


def test_who_trains_to_the_end_is_trained_as_without_a_pause_and_the_others_have_the_same_curve_so_far(halved, plain):
    found, whole = trained(halved), trained(plain)
    assert set(found.index) == set(best(halved, 3))
    curves = {name: json.loads(curve) for name, curve in whole["curve"].items()}
    at_the_rung = {name: max(score for step, score in curves[name] if step <= 2) for name in found.index}
    winner = max(at_the_rung, key=at_the_rung.__getitem__)
    pd.testing.assert_series_equal(found.loc[winner], whole.loc[winner])
    files = [StudyFolder(study).home(winner, "trained", 0) / "weights.safetensors" for study in (halved, plain)]
    assert files[0].read_bytes() == files[1].read_bytes()
    for name, row in found.drop(index=winner).iterrows():
        assert (row["state"], row["score"], row["steps"]) == ("pruned", "", "2")
        assert row["reason"] == "stopped at step 2 of 4"
        assert json.loads(row["curve"]) == curves[name][:2]
    assert not [*halved.rglob("checkpoint.*")]


def test_optuna_knows_the_stopped_as_pruned(halved):
    trials = optuna.load_study(study_name="tiny/trained", storage=f"sqlite:///{halved}/study.db").trials
    assert sorted(trial.state.name for trial in trials) == ["COMPLETE", "PRUNED", "PRUNED"]
    for trial in trials:
        assert list(trial.intermediate_values) == ([1, 2] if trial.state == TrialState.PRUNED else [1, 2, 3, 4])
        if trial.state == TrialState.PRUNED:
            assert trial.value == trial.intermediate_values[2]


def test_the_same_whatever_is_done_first_and_wherever_it_was_stopped(begin, halved, interrupted, tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(session, "open_executor", lambda setting, *_: Backwards(setting))
        backwards = begin(tmp_path / "backwards", train="halving")
    pd.testing.assert_frame_equal(trained(backwards), trained(halved))
    interrupt(4, partial(begin, tmp_path / "second", train="halving"))
    shutil.copytree(interrupted, tmp_path / "first" / "tiny")
    for name in ("first", "second"):
        assert [*(tmp_path / name).rglob("checkpoint.safetensors")]
        assert read_status(tmp_path / name / "tiny").state == "unfinished"
        again = begin(tmp_path / name, train="halving")
        assert read_status(again).state == "complete"
        pd.testing.assert_frame_equal(trained(again), trained(halved))
        assert not [*again.rglob("checkpoint.*")]


def test_what_a_killed_search_had_begun_goes_on_beside_more_trials(interrupted, run, tmp_path):
    shutil.copytree(interrupted, tmp_path / "tiny")
    (begun,) = {path.parents[1].name for path in tmp_path.rglob("checkpoint.safetensors")}
    study = run(tmp_path, train="halving", trials=7, rung="early")
    assert begun in trained(study).index
    assert not [*study.rglob("checkpoint.*")]


def test_more_trials_take_nothing_back_and_all_of_them_is_plain_training(run, halved, plain, tmp_path):
    shutil.copytree(halved, tmp_path / "tiny")
    longer = run(tmp_path, train="halving", trials=8)
    before, after = trained(halved), trained(longer)
    assert set(after.index) == {*before.index, *best(longer, 4)}
    for name, row in before.iterrows():
        assert row["state"] == "pruned" or after.loc[name].equals(row)
    assert (after["state"] == "complete").sum() >= 1
    everything = run(tmp_path, train="all")
    first = set(trained(plain).index)
    found = trained(everything)
    pd.testing.assert_frame_equal(found[found.index.isin(first)], trained(plain))
    assert len(found) == 8
    trials = optuna.load_study(study_name="tiny/trained", storage=f"sqlite:///{everything}/study.db").trials
    states = [trial.state for trial in trials]
    assert states.count(TrialState.COMPLETE) == 8
    assert states.count(TrialState.PRUNED) >= 2  # finished trials are immutable


@pytest.mark.usefixtures("nothing_measured")
def test_a_study_is_rebuilt_from_its_table_with_what_was_stopped(run, halved, tmp_path):
    shutil.copytree(halved, tmp_path / "tiny")
    (tmp_path / "tiny" / "study.db").unlink()
    again = run(tmp_path, train="halving")
    pd.testing.assert_frame_equal(trained(again), trained(halved))


def test_one_that_was_stopped_gives_way_to_a_whole_training_where_studies_are_merged(halved, plain, tmp_path):
    for name, study in (("one", halved), ("two", plain)):
        shutil.copytree(study, tmp_path / name / "tiny")
    made = merge([tmp_path / "one/tiny", tmp_path / "two/tiny"], tmp_path / "both")
    assert (made.config.train, made.different) == ("halving", ())
    pd.testing.assert_frame_equal(trained(made.folder), trained(plain))


def test_asha_repeats_with_one_worker_and_goes_on_with_what_it_had_promoted(begin, tmp_path):
    one, two = (begin(tmp_path / name, train="asha") for name in ("one", "two"))
    pd.testing.assert_frame_equal(trained(one), trained(two))
    assert (trained(one)["state"] == "complete").sum() >= 1
    assert read_status(one).state == "complete"
    interrupt(3, partial(begin, tmp_path / "three", train="asha"))
    paused = {path.parents[1].name for path in (tmp_path / "three").rglob("checkpoint.safetensors")}
    assert paused
    three = begin(tmp_path / "three", train="asha")
    assert paused <= set(trained(three).index)
    assert read_status(three).state == "complete"
    assert not [*three.rglob("checkpoint.*")]


def test_a_failed_rung_measure_is_not_promoted_and_is_counted(begin, halved, tmp_path, monkeypatch):
    victim = best(halved, 1)[0]

    def sized(setting, architecture, seed):
        if architecture.hash == victim:
            raise RuntimeError("this one has no size")
        return MEASURES["params"].run(setting, architecture, seed)

    monkeypatch.setitem(MEASURES, "macs", Measure(sized, needs="", source="", seeded=False))
    study = begin(tmp_path, train="halving", rung="macs")
    assert victim not in trained(study).index
    table = read_measurements(study / "measurements.csv")
    said = bias_of(read_status(study).config, table)
    assert "the lowest being macs" in said
    assert said.endswith(
        "1 of 6 architectures were trained to the end, 1 stopped on the way, 4 never begun, "
        "1 of them without a score by macs"
    )


def test_the_estimate_knows_what_is_stopped(run_cli, tiny_search, tmp_path):
    arguments = tiny_search(tmp_path, **OPTIONS, train="halving")
    assert "3 x trained (stopped: 2 at step 2 of 4)" in run_cli(*arguments, "--dry-run").out


def test_mistakes(run_cli, tiny_search, tmp_path):
    answer = run_cli(*tiny_search(tmp_path, train="halving"), "--rung", "trained")
    assert (answer.code, answer.err.count("\n")) == (1, 1)
    assert "rung: it must be something cheaper than trained itself" in answer.err


def test_the_rungs_of_a_study():
    config = StudyConfig(space={}, train="halving", trials=32, steps=1000, validate_every=50, train_seeds=(0, 1))
    plan = plan_of(config)
    assert (plan.lowest, plan.budgets, plan.seeds) == ("fixed_decoder", (100, 350, 1000), (0, 1))
    assert expected(plan, 32) == (10, 3, 1)


# Scores of some architectures, by a measure and at every budget, with failures.
SCORES = st.lists(st.tuples(*[st.one_of(st.none(), st.integers(-3, 3))] * 4), min_size=1, max_size=30)
NETWORKS = [Architecture(levels=1, first_filters=number + 1) for number in range(30)]


def climbed(halving: Halving, scores: dict[str, tuple[int | None, ...]]) -> dict[str, int]:
    """Runs rung by rung; how far each architecture got."""
    reached: dict[str, int] = {}
    while jobs := halving.rung():
        for job in jobs:
            taken(halving, job, scores, reached)
        halving.lost()
    return reached


def taken(halving: Halving, job: Job, scores: dict[str, tuple[int | None, ...]], reached: dict[str, int]) -> None:
    """Makes a measurement: a score that is None has the training fail."""
    found = scores[job.architecture.hash]
    if job.measure == "params":
        state = "failed" if found[0] is None else "complete"
        told = Measurement(job.architecture, "params", job.seed, state, found[0])
    else:
        ends = [step for step in halving.plan.budgets if step <= (job.until or halving.plan.budgets[-1])]
        so_far = [score for score, _ in zip(found[1:], ends, strict=False)]
        reached[job.architecture.hash] = max(reached.get(job.architecture.hash, 0), ends[-1])
        if None in so_far:
            told = Measurement(job.architecture, "trained", job.seed, "failed", reason="diverged")
        else:
            curve = tuple(zip(ends, map(float, so_far), strict=True))
            state, score = ("pruned", None) if job.until else ("complete", max(so_far))
            told = Measurement(job.architecture, "trained", job.seed, state, score, curve=curve, steps=ends[-1])
    outcome = halving.outcome(told)
    if outcome is not None:
        halving.note(outcome)


def candidates_of(scores: list[tuple[int | None, ...]]) -> dict[str, Candidate]:
    found = (Candidate(number, each, {}, {}, told=True) for number, each in enumerate(NETWORKS[: len(scores)]))
    return {each.architecture.hash: each for each in found}


THREE = Plan("params", (2, 6, 18), 3, (("params", 0),), (0,))


@settings(max_examples=25)
@given(SCORES)
def test_of_each_rung_the_best_third_goes_on(scores):
    """Against a plain reading of the rule, on whole rungs."""
    candidates = candidates_of(scores)
    by_name = dict(zip(candidates, scores, strict=True))
    halving = Halving(THREE, candidates)
    for each in candidates.values():
        taken(halving, Job(each.architecture, "params", 0), by_name, {})
    reached = climbed(halving, by_name)
    left = [name for name in by_name if by_name[name][0] is not None]
    for rung, budget in enumerate(THREE.budgets):
        # The score of a training is the best so far; of a failed one the score is that before it failed.
        so_far = {name: max(by_name[name][(0 if rung == 0 else 1) : rung + 1]) for name in left}
        room = max(1, len(left) // 3)
        expected_there = sorted(left, key=lambda name: (-so_far[name], name))[:room]
        assert {name for name, step in reached.items() if step >= budget} == set(expected_there)
        left = [name for name in expected_there if by_name[name][rung + 1] is not None]


@settings(max_examples=25)
@given(SCORES, st.randoms(use_true_random=False), st.integers(1, 5))
def test_asha_never_waits_while_there_is_something_to_do_and_ends_where_halving_has_nothing_to_add(scores, order, room):
    candidates = candidates_of(scores)
    by_name, reached = dict(zip(candidates, scores, strict=True)), dict[str, int]()
    asha, out = Asha(THREE, candidates), list[Job]()
    jobs = asha.jobs(Job(each.architecture, "params", 0) for each in candidates.values())
    asked = set()
    for job in jobs:
        if job is not None:
            assert (job.key, job.until) not in asked
            asked.add((job.key, job.until))
            out.append(job)
        else:
            assert out
        if job is None or len(out) == room:
            taken(asha, out.pop(order.randrange(len(out))), by_name, reached)
    assert asha.finished
    assert not out
    lowest = {name: float(each[0]) for name, each in by_name.items() if each[0] is not None}
    assert open_rung(THREE, lowest, asha._trainings).missing == ()
    assert set(reached) <= set(lowest)


def test_a_training_that_fails_after_a_pause_keeps_what_it_was_chosen_by():
    candidates = candidates_of([(1, 1, 1, 1)])
    network = NETWORKS[0]
    halving = Halving(THREE, candidates)
    paused = Measurement(network, "trained", 0, "pruned", reason="stopped", curve=((2, 1.0),), steps=2, seconds=3.0)
    assert halving.outcome(paused) is None
    failed = halving.outcome(Measurement(network, "trained", 0, "failed", reason="diverged"))
    assert failed == replace(paused, state="failed", reason="diverged")


def test_a_training_that_is_complete_reached_every_rung_also_where_its_curve_is_unknown():
    known = THREE.training("complete", 1.5, ())
    assert known.reached(18)
    assert (known.score_at(2), known.score_at(18)) == (None, 1.5)


def test_the_mean_over_training_seeds_decides():
    plan = replace(THREE, budgets=(2, 6), seeds=(0, 1))
    names = [network.hash for network in NETWORKS[:9]]
    lowest = {name: float(-number) for number, name in enumerate(names)}
    ends = {(0, 0): 9.0, (0, 1): -9.0, (1, 0): 1.0, (1, 1): 1.0, (2, 0): 2.0, (2, 1): -2.0}
    trainings = {(names[number], seed): Training(((2, score),)) for (number, seed), score in ends.items()}
    assert open_rung(plan, lowest, trainings).members == (names[1],)
    assert open_rung(plan, lowest, trainings).missing == ((names[1], 0), (names[1], 1))
