"""Multitrack audio for separation: corpora are decoded once into a memory-mapped cache and served as random crops.

It hands out NumPy arrays in the shapes `(sources, channels, samples)` and `(batch, sources, channels, samples)`.
"""

from randsearch.data.batches import Crops
from randsearch.data.dataset import Dataset, open_dataset, open_test
from randsearch.data.task import STEMS, TASKS, Task
from randsearch.data.track import Track

__all__ = ["STEMS", "TASKS", "Crops", "Dataset", "Task", "Track", "open_dataset", "open_test"]
