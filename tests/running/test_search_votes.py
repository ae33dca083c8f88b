"""What must be true of a search whose primary proxy is a vote: who trains, what Optuna is told, and that it stays."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path

import optuna
import pandas as pd
import pytest
from rich.console import Console
from running.interrupting import interrupt
from tiny import without_times

from randsearch.api import load_study
from randsearch.base.errors import UserError
from randsearch.cli.ending import ending
from randsearch.running import driver, session
from randsearch.space import SearchSpace
from randsearch.study.merging import merge
from randsearch.study.status import read_status
from randsearch.study.votes import Standing
from randsearch.table.tidy import means, read_measurements

VOTE = "vote:params+synflow"
PARTS = ["params", "synflow"]


@pytest.fixture(scope="module")
def run(tiny_options) -> Callable[..., Path]:
    """Runs a search below a folder, or goes on with it; returns that of its study."""
    space = SearchSpace.load(Path(str(tiny_options["space"]))).to_dict()

    def search(results: Path, **changed: object) -> Path:
        machine = session.Machine(results, None, 1, Console(quiet=True))
        options = {**tiny_options, "space": space, "measures": [], "proxy": VOTE, "trials": 5, **changed}
        return session.search(*session.resolve(options, machine), machine)

    return search


@pytest.fixture(scope="module")
def scored(run, tmp_path_factory) -> Path:
    """A study of which nothing is trained yet; not to be changed."""
    return run(tmp_path_factory.mktemp("scored"), train="none")


@pytest.fixture
def copy(scored, tmp_path) -> Path:
    """The root of a copy of it."""
    shutil.copytree(scored, tmp_path / "tiny")
    return tmp_path


def optuna_study(folder: Path) -> optuna.Study:
    return optuna.load_study(study_name=folder.name, storage=f"sqlite:///{folder / 'study.db'}")


def told(folder: Path) -> dict[str, float]:
    """What Optuna was told of each architecture."""
    trials = optuna_study(folder).trials
    return {trial.user_attrs["architecture"]: trial.values[0] for trial in trials if "options" in trial.user_attrs}


def part_scores(folder: Path) -> pd.DataFrame:
    return means(read_measurements(folder / "measurements.csv"))[PARTS]


def begun(folder: Path) -> set[str]:
    table = read_measurements(folder / "measurements.csv")
    return set(table.loc[table["measure"] == "trained", "architecture"])


def best(folder: Path, number: int) -> set[str]:
    return set(part_scores(folder).rank().sum(axis=1).nlargest(number).index)


def test_its_parts_alone_are_measured_and_optuna_is_told_the_mean_of_places(scored):
    table = read_measurements(scored / "measurements.csv")
    assert table.groupby("architecture", sort=False)["measure"].apply(list).tolist() == [PARTS] * 5
    places = ((part_scores(scored).rank() - 0.5) / 5).mean(axis=1)
    assert told(scored) == pytest.approx(places.to_dict())
    assert optuna_study(scored).metric_names == [VOTE]
    assert read_status(scored).state == "complete"


def test_the_best_by_their_ranks_are_trained(run, copy):
    folder = run(copy, train="top:2")
    assert begun(folder) == best(folder, 2)
    assert read_status(folder).state == "complete"


def test_it_leads_where_nothing_is_trained(scored):
    (ahead,) = best(scored, 1)
    ranked = load_study(scored).best(2)
    assert (ranked.index[0], ranked["measure"].tolist()) == (ahead, [VOTE, VOTE])
    lines = list(ending(load_study(scored).config, scored, None, measured=0))
    assert any(line.startswith(f"ahead: {ahead}, ") and line.endswith(f"({VOTE})") for line in lines)
    assert VOTE in load_study(scored).to_frame(wide=True)


def test_studies_are_compared_by_it(scored, run_cli, copy):
    shutil.copytree(scored, copy / "again")
    said = run_cli("compare", "tiny", "again", "--results", copy)
    assert f"{VOTE}: Spearman 1.00" in said.out, said.err


def test_a_longer_search_tells_nothing_anew_and_ranks_among_all(run, copy, monkeypatch):
    before, sample = told(copy / "tiny"), optuna_study(copy / "tiny").user_attrs[f"standing:{VOTE}"]
    folder = run(copy, trials=8, train="top:3")
    assert optuna_study(folder).user_attrs[f"standing:{VOTE}"] == sample
    found, standing = told(folder), Standing.stored(sample, VOTE)
    assert {name: found[name] for name in before} == before
    assert found == {name: standing.value(row) for name, row in part_scores(folder).iterrows()}
    assert begun(folder) == best(folder, 3)


def test_a_search_that_was_stopped_within_its_sample_says_the_same(run, scored, tmp_path):
    interrupt(4, partial(run, tmp_path, train="none"))
    assert told(run(tmp_path, train="none")) == told(scored)


def test_an_adaptive_sampler_is_told_places_among_others_that_do_not_join_the_study(run, tmp_path, monkeypatch):
    monkeypatch.setattr(driver, "SAMPLE", 3)
    options = {"sampler": "tpe", "trials": 3, "train": "none"}
    interrupt(4, partial(run, tmp_path, **options))
    folder = run(tmp_path, **options)
    sample, scores, values = optuna_study(folder).user_attrs[f"standing:{VOTE}"], part_scores(folder), told(folder)
    assert [len(found) for found in sample.values()] == [3, 3]
    assert sample != {part: sorted(scores[part]) for part in PARTS}
    assert values == {name: Standing.stored(sample, VOTE).value(row) for name, row in scores.iterrows()}
    assert len(values) == 3
    (folder / "study.db").unlink()
    run(tmp_path, **options)
    assert optuna_study(folder).user_attrs[f"standing:{VOTE}"] == sample
    assert told(folder) == values


@pytest.mark.usefixtures("nothing_measured")
def test_nothing_is_measured_again(run, copy):
    before = told(copy / "tiny")
    (copy / "tiny" / "study.db").unlink()
    # The file of a former study may serve as options, and says what early was matched to there.
    assert told(run(copy, train="none", control="proxy_steps")) == before


def test_halving_begins_with_the_best_by_their_ranks(run, copy):
    folder = run(copy, train="halving", reduction=2)
    assert begun(folder) == best(folder, 2)
    assert read_status(folder).state == "complete"


def test_a_vote_may_be_the_lowest_rung_alone_and_asha_goes_by_the_sample(run, tmp_path):
    folder = run(tmp_path, proxy="macs", rung=VOTE, train="asha", reduction=2)
    assert f"standing:{VOTE}" in optuna_study(folder).user_attrs
    first = pd.Series({n: sum(row) for n, row in part_scores(folder).rank().iterrows()}).nlargest(2)
    assert set(first.index) <= begun(folder)
    assert told(folder) == means(read_measurements(folder / "measurements.csv"))["macs"].to_dict()


def test_a_merged_study_tells_by_the_sample_of_the_first(run, scored, tmp_path):
    other = run(tmp_path / "other", seed=1, trials=2, train="none")
    merge([scored, other], tmp_path / "both")
    folder = run(tmp_path, study="both", train="none", trials=1)
    samples = [optuna_study(each).user_attrs[f"standing:{VOTE}"] for each in (folder, scored, other)]
    assert samples[0] == samples[1] != samples[2]
    assert told(scored).items() <= told(folder).items()
    assert len(told(folder)) > 5


def test_a_vote_of_another_study_is_refused_by_name(run, copy):
    with pytest.raises(UserError, match=r"exists with another proxy .*vote:params\+synflow.* there, .*params\+zen"):
        run(copy, proxy="vote:params+zen")
    with pytest.raises(UserError, match="there is no measure entropy: choose from trained, fixed_decoder"):
        run(copy, study="new", proxy="vote:params+entropy")


def test_it_is_the_primary_proxy_from_the_command_line_to_the_report(run_cli, tiny_search, tmp_path, monkeypatch):
    monkeypatch.setattr("randsearch.report.build.make_plots", lambda *given, **more: ())  # They take seconds.
    options = {"proxy": VOTE, "measures": ["early"], "trials": 6, "steps": 4}
    ran = run_cli(*tiny_search(tmp_path, **options))
    assert ran.code == 0, ran.err
    control = f"no equal-cost control: {VOTE} costs less than one step of training"
    assert control in ran.out + ran.err
    folder = tmp_path / "tiny"
    said = run_cli("analyse", "tiny", "--results", tmp_path).out
    assert VOTE in said.splitlines()[0]
    assert control in said.replace("\n", " ")
    assert "equal cost" not in said
    logged = optuna_study(folder).user_attrs
    assert logged["agreement:proxy"] == VOTE
    assert logged["agreement"]["proxies"][VOTE]["n"] == 6
    assert run_cli("report", "tiny", "--results", tmp_path).code == 0
    report = (folder / "report.html").read_text()
    assert f"of 6 by {VOTE}" in report
    assert control in report
    assert run_cli("status", "tiny", "--results", tmp_path).code == 0
    assert without_times(folder / "measurements.csv")["measure"].nunique() == 4
