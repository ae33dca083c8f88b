"""What must be true of a search that is asked to stop: it says how to go on, and going on loses and changes nothing."""

from __future__ import annotations

import signal
import subprocess
import time
from pathlib import Path

import pandas as pd
import pytest
from processes import ended, recorded, start, wait_until
from tiny import without_times

pytestmark = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks for processes in /proc")

OPTIONS = {"trials": 2, "measures": [], "steps": 400, "proxy_steps": 20, "validate_every": 200}


@pytest.fixture(scope="module")
def whole(tiny_search, tmp_path_factory) -> pd.DataFrame:
    """The table of an undisturbed search."""
    results = tmp_path_factory.mktemp("whole")
    with start([*tiny_search(results, **OPTIONS), "--workers", "1"]) as driver:
        assert driver.wait(120) == 0
    return without_times(results / "tiny" / "measurements.csv")


@pytest.mark.parametrize(("workers", "sent"), [(1, signal.SIGINT), (2, signal.SIGTERM)])
def test_once_saves_what_runs_and_going_on_gives_the_same(tiny_search, run_cli, tmp_path, whole, workers, sent):
    arguments = [*tiny_search(tmp_path, **OPTIONS), "--workers", str(workers)]
    database = tmp_path / "tiny" / "study.db"
    with start(arguments, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True) as driver:
        wait_until(lambda: recorded(database) >= 4)  # the proxies
        time.sleep(0.2)  # training takes several times as long
        driver.send_signal(sent)
        said = driver.stderr.read()
    assert driver.returncode == 128 + sent
    assert said.splitlines() == [
        "randsearch: stopping; what runs is finished or saved first, once more stops at once",
        "randsearch: stopped; the same command continues where it stood.",
    ]
    wait_until(lambda: ended(driver))
    left = [*tmp_path.rglob("checkpoint.safetensors")]
    assert 1 <= len(left) <= workers
    assert run_cli(*arguments).code == 0
    pd.testing.assert_frame_equal(without_times(tmp_path / "tiny" / "measurements.csv"), whole)
    assert not [*tmp_path.rglob("checkpoint.*")]


def test_twice_stops_at_once(tiny_search, run_cli, tmp_path, whole):
    arguments = [*tiny_search(tmp_path, **OPTIONS), "--workers", "2"]
    with start(arguments, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True) as driver:
        wait_until(lambda: recorded(tmp_path / "tiny" / "study.db") >= 2)
        driver.send_signal(signal.SIGINT)
        driver.send_signal(signal.SIGTERM)
        said = driver.stderr.read()
    assert driver.returncode == 128 + signal.SIGINT
    assert said.endswith("randsearch: stopped; the same command continues where it stood.\n")
    assert "Traceback" not in said
    wait_until(lambda: ended(driver))
    assert run_cli(*arguments).code == 0
    pd.testing.assert_frame_equal(without_times(tmp_path / "tiny" / "measurements.csv"), whole)
