"""Measures: what maps (architecture, data, seed) to a score and its cost.

A new proxy is one function and one entry in `MEASURES`; nothing else changes. Every score is oriented beforehand:
higher is predicted better.
"""

from __future__ import annotations

import math
import traceback
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

import torch

from randsearch.architecture import Architecture
from randsearch.errors import UserError
from randsearch.measurement import Measurement
from randsearch.measures import sizes, training
from randsearch.measures.base import Measure, Outcome, Setting
from randsearch.training import DivergedError

__all__ = ["MEASURES", "Job", "Measure", "Outcome", "Setting", "measure"]

MEASURES: dict[str, Measure] = {
    "trained": Measure(
        training.trained, needs="a full training", source="the truth", cost=training.trained_cost, trains=True
    ),
    "fixed_decoder": Measure(
        training.fixed_decoder,
        needs="a short training",
        source="J-Net, 1911.12926",
        cost=partial(training.proxy_cost, half="decoder"),
        fixes="decoder",
        trains=True,
    ),
    "fixed_encoder": Measure(
        training.fixed_encoder,
        needs="a short training",
        source="J-Net, 1911.12926",
        cost=partial(training.proxy_cost, half="encoder"),
        fixes="encoder",
        trains=True,
    ),
    "early": Measure(
        training.early, needs="a short training", source="equal-cost control", cost=training.early_cost, trains=True
    ),
    "params": Measure(sizes.params, needs="nothing", source="baseline", seeded=False),
    "macs": Measure(sizes.macs, needs="nothing", source="baseline", seeded=False),
}


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
    """
    torch.set_num_threads(setting.threads)
    try:
        return _attempt(setting, job)
    except OSError as error:
        raise UserError(
            f"{job.measure} of architecture {job.architecture.hash} stopped at {error.filename or setting.folder} "
            f"({error.strerror or error}): mend that and run the same command again."
        ) from error


def _attempt(setting: Setting, job: Job) -> Measurement:
    try:
        outcome = MEASURES[job.measure].run(setting, job.architecture, job.seed)
    except DivergedError as error:
        return job.failed(setting, str(error))
    except OSError:
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


def _is_out_of_memory(error: Exception) -> bool:
    # On the CPU PyTorch has no exception of its own for this, only the sentence.
    return isinstance(error, torch.OutOfMemoryError | MemoryError) or "can't allocate memory" in str(error)
