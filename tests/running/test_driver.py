"""What must be true of the driver: what it samples, measures, trains and writes, however often it is continued."""

from __future__ import annotations

import itertools
import json
import shutil
from collections.abc import Sequence
from pathlib import Path

import optuna
import pandas as pd
import pytest
from optuna.trial import TrialState
from rich.console import Console
from tiny import FINISHED, without_times

from randsearch.base import stopping
from randsearch.base.errors import UserError
from randsearch.base.seeds import derive
from randsearch.measures import MEASURES, Measure, measure
from randsearch.running import executors, session
from randsearch.space import BoundSpace, SearchSpace
from randsearch.study import candidates
from randsearch.study.candidates import bind_space, planned_candidates
from randsearch.study.config import StudyConfig
from randsearch.study.findings import analyse_study
from randsearch.table.tidy import read_measurements

# Two sets of skips for one level, four for two.
FEW = """\
description: Six networks.
parameters:
  levels: {int: [1, 2]}
  first_filters: 2
  filter_increment: 0
  encoder_kernel: 3
  decoder_kernel: 3
  skips: {subset: levels}
"""


@pytest.fixture
def few(tmp_path) -> Path:
    path = tmp_path / "few.yaml"
    path.write_text(FEW)
    return path


@pytest.fixture
def search(tiny_options, tmp_path):
    """Runs a tiny search, or continues it; returns its table."""

    def run(**changed: object) -> pd.DataFrame:
        machine = session.Machine(tmp_path / "results", None, 1, Console(quiet=True))
        space = SearchSpace.load(Path(changed.pop("space", tiny_options["space"]))).to_dict()
        folder = session.search(*session.resolve({**tiny_options, "space": space, **changed}, machine), machine)
        return read_measurements(folder / "measurements.csv")

    return run


def trials(tmp_path: Path, study: str = "tiny") -> list[optuna.trial.FrozenTrial]:
    return optuna.load_study(study_name=study, storage=f"sqlite:///{tmp_path}/results/tiny/study.db").trials


def agreement(tmp_path: Path) -> dict:
    analyse_study(tmp_path / "results/tiny")
    return json.loads((tmp_path / "results/tiny/agreement.json").read_text())


def measured(table: pd.DataFrame) -> list[tuple[str, int]]:
    """(measure, seed) of the first architecture, in the order of the table."""
    first = table[table["architecture"] == table["architecture"][0]]
    return list(zip(first["measure"], first["seed"], strict=True))


class Jumbled:
    """An executor with room for three that always finishes its latest job first."""

    capacity = 3

    def __init__(self, setting):
        self._setting, self._jobs, self.most = setting, [], 0

    def submit(self, job):
        self._jobs.append(job)
        self.most = max(self.most, len(self._jobs))

    def finished(self):
        return [measure(self._setting, self._jobs.pop())]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        assert self._jobs == []
        assert self.most == 4  # one more than there is room for, so that none waits while the storage is written


def test_nothing_depends_on_how_many_run_at_once_nor_on_what_is_done_first(search, tmp_path, monkeypatch):
    search(study="alone", trials=2, seeds=[0, 1])
    monkeypatch.setattr(session, "open_executor", lambda setting, *_: Jumbled(setting))
    search(study="jumbled", trials=2, seeds=[0, 1])
    alone, jumbled = (without_times(tmp_path / f"results/{name}/measurements.csv") for name in ("alone", "jumbled"))
    pd.testing.assert_frame_equal(alone, jumbled)


def test_the_order_of_the_table(search):
    table = search(seeds=[1, 0], measures=["macs", "fixed_encoder", "params"])
    rows = [("fixed_decoder", 1), ("fixed_decoder", 0), ("early", 1), ("early", 0), ("macs", 1)]
    rows += [("fixed_encoder", 1), ("fixed_encoder", 0), ("params", 1), ("trained", 1), ("trained", 0)]
    assert measured(table) == rows
    assert list(zip(table["measure"], table["seed"], strict=True)) == rows * 3
    assert table["architecture"].nunique() == 3


def test_candidate_i_depends_on_the_seed_and_on_those_before_it_alone(tiny_options):
    def names(seed: int, trials: int, taken: Sequence[str] = ()) -> list[str]:
        space = SearchSpace.load(Path(str(tiny_options["space"]))).to_dict()
        config = StudyConfig(space=space, seed=seed, trials=trials, sample_rate=1000, segment=256)
        return [drawn.architecture.hash for drawn in planned_candidates(config, bind_space(config), taken)]

    ten = names(0, 10)
    assert len(set(ten)) == 10
    assert names(0, 4) == ten[:4]
    assert names(0, 10, ten[:4]) == ten[4:]
    assert names(1, 10) != ten


def test_no_architecture_twice_down_to_the_last_of_the_space(search, few, tmp_path):
    options = {"space": few, "train": "none", "measures": ["params"]}
    assert search(trials=6, **options)["architecture"].nunique() == 6
    saved = (tmp_path / "results/tiny/config.yaml").read_text()
    with pytest.raises(UserError, match="holds 6 valid architectures and not 7: ask for fewer"):
        search(trials=7, **options)
    assert (tmp_path / "results/tiny/config.yaml").read_text() == saved
    with pytest.raises(UserError, match="holds 6 valid architectures and not 7"):
        search(study="new", trials=7, **options)
    assert not (tmp_path / "results/new").exists()


def test_more_trials_keep_what_is_there_and_are_those_of_a_longer_search(search, tmp_path):
    short = search(trials=1)
    long = search(trials=3)
    pd.testing.assert_frame_equal(long.iloc[: len(short)].astype(str), short.astype(str))
    search(study="at_once", trials=3)
    pd.testing.assert_frame_equal(
        without_times(tmp_path / "results/tiny/measurements.csv"),
        without_times(tmp_path / "results/at_once/measurements.csv"),
    )


def test_fewer_trials_take_nothing_away(search):
    pd.testing.assert_frame_equal(search(trials=2), search(trials=1))


def test_more_seeds_measures_and_training_only_add(search):
    keys = ["architecture", "measure", "seed"]
    steps = [
        search(train="none", measures=["params"]),
        search(train="none", measures=["params"], seeds=[0, 2]),
        search(train="none", measures=["macs"]),
        search(train="top:1"),
        search(train="all"),
    ]
    proxies = [("fixed_decoder", 0), ("early", 0), ("params", 0)]
    assert measured(steps[0]) == proxies
    assert measured(steps[1]) == [("fixed_decoder", 0), ("fixed_decoder", 2), ("early", 0), ("early", 2), ("params", 0)]
    assert measured(steps[2]) == [*measured(steps[1]), ("macs", 0)]
    assert [int((step["measure"] == "trained").sum()) for step in steps] == [0, 0, 0, 2, 6]
    for before, after in itertools.pairwise(steps):
        kept = after.set_index(keys).loc[list(before.set_index(keys).index)].reset_index()
        pd.testing.assert_frame_equal(kept[before.columns], before, check_dtype=False)


def test_training_at_fewer_seeds_than_the_proxies(search):
    table = search(train_seeds=[1, 2], seeds=[0, 1], measures=["params"])
    proxies = [("fixed_decoder", 0), ("fixed_decoder", 1), ("early", 0), ("early", 1), ("params", 0)]
    assert measured(table) == [*proxies, ("trained", 1), ("trained", 2)]


def test_top_k_trains_the_best_k_by_the_mean_of_the_primary_proxy(search, tmp_path):
    table = search(trials=4, seeds=[0, 1], train="top:2")
    means = table[table["measure"] == "fixed_decoder"].groupby("architecture")["score"].mean()
    trained = table.loc[table["measure"] == "trained", "architecture"]
    assert set(trained) == set(means.nlargest(2).index)
    assert len(trained) == 4
    agreed = agreement(tmp_path)
    assert "only the best 2 by fixed_decoder were trained" in agreed["settings"]["bias"]
    assert all(row["biased"] for row in agreed["rows"])


def test_another_proxy_leads(search, tmp_path):
    table = search(proxy="fixed_encoder", measures=["fixed_decoder"], train="top:1")
    assert measured(table)[:3] == [("fixed_encoder", 0), ("early", 0), ("fixed_decoder", 0)]
    scores = table[table["measure"] == "fixed_encoder"].set_index("architecture")["score"]
    assert list(table.loc[table["measure"] == "trained", "architecture"]) == [scores.idxmax()]
    assert [trial.value for trial in trials(tmp_path)] == list(scores)


@pytest.mark.parametrize("sampler", ["random", "tpe"])
def test_a_proxy_without_seeds_is_told_too(search, tmp_path, sampler):
    table = search(proxy="params", measures=["params"], seeds=[3, 4], train="none", sampler=sampler)
    told = [trial for trial in trials(tmp_path) if "repeats" not in trial.user_attrs]
    assert [trial.state for trial in told] == [TrialState.COMPLETE] * 3
    assert [trial.value for trial in told] == list(table.loc[table["measure"] == "params", "score"])


def test_a_failure_is_counted_and_never_trained_in_place_of_another(search, tmp_path, monkeypatch):
    whole = search(study="whole", train="none")
    victim = whole["architecture"][0]
    healthy = MEASURES["fixed_decoder"].run

    def run(setting, architecture, seed):
        if architecture.hash == victim:
            raise RuntimeError("this one never works")
        return healthy(setting, architecture, seed)

    monkeypatch.setitem(MEASURES, "fixed_decoder", Measure(run, needs="", source="", fixes="decoder", trains=True))
    table = search(train="top:3")
    row = table[(table["architecture"] == victim) & (table["measure"] == "fixed_decoder")].iloc[0]
    assert (row["state"], row["reason"]) == ("failed", "RuntimeError: this one never works")
    assert victim not in set(table.loc[table["measure"] == "trained", "architecture"])
    assert (table["measure"] == "trained").sum() == 2
    assert [trial.state for trial in trials(tmp_path)] == [TrialState.FAIL, *[TrialState.COMPLETE] * 2]
    assert [trial.state for trial in trials(tmp_path, "tiny/fixed_decoder")].count(TrialState.FAIL) == 1
    failed = {row["proxy"]: row["failed"] for row in agreement(tmp_path)["rows"]}
    assert failed == {"fixed_decoder": 1, "early": 0, "params": 0}


@pytest.mark.parametrize("sampler", ["tpe", "nsga2"])
def test_adaptive_samplers(search, run_cli, tmp_path, sampler):
    table = search(trials=5, sampler=sampler, train="top:2", measures=["macs"])
    assert table["architecture"].nunique() == 5
    scores = table[table["measure"] == "fixed_decoder"].set_index("architecture")["score"]
    assert set(table.loc[table["measure"] == "trained", "architecture"]) == set(scores.nlargest(2).index)
    for trial in trials(tmp_path):
        assert trial.state in (TrialState.COMPLETE, TrialState.FAIL, TrialState.PRUNED)
        if "options" in trial.user_attrs:
            name = trial.user_attrs["architecture"]
            macs = table.set_index(["architecture", "measure"]).loc[(name, "macs"), "score"]
            assert trial.values == ([scores[name], macs] if sampler == "nsga2" else [scores[name]])
    assert sampler in agreement(tmp_path)["settings"]["bias"]
    logged = optuna.load_study(study_name="tiny", storage=f"sqlite:///{tmp_path}/results/tiny/study.db").user_attrs
    assert sampler in logged["agreement"]["bias"]
    said = run_cli("analyse", "tiny", "--results", tmp_path / "results").out
    assert "(biased)" in said
    assert f"biased: architectures were chosen by {sampler}" in said
    longer = search(trials=6, sampler=sampler, train="top:2", measures=["macs"])
    assert longer["architecture"].nunique() == 6
    assert longer["architecture"].unique().tolist()[:5] == table["architecture"].unique().tolist()
    again = longer[longer["architecture"].isin(table["architecture"]) & (longer["measure"] != "trained")]
    pd.testing.assert_frame_equal(
        again.reset_index(drop=True), table[table["measure"] != "trained"].reset_index(drop=True)
    )


def test_an_adaptive_sampler_proposes_no_architecture_twice(search, few, tmp_path):
    table = search(space=few, trials=6, sampler="tpe", train="none", measures=["params"])
    counts = table.groupby("architecture")["measure"].apply(list)
    assert set(map(tuple, counts)) == {("fixed_decoder", "early", "params")}
    proposed = [trial for trial in trials(tmp_path) if "repeats" in trial.user_attrs]
    assert proposed  # in a space this small some proposals must have come again, and were not measured again
    assert {trial.user_attrs["repeats"] for trial in proposed} <= set(table["architecture"])


def endless(tmp_path: Path, *more: str) -> Path:
    path = tmp_path / "wide.yaml"
    path.write_text(FEW.replace("first_filters: 2", "first_filters: {int: [2, 512]}") + "".join(more))
    return path


def test_the_first_job_begins_whatever_is_to_come(search, tmp_path, monkeypatch):
    drawn, done = [], []

    def stop_at_the_third(setting, job):
        done.append(job)
        if len(done) == 3:
            raise stopping.StoppedError
        return measure(setting, job)

    draw = BoundSpace.draw
    monkeypatch.setattr(BoundSpace, "draw", lambda *given: drawn.append(given) or draw(*given))
    monkeypatch.setattr(executors, "measure", stop_at_the_third)
    with pytest.raises(stopping.StoppedError):
        search(space=endless(tmp_path), trials=3000, proxy="params", measures=["macs"])
    assert [index for _, seed, index, *_ in drawn if seed == derive("sampling", 0)] == [0, 1]
    assert len(read_measurements(tmp_path / "results/tiny/measurements.csv")) == 2


@pytest.mark.parametrize("sampler", ["random", "tpe"])
@pytest.mark.parametrize("dry", [False, True])
def test_more_trials_than_the_space_holds_are_refused_at_once(run_cli, tiny_search, few, tmp_path, sampler, dry):
    arguments = tiny_search(tmp_path / "results", space=few, trials=10_000_000, sampler=sampler)
    refused = run_cli(*arguments, *(["--dry-run"] if dry else []))
    assert refused.code == 1
    assert "holds 6 valid architectures and not 10,000,000: ask for fewer" in refused.err
    assert not (tmp_path / "results/tiny").exists()


def test_no_number_of_trials_is_absurd(run_cli, tiny_search, tmp_path):
    refused = run_cli(*tiny_search(tmp_path, trials=1_000_000_000))
    assert (refused.code, refused.err.count("\n")) == (1, 1)
    assert "trials: input should be less than or equal to 10000000 (got 1000000000)" in refused.err


def test_a_space_that_turns_out_to_be_used_up_keeps_what_was_measured(search, few, tmp_path, monkeypatch):
    monkeypatch.setattr(candidates, "AMPLE", 0)
    with pytest.raises(UserError, match="the space is used up, all of its 6 valid architectures have been drawn"):
        search(space=few, trials=7, train="none", measures=["params"])
    table = read_measurements(tmp_path / "results/tiny/measurements.csv")
    assert table.groupby("architecture").size().tolist() == [3] * 6


@pytest.mark.usefixtures("nothing_measured")
def test_a_finished_study_is_not_written_again(finished_study, tiny_options, tmp_path):
    shutil.copytree(finished_study, tmp_path / "results" / "tiny")
    table = tmp_path / "results/tiny/measurements.csv"
    before = table.stat().st_mtime_ns
    machine = session.Machine(tmp_path / "results", None, 1, Console(quiet=True))
    session.search(*session.resolve({"study": "tiny", **FINISHED}, machine), machine)
    assert table.stat().st_mtime_ns == before
