"""Executors: where jobs run. They only compute; the driver alone writes."""

from __future__ import annotations

import multiprocessing
import os
import threading
import time
from collections import Counter, deque
from concurrent.futures import FIRST_COMPLETED, Future, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import ExitStack
from dataclasses import replace
from multiprocessing import synchronize
from types import TracebackType
from typing import Protocol, Self

from pebble import ProcessExpired, ProcessPool

from randsearch.base import stopping
from randsearch.base.errors import UserError
from randsearch.base.processes import Spawned, Spawning
from randsearch.measures import Job, Setting, measure, own_threads
from randsearch.table.measurement import Measurement


class _Worker(Spawned):
    """A process that is never taken to have ended in peace: pebble would wait for ever for the job of one that had."""

    @property
    def exitcode(self) -> int | None:
        code = super().exitcode
        return ENDED if code == 0 else code


class _Context(Spawning):
    """Keeps the locks of its pools, or a worker that still starts when its pool ends finds none, and shows a traceback.

    A search may end so early on a busy machine, where the first worker has measured all before the second one is there.
    """

    Process = _Worker

    def __init__(self) -> None:
        self._locks: list[synchronize.RLock] = []

    def RLock(self) -> synchronize.RLock:  # noqa: N802, it is multiprocessing's name
        """A lock that is there as long as this context is."""
        lock = super().RLock()
        self._locks.append(lock)
        return lock


DEATHS = 3
"""Workers in a row that a job may kill until it is given up."""

ENDED = 256
"""Stands for the exit code 0 of a worker; no process has it."""


class Executor(Protocol):
    """Runs jobs; a context manager, so that workers never outlive the search."""

    capacity: int

    def submit(self, job: Job) -> None:
        """Queues a job."""

    def finished(self) -> list[Measurement]:
        """Waits until at least one job is done, and returns what is.

        Raises:
            StoppedError: the search is to stop, and all that was queued is finished or left unfinished.
        """

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


class InProcess:
    """Runs jobs one after the other in the driver's own process."""

    capacity = 1

    def __init__(self, setting: Setting) -> None:
        self._setting = setting
        self._queue: deque[Job] = deque()
        self._after = ExitStack()

    def submit(self, job: Job) -> None:
        """Queues a job."""
        self._queue.append(job)

    def finished(self) -> list[Measurement]:
        """Runs the next job."""
        if stopping.requested():
            raise stopping.StoppedError
        return [measure(self._setting, self._queue.popleft())]

    def __enter__(self) -> Self:
        self._after.enter_context(own_threads())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._queue.clear()
        self._after.close()


class LocalProcesses:
    """Runs jobs in worker processes of this machine.

    A worker that dies (out of memory, a crash in native code) takes only its own job with it: the job runs again,
    and is given up when it has killed three workers in a row.

    Args:
        setting: of the study; sent to each worker once.
        workers: how many.
        devices: that jobs are spread over; none for the setting's own.
        time_limit: seconds that a job may take; None for no limit.
        stop: set when workers are to save what they do and end it.
    """

    def __init__(
        self,
        setting: Setting,
        workers: int,
        devices: tuple[str, ...] = (),
        time_limit: float | None = None,
        stop: stopping.SharedFlag | None = None,
    ) -> None:
        self.capacity = workers
        self._context = _Context()
        self._setting = setting
        self._time_limit = time_limit
        self._load = Counter(dict.fromkeys(devices or (setting.device,), 0))
        self._start = (setting, stop or stopping.SharedFlag())
        self._pool = self._open_pool()
        self._broken = 0
        self._jobs: dict[Future[Measurement], tuple[Job, str, float]] = {}
        self._deaths: Counter[Job] = Counter()

    def _open_pool(self) -> ProcessPool:
        return ProcessPool(self.capacity, initializer=_begin, initargs=self._start, context=self._context)

    def submit(self, job: Job) -> None:
        """Queues a job, on the device with the fewest."""
        device = min(self._load, key=self._load.__getitem__)
        with stopping.deaf_offspring():  # A pool begins with its first job.
            if not self._pool.active:
                self._replace_pool()
            future = self._pool.schedule(_work, args=(job, device), timeout=self._time_limit)
        self._load[device] += 1
        self._jobs[future] = job, device, time.monotonic()

    def _replace_pool(self) -> None:
        """A pool breaks where workers die before they have a job; it may do so a few times without a result."""
        self._broken += 1
        if self._broken > DEATHS:
            raise UserError(
                f"worker processes died at their start {self._broken} times in a row: see whether memory is short, "
                "and run the same command again, which continues where it stood."
            )
        self._pool.stop()  # type: ignore[no-untyped-call]
        self._pool.join()
        self._pool = self._open_pool()

    def finished(self) -> list[Measurement]:
        """Waits until at least one job is done, and returns what is."""
        results: list[Measurement] = []
        while not results:
            if not self._jobs:
                raise stopping.StoppedError
            for future in wait(self._jobs, return_when=FIRST_COMPLETED).done:
                job, device, began = self._jobs.pop(future)
                self._load[device] -= 1
                result = self._result(job, future, began)
                if result is not None:
                    results.append(result)
        return results

    def _result(self, job: Job, future: Future[Measurement], began: float) -> Measurement | None:
        """What came of a job; None if it was left unfinished, or is to run again."""
        try:
            result = future.result()
            self._broken = 0
            return result
        except stopping.StoppedError:
            return None
        except TimeoutError:
            # The pool goes by the clock on the wall, which jumps where it is set, or where the machine was asleep.
            self._deaths[job] += 1
            overdue = self._time_limit is None or time.monotonic() - began >= self._time_limit
            if overdue or self._deaths[job] >= DEATHS:
                return job.failed(self._setting, f"it took longer than the time limit of {self._time_limit:g} s")
        except BrokenProcessPool:
            pass  # It runs again in another pool.
        except ProcessExpired as death:
            self._deaths[job] += death.exitcode != stopping.TERMINATED
            if self._deaths[job] >= DEATHS:
                code = 0 if death.exitcode == ENDED else death.exitcode
                reason = f"killed its worker {DEATHS} times (exit code {code})"
                return job.failed(self._setting, reason)
        if not stopping.requested():
            self.submit(job)
        return None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pool.stop()  # type: ignore[no-untyped-call]
        self._pool.join()


_setting: Setting
_signals: stopping.WorkerSignals


def _begin(setting: Setting, stop: stopping.SharedFlag) -> None:
    """Prepares a worker: keeps the setting, and ends with the driver even if that is killed."""
    global _setting, _signals
    _setting = setting
    _signals = stopping.WorkerSignals(stop)
    # The handle holds a pipe that closes when the driver dies, however early; a process id would miss a driver that
    # died while this process was still starting.
    driver = multiprocessing.parent_process()
    assert driver is not None

    def watch() -> None:
        driver.join()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
    # Seconds of a busy machine, which are no part of the first job's time limit.
    import torch  # noqa: F401


def _work(job: Job, device: str) -> Measurement:
    with _signals.measuring():
        return measure(replace(_setting, device=device), job)
