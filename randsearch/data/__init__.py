"""Multitrack audio for separation: corpora are decoded once into a memory-mapped cache and served as random crops.

It hands out NumPy arrays in the shapes `(sources, channels, samples)` and `(batch, sources, channels, samples)`. What
reads audio is imported when it is used, for the command line's help names tasks.
"""

from typing import TYPE_CHECKING, Any

from randsearch.data.format import AudioFormat
from randsearch.data.task import STEMS, TASKS, Task

if TYPE_CHECKING:
    from randsearch.data.batches import Crops
    from randsearch.data.dataset import Dataset, open_dataset, open_test
    from randsearch.data.track import Track

__all__ = ["STEMS", "TASKS", "AudioFormat", "Crops", "Dataset", "Task", "Track", "open_dataset", "open_test"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from randsearch.data.batches import Crops
    from randsearch.data.dataset import Dataset, open_dataset, open_test
    from randsearch.data.track import Track

    found = (Crops, Dataset, Track, open_dataset, open_test)
    return next(each for each in found if each.__name__ == name)
