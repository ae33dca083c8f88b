"""Partial rank correlation: what a proxy knows about training beyond what the size of the network tells.

The ranks of proxy and target are both regressed on the ranks of the sizes, and the residuals correlated (partial
Spearman; Liu et al. 2018, doi:10.1111/biom.12812). Ranks of a size are those of its logarithm.
"""

from collections.abc import Sequence

import numpy as np

from randsearch.statistics.correlations import Counts, Floats, Side, Standing, blocks, dot, ratio

CONTROLS = ("params", "macs", "flops")
"""Sizes that are held fixed where they were measured; elsewhere multiply-adds, or twice them, are called flops."""

# Of a side's variance: below this, what a regression leaves is rounding, and the sizes explain the side wholly.
_NOTHING_LEFT = 1e-6


def partial_spearman(x: Floats, y: Floats, given: Sequence[Floats], counts: Counts) -> Floats:
    """The partial rank correlation of every resample.

    Args:
        x: finite scores of n architectures by the proxy.
        y: their trained scores.
        given: what to hold fixed, each (n,).
        counts: how often each architecture is drawn, (resamples, n).

    Returns:
        (resamples,); NaN where what is held fixed leaves nothing of a side, for instance of `x` if it is one of them.
    """
    sides = [Side.of(values) for values in (*given, x, y)]
    parts = []
    for weights in blocks(counts):
        *controls, a, b = [_centred(side.standing(weights)) for side in sides]
        basis: list[tuple[Floats, Floats]] = []
        for control in controls:
            left, variance = _without(basis, control, weights)
            basis.append((left, variance))
        (left_a, variance_a), (left_b, variance_b) = (_without(basis, values, weights) for values in (a, b))
        parts.append(ratio(dot(weights * left_a, left_b), variance_a, variance_b))
    return np.concatenate(parts)


def _centred(standing: Standing) -> Floats:
    # Weighted mean 0 by construction; float64, for residuals are differences of nearly equal numbers.
    return standing.ranks.astype(np.float64)


def _without(basis: "list[tuple[Floats, Floats]]", values: Floats, weights: Floats) -> tuple[Floats, Floats]:
    """What a regression on the basis leaves of values (n, resamples), and its variance: 0 where that is nothing."""
    whole = dot(weights * values, values)
    for direction, variance in basis:
        slope = np.divide(dot(weights * values, direction), variance, out=np.zeros_like(variance), where=variance > 0)
        values = values - slope * direction
    left = dot(weights * values, values)
    return values, np.where(left <= _NOTHING_LEFT * whole, 0.0, left)
