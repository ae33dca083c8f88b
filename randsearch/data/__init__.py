"""Multitrack audio for separation: corpora are decoded once into a memory-mapped cache and served as random crops.

It hands out NumPy arrays in the shapes `(sources, channels, samples)` and `(batch, sources, channels, samples)`. What
reads audio is imported when it is used, for the command line's help names tasks.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from randsearch.data.format import AudioFormat
from randsearch.data.task import STEMS, TASKS, Task

if TYPE_CHECKING:
    from randsearch.data.batches import Crops
    from randsearch.data.dataset import Dataset, open_dataset, open_test
    from randsearch.data.track import Track

__all__ = ["STEMS", "TASKS", "AudioFormat", "Crops", "Dataset", "Task", "Track", "open_dataset", "open_test"]

_HOMES = {"Crops": "batches", "Dataset": "dataset", "open_dataset": "dataset", "open_test": "dataset", "Track": "track"}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
