"""What must be true whatever is killed, and whenever: the study ends as an undisturbed one, to the last digit."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path

import needs
import pandas as pd
import postgres
import psycopg
import pytest
from processes import MADE, SILENT, ended, recorded, start, wait_until, workers
from tiny import without_times

pytestmark = needs.processes

AWAY = "cannot be opened as an Optuna storage"
SHORT = {"trials": 4, "steps": 40, "proxy_steps": 40, "validate_every": 20}
LONG = {"trials": 20, "steps": 60, "proxy_steps": 40, "validate_every": 20}


def disturb(arguments: list[str], made: Callable[[], int], total: int, kills: int, seed: int) -> None:
    """Runs a search to its end while drivers and workers are killed by turns, as many of each.

    Args:
        arguments: of the search.
        made: says how many measurements are in the storage.
        total: of the whole study.
        kills: of drivers, and of workers.
        seed: of the moments.
    """
    moments = random.Random(seed)
    # None after the study's end: what is left of it takes longer than the wait before a kill.
    left = sorted(moments.randrange(total - 8) for _ in range(2 * kills))
    for _ in range(10 * kills + 10):
        with start(arguments, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True) as driver:
            while driver.poll() is None:
                # Workers first: a driver that lives through three deaths of one job gives it up, as it should.
                is_worker = len(left) % 2 == 0
                if left and made() >= left[0]:
                    time.sleep(moments.uniform(0, 0.4))
                    targets = workers(driver.pid) if is_worker else [driver.pid]
                    if targets:
                        os.kill(moments.choice(targets), signal.SIGKILL)
                        left.pop(0)
                time.sleep(0.02)
            said = driver.stderr.read()
        wait_until(partial(ended, driver))
        if driver.returncode == 0:
            break
        # A database that is away is waited for in mid-search, and told at once to who starts one.
        assert driver.returncode == -signal.SIGKILL or AWAY in said, said
    assert left == [], "the study ended before all was killed"


def assert_as_undisturbed(run_cli, undisturbed: list[str], results: Path, other: Path) -> None:
    assert run_cli(*undisturbed).code == 0  # by one worker, in this process
    tables = [without_times(each / "tiny" / "measurements.csv") for each in (results, other)]
    assert not tables[0].duplicated(["architecture", "measure", "seed"]).any()
    pd.testing.assert_frame_equal(*tables)


@pytest.mark.parametrize("kills", [2, pytest.param(50, marks=[pytest.mark.long, pytest.mark.timeout(3600)])])
def test_drivers_and_workers_killed_at_random_moments(run_cli, tiny_search, tmp_path, kills):
    options = SHORT if kills == 2 else LONG
    arguments = [*tiny_search(tmp_path / "killed", **options), "--workers", "2"]
    database = tmp_path / "killed" / "tiny" / "study.db"
    disturb(arguments, lambda: recorded(database), 4 * options["trials"] - 1, kills, seed=kills)
    assert_as_undisturbed(run_cli, tiny_search(tmp_path / "whole", **options), tmp_path / "killed", tmp_path / "whole")
    assert recorded(database) == 4 * options["trials"]
    assert not [*(tmp_path / "killed").rglob("checkpoint.*")]


@pytest.mark.long
def test_drivers_and_workers_put_to_sleep(run_cli, tiny_search, tmp_path):
    arguments = [*tiny_search(tmp_path / "asleep", **LONG), "--workers", "2"]
    database, slept = tmp_path / "asleep" / "tiny" / "study.db", 0
    with start(arguments, **SILENT) as driver:
        wait_until(lambda: recorded(database) >= 4)
        while driver.poll() is None and slept < 6:
            for process in ([driver.pid], workers(driver.pid))[slept % 2]:
                with suppress(ProcessLookupError):
                    os.kill(process, signal.SIGSTOP)
            time.sleep(2)
            os.killpg(driver.pid, signal.SIGCONT)
            slept += 1
            time.sleep(0.5)
    assert (driver.returncode, slept) == (0, 6)
    wait_until(partial(ended, driver))
    assert_as_undisturbed(run_cli, tiny_search(tmp_path / "whole", **LONG), tmp_path / "asleep", tmp_path / "whole")


@pytest.fixture
def server(monkeypatch) -> Iterator[postgres.Server]:
    reason = postgres.why_not()
    if reason:
        pytest.skip(reason)
    monkeypatch.setenv("PGPASSWORD", postgres.PASSWORD)
    with postgres.serve() as running:
        yield running


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_the_same_in_a_database_that_is_stopped_and_started(run_cli, tiny_search, tmp_path, server):
    arguments = [*tiny_search(tmp_path / "killed", **LONG, storage=server.url), "--workers", "2"]
    away = threading.Event()

    def made() -> int:
        try:
            with psycopg.connect(server.url) as connection:
                return int(connection.execute(MADE).fetchone()[0])
        except psycopg.Error:  # away, or without its tables
            return 0

    def outages() -> None:
        while not away.wait(15):
            server.stop()
            time.sleep(2)
            server.start()

    thread = threading.Thread(target=outages)
    thread.start()
    try:
        disturb(arguments, made, 4 * LONG["trials"] - 1, 50, seed=1)
    finally:
        away.set()
        thread.join()
    assert_as_undisturbed(run_cli, tiny_search(tmp_path / "whole", **LONG), tmp_path / "killed", tmp_path / "whole")
