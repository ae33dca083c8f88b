"""What must be true of worker processes: they score as this one, a death costs a try, and none outlives the driver."""

from __future__ import annotations

import os
import signal
from dataclasses import fields, replace
from pathlib import Path

import needs
from pebble.pool import process
from processes import SILENT, recorded, session_members, start, wait_until
from rich.console import Console

from randsearch.base.stopping import SharedFlag
from randsearch.measures import Job, Setting, measure
from randsearch.models.architecture import Architecture
from randsearch.running.executors import InProcess, LocalProcesses
from randsearch.running.machine import Machine
from randsearch.running.session import open_executor


class Deadly(Architecture):
    """An architecture that kills, the first times that it is measured, the process that measures it."""

    tally: str
    deaths: int
    quietly: bool

    def filters(self, level: int) -> int:
        with Path(self.tally).open("a") as file:
            file.write("x")
        if Path(self.tally).stat().st_size <= self.deaths:
            if self.quietly:
                os._exit(0)
            os.kill(os.getpid(), signal.SIGKILL)
        return super().filters(level)


def test_one_worker_needs_no_process_unless_it_must_be_ended_or_bound_to_a_device(setting, tmp_path):
    alone = Machine(tmp_path, None, 1, Console())
    assert isinstance(open_executor(setting, alone, SharedFlag()), InProcess)
    for more in ({"time_limit": 60.0}, {"devices": ("cpu",)}):
        with open_executor(setting, replace(alone, **more), SharedFlag()) as executor:
            assert isinstance(executor, LocalProcesses)
    with open_executor(replace(setting, own_measures=frozenset({"mine:own"})), alone, SharedFlag()) as executor:
        assert isinstance(executor, LocalProcesses)


def test_in_process_jobs_run_in_their_order(setting):
    jobs = [Job(Architecture(levels=1, first_filters=width), "params", 0) for width in (2, 3)]
    with InProcess(setting) as executor:
        for job in jobs:
            executor.submit(job)
        assert executor.finished() == [measure(setting, jobs[0])]
        assert executor.finished() == [measure(setting, jobs[1])]


def test_a_worker_that_dies_costs_its_job_a_try_and_the_third_death_fails_it(setting, tmp_path):
    def deadly(deaths: int, *, quietly: bool) -> Job:
        tally = str(tmp_path / f"{deaths}")
        return Job(Deadly(levels=1, first_filters=2, tally=tally, deaths=deaths, quietly=quietly), "params", 5)

    once, always = deadly(1, quietly=False), deadly(99, quietly=True)
    # One that trains is enough, for which a process imports as much again.
    measures = ("early", "params", "params", "params")
    healthy = [Job(Architecture(levels=1, first_filters=w), name, 0) for w, name in enumerate(measures, start=2)]
    found = {}
    with LocalProcesses(setting, 2) as executor:
        for job in (once, *healthy[:2], always, *healthy[2:]):
            executor.submit(job)
        while len(found) < 6:
            found |= {made.key: made for made in executor.finished()}
    for job in healthy:
        here = measure(setting, job)
        assert (found[job.key].score, found[job.key].curve) == (here.score, here.curve)
    assert found[once.key].score == measure(setting, Job(healthy[0].architecture, "params", 5)).score
    failed = found[always.key]
    assert (failed.state, failed.score) == ("failed", None)
    assert failed.reason == "killed its worker 3 times (exit code 0)"
    assert (tmp_path / "99").stat().st_size == 3


def await_end(folder: Path) -> None:
    (folder / "waiting").touch()
    wait_until((folder / "ending").exists)


class Late(Setting):
    """A setting that reaches a worker only when its pool is about to end."""

    def __reduce__(self) -> tuple[object, ...]:
        return await_end, (self.folder,)


def test_a_worker_that_still_starts_when_the_search_ends_says_nothing(setting, tmp_path, monkeypatch, capfd):
    """As the second one does on a busy machine, where the first has measured all meanwhile."""
    stop = process.stop_process

    def stop_late(worker):
        wait_until((tmp_path / "waiting").exists)
        (tmp_path / "ending").touch()
        worker.join(3)  # By then it has read what it was sent, or ended of itself.
        stop(worker)

    monkeypatch.setattr(process, "stop_process", stop_late)
    late = Late(**{each.name: getattr(setting, each.name) for each in fields(setting)} | {"folder": tmp_path})
    with LocalProcesses(late, 1) as executor:
        executor.submit(Job(Architecture(levels=1, first_filters=2), "params", 0))
    assert capfd.readouterr().err == ""


@needs.processes
def test_workers_follow_a_driver_that_is_killed_while_they_start(tiny_search, tmp_path):
    with start([*tiny_search(tmp_path), "--workers", "2"], **SILENT) as driver:
        wait_until(lambda: len(session_members(driver.pid)) > 1)
        assert driver.poll() is None
        driver.kill()
    wait_until(lambda: not session_members(driver.pid))
    assert recorded(tmp_path / "tiny" / "study.db") == 0
