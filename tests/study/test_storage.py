"""What must be true when the database, or the disk under it, is away in mid-run: nothing is lost, nothing doubled."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
from collections.abc import Iterator
from pathlib import Path

import needs
import optuna
import pandas as pd
import pytest
from optuna.trial import TrialState, create_trial
from sqlalchemy import URL, event
from tiny import without_times

from randsearch.base.errors import UserError
from randsearch.study import patience
from randsearch.study.storage import PatientStorage, open_storage


@pytest.fixture
def file(tmp_path) -> Path:
    return tmp_path / "study.db"


@pytest.fixture
def opened(file, monkeypatch) -> PatientStorage:
    monkeypatch.setattr(patience, "_FIRST_PAUSE", 0.001)
    return open_storage(URL.create("sqlite", database=str(file)))


class Outage:
    """Lets a number of commits fail as those of a database that is away, before or after they took place."""

    def __init__(self, storage: PatientStorage, *, after: bool, times: int, reason: str = "database is locked") -> None:
        self._after, self._times, self._reason = after, times, reason
        dialect = storage._backend.engine.dialect
        self._commit = dialect.do_commit
        dialect.do_commit = self._fail

    def _fail(self, connection) -> None:
        if self._times == 0:
            self._commit(connection)
            return
        self._times -= 1
        if self._after:
            self._commit(connection)
        raise sqlite3.OperationalError(self._reason)


@pytest.mark.parametrize("after", [False, True], ids=["before the commit", "after the commit"])
@pytest.mark.parametrize("times", [1, 3])
def test_every_write_arrives_once_however_often_the_connection_breaks(opened, file, after, times, capsys):
    def broken() -> None:
        Outage(opened, after=after, times=times)

    broken()
    study = optuna.create_study(study_name="one", storage=opened, load_if_exists=True)
    for seed in range(2):
        broken()
        study.add_trial(create_trial(value=seed / 3, user_attrs={"architecture": "0", "seed": seed}))
    broken()
    asked = study.ask()
    broken()
    asked.suggest_int("levels", 1, 3)
    broken()
    asked.set_user_attr("architecture", "1")
    broken()
    study.tell(asked.number, 0.5)
    broken()
    study.set_user_attr("baseline", 1.5)
    broken()
    optuna.create_study(study_name="two", storage=opened, load_if_exists=True)
    broken()
    optuna.delete_study(study_name="two", storage=opened)

    read = optuna.load_study(study_name="one", storage=f"sqlite:///{file}")
    assert [(t.number, t.value, t.user_attrs) for t in read.trials] == [
        (0, 0.0, {"architecture": "0", "seed": 0}),
        (1, 1 / 3, {"architecture": "0", "seed": 1}),
        (2, 0.5, {"architecture": "1"}),
    ]
    assert read.trials[2].params.keys() == {"levels"}
    assert read.user_attrs == {"baseline": 1.5}
    assert optuna.get_all_study_names(f"sqlite:///{file}") == ["one"]
    said = capsys.readouterr().err.splitlines()
    assert said[0] == f"randsearch: the study's file {file} does not answer (database is locked); waiting for it"
    assert said[-1].endswith("answers again after 0 s")


def test_it_waits_no_longer_than_its_patience(opened, monkeypatch):
    monkeypatch.setattr(patience, "PATIENCE_SECONDS", 0.01)
    study = optuna.create_study(study_name="one", storage=opened)
    Outage(opened, after=False, times=1000)
    with pytest.raises(UserError, match=r"for 0 minutes \(database is locked\): mend that, and the same command cont"):
        study.set_user_attr("baseline", 1.5)


@pytest.mark.parametrize("reason", ["database or disk is full", "attempt to write a readonly database"])
def test_what_waiting_does_not_mend_stops_at_once(opened, reason, capsys):
    study = optuna.create_study(study_name="one", storage=opened)
    Outage(opened, after=False, times=1, reason=reason)
    with pytest.raises(UserError, match=rf"study.db cannot be used \({reason}\): mend that"):
        study.add_trial(create_trial(value=1.0, user_attrs={"seed": 0}))
    assert study.trials == []
    assert capsys.readouterr().err == ""


def test_a_refused_transaction_leaves_nothing(opened):
    study = optuna.create_study(study_name="one", storage=opened)

    def refuse(_) -> None:
        raise UserError("not any more")

    opened.guard(refuse)
    with pytest.raises(UserError, match="not any more"):
        study.add_trial(create_trial(value=1.0))
    event.remove(opened._sessions, "before_commit", refuse)
    assert study.trials == []


@pytest.fixture
def small_disk(tmp_path) -> Iterator[Path]:
    """A file system of its own, which can be full or read-only without harm to others."""
    folder = tmp_path / "disk"
    folder.mkdir()
    assert needs.mounted(folder)
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def fill(folder: Path, *, leave: int) -> Path:
    """Takes the space of a file system, but for some bytes."""
    ballast = folder / "ballast"
    space = os.statvfs(folder)
    ballast.write_bytes(b"\0" * max(0, space.f_bavail * space.f_frsize - leave))
    return ballast


def stopped_with_one_sentence(answer) -> str:
    assert answer.code == 1, answer
    (sentence,) = [line for line in answer.err.splitlines() if line.startswith("randsearch: ")]
    assert "Traceback" not in answer.err + answer.out
    return sentence


@pytest.mark.parametrize("leave", [0, 250_000])
def test_a_full_disk_stops_with_one_sentence_and_loses_nothing(
    run_cli, tiny_search, small_disk, finished_study, tmp_path, leave
):
    options = {"trials": 4, "seeds": [0, 1]}
    ballast = fill(small_disk, leave=leave)
    sentence = stopped_with_one_sentence(run_cli(*tiny_search(small_disk, **options)))
    assert "No space left" in sentence or "full" in sentence or "cannot be" in sentence, sentence
    assert str(small_disk) in sentence
    ballast.unlink()
    assert run_cli(*tiny_search(small_disk, **options)).code == 0
    pd.testing.assert_frame_equal(
        without_times(small_disk / "tiny" / "measurements.csv"), without_times(finished_study / "measurements.csv")
    )
    url = f"sqlite:///{small_disk}/tiny/study.db"
    trials = [
        t for name in optuna.get_all_study_names(url) for t in optuna.load_study(study_name=name, storage=url).trials
    ]
    assert all(trial.state == TrialState.COMPLETE for trial in trials)


@pytest.mark.parametrize("command", ["search", "train", "analyse", "dashboard"])
def test_results_that_are_read_only(run_cli, tiny_search, small_disk, finished_study, command):
    shutil.copytree(finished_study, small_disk / "tiny", ignore=shutil.ignore_patterns("*.flac"))
    (small_disk / "tiny" / ".lock").unlink(missing_ok=True)
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    arguments = {
        "search": tiny_search(small_disk, trials=5),
        "train": ["train", "tiny", "--all", "--results", small_disk],
    }.get(command, [command, "tiny", "--results", small_disk])
    sentence = stopped_with_one_sentence(run_cli(*arguments))
    assert str(small_disk) in sentence
    assert "Read-only" in sentence or "readonly" in sentence
