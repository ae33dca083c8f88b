"""A measurement: one measure of one architecture at one seed, with its cost or the reason of its failure."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from randsearch.base.errors import UserError
from randsearch.models.architecture import Architecture

# A measure's own name, or `package.module:function`; never a path.
_MEASURE = re.compile(r"\w[\w.]*(:\w+)?", re.ASCII)


Key = tuple[str, str, int]
"""What no study holds twice: (hash, measure, seed)."""


def home(measured: Path, architecture: Architecture, measure: str, seed: int) -> Path:
    """Folder of one measurement's files.

    Args:
        measured: folder of the study's measurements.
        architecture: that was measured.
        measure: by which measure.
        seed: at which seed.

    Raises:
        UserError: the measure's name, which may come from somebody else's study, could lead elsewhere.
    """
    if not _MEASURE.fullmatch(measure):
        raise UserError(f"{measure!r} cannot be the name of a measure: it is `name` or `package.module:function`.")
    return measured / architecture.hash / f"{measure.replace(':', '.')}-{seed}"


@dataclass(frozen=True)
class Measurement:
    """One row of a study.

    Attributes:
        architecture: what was measured.
        measure: by which measure.
        seed: at which seed.
        state: `complete`, or `failed` with a reason.
        score: higher is predicted better; None if it failed.
        baseline: score of the best constant-gain mixture, for scores in dB of SDR.
        seconds: wall time of the scoring alone.
        steps: training steps taken.
        multiply_adds: that its convolutions took, in closed form.
        validation_seconds: wall time of validation.
        data_seconds: wall time spent waiting for batches.
        threads: it was computed with.
        device: it was computed on.
        curve: (step, score) at every validation.
        reason: why it failed; empty otherwise.
    """

    architecture: Architecture
    measure: str
    seed: int
    state: Literal["complete", "failed"]
    score: float | None = None
    baseline: float | None = None
    seconds: float = 0.0
    steps: int = 0
    multiply_adds: float = 0.0
    validation_seconds: float = 0.0
    data_seconds: float = 0.0
    threads: int = 1
    device: str = "cpu"
    curve: tuple[tuple[int, float], ...] = ()
    reason: str = ""

    @property
    def key(self) -> Key:
        """What no study holds twice."""
        return self.architecture.hash, self.measure, self.seed

    def to_row(self, options: Mapping[str, Any]) -> dict[str, Any]:
        """The measurement as a row of `measurements.csv`.

        Args:
            options: the architecture as cells, which many rows share.
        """
        return {
            "architecture": self.architecture.hash,
            "measure": self.measure,
            "seed": self.seed,
            "score": self.score,
            "baseline": self.baseline,
            "seconds": self.seconds,
            "steps": self.steps,
            "state": self.state,
            "reason": self.reason,
            **options,
            "multiply_adds": self.multiply_adds,
            "validation_seconds": self.validation_seconds,
            "data_seconds": self.data_seconds,
            "threads": self.threads,
            "device": self.device,
            "curve": json.dumps([list(point) for point in self.curve]),
        }
