"""Training batches: random crops of the sources, augmented, and mixed anew."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from randsearch.base.errors import UserError
from randsearch.data.augmentation import GAINS, Augmentation
from randsearch.data.track import FloatArray, Track


@dataclass(frozen=True)
class Crops:
    """An endless sequence of random batches that can be entered anywhere.

    Batch `index` depends on `seed` and `index` alone (Philox is counter-based: the pair is its key), so an interrupted
    run goes on where it stopped, and workers may fetch ahead in any order.

    All tracks are drawn equally often, as in the authors' code. The output window lies uniformly over all windows that
    fit into its track; a track that is shorter than the window lies anywhere within it, if it may. The input window is
    centred on it and longer by the context of the network, which is real audio, or zeros beyond the track's ends.

    Attributes:
        tracks: where to crop from.
        batch: crops in a batch.
        input_length: samples of the mixture.
        output_length: samples of the sources, at most `input_length`.
        seed: non-negative, below 2**64.
        augment: what is done to the sources of each crop, see `Augmentation`; a crop lies at the same place of the same
            track whatever else is done to it.
        pads: whether tracks may be shorter than `output_length`; there are zeros around them then.

    Raises:
        UserError: a track is shorter than `output_length` and must not be, or there are no tracks.
    """

    tracks: Sequence[Track]
    batch: int
    input_length: int
    output_length: int
    seed: int
    augment: tuple[Augmentation, ...] = ("gains",)
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

    @property
    def shape(self) -> tuple[int, int, int]:
        """Of a batch of mixtures: (batch, channels, time)."""
        return self.batch, self.tracks[0].channels, self.input_length

    def batch_at(self, index: int) -> tuple[FloatArray, FloatArray]:
        """Draws batch `index`.

        Args:
            index: number of the batch, from 0.

        Returns:
            the mixture, shape `(batch, channels, input_length)`, and the sources that it is the sum of, shape
            `(batch, sources, channels, output_length)`, the latter without the context.
        """
        random = np.random.Generator(np.random.Philox(key=np.array([self.seed, index], dtype=np.uint64)))
        shape = (self.batch, len(self.tracks[0].groups))
        # All that may be drawn is drawn, so that one augmentation changes nothing of another.
        tracks, places = random.integers(len(self.tracks), size=shape), random.random(shape)
        gains = random.uniform(*GAINS, size=shape).astype(np.float32)
        turned, swapped = random.random(shape) < 0.5, random.random(shape) < 0.5
        if "remix" in self.augment:
            crops = np.stack([self._remixed(*drawn) for drawn in zip(tracks, places, strict=True)])
        else:
            crops = np.stack([self._crop(*drawn) for drawn in zip(tracks[:, 0], places[:, 0], strict=True)])
        if "gains" in self.augment:
            crops *= gains[:, :, None, None]
        if "signs" in self.augment:
            crops[turned] *= -1
        if "swap" in self.augment:
            crops[swapped] = crops[swapped][:, ::-1]
        margin = (self.input_length - self.output_length) // 2
        return crops.sum(axis=1), crops[..., margin : margin + self.output_length].copy()

    def _remixed(self, tracks: npt.NDArray[np.int64], places: npt.NDArray[np.float64]) -> FloatArray:
        """A crop whose sources come from a track and a place each."""
        return np.stack([self._crop(*drawn)[source] for source, drawn in enumerate(zip(tracks, places, strict=True))])

    def _crop(self, number: int, place: float) -> FloatArray:
        """Reads a window with its context, shape `(sources, channels, input_length)`.

        Args:
            number: of its track.
            place: from 0 to below 1, of all windows of the track.
        """
        track = self.tracks[number]
        # The first window begins with the track, or ends with it where the track is shorter.
        windows = abs(track.length - self.output_length) + 1
        output_start = int(place * windows) + min(track.length - self.output_length, 0)
        start = output_start - (self.input_length - self.output_length) // 2
        return track.sources(start, start + self.input_length)
