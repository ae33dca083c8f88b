"""Jobs on a Ray cluster: several machines, parts of GPUs, and another try where a node dies.

All machines must see the study's folder and the cache of decoded audio at the same paths.
"""

from __future__ import annotations

import logging
import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from randsearch.base import stopping
from randsearch.base.errors import UserError
from randsearch.measures import Job, Setting, measure
from randsearch.running.executors import DEATHS
from randsearch.table.measurement import Measurement

if TYPE_CHECKING:
    from randsearch.running.machine import Machine


class RayCluster:
    """Runs jobs as tasks of a Ray cluster.

    A task whose worker or node dies runs again elsewhere, and is given up at its third death in a row.

    Args:
        setting: of the study; stored in the cluster once.
        machine: address of the cluster, jobs at once and the part of a GPU that each takes.

    Raises:
        UserError: Ray is missing, or the cluster cannot be reached.
    """

    def __init__(self, setting: Setting, machine: Machine) -> None:
        try:
            import ray
        except ImportError:
            raise UserError("--executor ray needs Ray: install 'randsearch[cluster]'.") from None
        self._ray: Any = ray
        self._setting = setting
        self._time_limit = machine.time_limit
        _check_address(machine.address)
        try:
            with _own_sigterm():
                ray.init(machine.address, logging_level=logging.ERROR, log_to_driver=False)
        except (ConnectionError, ValueError, RuntimeError, TimeoutError) as error:
            reason = " ".join(str(error).split())
            raise UserError(f"no Ray cluster answers at {machine.address} ({reason}).") from None
        # Jobs on a GPU are bound by its share; what they leave of a CPU's core is no more than the fetching of batches.
        needs: dict[str, float] = {"num_cpus": setting.threads}
        if setting.device.startswith("cuda"):
            needs = {"num_cpus": 0.5, "num_gpus": machine.gpu_share}
        self.capacity = machine.workers or self._room(needs)
        self._work = ray.remote(_work).options(**needs, max_retries=DEATHS - 1, retry_exceptions=False)
        self._stored = ray.put(setting)
        self._jobs: dict[Any, Job] = {}
        self._cancelled = False

    def _room(self, needs: dict[str, float]) -> int:
        have = self._ray.cluster_resources()
        names = {"num_cpus": "CPU", "num_gpus": "GPU"}
        room = int(min(have.get(names[name], 0) / need for name, need in needs.items()))
        if room < 1:
            wanted = ", ".join(f"{need:g} {names[name]}" for name, need in needs.items())
            raise UserError(f"no job fits into the Ray cluster: each takes {wanted}.")
        return room

    def submit(self, job: Job) -> None:
        """Queues a job."""
        self._jobs[self._work.remote(self._stored, job, self._time_limit)] = job

    def finished(self) -> list[Measurement]:
        """Waits until at least one job is done, and returns what is."""
        results: list[Measurement] = []
        while not results:
            if stopping.requested() and not self._cancelled:
                self._cancelled = True
                for reference in self._jobs:
                    self._ray.cancel(reference)
            if not self._jobs:
                raise stopping.StoppedError
            ready, _ = self._ray.wait(list(self._jobs), timeout=1.0)
            for reference in ready:
                result = self._result(reference, self._jobs.pop(reference))
                if result is not None:
                    results.append(result)
        return results

    def _result(self, reference: Any, job: Job) -> Measurement | None:
        errors = self._ray.exceptions
        try:
            found: Measurement = self._ray.get(reference)
        except (stopping.StoppedError, errors.TaskCancelledError):
            return None
        except stopping.OverdueError:
            return job.failed(self._setting, f"it took longer than the time limit of {self._time_limit:g} s")
        except errors.RayTaskError as error:
            if isinstance(error.cause, UserError):
                raise type(error.cause)(str(error.cause)) from None
            raise
        except errors.RayError as error:  # WorkerCrashedError, NodeDiedError, OutOfMemoryError
            return job.failed(self._setting, f"killed its worker {DEATHS} times ({_first_line(error)})")
        return found

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for reference in self._jobs:
            self._ray.cancel(reference, force=True)
        self._ray.shutdown()


@contextmanager
def _own_sigterm() -> Iterator[None]:
    """Keeps our handler where Ray sets one that ends the process at once."""
    before = signal.getsignal(signal.SIGTERM)
    yield
    if threading.current_thread() is threading.main_thread():  # Python allows handlers nowhere else
        signal.signal(signal.SIGTERM, before)


def _check_address(address: str) -> None:
    """Refuses an address where nothing listens; Ray would try it for minutes and then end the process.

    Raises:
        UserError: nothing does.
    """
    host, _, port = address.rpartition(":")
    if not host or not port.isdecimal() or "://" in address:
        return  # `auto`, or a scheme that Ray looks into itself
    try:
        socket.create_connection((host, int(port)), timeout=10).close()
    except OSError as error:
        raise UserError(f"no Ray cluster answers at {address} ({error.strerror or error}).") from None


def _first_line(error: Exception) -> str:
    return next(iter(str(error).splitlines()), type(error).__name__)


def _work(setting: Setting, job: Job, time_limit: float | None) -> Measurement:
    """A job on some node. Cancelling interrupts it; a training then saves a checkpoint first."""
    flag = stopping.SharedFlag()

    def interrupted(*_: Any) -> None:
        flag.set()

    def too_late(*_: Any) -> None:
        raise stopping.OverdueError

    handlers = {signal.SIGINT: interrupted, signal.SIGALRM: too_late}
    before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
    # Ray shows a worker the GPU that it has a share of, under the number 0.
    device = "cuda:0" if setting.device.startswith("cuda") else setting.device
    try:
        signal.setitimer(signal.ITIMER_REAL, time_limit or 0)
        with stopping.heeding(flag):
            return measure(replace(setting, device=device), job)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        for number, handler in before.items():
            signal.signal(number, handler)
