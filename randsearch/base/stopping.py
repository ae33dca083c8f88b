"""Asking a search to stop, and noticing it: signals set a flag, and trainings look at it between steps.

The first Ctrl-C (SIGINT), or SIGTERM as schedulers send it before they take a machine back, lets what runs finish or
save a checkpoint. The second ends the process at once; nothing that was recorded is lost in either case.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import resource_tracker
from types import FrameType
from typing import Protocol


class StoppedError(Exception):
    """What ran was left unfinished because the search is to stop; it goes on from its checkpoints.

    Args:
        number: of the signal that asked for it.
    """

    def __init__(self, number: int = signal.SIGINT) -> None:
        super().__init__(number)
        self.number = number


class OverdueError(TimeoutError):
    """What ran took longer than the user's time limit; a class of its own, since a measure may raise any other."""


TERMINATED = 128 + signal.SIGTERM
"""Exit code of a worker that was asked to end, and not killed by what it ran."""


class Flag(Protocol):
    """An event of threads or of processes."""

    def is_set(self) -> bool:
        """Whether it was set."""

    def set(self) -> None:
        """Sets it."""


class SharedFlag:
    """A flag that worker processes see too.

    A byte of shared memory without a lock: a process that is killed while it looks, or a signal that comes meanwhile,
    would leave a lock closed for ever.
    """

    def __init__(self) -> None:
        self._byte = multiprocessing.get_context("spawn").RawValue("b", 0)

    def is_set(self) -> bool:
        """Whether it was set."""
        return bool(self._byte.value)

    def set(self) -> None:
        """Sets it."""
        self._byte.value = 1


_flags: list[Flag] = []


def requested() -> bool:
    """Whether this process is to come to an end."""
    return any(flag.is_set() for flag in _flags)


@contextmanager
def heeding(flag: Flag) -> Iterator[None]:
    """Lets `requested` look at a flag."""
    _flags.append(flag)
    try:
        yield
    finally:
        _flags.remove(flag)


def interrupt(frame: FrameType | None) -> None:
    """Ends what runs at once.

    Args:
        frame: that a signal came in.

    Raises:
        KeyboardInterrupt: unless the signal came in the middle of an import, whose callbacks would swallow it: then the
            process ends, for there is nothing to clear up.
    """
    while frame is not None:
        if frame.f_code.co_filename == _IMPORTING:
            os._exit(128 + signal.SIGINT)
        frame = frame.f_back
    raise KeyboardInterrupt


_IMPORTING = "<frozen importlib._bootstrap>"


@contextmanager
def signals(flag: Flag) -> Iterator[list[int]]:
    """Sets a flag at the first SIGINT or SIGTERM, and raises KeyboardInterrupt at the second.

    Outside the main thread, where Python allows no handlers, nothing is changed.

    Args:
        flag: to set.

    Yields:
        the numbers of the signals that came, in order.
    """
    came: list[int] = []

    def handle(number: int, frame: FrameType | None) -> None:
        came.append(number)
        if len(came) > 1:
            interrupt(frame)
        flag.set()
        # Not print: the signal may have come in the middle of one.
        os.write(2, b"randsearch: stopping; what runs is finished or saved first, once more stops at once\n")

    if threading.current_thread() is not threading.main_thread():
        yield came
        return
    before = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield came
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def deaf_offspring() -> Iterator[None]:
    """Blocks SIGINT in the threads that begin within, and so in the processes that these and this thread begin.

    A terminal sends Ctrl-C to workers too, and one that still imports its modules would answer with a traceback.
    """
    # It begins with the first worker otherwise, and unblocks the signal.
    resource_tracker.ensure_running()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


class WorkerSignals:
    """How a worker process takes signals: Ctrl-C is the driver's affair, SIGTERM ends it between two steps.

    Args:
        driver: set when the driver wants all workers to stop.
    """

    def __init__(self, driver: Flag) -> None:
        self._busy = False
        self._terminated = threading.Event()
        _flags.extend((driver, self._terminated))
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, self._terminate)

    def _terminate(self, number: int, _: FrameType | None) -> None:
        self._terminated.set()
        if not self._busy:
            os._exit(TERMINATED)

    @contextmanager
    def measuring(self) -> Iterator[None]:
        """While a measurement runs, SIGTERM waits for its checkpoint; then the process ends."""
        if self._terminated.is_set():  # The last one was done before it noticed.
            os._exit(TERMINATED)
        if requested():
            raise StoppedError
        self._busy = True
        try:
            yield
        except StoppedError:
            if self._terminated.is_set():
                os._exit(TERMINATED)
            raise
        finally:
            self._busy = False
