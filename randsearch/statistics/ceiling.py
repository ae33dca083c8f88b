"""The noise ceiling: how high a perfect proxy's correlation could be, given how well training agrees with itself.

The mean correlation r of the trained scores between two seeds is the reliability of one seed. A mean over k seeds has
the reliability k r / (1 + (k - 1) r) (Spearman 1910, Brown 1910), and nothing free of noise can correlate with it by
more than its square root. That is exact for Pearson's r and near for Spearman's rho, for which it is used here.
Kendall's tau knows no such rule; its own value between seeds stands beside it. With one seed there is no ceiling.
"""

import itertools
from dataclasses import dataclass

import numpy as np

from randsearch.statistics.correlations import Counts, Floats, Side, blocks, correlations, spearman
from randsearch.statistics.interval import FEWEST_FOR_COEFFICIENT, FEWEST_FOR_INTERVAL, UNKNOWN, Draws, Interval

CLEARLY_RELIABLE = 0.1
"""Where the interval of the reliability begins below, a ratio to the ceiling would be a ratio to almost nothing."""

_ROUNDING = 1e-9


@dataclass(frozen=True)
class Ceiling:
    """How well the target agrees with itself.

    Attributes:
        seeds: how many seeds the target was measured at.
        n: architectures that are complete at all of them.
        reliability: Spearman between two seeds, the mean over all pairs.
        ceiling: the highest Spearman that a perfect proxy could reach against the mean over seeds.
        kendall_between_seeds: Kendall's tau-b between two seeds, the mean over all pairs.
    """

    seeds: int
    n: int
    reliability: Interval = UNKNOWN
    ceiling: Interval = UNKNOWN
    kendall_between_seeds: Interval = UNKNOWN


def spearman_brown(reliability: Floats, seeds: float) -> Floats:
    """The reliability of a mean over `seeds` seeds from that of one; NaN where one seed has none (r <= 0)."""
    known = np.where(reliability > _ROUNDING, reliability, np.nan)
    return np.asarray(seeds * known / (1 + (seeds - 1) * known))


def seeds_of_means(scores: Floats) -> float:
    """Over how many seeds architectures are averaged: the harmonic mean, as a mean over k varies by one over k.

    Args:
        scores: (architectures, seeds); NaN where there is none.
    """
    measured = (~np.isnan(scores)).sum(axis=1)
    return 1 / float(np.mean(1 / measured[measured > 0]))


def between_seeds(scores: Floats, counts: Counts) -> Floats:
    """Spearman's rho between two seeds, the mean over all pairs of seeds, of every resample.

    Args:
        scores: finite, (architectures, seeds).
        counts: how often each architecture is drawn, (resamples, architectures).
    """
    sides = [Side.of(column) for column in scores.T]
    parts = []
    for weights in blocks(counts):
        standings = [side.standing(weights) for side in sides]
        pairs = [spearman(a, b, weights) for a, b in itertools.combinations(standings, 2)]
        parts.append(np.mean(pairs, axis=0))
    return np.concatenate(parts)


def noise_ceiling(scores: Floats, draws: Draws) -> tuple[Ceiling, Floats | None]:
    """The ceiling of a target, and its value in every row of the draws, for ratios to it.

    Where architectures have unequal numbers of seeds, their harmonic mean is that of all. No ratio is formed where the
    interval of the reliability begins below `CLEARLY_RELIABLE`.

    Args:
        scores: of the target, (members of the draws, seeds); NaN where there is none.
        draws: of the architectures that have a mean.
    """
    seeds = scores.shape[1]
    full = ~np.isnan(scores).any(axis=1)
    n = int(full.sum())
    if seeds < 2 or n < FEWEST_FOR_COEFFICIENT:
        return Ceiling(seeds, n), None
    counts = draws.counts[:, full]
    reliability = between_seeds(scores[full], counts)
    ceiling = np.sqrt(spearman_brown(reliability, seeds_of_means(scores)))
    kendall = np.mean(
        [correlations(a, b, counts).kendall for a, b in itertools.combinations(scores[full].T, 2)], axis=0
    )
    if n < FEWEST_FOR_INTERVAL:
        points = (Interval(float(values[0])) for values in (reliability, ceiling, kendall))
        return Ceiling(seeds, n, *points), None
    own = draws.bca(reliability)
    found = Ceiling(seeds, n, own, draws.bca(ceiling), draws.percentile(kendall))
    return found, ceiling if own.low > CLEARLY_RELIABLE else None


def between_all_seeds(scores: Floats, draws: Draws) -> tuple[Interval, Floats | None]:
    """Spearman between two seeds of a measure, the mean over all pairs, and its value in every draw.

    Args:
        scores: (members of the draws, seeds); NaN where there is none.
        draws: of these architectures.

    Returns:
        nothing known, and None, for one seed or fewer than 3 complete architectures.
    """
    full = np.asarray(~np.isnan(scores).any(axis=1))
    n = int(full.sum())
    if scores.shape[1] < 2 or n < FEWEST_FOR_COEFFICIENT:
        return UNKNOWN, None
    inside = draws.among(full)
    values = between_seeds(scores[full], inside.counts)
    return inside.bca(values) if n >= FEWEST_FOR_INTERVAL else Interval(float(values[0])), values
