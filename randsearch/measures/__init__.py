"""Measures: what maps (architecture, data, seed) to a score and its cost.

A new proxy is one function and one entry in `catalogue.MEASURES`; nothing else changes. Every score is oriented
beforehand: higher is predicted better. Importing this package does not import torch; measuring does.
"""

from __future__ import annotations

import math
import sys
import time
import traceback
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from typing import Any

from randsearch.architecture import Architecture
from randsearch.errors import DamagedAudioError, UserError
from randsearch.measurement import Measurement
from randsearch.measures.base import Measure, Outcome, Setting, UnmeasurableError
from randsearch.measures.catalogue import MEASURES, find
from randsearch.memory import keep_freed_memory
from randsearch.stopping import StoppedError

__all__ = ["MEASURES", "Job", "Measure", "Outcome", "Setting", "UnmeasurableError", "find", "measure"]


@dataclass(frozen=True)
class Job:
    """One measurement to make."""

    architecture: Architecture
    measure: str
    seed: int

    @property
    def key(self) -> tuple[str, str, int]:
        """(hash, measure, seed), as in `Measurement.key`."""
        return self.architecture.hash, self.measure, self.seed

    def failed(self, setting: Setting, reason: str) -> Measurement:
        """The measurement that records why the job came to nothing."""
        where: dict[str, Any] = {"threads": setting.threads, "device": setting.device}
        return Measurement(self.architecture, self.measure, self.seed, "failed", reason=reason, **where)


def measure(setting: Setting, job: Job) -> Measurement:
    """Makes one measurement; what goes wrong in it becomes its reason.

    Args:
        setting: the study.
        job: what to measure.

    Raises:
        UserError: the machine failed, not the architecture (a full disk, a file that is gone): the search stops.
        DamagedAudioError: a decoded track is damaged: the search decodes it again and goes on.
        StoppedError: the search is to stop, and the measurement was left unfinished.
    """
    _limit_threads(setting.threads, len(sys.modules))
    keep_freed_memory()
    try:
        return _attempt(setting, job)
    except TimeoutError:  # The executor's own: the job took too long.
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


def _attempt(setting: Setting, job: Job) -> Measurement:
    from randsearch.training import DivergedError

    try:
        outcome = _run(setting, job)
    except (DivergedError, UnmeasurableError) as error:
        return job.failed(setting, str(error))
    except (OSError, StoppedError, DamagedAudioError):
        raise
    except Exception as error:  # A measure may be anybody's code: its error is a result of this measurement alone.
        if _is_out_of_memory(error):
            return job.failed(setting, f"out of memory on {setting.device}")
        home = setting.home(job.architecture, job.measure, job.seed)
        home.mkdir(parents=True, exist_ok=True)
        (home / "error.txt").write_text(traceback.format_exc())
        return job.failed(setting, f"{type(error).__name__}: {error}")
    if not math.isfinite(outcome.score):
        return job.failed(setting, f"the score is not finite ({outcome.score})")
    where: dict[str, Any] = {"threads": setting.threads, "device": setting.device}
    return Measurement(job.architecture, job.measure, job.seed, "complete", **asdict(outcome), **where)


def _run(setting: Setting, job: Job) -> Outcome:
    """The outcome of a measure, completed where it returns less than one: its time, its multiply-adds."""
    entry = find(job.measure)
    began = time.perf_counter()
    found = entry.run(setting, job.architecture, job.seed)
    if not isinstance(found, Outcome):
        found = Outcome(float(found), seconds=time.perf_counter() - began)
    return found if found.multiply_adds else replace(found, multiply_adds=entry.cost(setting, job.architecture))


def _is_out_of_memory(error: Exception) -> bool:
    import torch

    # On the CPU PyTorch has no exception of its own for this, only the sentence.
    return isinstance(error, torch.OutOfMemoryError | MemoryError) or "can't allocate memory" in str(error)
