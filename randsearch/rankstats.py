"""Correlations of many bootstrap resamples at once, exact with ties, by matrix products.

A resample of n architectures is a vector w of counts: how often each was drawn. With S[i, j] = sign(x[j] - x[i]),

- the midrank of j in the resample, less its mean, is half of (w S)[j]: copies and ties give 0 and thereby half a rank
  each. Spearman's rho is the correlation of these, weighted by w.
- Kendall's numerator, concordant less discordant pairs, is half of w (S_x * S_y) w', and the pairs that are not tied
  in x are half of m^2 - sum of t^2, where m is the size of the resample and t runs over the drawn sizes of the groups
  of ties in x; tau-b follows.

No resample is sorted, and one sign matrix serves all of them.
"""

import itertools
import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.floating[Any]]

EXACT_UP_TO = 8
"""The largest number of architectures for which all permutations are gone through (8! = 40,320)."""

_BLOCK = 1024  # resamples in one matrix product: it keeps the temporaries of 1,000 architectures near 4 MB
_MOST_DROPPED = 0.1


@dataclass(frozen=True)
class Correlations:
    """Three coefficients, each of shape (resamples,); NaN where a side of the resample is constant."""

    spearman: Floats
    kendall: Floats
    pearson: Floats


@dataclass(frozen=True)
class Interval:
    """An estimate with its interval; ends are NaN where the interval is not defined."""

    point: float
    low: float
    high: float


def resample_counts(size: int, resamples: int, rng: np.random.Generator) -> Floats:
    """How often each of `size` items is drawn in bootstrap resamples of that size.

    Returns:
        Counts of shape (resamples, size).
    """
    drawn = rng.integers(size, size=(resamples, size))
    drawn += np.arange(resamples)[:, None] * size
    counts = np.bincount(drawn.ravel(), minlength=resamples * size).reshape(resamples, size)
    # float32 holds whole numbers up to 2^24 exactly, far above any count or rank here, at twice the speed of float64.
    return counts.astype(np.float32)


def correlations(x: ArrayLike, y: ArrayLike, counts: ArrayLike | None = None) -> Correlations:
    """Spearman's rho, Kendall's tau-b and Pearson's r of every resample.

    Args:
        x: Finite scores of n architectures.
        y: The scores to compare them with.
        counts: How often each architecture is drawn, shape (resamples, n); the sample itself if left out.

    Returns:
        Arrays of shape (resamples,).
    """
    a, b = _Side.of(x), _Side.of(y)
    weights = np.ones((1, a.values.size)) if counts is None else np.asarray(counts)
    weights = np.ascontiguousarray(weights, dtype=np.float32)
    agreeing = a.signs * b.signs
    blocks = [_block(a, b, agreeing, weights[i : i + _BLOCK]) for i in range(0, len(weights), _BLOCK)]
    return Correlations(*(np.concatenate(parts) for parts in zip(*blocks, strict=True)))


def percentile_interval(point: float, resampled: Floats, level: float = 0.95) -> Interval:
    """The percentile bootstrap interval.

    Args:
        point: The estimate from the sample itself.
        resampled: The coefficient of every resample; NaN where it is not defined, which is then left out.
        level: The interval's nominal coverage.

    Returns:
        The point with its interval, which is NaN if the point is, or if more than a tenth of the resamples are.
    """
    kept = resampled[np.isfinite(resampled)]
    if math.isnan(point) or len(kept) < (1 - _MOST_DROPPED) * len(resampled):
        return Interval(point, math.nan, math.nan)
    low, high = np.quantile(kept, [(1 - level) / 2, (1 + level) / 2])
    return Interval(point, float(low), float(high))


def permutation_p(x: ArrayLike, y: ArrayLike, *, permutations: int = 9_999, seed: int = 0) -> float:
    """The two-sided permutation p of Spearman's rho: how often a random pairing is as far from 0 as the observed one.

    Exact up to `EXACT_UP_TO` architectures. Beyond, the observed pairing counts as one of the random ones, so that p
    is at least 1 / (permutations + 1) and the test keeps its level (Phipson and Smyth, 2010).

    Args:
        x: Finite scores of n architectures.
        y: The scores to compare them with.
        permutations: The number of random permutations where not all are gone through.
        seed: The seed of the random permutations.

    Returns:
        The p-value; NaN if a side is constant.
    """
    # Doubled centred ranks are whole numbers, so that "as far as" compares exactly, ties included.
    a, b = doubled_ranks(x), doubled_ranks(y)
    if not (a.any() and b.any()):
        return math.nan
    observed = abs(a @ b)
    if a.size <= EXACT_UP_TO:
        return float(np.mean(abs(b[_all_permutations(b.size)] @ a) >= observed))
    rng = np.random.default_rng(seed)
    as_far = 0
    for start in range(0, permutations, _BLOCK):
        copies = np.tile(b, (min(_BLOCK, permutations - start), 1))
        as_far += int(np.count_nonzero(abs(rng.permuted(copies, axis=1) @ a) >= observed))
    return (as_far + 1) / (permutations + 1)


def doubled_ranks(values: ArrayLike) -> Floats:
    """Twice the midrank less its mean: whole numbers, 0 in the middle; ascending with the values."""
    values = np.asarray(values, dtype=float)
    ordered = np.sort(values)
    below = np.searchsorted(ordered, values, side="left")
    not_above = np.searchsorted(ordered, values, side="right")
    doubled: Floats = (below + not_above - values.size).astype(float)
    return doubled


def top_shares(values: ArrayLike, k: int) -> Floats:
    """The probability of each item to be among the `k` largest when ties are broken at random; NaN is never chosen."""
    values = np.asarray(values, dtype=float)
    present = np.sort(values[~np.isnan(values)])[::-1]
    if len(present) <= k:
        return np.where(np.isnan(values), 0.0, 1.0)
    threshold = present[k - 1]
    above, tied = values > threshold, values == threshold
    return np.asarray(above + tied * (k - above.sum()) / tied.sum(), dtype=float)


@dataclass(frozen=True)
class _Side:
    """What every resample needs to know of one side's scores."""

    values: NDArray[np.float64]  # (n,), standardised
    signs: NDArray[np.float32]  # (n, n)
    order: NDArray[np.intp]  # (n,), ascending
    starts: NDArray[np.intp]  # (groups of ties,), their first places in `order`

    @classmethod
    def of(cls, scores: ArrayLike) -> "_Side":
        scores = np.asarray(scores, dtype=float)
        order = np.argsort(scores, kind="stable")
        ordered = scores[order]
        starts = np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]]))
        above = (scores > scores[:, None]).astype(np.float32)
        # The scale is taken first: the squares of scores such as 1e200 would overflow.
        values = scores / (np.abs(scores).max(initial=0.0) or 1.0)
        values = values - values.mean()
        return cls(values / (values.std() or 1.0), above - above.T, order, starts)

    def untied(self, weights: Floats, squares: Floats) -> Floats:
        """Twice the number of pairs in each resample that are not tied on this side."""
        drawn = weights if len(self.starts) == len(self.order) else self._groups(weights)
        return squares - _dot(drawn, drawn)

    def _groups(self, weights: Floats) -> Floats:
        grouped: Floats = np.add.reduceat(weights[:, self.order], self.starts, axis=1)
        return grouped


def _block(a: _Side, b: _Side, agreeing: Floats, weights: Floats) -> tuple[Floats, Floats, Floats]:
    """Spearman, Kendall and Pearson of some resamples; weights are (resamples, n)."""
    size = weights.sum(axis=1, dtype=np.float64)
    untied_a, untied_b = a.untied(weights, size**2), b.untied(weights, size**2)
    constant = (untied_a == 0) | (untied_b == 0)

    ranks_a, ranks_b = weights @ a.signs, weights @ b.signs
    weighted = weights * ranks_a
    spearman = _ratio(_dot(weighted, ranks_b), _dot(weighted, ranks_a), _dot(weights * ranks_b, ranks_b), constant)

    kendall = _ratio(_dot(weights @ agreeing, weights), untied_a, untied_b, constant)

    x, y = a.values, b.values
    moments = weights.astype(np.float64) @ np.stack([x, y, x * x, y * y, x * y], axis=1)
    mean_x, mean_y, xx, yy, xy = (moments / np.maximum(size, 1)[:, None]).T
    pearson = _ratio(xy - mean_x * mean_y, xx - mean_x**2, yy - mean_y**2, constant)
    return spearman, kendall, pearson


def _dot(left: Floats, right: Floats) -> Floats:
    """The dot product of each row, summed in float64."""
    product: Floats = np.einsum("rn,rn->r", left, right, dtype=np.float64)
    return product


def _ratio(covariance: Floats, variance_a: Floats, variance_b: Floats, constant: NDArray[np.bool_]) -> Floats:
    """A correlation from its parts; NaN where a side is constant."""
    # Rounding may leave a side that is all but constant with a variance of 0 or just below.
    undefined = constant | (variance_a <= 0) | (variance_b <= 0)
    scale = np.sqrt(np.where(undefined, np.nan, variance_a)) * np.sqrt(np.where(undefined, np.nan, variance_b))
    return np.asarray(np.clip(covariance / scale, -1.0, 1.0))


@lru_cache(maxsize=EXACT_UP_TO)
def _all_permutations(size: int) -> NDArray[np.intp]:
    return np.array(list(itertools.permutations(range(size))), dtype=np.intp)
