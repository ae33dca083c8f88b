"""Asking a search to stop, and noticing it: signals set a flag, and trainings look at it between steps.

The first Ctrl-C (SIGINT), or SIGTERM as schedulers send it before they take a machine back, lets what runs finish or save
a checkpoint. The second ends the process at once; nothing that was recorded is lost in either case. Nothing here
imports torch.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Protocol


class StoppedError(Exception):
    """A measurement was left unfinished because the search is to stop; it goes on from its checkpoint."""


class Flag(Protocol):
    """An event of threads or of processes."""

    def is_set(self) -> bool:
        """Whether it was set."""

    def set(self) -> None:
        """Sets it."""


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


@contextmanager
def signals(flag: Flag, notice: Callable[[str], None]) -> Iterator[list[int]]:
    """Sets a flag at the first SIGINT or SIGTERM, and raises KeyboardInterrupt at the second.

    Outside the main thread, where Python allows no handlers, nothing is changed.

    Args:
        flag: to set.
        notice: shows one sentence to the user.

    Yields:
        The numbers of the signals that came, in order.
    """
    came: list[int] = []

    def handle(number: int, _: FrameType | None) -> None:
        came.append(number)
        if len(came) > 1:
            raise KeyboardInterrupt
        flag.set()
        notice("stopping: what runs is finished or saved first; once more stops at once.")

    if threading.current_thread() is not threading.main_thread():
        yield came
        return
    before = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield came
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class WorkerSignals:
    """How a worker process takes signals: Ctrl-C is the driver's affair, SIGTERM ends it between two steps.

    Attributes:
        busy: whether it is measuring; if not, SIGTERM ends it at once.
    """

    def __init__(self) -> None:
        self.busy = False
        self._flag = threading.Event()
        _flags.append(self._flag)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, self._terminate)

    def _terminate(self, number: int, _: FrameType | None) -> None:
        self._flag.set()
        if not self.busy:
            os._exit(128 + number)
