"""Measures: what maps (architecture, data, seed) to a score and its cost.

A new proxy is one function and one entry in `catalogue.MEASURES`; nothing else changes. Every score is oriented
beforehand: higher is predicted better. Importing this package does not import torch; measuring does.
"""

from __future__ import annotations

import errno
import sys
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from typing import Any

from randsearch.base import stopping
from randsearch.base.errors import DamagedAudioError, NotAgreedError, PlaceError, UserError, told
from randsearch.base.layout import ERROR_FILE
from randsearch.base.memory import keep_freed_memory
from randsearch.base.stopping import OverdueError, StoppedError
from randsearch.measures.catalogue import MEASURES, find
from randsearch.measures.contract import Lazy, Measure, Outcome, Setting, UnmeasurableError
from randsearch.measures.own import is_own, unchanged
from randsearch.models.architecture import Architecture
from randsearch.table.measurement import Measurement

__all__ = ["MEASURES", "Job", "Measure", "Outcome", "Setting", "UnmeasurableError", "find", "measure", "own_threads"]

_FAILURES_OF_THE_MACHINE = (errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS)
_LONGEST_TRACE = 100_000  # characters of a traceback that are kept


@dataclass(frozen=True)
class Job:
    """One measurement to make.

    Attributes:
        architecture: of what.
        measure: by which measure.
        seed: at which seed.
        until: the step at which a training is to pause; None for its end.
    """

    architecture: Architecture
    measure: str
    seed: int
    until: int | None = None

    @property
    def key(self) -> tuple[str, str, int]:
        """(hash, measure, seed), as in `Measurement.key`."""
        return self.architecture.hash, self.measure, self.seed

    def failed(self, setting: Setting, reason: str) -> Measurement:
        """The measurement that records why the job came to nothing."""
        where: dict[str, Any] = {"threads": setting.threads, "device": setting.device}
        return Measurement(self.architecture, self.measure, self.seed, "failed", reason=reason, **where)


def measure(setting: Setting, job: Job) -> Measurement:
    """Makes one measurement; what goes wrong in it becomes its reason, and a training that pauses is pruned so far.

    Args:
        setting: the study.
        job: what to measure.

    Raises:
        UserError: the machine failed, not the architecture (a full disk, a file that is gone): the search stops.
        DamagedAudioError: a decoded track is damaged: the search decodes it again and goes on.
        StoppedError: the search is to stop, and the measurement was left unfinished.
        NotAgreedError: the measure is code that this user has not agreed to run.
    """
    _limit_threads(setting.threads, len(sys.modules))
    keep_freed_memory()
    try:
        return _attempt(replace(setting, until=job.until) if job.until is not None else setting, job)
    except OverdueError:
        raise
    except OSError as error:
        raise UserError(
            f"{job.measure} of architecture {job.architecture.hash} stopped at {error.filename or setting.folder} "
            f"({error.strerror or error}): mend that and run the same command again."
        ) from error


@lru_cache(maxsize=1)
def _limit_threads(threads: int, modules: int) -> None:
    """Has this process compute with so many threads.

    To look for libraries takes ten milliseconds, more than many a measure: once, until more are imported.

    Args:
        threads: how many.
        modules: that are imported; with them come libraries.
    """
    import torch
    from threadpoolctl import threadpool_limits

    torch.set_num_threads(threads)
    # numpy's linear algebra has threads of its own, which would fight over the cores with those of other workers.
    threadpool_limits(threads, user_api="blas")


@contextmanager
def own_threads() -> Iterator[None]:
    """Gives a process back the threads that it computed with before it measured."""
    import torch
    from threadpoolctl import threadpool_limits

    before = torch.get_num_threads()
    with threadpool_limits():
        try:
            yield
        finally:
            torch.set_num_threads(before)
            _limit_threads.cache_clear()


def _attempt(setting: Setting, job: Job) -> Measurement:
    from randsearch.training.loop import DivergedError

    try:
        outcome = _run(setting, job)
    except (DivergedError, UnmeasurableError) as error:
        return job.failed(setting, told(error, kind=False))
    except BaseException as error:  # A measure may be anybody's code: its error is a result of this measurement alone.
        if stopping.requested() and isinstance(error, StoppedError | KeyboardInterrupt):
            raise StoppedError from None
        if _is_ours(error, own=is_own(job.measure)):
            raise
        if _is_out_of_memory(error):
            return job.failed(setting, f"out of memory on {setting.device}")
        home = setting.home(job.architecture, job.measure, job.seed)
        text = "".join(traceback.format_exception(error))[:_LONGEST_TRACE]
        setting.place.write(home / ERROR_FILE, text.encode(errors="backslashreplace"))
        return job.failed(setting, told(error))
    found: dict[str, Any] = {**asdict(outcome), "threads": setting.threads, "device": setting.device}
    if job.until is not None and outcome.steps < setting.steps:
        found |= {"score": None, "reason": f"stopped at step {outcome.steps} of {setting.steps}"}
        return Measurement(job.architecture, job.measure, job.seed, "pruned", **found)
    return Measurement(job.architecture, job.measure, job.seed, "complete", **found)


def _is_ours(error: BaseException, *, own: bool) -> bool:
    """Whether an error is the executor's or the machine's, and no result of a measurement.

    A user's own measure runs in a process of its own, where Ctrl-C raises nothing, and may raise anything itself.
    """
    if isinstance(error, OverdueError | DamagedAudioError | NotAgreedError | PlaceError):
        return True
    if own:
        return isinstance(error, OSError) and error.errno in _FAILURES_OF_THE_MACHINE
    return isinstance(error, OSError | StoppedError) or not isinstance(error, Exception)


def _run(setting: Setting, job: Job) -> Outcome:
    """The outcome of a measure, completed where it returns less than one: its time, its multiply-adds."""
    entry = find(job.measure)
    if not is_own(job.measure):
        return _completed(entry, setting, job)
    assert isinstance(entry.run, Lazy)
    # Apart, so that the first measurement is not made with settings that the others are made without.
    with unchanged():
        entry.run.load(setting.own_measures, setting.functions)
    with unchanged():
        return _completed(entry, setting, job)


def _completed(entry: Measure, setting: Setting, job: Job) -> Outcome:
    began = time.perf_counter()
    found = entry.run(setting, job.architecture, job.seed)
    if not isinstance(found, Outcome):
        found = Outcome(found, seconds=time.perf_counter() - began)
    plain = found.checked()
    return plain if plain.multiply_adds else replace(plain, multiply_adds=entry.cost(setting, job.architecture))


def _is_out_of_memory(error: BaseException) -> bool:
    import torch

    # On the CPU PyTorch has no exception of its own for this, only the sentence.
    return isinstance(error, torch.OutOfMemoryError | MemoryError) or "can't allocate memory" in told(error)
