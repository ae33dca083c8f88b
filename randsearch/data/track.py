"""One track of the cache, or a part of one that was carved out by time."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import numpy.typing as npt

from randsearch.base.errors import DamagedAudioError

FloatArray = npt.NDArray[np.float32]


@lru_cache(maxsize=256)
def _memory_map(path: Path) -> FloatArray:
    """Opens a cached track once a process; the bound keeps huge corpora within the limit on open files."""
    try:
        stems: FloatArray = np.load(path, mmap_mode="r")
    except (ValueError, EOFError) as error:
        sentence = f"the cached track {path} is damaged ({error}): the next command decodes it again."
        raise DamagedAudioError(sentence) from error
    return stems


@dataclass(frozen=True)
class Track:
    """A range of a cached file of stems; small and picklable, for the samples stay on disk.

    Attributes:
        name: the track's name in its corpus (folder or file name), for people.
        path: `.npy` file of float32 stems, shape `(stems, channels, samples)`.
        start: first sample of this part of the file.
        stop: one past the last sample of this part of the file.
        sample_rate: samples a second.
        channels: 1 or 2.
        groups: for each source, the positions of the stems that are summed (`Task.groups_in`); none is silence.
    """

    name: str
    path: Path
    start: int
    stop: int
    sample_rate: int
    channels: int
    groups: tuple[tuple[int, ...], ...]

    @property
    def length(self) -> int:
        """Samples in this part."""
        return self.stop - self.start

    def sources(self, start: int, stop: int) -> FloatArray:
        """Reads the sources from `start` to `stop`, counted in samples from the beginning of this part.

        What lies outside `[0, length)` reads as zeros. For a part that was carved out by time this holds although the
        file goes on there, so that training and validation never hear each other.

        Args:
            start: first sample; may be negative.
            stop: one past the last sample; may exceed `length`.

        Returns:
            a new float32 array, shape `(sources, channels, stop - start)`.
        """
        out = np.zeros((len(self.groups), self.channels, stop - start), dtype=np.float32)
        first, last = max(start, 0), min(stop, self.length)
        if first < last:
            stems = _memory_map(self.path)[..., self.start + first : self.start + last]
            for source, group in zip(out, self.groups, strict=True):
                for stem in group:
                    source[:, first - start : last - start] += stems[stem]
        return out

    def minutes(self) -> Iterator[FloatArray]:
        """The sources minute by minute, so that memory never holds the whole of a long track."""
        step = 60 * self.sample_rate
        for start in range(0, self.length, step):
            yield self.sources(start, min(start + step, self.length))
