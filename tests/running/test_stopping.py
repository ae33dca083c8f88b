"""What must be true of a search that is asked to stop: it says how to go on, and going on loses and changes nothing."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path

import needs
import pandas as pd
import pytest
from processes import SILENT, ended, recorded, start, wait_until, workers
from rich.console import Console
from tiny import without_times

from randsearch.running import session
from randsearch.running.machine import Machine
from randsearch.training import loop
from randsearch.training.loop import take_step

pytestmark = needs.processes

OPTIONS = {"trials": 2, "measures": [], "steps": 400, "proxy_steps": 20, "validate_every": 200}


SAID = [
    "randsearch: stopping; what runs is finished or saved first, once more stops at once",
    "randsearch: stopped; the same command continues where it stood.",
]


def undisturbed(run_cli, arguments: list[str], folder: Path) -> pd.DataFrame:
    assert run_cli(*arguments).code == 0
    return without_times(folder / "measurements.csv")


@pytest.fixture(scope="module")
def whole(tiny_options, tmp_path_factory) -> pd.DataFrame:
    """The table of a tiny search that nothing stopped."""
    machine = Machine(tmp_path_factory.mktemp("whole"), None, 1, Console(quiet=True))
    return without_times(session.search(*session.resolve(tiny_options, machine), machine) / "measurements.csv")


@pytest.mark.parametrize("step", [1, 11, 30])
def test_between_any_two_steps_it_saves_what_runs_and_goes_on_to_the_same(
    tiny_search, run_cli, whole, tmp_path, monkeypatch, step
):
    taken = []

    def stopping_step(*arguments, **options):
        taken.append(arguments)
        if len(taken) == step:
            signal.raise_signal(signal.SIGINT)
        return take_step(*arguments, **options)

    monkeypatch.setattr(loop, "take_step", stopping_step)
    answer = run_cli(*tiny_search(tmp_path))
    assert answer.code == 128 + signal.SIGINT
    assert answer.err.splitlines()[-1:] == SAID[1:]
    assert len(taken) == step
    assert run_cli(*tiny_search(tmp_path)).code == 0
    pd.testing.assert_frame_equal(without_times(tmp_path / "tiny" / "measurements.csv"), whole)
    assert not [*tmp_path.rglob("checkpoint.*")]


def test_workers_save_what_they_do_at_once_and_going_on_gives_the_same(tiny_search, run_cli, tmp_path):
    arguments = [*tiny_search(tmp_path, **OPTIONS), "--workers", "2"]
    database = tmp_path / "tiny" / "study.db"
    with start(arguments, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True) as driver:
        wait_until(lambda: recorded(database) >= 4)  # the proxies
        time.sleep(0.2)  # training takes several times as long
        driver.send_signal(signal.SIGTERM)
        said = driver.stderr.read()
    assert driver.returncode == 128 + signal.SIGTERM
    assert [line for line in said.splitlines() if line.startswith("randsearch: ")] == SAID
    wait_until(lambda: ended(driver))
    assert 1 <= len([*tmp_path.rglob("checkpoint.safetensors")]) <= 2
    assert run_cli(*arguments).code == 0
    whole = undisturbed(run_cli, tiny_search(tmp_path / "whole", **OPTIONS), tmp_path / "whole" / "tiny")
    pd.testing.assert_frame_equal(without_times(tmp_path / "tiny" / "measurements.csv"), whole)
    assert not [*tmp_path.rglob("checkpoint.*")]


def test_twice_stops_at_once_also_while_workers_start(tiny_search, tmp_path):
    arguments = [*tiny_search(tmp_path, **OPTIONS), "--workers", "2"]
    with start(arguments, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True) as driver:
        wait_until(lambda: workers(driver.pid))
        time.sleep(0.5)  # of the second or two of their imports
        os.killpg(driver.pid, signal.SIGINT)  # as a terminal does
        driver.send_signal(signal.SIGTERM)
        said = driver.stderr.read()
    assert driver.returncode == 128 + signal.SIGINT
    assert said.endswith("randsearch: stopped; the same command continues where it stood.\n")
    assert "Traceback" not in said
    wait_until(lambda: ended(driver))  # going on from any such moment is what test_chaos.py is about


def as_shells_say(code: int) -> int:
    """Exit code of a process that may have ended by a signal."""
    return 128 - code if code < 0 else code


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_twice_at_any_moment_whoever_of_them_hears_it(tiny_search, run_cli, tmp_path):
    """As a terminal sends it: to the driver and to its workers alike, while they start too."""
    options = {"trials": 4, "steps": 40, "proxy_steps": 40, "validate_every": 20}
    whole = undisturbed(run_cli, tiny_search(tmp_path / "whole", **options), tmp_path / "whole" / "tiny")
    began = time.monotonic()
    with start([*tiny_search(tmp_path / "timed", **options), "--workers", "2"], **SILENT) as driver:
        pass
    takes, moments, stopped = time.monotonic() - began, random.Random(0), 0
    for number in range(50):
        arguments = tiny_search(tmp_path / f"{number}", **options)
        with start([*arguments, "--workers", "2"], stderr=subprocess.PIPE, stdout=subprocess.DEVNULL) as driver:
            # Python itself needs a moment until it runs a line of ours.
            for pause in (moments.uniform(0.3, takes), moments.choice([0, moments.uniform(0, 0.5)])):
                time.sleep(pause)
                with suppress(ProcessLookupError):  # it ended meanwhile
                    os.killpg(driver.pid, signal.SIGINT)
            said = driver.stderr.read().decode()
        wait_until(lambda driver=driver: ended(driver))
        assert "Traceback" not in said, said
        assert "Exception ignored" not in said, said
        assert as_shells_say(driver.returncode) in (0, 128 + signal.SIGINT), said
        stopped += driver.returncode != 0
        study = tmp_path / f"{number}" / "tiny"
        assert not [path for path in study.rglob("*") if path.name.startswith((".config", ".measure", ".rebuild"))]
        assert not [*study.rglob("*.tmp")]
        assert run_cli(*arguments).code == 0
        pd.testing.assert_frame_equal(without_times(study / "measurements.csv"), whole)
        assert not [*study.rglob("checkpoint.*")]
    assert stopped > 30, "most of the moments lay after the end"
