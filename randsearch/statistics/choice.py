"""What the user gains: how good the best network is if only the proxy's first m architectures are then trained.

Regret is the best trained score of all less the best of those trained (in dB if the target is an SDR); recall is the
share of the truly best 3 that are among them. Ties count with their expectation under random choice, which is exact:
m of T tied scores, drawn without replacement, have the i-th largest as their best with probability C(T - i, m - 1) /
C(T, m). Random choice is the case that all are tied. Architectures on which the proxy failed count among the best and
are chosen by nobody but chance.

Bands are the middle 95% of resampled studies: where the regret of another study of this size may lie, and no interval
for a mean. The trained scores are taken as true; their noise between seeds makes the best look better than it is, and
so makes every regret, random choice included, look larger.
"""

import itertools
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from randsearch.statistics.correlations import Counts, Floats, blocks, running_sum

TOP = 3
_ALL_UP_TO = 24  # numbers of trained architectures; beyond, the grid thins out
_MOST = 40
_ORDERS = 200
"""Random orders of ties, shared out among the resamples: with one for all, a band would be that of one accident."""


def top_shares(values: ArrayLike, k: int) -> Floats:
    """The probability of each item to be among the `k` largest when ties are broken at random; NaN is never chosen."""
    values = np.asarray(values, dtype=float)
    present = np.sort(values[~np.isnan(values)])[::-1]
    if len(present) <= k:
        return np.where(np.isnan(values), 0.0, 1.0)
    threshold = present[k - 1]
    above, tied = values > threshold, values == threshold
    return np.asarray(above + tied * (k - above.sum()) / tied.sum(), dtype=float)


def expected_best(proxy: ArrayLike, truth: ArrayLike, trained: int) -> float:
    """The expectation of the best true score among the `trained` first by the proxy, ties broken at random.

    Args:
        proxy: scores of n architectures; NaN is never chosen.
        truth: their true scores, finite.
        trained: how many are chosen, at most as many as the proxy scored.
    """
    proxy, truth = np.asarray(proxy, dtype=float), np.asarray(truth, dtype=float)
    shares = top_shares(proxy, trained)
    sure = truth[shares == 1.0].max(initial=-np.inf)
    tied = np.sort(truth[(shares > 0) & (shares < 1)])[::-1]
    chosen = trained - int((shares == 1.0).sum())
    if not len(tied):
        return float(sure)
    chances = best_chances(len(tied), chosen)
    return float(chances @ np.maximum(sure, tied[: len(chances)]))


def best_chances(items: int, drawn: int) -> Floats:
    """The probability of each of some items to be the best of those drawn without replacement.

    Args:
        items: how many there are.
        drawn: how many of them are drawn, from 1 to all.

    Returns:
        (items - drawn + 1,), that of the best item first; the others are never the best of so many.
    """
    # From C(T - i, m - 1) / C(T, m), each probability follows from the one before.
    later = np.arange(2, items - drawn + 2)
    steps = (items - drawn - later + 2) / (items - later + 1)
    return np.asarray(drawn / items * np.cumprod(np.concatenate([[1.0], steps])), dtype=float)


def expected_regret(proxy: ArrayLike, truth: ArrayLike, trained: int) -> float:
    """The best true score of all less `expected_best`."""
    # A rounding error below 0 would print as a gain.
    return max(0.0, float(np.max(np.asarray(truth, dtype=float))) - expected_best(proxy, truth, trained))


def random_regret(truth: ArrayLike, trained: int) -> float:
    """The expected regret of training `trained` architectures chosen by chance."""
    return expected_regret(np.zeros(len(np.asarray(truth))), truth, trained)


def expected_recall(proxy: ArrayLike, truth: ArrayLike, trained: int, top: int = TOP) -> float:
    """The expected share of the `top` truly best that are among the `trained` first by the proxy."""
    return float(top_shares(proxy, trained) @ top_shares(truth, top) / top)


def grid(most: int, also: "tuple[int, ...]" = ()) -> NDArray[np.intp]:
    """Numbers of trained architectures at which curves are computed, from 1 to `most`; `also` are among them."""
    spaced = np.arange(1, most + 1) if most <= _ALL_UP_TO else np.geomspace(1, most, _MOST).round()
    wanted = {*spaced.astype(int).tolist(), *(number for number in also if 1 <= number <= most)}
    return np.array(sorted(wanted), dtype=np.intp)


@dataclass(frozen=True)
class Gain:
    """Regret and recall of resampled studies, each (resamples, numbers of trained architectures).

    The regret is infinite, or NaN, where the proxy scored none of those that were drawn.
    """

    regret: Floats
    recall: Floats


def resampled_gain(
    proxy: Floats, truth: Floats, counts: Counts, trained: NDArray[np.intp], seed: int, top: int = TOP
) -> Gain:
    """Regret and recall in every resample, its ties broken at random, anew for every few resamples.

    Args:
        proxy: scores of n architectures; NaN is never chosen.
        truth: their true scores, finite.
        counts: how often each architecture is drawn, (resamples, n).
        trained: how many are chosen, rising; all that the proxy scored where a resample holds fewer.
        seed: of the random order of ties.
        top: how many are the truly best.
    """
    rng = np.random.default_rng([seed, 3])
    tied = any(len(np.unique(known)) < len(known) for known in (proxy[~np.isnan(proxy)], truth))
    pieces = np.array_split(counts, min(_ORDERS, max(len(counts), 1))) if tied else [counts]
    parts = [_gain(proxy, truth, weights, trained, rng, top) for piece in pieces for weights in blocks(piece)]
    return Gain(*(np.concatenate(part) for part in zip(*parts, strict=True)))


def _gain(
    proxy: Floats, truth: Floats, weights: Floats, trained: NDArray[np.intp], rng: np.random.Generator, top: int
) -> tuple[Floats, Floats]:
    """Regret and recall of some resamples; weights are (n, resamples)."""
    shuffled = rng.permutation(len(proxy))
    order = shuffled[np.argsort(-proxy[shuffled], kind="stable")][: np.count_nonzero(~np.isnan(proxy))]
    drawn = weights[order]
    upto = running_sum(drawn)
    best_so_far = np.where(drawn > 0, truth[order][:, None], -np.inf)
    for above, row in itertools.pairwise(best_so_far):
        np.maximum(row, above, out=row)
    best = np.where(weights > 0, truth[:, None], -np.inf).max(axis=0)

    before = np.zeros_like(weights)
    before[order] = upto - drawn
    unscored = np.isnan(proxy)
    members, copies = _truly_best(truth, weights, shuffled, top)
    held, ahead = weights[members], np.where(unscored[members][:, None], np.inf, before[members])
    share = copies / np.maximum(held, 1) / np.minimum(top, weights.sum(axis=0))

    columns = np.arange(weights.shape[1])
    regret = np.empty((weights.shape[1], len(trained)), dtype=np.float32)
    recall = np.empty_like(regret)
    rows = 0
    for i, number in enumerate(trained):
        # Places only move down the order as more are trained.
        place = rows + np.count_nonzero(upto[rows:] < number, axis=0)
        rows = int(place.min())
        regret[:, i] = best - best_so_far[np.minimum(place, len(order) - 1), columns]
        recall[:, i] = (np.clip(number - ahead, 0, held) * share).sum(axis=0)
    return regret, recall


def _truly_best(
    truth: Floats, weights: Floats, shuffled: NDArray[np.intp], top: int
) -> tuple[NDArray[np.intp], Floats]:
    """The architectures that are among the truly best of any resample, and how many of their copies are."""
    order = shuffled[np.argsort(-truth[shuffled], kind="stable")]
    upto = running_sum(weights[order])
    members = order[: 1 + int((upto < top).sum(axis=0).max().clip(max=len(order) - 1))]
    before = upto[: len(members)] - weights[members]
    return members, np.clip(top - before, 0, weights[members])
