"""Permutation p-values of Spearman's rho, and Holm's correction for having looked at several proxies."""

import itertools
import math
from functools import lru_cache
from statistics import NormalDist

import numpy as np
from numpy.typing import ArrayLike, NDArray

from randsearch.statistics.correlations import Floats

EXACT_UP_TO = 8
"""The largest number of architectures for which all permutations are gone through (8! = 40,320)."""
PERMUTATIONS = 9_999
DRAWN_UP_TO = 2_000
"""The largest number of architectures for which permutations are drawn; beyond, their normal limit serves."""

_NORMAL = NormalDist()
_BLOCK = 2**20  # architectures x permutations held at once


def permutation_p(x: ArrayLike, y: ArrayLike, *, permutations: int = PERMUTATIONS, seed: int = 0) -> float:
    """The two-sided permutation p of Spearman's rho of one proxy; see `permutation_ps`."""
    return float(permutation_ps(np.asarray(x, dtype=float)[None], y, permutations=permutations, seed=seed)[0])


def permutation_ps(proxies: Floats, y: ArrayLike, *, permutations: int = PERMUTATIONS, seed: int = 0) -> Floats:
    """The two-sided permutation p of Spearman's rho: how often a random pairing is as far from 0 as the observed one.

    Exact up to `EXACT_UP_TO` architectures. Beyond, the observed pairing counts as one of the random ones, so that p
    is at least 1 / (permutations + 1) and the test keeps its level (Phipson and Smyth 2010,
    doi:10.2202/1544-6115.1585). Beyond `DRAWN_UP_TO`, rho over all permutations has the variance 1 / (n - 1), ties or
    not, and is as good as normal.

    Args:
        proxies: finite scores of n architectures, (proxies, n).
        y: the scores to compare them with, (n,).
        permutations: the number of random permutations where not all are gone through.
        seed: the seed of the random permutations, which all proxies share.

    Returns:
        one p a proxy; NaN if a side is constant.
    """
    # Doubled centred ranks are whole numbers, so that "as far as" compares exactly, ties included.
    a, b = np.stack([doubled_ranks(x) for x in proxies]), doubled_ranks(y)
    observed = np.abs(a @ b)
    if b.size <= EXACT_UP_TO:
        p = np.mean(np.abs(a @ b[_all_permutations(b.size)].T) >= observed[:, None], axis=1)
    elif b.size > DRAWN_UP_TO:
        spread = np.sqrt((a**2).sum(axis=1) * (b**2).sum() / (b.size - 1))
        z = np.divide(observed, spread, out=np.zeros_like(observed), where=spread > 0)
        p = np.array([2 * _NORMAL.cdf(-each) for each in z])
    else:
        rng = np.random.default_rng(seed)
        step = max(1, _BLOCK // b.size)
        as_far = np.zeros(len(a))
        for start in range(0, permutations, step):
            copies = np.tile(b, (min(step, permutations - start), 1))
            as_far += np.count_nonzero(np.abs(a @ rng.permuted(copies, axis=1).T) >= observed[:, None], axis=1)
        p = (as_far + 1) / (permutations + 1)
    return np.where(a.any(axis=1) & b.any(), p, math.nan)


def holm(p: ArrayLike) -> Floats:
    """P-values corrected so that the chance of any false alarm among them stays below the level (Holm 1979).

    Args:
        p: P-values; NaN is no test and stays NaN.
    """
    p = np.asarray(p, dtype=float)
    corrected = np.full(p.shape, math.nan)
    tested = np.flatnonzero(~np.isnan(p))
    rising = tested[np.argsort(p[tested], kind="stable")]
    factors = np.arange(len(rising), 0, -1)
    corrected[rising] = np.minimum(1.0, np.maximum.accumulate(factors * p[rising]))
    return corrected


def doubled_ranks(values: ArrayLike) -> Floats:
    """Twice the midrank less its mean: whole numbers, 0 in the middle; ascending with the values."""
    values = np.asarray(values, dtype=float)
    ordered = np.sort(values)
    below = np.searchsorted(ordered, values, side="left")
    not_above = np.searchsorted(ordered, values, side="right")
    doubled: Floats = (below + not_above - values.size).astype(float)
    return doubled


@lru_cache(maxsize=EXACT_UP_TO)
def _all_permutations(size: int) -> NDArray[np.intp]:
    return np.array(list(itertools.permutations(range(size))), dtype=np.intp)
