"""What must be true of who may write: never two at once, whoever sleeps, dies or starts at the same moment."""

from __future__ import annotations

import errno
import fcntl
import os
import threading
import time
from pathlib import Path

import optuna
import pytest
from filelock import FileLock
from optuna.trial import create_trial
from sqlalchemy import URL

from randsearch.base.errors import UserError
from randsearch.data import cache
from randsearch.study.database import open_engine
from randsearch.study.lease import Holder, Lease, driver_at_work, locked, read_lease
from randsearch.study.storage import open_storage


@pytest.fixture
def url(tmp_path) -> URL:
    return URL.create("sqlite", database=str(tmp_path / "leases.db"))


def lease(url: URL, name: str, *, lasts: float = 60.0) -> Lease:
    return Lease(open_engine(url), "study", Holder(name, f"token of {name}"), lasts)


def test_who_comes_second_is_told_who_holds_it_and_until_when(url):
    lease(url, "ada@one, process 1").take()
    sentence = r"at work on the study study \(ada@one, process 1, whose lease lasts until \d\d:\d\d:\d\d UTC, \d+ s"
    with pytest.raises(UserError, match=sentence):
        lease(url, "bob@two, process 2").take()
    Lease(open_engine(url), "another study", Holder("bob@two, process 2", "b")).take()


def test_it_is_free_once_given_back_or_run_out(url):
    first, second, third = (lease(url, name, lasts=-5) for name in ("first", "second", "third"))
    first.take()
    assert first.give_back()
    assert read_lease(first.engine, "study") is None
    second.take()  # it lasts less than no time
    third.take()
    assert not second.renew()
    second.give_back()  # which is not its own any more, and stays
    assert third.renew()


def test_a_driver_known_to_be_dead_need_not_run_out(url):
    dead = lease(url, "dead")
    dead.take()
    with pytest.raises(UserError, match="dead"):
        lease(url, "next").take(Holder("somebody else", "other"))
    lease(url, "next").take(dead.holder)
    assert "next" in str(read_lease(dead.engine, "study"))


def test_of_many_that_start_at_once_one_gets_it(url):
    open_engine(url).connect().close()
    start, got = threading.Barrier(8), []

    def attempt(number: int) -> None:
        mine = lease(url, f"driver {number}")
        start.wait()
        try:
            mine.take()
            got.append(number)
        except UserError:
            pass

    threads = [threading.Thread(target=attempt, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(got) == 1


def test_who_lost_it_writes_nothing_more(url):
    storage = open_storage(url)
    study = optuna.create_study(storage=storage, study_name="study")
    first = lease(url, "sleeper", lasts=-5)
    first.take()
    storage.guard(first.check)
    study.add_trial(create_trial(value=1.0))  # it ran out, but nobody took it
    lease(url, "successor").take()
    with pytest.raises(UserError, match="was held up, and it is held by successor, whose lease lasts"):
        study.add_trial(create_trial(value=2.0))
    kept = optuna.load_study(storage=f"sqlite:///{url.database}", study_name="study")
    assert [trial.value for trial in kept.trials] == [1.0]


def test_it_is_renewed_while_work_goes_on_and_given_back_after(url):
    mine = lease(url, "driver", lasts=2.5)  # SQLite's clock counts whole seconds
    mine.take()
    with mine.kept():
        time.sleep(3.6)
        assert "driver" in str(read_lease(mine.engine, "study"))


def test_the_lock_of_a_folder(tmp_path):
    folder = tmp_path / "study"
    assert driver_at_work(folder) is None
    with locked(folder) as killed:
        assert killed is None
        assert driver_at_work(folder) == "another process"
        with pytest.raises(UserError, match="another randsearch process is at work on the study study"), locked(folder):
            pass
    assert driver_at_work(folder) is None


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS])
def test_a_file_system_without_locks_is_refused(tmp_path, monkeypatch, number):
    def refuse(*_):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "flock", refuse)
    folder = tmp_path / "study"
    with pytest.raises(UserError, match=r"study has no file locks \(.+\), which keep two searches"), locked(folder):
        pass
    assert driver_at_work(folder) is None
    assert [path.name for path in folder.iterdir()] in ([], [".lock"])
    with (
        pytest.raises(UserError, match=r"of the cache folder .* has no file locks .*--cache"),
        cache.locked(tmp_path, "x"),
    ):
        pass


def driver_file(folder: Path, text: str) -> Path:
    folder.mkdir()
    (folder / ".driver").write_text(text)
    return folder


def test_the_lock_names_its_holder_and_knows_a_killed_one(tmp_path):
    folder = driver_file(tmp_path / "study", '{"name": "ada@one, process 1", "token": "abc"}')
    with locked(folder) as killed:
        assert killed == Holder("ada@one, process 1", "abc")
    with FileLock(folder / ".lock"):
        assert driver_at_work(folder) == "ada@one, process 1"
        with pytest.raises(UserError, match=r"process \(ada@one, process 1\) is at work"), locked(folder):
            pass


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"name": "x"}', "\0"])
def test_a_damaged_note_of_a_driver_is_none(tmp_path, text):
    assert Holder.of(driver_file(tmp_path / "study", text)) is None
