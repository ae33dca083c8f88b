"""A study in PostgreSQL: the same numbers as in its own file, through outages, rebuilds and rival drivers."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import needs
import optuna
import pandas as pd
import postgres
import pytest
from optuna.trial import TrialState
from sqlalchemy import create_engine, make_url, text
from tiny import FINISHED, without_times

from randsearch import plots
from randsearch.base.errors import UserError
from randsearch.measures import Job, measure
from randsearch.plots import PLOTS
from randsearch.running import executors
from randsearch.study import patience, trust
from randsearch.study.config import StudyConfig
from randsearch.study.database import AgreedURL, database_url, open_engine
from randsearch.study.lease import Holder, Lease, read_lease
from randsearch.study.storage import open_storage
from randsearch.study.studies import Studies

pytestmark = needs.server
needs.package("psycopg", "postgres")


@pytest.fixture(scope="module")
def server() -> Iterator[postgres.Server]:
    with postgres.serve() as server:
        yield server


@pytest.fixture
def password(monkeypatch) -> None:
    monkeypatch.setenv("PGPASSWORD", postgres.PASSWORD)


@pytest.fixture
def empty(server, password) -> postgres.Server:
    """The server without any study."""
    engine = create_engine(make_url(server.url).set(drivername="postgresql+psycopg"))
    with engine.begin() as connection:
        connection.execute(text("drop schema public cascade"))
        connection.execute(text("create schema public"))
    engine.dispose()
    return server


def same_table(folder: Path, finished: Path) -> None:
    pd.testing.assert_frame_equal(*(without_times(each / "measurements.csv") for each in (folder, finished)))


def agreed(server: postgres.Server) -> AgreedURL:
    """The server's address as a study may use it that this machine agreed to."""
    trust.agree(Path(), "study", storage=server.url)
    return database_url(StudyConfig(space={}, storage=server.url), Path())


def trials(server: postgres.Server) -> dict[str, list[optuna.trial.FrozenTrial]]:
    opened = open_storage(agreed(server))
    names = optuna.get_all_study_names(opened)
    return {name: optuna.load_study(study_name=name, storage=opened).trials for name in names}


def test_a_search_gives_the_numbers_of_one_in_a_file_and_keeps_no_password(
    empty, run_cli, tiny_search, finished_study, tmp_path, monkeypatch
):
    monkeypatch.delenv("PGPASSWORD")
    arguments = tiny_search(tmp_path, **FINISHED, storage=empty.url_with_password)
    answer = run_cli(*arguments)
    assert answer.code == 0, answer.err
    same_table(tmp_path / "tiny", finished_study)
    assert not (tmp_path / "tiny" / "study.db").exists()
    monkeypatch.setattr(plots, "PLOTS", {"claim3": PLOTS["claim3"]})  # drawing takes most of a report's time
    assert run_cli("report", "tiny", "--results", tmp_path).code == 0
    monkeypatch.setenv("PGPASSWORD", postgres.PASSWORD)
    again = run_cli(*tiny_search(tmp_path, **FINISHED, storage=None))  # the rest of the URL is in config.yaml
    assert again.code == 0, again.err
    assert run_cli("analyse", "tiny", "--results", tmp_path).code == 0
    kept = [file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()]
    kept += [repr(trials(empty)).encode(), (answer.out + answer.err + again.out).encode()]
    assert any(empty.url.encode() in content for content in kept)
    for secret in ("s3cret", postgres.PASSWORD):
        assert not any(secret.encode() in content for content in kept)
    assert {len(found) for found in trials(empty).values()} == {4, 8}


@pytest.mark.usefixtures("nothing_measured")
def test_a_database_that_was_lost_is_rebuilt_from_the_table(empty, run_cli, tiny_search, finished_study, tmp_path):
    config = finished_study / "config.yaml"
    folder = tmp_path / "tiny"
    folder.mkdir()
    (folder / "measurements.csv").write_bytes((finished_study / "measurements.csv").read_bytes())
    (folder / "config.yaml").write_text(config.read_text().replace("storage: null", f"storage: {empty.url}"))
    before = (folder / "measurements.csv").read_bytes()
    assert run_cli("analyse", "tiny", "--results", tmp_path, "--storage", empty.url).code == 0
    answer = run_cli(*tiny_search(tmp_path, **FINISHED))
    assert answer.code == 0, answer.err
    assert (folder / "measurements.csv").read_bytes() == before
    assert all(trial.state == TrialState.COMPLETE for found in trials(empty).values() for trial in found)


def test_the_server_goes_away_in_mid_run_and_comes_back(
    empty, run_cli, tiny_search, finished_study, tmp_path, monkeypatch
):
    monkeypatch.setattr(patience, "_FIRST_PAUSE", 0.1)
    done, restarts = [], []

    def with_outages(setting, job: Job):
        done.append(job)
        if len(done) in (2, 15):
            empty.stop()
            restarts.append(threading.Timer(0.5, empty.start))
            restarts[-1].start()
        return measure(setting, job)

    monkeypatch.setattr(executors, "measure", with_outages)
    answer = run_cli(*tiny_search(tmp_path, **FINISHED, storage=empty.url))
    for restart in restarts:
        restart.join()
    assert answer.code == 0, answer.err
    assert len(restarts) == 2
    assert answer.err.count("does not answer") == answer.err.count("answers again") >= 1
    same_table(tmp_path / "tiny", finished_study)
    assert {name: len(found) for name, found in trials(empty).items() if "/" in name} == {
        "tiny/agreement": 4,
        "tiny/early": 8,
        "tiny/fixed_decoder": 8,
        "tiny/params": 4,
        "tiny/trained": 8,
    }


def test_a_server_that_stays_away_ends_the_search_in_one_sentence(
    empty, run_cli, tiny_search, finished_study, tmp_path, monkeypatch
):
    monkeypatch.setattr(patience, "_FIRST_PAUSE", 0.1)
    monkeypatch.setattr(patience, "PATIENCE_SECONDS", 0.3)
    done = []

    def then_gone(setting, job: Job):
        done.append(job)
        if len(done) == 5:
            empty.stop()
        return measure(setting, job)

    monkeypatch.setattr(executors, "measure", then_gone)
    arguments = tiny_search(tmp_path, **FINISHED, storage=empty.url)
    answer = run_cli(*arguments)
    assert answer.code == 1
    assert "Traceback" not in answer.err
    assert f"127.0.0.1:{empty.port}/postgres cannot be used for" in answer.err.splitlines()[-1]
    refused = run_cli(*arguments)
    assert (refused.code, refused.err.count("randsearch: ")) == (1, 1)
    assert "cannot be opened" in refused.err
    assert "refused" in refused.err
    empty.start()
    answer = run_cli(*arguments)  # at once: the lease of a driver that is dead need not run out
    assert answer.code == 0, answer.err
    same_table(tmp_path / "tiny", finished_study)


def test_of_drivers_that_start_at_once_on_an_empty_database_one_works(empty):
    url = agreed(empty)
    start, worked, refused = threading.Barrier(6), [], []

    def drive(number: int) -> None:
        start.wait()
        try:
            Lease(open_engine(url), "tiny", Holder(f"driver {number}", str(number))).take()
            open_storage(url)
            worked.append(number)
        except UserError as refusal:
            refused.append(str(refusal))

    drivers = [threading.Thread(target=drive, args=(number,)) for number in range(6)]
    for driver in drivers:
        driver.start()
    for driver in drivers:
        driver.join()
    assert len(worked) == 1
    assert len(refused) == 5
    assert all(f"driver {worked[0]}, whose lease lasts until" in sentence for sentence in refused)


def test_a_second_driver_is_refused_from_whichever_folder(empty, run_cli, tiny_search, tmp_path):
    url = agreed(empty)
    Lease(open_engine(url), "tiny", Holder("ada@elsewhere, process 7", "hers")).take()
    answer = run_cli(*tiny_search(tmp_path, storage=empty.url))
    assert answer.code == 1
    assert "another driver is at work on the study tiny (ada@elsewhere, process 7, whose lease" in answer.err
    assert not (tmp_path / "tiny" / "config.yaml").exists()


def test_a_sleeper_s_transaction_does_not_hold_up_its_successor(empty):
    """The check locks the lease until the commit; whoever takes over waits for that, and no commit comes after."""
    url = agreed(empty)
    opened = open_storage(url)
    study = optuna.create_study(storage=opened, study_name="study")
    first, second = (Lease(open_engine(url), "study", Holder(name, name), -5) for name in ("first", "second"))
    first.take()
    taken = threading.Thread(target=second.take)

    def check_and_fall_asleep(session) -> None:
        first.check(session)
        if not taken.is_alive():
            taken.start()
            time.sleep(0.3)
            assert taken.is_alive()

    opened.guard(check_and_fall_asleep)
    study.set_user_attr("written", 1)
    taken.join(timeout=10)
    assert not taken.is_alive()
    with pytest.raises(UserError, match="ran out while this process was held up"):
        study.set_user_attr("written", 2)
    assert optuna.load_study(storage=open_storage(url), study_name="study").user_attrs == {"written": 1}
    assert read_lease(first.engine, "nobody's") is None


def test_a_study_of_that_name_with_another_configuration_is_refused(empty, tmp_path):
    config = StudyConfig(space={}, storage=empty.url, steps=10)
    trust.agree(tmp_path, config.study, storage=empty.url)
    Studies(config, tmp_path)
    Studies(config.model_copy(update={"trials": 99}), tmp_path)
    with pytest.raises(UserError, match="exists with another steps"):
        Studies(config.model_copy(update={"steps": 11}), tmp_path)
