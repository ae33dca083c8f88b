"""What must survive: a study without its database, and a driver stopped between any two of its writes."""

from __future__ import annotations

import shutil
from pathlib import Path

import optuna
import pandas as pd
import pytest
from optuna.trial import TrialState
from rich.console import Console
from tiny import FINISHED, without_times

from randsearch.base.errors import UserError
from randsearch.running import executors, session
from randsearch.space import SearchSpace
from randsearch.study.findings import analyse_study
from randsearch.study.studies import Studies


@pytest.fixture
def study(finished_study, tmp_path) -> Path:
    """A copy of the finished study that lacks its database."""
    folder = tmp_path / "results" / "tiny"
    shutil.copytree(finished_study, folder)
    (folder / "study.db").unlink()
    return folder


@pytest.fixture
def search(tiny_options):
    def run(results: Path, **changed: object) -> Path:
        machine = session.Machine(results, None, 1, Console(quiet=True))
        space = SearchSpace.load(Path(str(tiny_options["space"]))).to_dict()
        return session.search(*session.resolve({**tiny_options, "space": space, **changed}, machine), machine)

    return run


def contents(folder: Path) -> dict[str, list]:
    """All trials of all studies of a database, less what tells when and in which order they were added."""
    url = f"sqlite:///{folder / 'study.db'}"
    found = {}
    for name in optuna.get_all_study_names(url):
        trials = optuna.load_study(study_name=name, storage=url).trials
        found[name] = sorted(
            repr((t.values, t.params, t.user_attrs, t.intermediate_values, t.distributions, t.state)) for t in trials
        )
    return found


@pytest.mark.usefixtures("nothing_measured")
def test_a_search_rebuilds_a_study_from_its_table_and_configuration(study, finished_study, search):
    before = (study / "measurements.csv").read_bytes()
    search(study.parent, **FINISHED)
    assert (study / "measurements.csv").read_bytes() == before
    analyse_study(study)
    assert contents(study) == contents(finished_study)


@pytest.mark.usefixtures("nothing_measured")
def test_so_does_an_analysis(study, finished_study, search):
    before = (study / "measurements.csv").read_bytes()
    analyse_study(study)
    whole, found = contents(finished_study), contents(study)
    # What the driver alone knows, it tells when it comes next.
    assert {name for name in whole if found[name] != whole[name]} == {"tiny"}
    search(study.parent, **FINISHED)
    assert contents(study) == whole
    assert (study / "measurements.csv").read_bytes() == before


def test_an_interrupted_table_gets_its_missing_rows_back_in_their_place(study, finished_study, search):
    lines = (study / "measurements.csv").read_text().splitlines(keepends=True)
    first = lines[1].partition(",")[0]
    kept = [line for line in lines if not line.startswith(first)][:-4]
    assert len(kept) < len(lines) - 4
    (study / "measurements.csv").write_text("".join([*kept, "\n"]))
    search(study.parent, **FINISHED)
    pd.testing.assert_frame_equal(
        without_times(study / "measurements.csv"), without_times(finished_study / "measurements.csv")
    )
    assert set(kept) <= set((study / "measurements.csv").read_text().splitlines(keepends=True))


def test_an_adaptive_study_is_rebuilt_too(search, tmp_path, monkeypatch):
    folder = search(tmp_path, sampler="nsga2", train="top:1")
    before = (folder / "measurements.csv").read_bytes()
    told = contents(folder)["tiny"]
    (folder / "study.db").unlink()
    monkeypatch.setattr(executors, "measure", None)
    search(tmp_path, sampler="nsga2", train="top:1")
    assert (folder / "measurements.csv").read_bytes() == before
    assert set(contents(folder)["tiny"]) <= set(told)
    assert len(contents(folder)["tiny"]) == 3


def edited(table: Path, old: str, new: str) -> None:
    text = table.read_text()
    assert old in text
    table.write_text(text.replace(old, new, 1))


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [
        ("\n", "\nnonsense\n", "row 1: 1 cells"),
        (",complete,", ",finished,", "the state should be complete, failed or pruned"),
        ("measure,", "measures,", "the column measure is missing"),
        (",fixed_decoder,0,", ",fixed_decoder,one,", "seed should be a whole number"),
    ],
)
def test_a_damaged_table_is_refused_and_left_alone(study, search, old, new, named):
    edited(study / "measurements.csv", old, new)
    damaged = (study / "measurements.csv").read_bytes()
    for attempt in (lambda: search(study.parent, **FINISHED), lambda: analyse_study(study)):
        with pytest.raises(UserError, match=named):
            attempt()
    assert (study / "measurements.csv").read_bytes() == damaged
    assert not list(study.glob("*.db"))
    assert not list(study.glob(".rebuild*"))


def test_options_that_are_not_those_of_the_architecture_are_refused(study, search):
    name = (study / "measurements.csv").read_text().splitlines()[1].partition(",")[0]
    edited(study / "measurements.csv", name, "0123456789ab")
    with pytest.raises(UserError, match=f"the options of architecture 0123456789ab belong to {name}"):
        search(study.parent, **FINISHED)


class StoppedError(BaseException):
    """Ends the driver where it stands, as a kill does."""


class Stopper:
    """Counts what the driver writes into the storage, and stops it before one of these writes."""

    def __init__(self, patch: pytest.MonkeyPatch, stop: int = 0) -> None:
        self.writes, self._stop = 0, stop
        for name in ("add", "record", "tell"):
            patch.setattr(Studies, name, self._counted(getattr(Studies, name)))

    def _counted(self, write):
        def counted(*arguments, **options):
            self.writes += 1
            if self.writes == self._stop:
                raise StoppedError
            return write(*arguments, **options)

        return counted


def test_stopped_after_every_single_write_the_table_comes_out_the_same(search, tmp_path):
    options = {"trials": 2, "measures": []}
    with pytest.MonkeyPatch.context() as patch:
        counter = Stopper(patch)
        whole = search(tmp_path / "whole", **options)
    assert counter.writes == 2 + 6 + 2  # architectures, measurements, scores told
    for _ in range(counter.writes - 1):
        with pytest.MonkeyPatch.context() as patch:
            Stopper(patch, 2)
            with pytest.raises(StoppedError):
                search(tmp_path / "stopped", **options)
    with pytest.MonkeyPatch.context() as patch:
        counter = Stopper(patch)
        folder = search(tmp_path / "stopped", **options)
    assert counter.writes == 1
    pd.testing.assert_frame_equal(without_times(folder / "measurements.csv"), without_times(whole / "measurements.csv"))
    trials = optuna.load_study(study_name="tiny", storage=f"sqlite:///{folder / 'study.db'}").trials
    assert [trial.state for trial in trials] == [TrialState.COMPLETE] * 2


@pytest.mark.usefixtures("nothing_measured")
@pytest.mark.parametrize("stop", [3, 20])
def test_stopped_while_it_rebuilds_a_study_loses_nothing(study, search, stop):
    before = (study / "measurements.csv").read_bytes()
    with pytest.MonkeyPatch.context() as patch:
        Stopper(patch, stop)
        with pytest.raises(StoppedError):
            search(study.parent, **FINISHED)
    search(study.parent, **FINISHED)
    assert (study / "measurements.csv").read_bytes() == before
