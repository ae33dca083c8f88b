"""How far one separation of the same tracks is above another, with an interval over tracks.

The score of both is that of `randsearch.data.metrics`. Tracks are resampled whole, and both separations with the same
tracks, so that what makes a track easy or hard cancels. What the interval speaks of is other tracks of the same kind;
that another training of the same network would end elsewhere is not in it.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from randsearch.data.metrics import score
from randsearch.statistics.interval import FEWEST_FOR_INTERVAL, Draws, Interval

RESAMPLES = 1000

Segments = Sequence[NDArray[np.float64]]


def gain_over(segments: Segments, others: Segments, resamples: int = RESAMPLES) -> Interval:
    """The score of one separation less that of another.

    Args:
        segments: (sources, seconds) of each track, in dB.
        others: the same of the other, in the same order of tracks.
        resamples: of the bootstrap.

    Returns:
        the difference in dB; without an interval where there are too few tracks with a second that counts.
    """
    both = [(a, b) for a, b in zip(segments, others, strict=True) if a.shape[1]]
    if len(both) < FEWEST_FOR_INTERVAL:
        return Interval(_difference(both, range(len(both))))
    draws = Draws.of(len(both), resamples, np.random.default_rng(0))
    tracks = np.arange(len(both))
    return draws.bca(np.array([_difference(both, np.repeat(tracks, row)) for row in draws.counts]))


def _difference(
    both: Sequence[tuple[NDArray[np.float64], NDArray[np.float64]]], drawn: Sequence[int] | NDArray[np.intp]
) -> float:
    first, second = (score(both[number][side] for number in drawn) for side in (0, 1))
    return first - second
