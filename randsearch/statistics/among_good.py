"""What a user of a ranking asks: does it find the good ones, beyond telling bad from worse?

- nDCG at k (Järvelin and Kekäläinen 2002, doi:10.1145/582415.582418, as `sklearn.metrics.ndcg_score`): the gain of an
  architecture is how far its trained score lies above the worst, discounted by 1 / log2(1 + place by the proxy), summed
  over the proxy's first k, over what the order by training would have. Ties share their discounts.
- Precision at k: the share of the proxy's first k that are among the best quarter by training. Where a quarter is fewer
  than k, no proxy could have them all, and there is no such number.
- Recall at k: the share of the 3 truly best among the proxy's first k; regret at k: what the best of these k lacks.

All are computed in every resample; a resample's copies of one architecture take places of their own. Intervals of nDCG
and precision are of percentiles: they hang on the few best, whose leaving out says nothing of the rest.
"""

import numpy as np
from numpy.typing import NDArray

from randsearch.statistics.correlations import Counts, Floats, Side, Standing, blocks, running_sum

FIRST = 10
"""The k of nDCG and precision."""
QUARTER, TENTH = 0.25, 0.1
"""The shares within which agreement is looked at."""


def best_of(share: float, members: int) -> int:
    """How many of some members are such a share, rounded up."""
    return int(np.ceil(share * members - 1e-9))


def ndcg(x: Floats, y: Floats, counts: Counts, first: int = FIRST) -> Floats:
    """NDCG at `first` of every resample; NaN where all trained scores are alike.

    Args:
        x: finite scores of n architectures by the proxy.
        y: their trained scores.
        counts: how often each architecture is drawn, (resamples, n).
        first: the k.
    """
    a, b = Side.of(x), Side.of(y)
    places = np.arange(1, int(counts.sum(axis=1).max(initial=0)) + 1)
    discounts = np.concatenate([[0.0], np.cumsum(np.where(places <= first, 1 / np.log2(1 + places), 0.0))])
    parts = []
    for weights in blocks(counts):
        worst = np.where(weights > 0, y[:, None], np.inf).min(axis=0)
        gains = weights * (y[:, None] - worst)
        found, ideal = ((gains * _shared(side.standing(weights), weights, discounts)).sum(axis=0) for side in (a, b))
        parts.append(np.divide(found, ideal, out=np.full_like(found, np.nan), where=ideal > 0))
    return np.concatenate(parts)


def precision(x: Floats, y: Floats, counts: Counts, first: int = FIRST, share: float = QUARTER) -> Floats:
    """The share of the proxy's first that are among the best by training, of every resample.

    Args:
        x: finite scores of n architectures by the proxy.
        y: their trained scores.
        counts: how often each architecture is drawn, (resamples, n).
        first: the k; all where fewer were drawn.
        share: how many are the best; those tied with the last of them count among them.
    """
    a, b = Side.of(x), Side.of(y)
    falling = b.order[::-1]
    limits = np.minimum(np.arange(int(counts.sum(axis=1).max(initial=0)) + 1), first).astype(np.float64)
    parts = []
    for weights in blocks(counts):
        drawn = running_sum(weights[falling])
        place = np.minimum((drawn < np.ceil(share * drawn[-1])).sum(axis=0), len(y) - 1)
        good = weights * (b.values[:, None] >= b.values[falling[place]])
        chosen = (good * _shared(a.standing(weights), weights, limits)).sum(axis=0)
        parts.append(chosen / np.minimum(first, drawn[-1]))
    return np.concatenate(parts)


def _shared(standing: Standing, weights: Floats, summed: NDArray[np.float64]) -> Floats:
    """What one copy of each architecture has at its place from above, ties sharing; `summed[i]` is that of the first i.

    Returns:
        (n, resamples); 0 for those that were not drawn.
    """
    size = weights.sum(axis=0)
    upto = (standing.ranks + standing.tied + size) / 2
    above = np.rint(size - upto).astype(np.intp)
    tied = np.rint(standing.tied).astype(np.intp)
    total = summed[above + tied] - summed[above]
    return np.asarray(np.divide(total, tied, out=np.zeros_like(total), where=tied > 0))
