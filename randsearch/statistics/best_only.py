"""Spearman's rho among the truly best alone: a proxy that only tells bad architectures from worse is of little use."""

import numpy as np

from randsearch.statistics.correlations import Counts, Floats, Side, blocks, running_sum, spearman
from randsearch.statistics.interval import FEWEST_FOR_COEFFICIENT

TOP_FEW = 10
"""The k of the top k."""


def top_half(members: int) -> int:
    """How many are the better half."""
    return (members + 1) // 2


def spearman_among_best(x: Floats, y: Floats, counts: Counts, best: int) -> Floats:
    """Spearman's rho of every resample among its best by `y`.

    Args:
        x: finite scores of n architectures by the proxy.
        y: their trained scores.
        counts: how often each architecture is drawn, (resamples, n).
        best: how many are the best of n; in proportion where a resample is smaller. Those tied with the last of them
            count among them.

    Returns:
        (resamples,); NaN where fewer than 3 different architectures are among them, or a side is constant.
    """
    a, b = Side.of(x), Side.of(y)
    falling = b.order[::-1]
    parts = []
    for weights in blocks(counts):
        drawn = running_sum(weights[falling])
        wanted = np.ceil(best / len(y) * drawn[-1])
        place = np.minimum((drawn < wanted).sum(axis=0), len(y) - 1)
        inside = weights * (b.values[:, None] >= b.values[falling[place]])
        rho = spearman(a.standing(inside), b.standing(inside), inside)
        parts.append(np.where((inside > 0).sum(axis=0) < FEWEST_FOR_COEFFICIENT, np.nan, rho))
    return np.concatenate(parts)
