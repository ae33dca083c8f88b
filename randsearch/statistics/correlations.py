"""Rank correlations of many bootstrap resamples at once, exact with ties, without drawing or sorting any of them.

A resample of n architectures is a vector w of counts: how often each was drawn. In the order of one side's scores, the
running sum of w tells how many drawn architectures stand below each one (b) and not above it (u). Then

- the midrank of an architecture in the resample, less its mean, is half of b + u - m, where m is the size of the
  resample: copies and ties share a rank. Spearman's rho is the correlation of these, weighted by w.
- Kendall's numerator, concordant less discordant pairs, is half of w' (S_x * S_y) w with S[i, j] = sign(x[j] - x[i]),
  and the pairs not tied in x are half of m^2 - w' (u - b); tau-b (Kendall 1945) follows.
- the weighted tau (Vigna 2015, doi:10.1145/2736277.2741088; `scipy.stats.weightedtau` with its defaults) gives a pair
  the sum of 1 / rank of its two members, best first. The copies of one architecture have neighbouring ranks, so that
  their weights sum to a difference of harmonic numbers, and the products above serve it too.

Beyond `PAIRS_UP_TO` architectures no matrix of pairs is made. Kendall's tau of the sample is then exact still, from the
net concordance of each architecture by merging (as Knight 1966 counts), and that of a resample is its expansion to the
first order in the counts, which has the same standard deviation for many architectures (infinitesimal jackknife); the
weighted tau, which hangs on its few best, is that of the sample alone.

Arrays of resamples are (architectures, resamples) here, so that running sums go from row to row.
"""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.floating[Any]]
Counts = NDArray[np.integer[Any]]

PAIRS_UP_TO = 2_000
"""The largest number of architectures of which all pairs are looked at in every resample."""

_FEWEST_COLUMNS = 64  # resamples worked on at once: running sums go row by row, and rows should be long
_BLOCK = 2**18  # architectures x resamples worked on at once: a few MB of temporaries, near the processor
# OpenBLAS multiplies on one core up to so many multiplications. More cores gain nothing for few architectures, and cost
# five times as much where other processes keep them busy.
_ONE_CORE = 2**18
_FEW = 64


@dataclass(frozen=True)
class Correlations:
    """Coefficients of each resample, (resamples,); NaN where a side of the resample is constant."""

    spearman: Floats
    kendall: Floats
    pearson: Floats
    weighted_tau: Floats  # of the first resamples only, if so asked; beyond `PAIRS_UP_TO` NaN in all but the sample


@dataclass(frozen=True)
class Standing:
    """Where the members of some resamples stand on one side.

    Attributes:
        ranks: (architectures, resamples), twice the midrank less its mean; rises with the scores.
        tied: (architectures, resamples), how many drawn members share the architecture's score, itself included.
    """

    ranks: Floats
    tied: Floats


@dataclass(frozen=True)
class Side:
    """What every resample needs to know of one side's scores."""

    values: NDArray[np.float64]  # (n,), finite
    order: NDArray[np.intp]  # (n,), ascending
    first: NDArray[np.intp]  # (n,), the place in `order` at which each architecture's group of ties begins
    last: NDArray[np.intp]  # (n,), and ends

    @classmethod
    def of(cls, scores: ArrayLike) -> "Side":
        """Sorts scores (n,), all finite."""
        values = np.asarray(scores, dtype=float)
        order = np.argsort(values, kind="stable")
        ordered = values[order]
        first = np.searchsorted(ordered, values, side="left")
        last = np.searchsorted(ordered, values, side="right") - 1
        return cls(values, order, first, last)

    def standing(self, weights: Floats) -> Standing:
        """Ranks within each resample; weights are (n, resamples)."""
        drawn = weights[self.order]
        not_above = running_sum(drawn)
        upto = not_above[self.last]
        # Without ties each architecture is a group of its own, which saves a gather.
        untied = np.array_equal(self.first, self.last)
        below = upto - weights if untied else (not_above - drawn)[self.first]
        return Standing(upto + below - weights.sum(axis=0), weights if untied else upto - below)

    def signs(self) -> Floats:
        """sign(scores[j] - scores[i]), (n, n)."""
        above = (self.values > self.values[:, None]).astype(np.float32)
        return above - above.T


def blocks(counts: Counts) -> Iterator[Floats]:
    """Cuts counts (resamples, n) into pieces (n, some resamples) of bounded size, as float32.

    float32 holds whole numbers up to 2^24 exactly, far above any count or rank here, at twice the speed of float64.
    """
    members = max(counts.shape[1], 1)
    step = max(1, _ONE_CORE // members**2 if members <= _FEW else max(_FEWEST_COLUMNS, _BLOCK // members))
    for start in range(0, len(counts), step):
        yield np.ascontiguousarray(counts[start : start + step].T, dtype=np.float32)


def correlations(
    x: ArrayLike, y: ArrayLike, counts: ArrayLike | None = None, *, weighted: int | None = None
) -> Correlations:
    """Spearman's rho, Kendall's tau-b, Pearson's r and the weighted tau of every resample.

    Args:
        x: finite scores of n architectures, higher is better.
        y: the scores to compare them with.
        counts: how often each architecture is drawn, (resamples, n); the sample itself if left out.
        weighted: for how many resamples at least the weighted tau is computed, which takes half of the time; all if
            left out.
    """
    a, b = Side.of(x), Side.of(y)
    drawn = np.ones((1, a.values.size), dtype=np.uint8) if counts is None else np.asarray(counts)
    pair, parts, done = _Pair.of(a, b, int(drawn.sum(axis=1).max(initial=0))), [], 0
    for weights in blocks(drawn):
        parts.append(pair.block(weights, weighted=weighted is None or done < weighted))
        done += weights.shape[1]
    return Correlations(*(np.concatenate(part) for part in zip(*parts, strict=True)))


def net_concordance(x: Floats, y: Floats) -> Floats:
    """With how many others each of n items agrees in order, less with how many it disagrees; O(n log^2 n), (n,)."""
    agreeing = _dominated(x, y) + _dominated(-x, -y)
    return np.asarray(agreeing - _dominated(x, -y) - _dominated(-x, y), dtype=np.float64)


def _dominated(x: Floats, y: Floats) -> NDArray[np.intp]:
    """How many items are below each one on both sides, (n,): merges runs of twice the length, as merge sort does."""
    n = len(x)
    # Of equal x the highest y comes first, so that none of those before an item is below it by y alone.
    order = np.lexsort((-y, x))
    ranks = np.searchsorted(np.sort(y), y[order], side="left")
    found = np.zeros(n, dtype=np.intp)
    places = np.arange(n)
    length = 1
    while length < n:
        run = places // length
        left, right = np.flatnonzero(run % 2 == 0), np.flatnonzero(run % 2)
        # Each pair of runs has keys of its own; what is below an item lies between the first of them and its own.
        keys = np.sort(run[left] // 2 * (n + 1) + ranks[left])
        pair = run[right] // 2
        found[right] += np.searchsorted(keys, pair * (n + 1) + ranks[right], side="left") - pair * length
        length *= 2
    result = np.empty(n, dtype=np.intp)
    result[order] = found
    return result


def running_sum(rows: Floats) -> Floats:
    """`np.cumsum(rows, axis=0)`, several times as fast where rows are long."""
    summed = rows.copy()
    for above, row in itertools.pairwise(summed):
        np.add(row, above, out=row)
    return summed


def spearman(a: Standing, b: Standing, weights: Floats) -> Floats:
    """Spearman's rho of each resample, (resamples,); NaN where a side is constant."""
    weighted = weights * a.ranks
    return ratio(dot(weighted, b.ranks), dot(weighted, a.ranks), dot(weights * b.ranks, b.ranks))


def dot(left: Floats, right: Floats) -> Floats:
    """The sum of products over architectures, (resamples,), in float64."""
    product: Floats = np.einsum("nr,nr->r", left, right, dtype=np.float64)
    return product


def ratio(covariance: Floats, variance_a: Floats, variance_b: Floats) -> Floats:
    """A correlation from its parts; NaN where a side is constant."""
    undefined = (variance_a <= 0) | (variance_b <= 0)
    scale = np.sqrt(np.where(undefined, np.nan, variance_a)) * np.sqrt(np.where(undefined, np.nan, variance_b))
    return np.asarray(np.clip(covariance / scale, -1.0, 1.0))


@dataclass(frozen=True)
class _Pair:
    """Two sides, and what depends on both of them alone."""

    a: Side
    b: Side
    agreeing: Floats | None  # (n, n), 1 where a pair is concordant, -1 where discordant, 0 where tied; None if large
    net: Floats | None  # (n,), concordant less discordant pairs of each architecture; None unless large
    moments: NDArray[np.float64]  # (5, n)
    best_first: tuple[NDArray[np.intp], NDArray[np.intp]]  # by a then b, and by b then a
    harmonic: Floats  # harmonic[k] = 1 + 1/2 + ... + 1/k

    @classmethod
    def of(cls, a: Side, b: Side, most: int) -> "_Pair":
        """Prepares two sides for resamples of at most so many members."""
        x, y = _standardised(a.values), _standardised(b.values)
        by_a, by_b = np.lexsort((b.values, a.values))[::-1], np.lexsort((a.values, b.values))[::-1]
        harmonic = np.concatenate([[0.0], np.cumsum(1 / np.arange(1, most + 1))])
        large = a.values.size > PAIRS_UP_TO
        agreeing = None if large else a.signs() * b.signs()
        net = net_concordance(a.values, b.values) if large else None
        return cls(a, b, agreeing, net, np.stack([x, y, x * x, y * y, x * y]), (by_a, by_b), harmonic)

    def block(self, weights: Floats, *, weighted: bool) -> tuple[Floats, ...]:
        """Spearman, Kendall, Pearson and, if wanted, weighted tau; weights are (n, resamples)."""
        size = weights.sum(axis=0, dtype=np.float64)
        a, b = self.a.standing(weights), self.b.standing(weights)
        free_a, free_b = size - a.tied, size - b.tied
        if self.agreeing is None:
            undefined = (dot(free_a, weights) <= 0) | (dot(free_b, weights) <= 0)
            kendall = np.where(undefined, np.nan, self._expanded(weights))
        else:
            net = self.agreeing @ weights
            kendall = ratio(dot(net, weights), dot(free_a, weights), dot(free_b, weights))
        pearson = self._pearson(weights, size)
        # A side of one value may keep a variance by rounding; the count of free pairs is exact.
        pearson = np.where(np.isnan(kendall), np.nan, pearson)
        found = (spearman(a, b, weights), kendall, pearson)
        if not weighted:
            return (*found, np.empty(0))
        if self.agreeing is None:
            return (*found, self._of_the_sample(weights, free_a, free_b))
        shares = (self._shares(order, weights) for order in self.best_first)
        taus = [ratio(dot(net, share), dot(free_a, share), dot(free_b, share)) for share in shares]
        return (*found, (taus[0] + taus[1]) / 2)

    def _expanded(self, weights: Floats) -> Floats:
        """Kendall's tau to the first order in how far the counts are from those of the sample."""
        assert self.net is not None
        n = len(self.net)
        free = [n - (side.last - side.first + 1.0) for side in (self.a, self.b)]
        pairs_a, pairs_b = (float(side.sum()) for side in free)
        if not pairs_a or not pairs_b:
            return np.full(weights.shape[1], np.nan)
        tau = float(self.net.sum()) / np.sqrt(pairs_a * pairs_b)
        slope = 2 * self.net / np.sqrt(pairs_a * pairs_b) - tau * (free[0] / pairs_a + free[1] / pairs_b)
        return np.asarray(tau + slope @ weights - slope.sum())

    def _of_the_sample(self, weights: Floats, free_a: Floats, free_b: Floats) -> Floats:
        """The weighted tau of those resamples that are the sample itself; NaN for all others."""
        found = np.full(weights.shape[1], np.nan)
        if self.net is not None and (weights[:, 0] == 1).all():
            one = weights[:, :1]
            shares = (self._shares(order, one) for order in self.best_first)
            sides = [(dot(self.net[:, None], s), dot(free_a[:, :1], s), dot(free_b[:, :1], s)) for s in shares]
            found[0] = np.mean([ratio(*side) for side in sides])
        return found

    def _shares(self, order: NDArray[np.intp], weights: Floats) -> Floats:
        """The sum of 1 / rank over the copies of each architecture, (n, resamples)."""
        drawn = weights[order]
        upto = running_sum(drawn)
        shares = np.empty(weights.shape)
        shares[order] = self.harmonic[upto.astype(np.intp)] - self.harmonic[(upto - drawn).astype(np.intp)]
        return shares

    def _pearson(self, weights: Floats, size: Floats) -> Floats:
        # BLAS takes ten times as long for so flat a matrix.
        x, y, xx, yy, xy = np.einsum("kn,nr->kr", self.moments, weights) / np.maximum(size, 1)
        return ratio(xy - x * y, xx - x**2, yy - y**2)


def _standardised(values: NDArray[np.float64]) -> NDArray[np.float64]:
    # The scale is taken first: the squares of scores such as 1e200 would overflow.
    scaled = values / (np.abs(values).max(initial=0.0) or 1.0)
    centred = scaled - scaled.mean()
    return np.asarray(centred / (centred.std() or 1.0))
