"""Executors: where jobs run. They only compute; the driver alone writes."""

from __future__ import annotations

import multiprocessing
import os
import threading
from collections import Counter, deque
from concurrent.futures import FIRST_COMPLETED, Future, wait
from types import TracebackType
from typing import Protocol, Self

from pebble import ProcessExpired, ProcessPool

from randsearch.measurement import Measurement
from randsearch.measures import Job, Setting, measure

DEATHS = 3


class Executor(Protocol):
    """Runs jobs; a context manager, so that workers never outlive the search."""

    capacity: int

    def submit(self, job: Job) -> None:
        """Queues a job."""

    def finished(self) -> list[Measurement]:
        """Waits until at least one job is done, and returns what is."""

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

    def submit(self, job: Job) -> None:
        """Queues a job."""
        self._queue.append(job)

    def finished(self) -> list[Measurement]:
        """Runs the next job."""
        return [measure(self._setting, self._queue.popleft())]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._queue.clear()


class LocalProcesses:
    """Runs jobs in worker processes of this machine.

    A worker that dies (out of memory, a crash in native code) takes only its own job with it: the job runs again,
    and is given up when it has killed three workers in a row.

    Args:
        setting: of the study; sent to each worker once.
        workers: how many.
    """

    def __init__(self, setting: Setting, workers: int) -> None:
        self.capacity = workers
        # Forking a process that has run torch's threads deadlocks; spawning does not.
        context = multiprocessing.get_context("spawn")
        self._setting = setting
        self._pool = ProcessPool(max_workers=workers, initializer=_begin, initargs=(setting,), context=context)
        self._jobs: dict[Future[Measurement], Job] = {}
        self._deaths: Counter[Job] = Counter()

    def submit(self, job: Job) -> None:
        """Queues a job."""
        self._jobs[self._pool.schedule(_work, args=(job,))] = job

    def finished(self) -> list[Measurement]:
        """Waits until at least one job is done, and returns what is."""
        results: list[Measurement] = []
        while not results:
            for future in wait(self._jobs, return_when=FIRST_COMPLETED).done:
                job = self._jobs.pop(future)
                try:
                    results.append(future.result())
                except ProcessExpired as death:
                    self._deaths[job] += 1
                    if self._deaths[job] < DEATHS:
                        self.submit(job)
                    else:
                        reason = f"killed its worker {DEATHS} times (exit code {death.exitcode})"
                        results.append(job.failed(self._setting, reason))
        return results

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pool.stop()  # type: ignore[no-untyped-call]
        self._pool.join()


_setting: Setting


def _begin(setting: Setting) -> None:
    """Prepares a worker: keeps the setting, and ends with the driver even if that is killed."""
    global _setting
    _setting = setting
    # The handle holds a pipe that closes when the driver dies, however early; a process id would miss a driver that
    # died while this process was still starting.
    driver = multiprocessing.parent_process()
    assert driver is not None

    def watch() -> None:
        driver.join()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _work(job: Job) -> Measurement:
    return measure(_setting, job)


def open_executor(setting: Setting, workers: int) -> Executor:
    """The executor for that many workers: processes, or the driver's own for one."""
    return LocalProcesses(setting, workers) if workers > 1 else InProcess(setting)
