"""What a measure is: a function from (setting, architecture, seed) to an outcome, with a few facts about it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from randsearch.architecture import Architecture
from randsearch.data import Dataset
from randsearch.models.frozen import Half
from randsearch.models.sizing import Signal
from randsearch.training import Recipe


@dataclass(frozen=True)
class Setting:
    """What a study fixes for all of its measurements; travels to the workers.

    Attributes:
        dataset: tracks of the train subset, memory-mapped.
        signal: sources and channels.
        recipe: how networks train.
        steps: budget of `trained`.
        proxy_steps: budget of the proxies that train.
        proxy_half: the half that the primary proxy fixes; the equal-cost control is matched to it.
        baseline: score of the best constant-gain mixture on the validation tracks, in dB.
        device: where to compute.
        threads: of each worker.
        folder: where measurements keep weights and audio.
    """

    dataset: Dataset
    signal: Signal
    recipe: Recipe
    steps: int
    proxy_steps: int
    proxy_half: Half
    baseline: float
    device: str
    threads: int
    folder: Path

    def home(self, architecture: Architecture, measure: str, seed: int) -> Path:
        """Folder of one measurement's files."""
        return self.folder / architecture.hash / f"{measure}-{seed}"


@dataclass(frozen=True)
class Outcome:
    """What a measure returns; `randsearch.measurement.Measurement` says what each field means."""

    score: float
    baseline: float | None = None
    seconds: float = 0.0
    steps: int = 0
    multiply_adds: float = 0.0
    validation_seconds: float = 0.0
    data_seconds: float = 0.0
    curve: tuple[tuple[int, float], ...] = ()


def _nothing(setting: Setting, architecture: Architecture) -> float:
    return 0.0


@dataclass(frozen=True)
class Measure:
    """An entry of the registry.

    Attributes:
        run: computes the outcome.
        needs: what it looks at, for people.
        source: paper or idea, for people.
        cost: multiply-adds that it will take, for plans and time left.
        fixes: the half that it fixes, for measures that train.
        trains: whether it takes training steps.
        seeded: whether its score depends on the seed; if not, it is measured once.
    """

    run: Callable[[Setting, Architecture, int], Outcome]
    needs: str
    source: str
    cost: Callable[[Setting, Architecture], float] = _nothing
    fixes: Half = "none"
    trains: bool = False
    seeded: bool = True
