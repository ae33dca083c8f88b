"""Training batches: random crops of the sources, each with its own random gain, mixed anew."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from randsearch.base.errors import UserError
from randsearch.data.track import FloatArray, Track


@dataclass(frozen=True)
class Crops:
    """An endless sequence of random batches that can be entered anywhere.

    Batch `index` depends on `seed` and `index` alone (Philox is counter-based: the pair is its key), so an interrupted
    run goes on where it stopped, and workers may fetch ahead in any order.

    The output window lies uniformly over all windows that fit into a track, whatever its length; a track that is
    shorter than the window lies anywhere within it, if it may. The input window is centred on it and longer by the
    context of the network, which is real audio, or zeros beyond the track's ends.

    Attributes:
        tracks: where to crop from.
        batch: crops in a batch.
        input_length: samples of the mixture.
        output_length: samples of the sources, at most `input_length`.
        seed: non-negative, below 2**64.
        gains: range of the uniform gain that each source of each crop is multiplied by.
        pads: whether tracks may be shorter than `output_length`; there are zeros around them then.

    Raises:
        UserError: a track is shorter than `output_length` and must not be, or there are no tracks.
    """

    tracks: Sequence[Track]
    batch: int
    input_length: int
    output_length: int
    seed: int
    gains: tuple[float, float] = (0.7, 1.0)
    pads: bool = False

    def __post_init__(self) -> None:
        if not 0 < self.output_length <= self.input_length:
            raise ValueError(
                f"output_length {self.output_length} must be within 1 and input_length {self.input_length}"
            )
        if not self.tracks:
            raise UserError("there are no tracks to take crops from: add tracks to the 'train' folder")
        for track in self.tracks:
            if track.length < self.output_length and not self.pads:
                raise UserError(
                    f"track '{track.name}' has {track.length} samples ({track.length / track.sample_rate:.2f} s), "
                    f"shorter than a segment of {self.output_length}: choose a smaller --segment or remove the track"
                )

    @cached_property
    def _ends(self) -> npt.NDArray[np.int64]:
        """Running total of each track's windows: a window's number falls into its track's bin."""
        return np.cumsum([abs(track.length - self.output_length) + 1 for track in self.tracks])

    def batch_at(self, index: int) -> tuple[FloatArray, FloatArray]:
        """Draws batch `index`.

        Args:
            index: number of the batch, from 0.

        Returns:
            the mixture, shape `(batch, channels, input_length)`, and the sources that it is the sum of, shape
            `(batch, sources, channels, output_length)`, the latter without the context.
        """
        random = np.random.Generator(np.random.Philox(key=np.array([self.seed, index], dtype=np.uint64)))
        windows = random.integers(self._ends[-1], size=self.batch)
        n_sources = len(self.tracks[0].groups)
        gains = random.uniform(*self.gains, size=(self.batch, n_sources)).astype(np.float32)
        crops = np.stack([self._crop(int(window)) for window in windows]) * gains[:, :, None, None]
        margin = (self.input_length - self.output_length) // 2
        return crops.sum(axis=1), crops[..., margin : margin + self.output_length].copy()

    def _crop(self, window: int) -> FloatArray:
        """Reads window number `window` of all windows with its context, shape `(sources, channels, input_length)`."""
        number = int(np.searchsorted(self._ends, window, side="right"))
        track = self.tracks[number]
        # The last window ends with the track, or begins with it where the track is shorter.
        output_start = window - int(self._ends[number]) + 1 + max(track.length - self.output_length, 0)
        start = output_start - (self.input_length - self.output_length) // 2
        return track.sources(start, start + self.input_length)
