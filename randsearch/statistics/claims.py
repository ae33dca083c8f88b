"""The tests behind every claim of a verdict: each a fixed function of the scores that gives a p-value.

What is asked of a proxy that was named beforehand is tested in a fixed order: first whether it ranks as the target
does; only where that is shown, the further questions, each at the same level. On noise any claim at all is then as
rare as the first. What is said of a proxy that was chosen after looking is corrected for the number of proxies.
`tests/bench/claims.py` simulates how often each claim is made where nothing is true, and where something is.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from randsearch.statistics.correlations import Floats
from randsearch.statistics.differences import CONTROL
from randsearch.statistics.interval import FEWEST_FOR_INTERVAL
from randsearch.statistics.partial import CONTROLS, partial_spearman
from randsearch.statistics.permutation import doubled_ranks, holm, permutation_p
from randsearch.statistics.scores import Scores
from randsearch.table.tidy import ENSEMBLE

LEVEL = 0.05
UNGATED_LEVEL = 0.025
"""Of each of the two claims that do not wait for the first: what is misjudged, and which of all proxies picks best."""

PERMUTATIONS = 999
_MOST_DRAWN = 2**24  # architectures x permutations; beyond, the normal limit is as good and linear


@dataclass(frozen=True)
class Claim:
    """One question and its test.

    Attributes:
        point: the Spearman, or the difference of two.
        p: two-sided; NaN where the question cannot be tested.
        n: architectures that it was tested on.
        other: the measure that the proxy is held against; empty if none.
    """

    point: float = math.nan
    p: float = math.nan
    n: int = 0
    other: str = ""

    def made(self, level: float = LEVEL) -> bool:
        """Whether the effect is claimed: above 0, and beyond chance."""
        return self.point > 0 and self.p < level


@dataclass(frozen=True)
class Claims:
    """What is asked of one proxy beyond its agreement.

    Attributes:
        proxy: the proxy.
        control: whether it agrees better than the equal-cost control.
        sizes: whether it agrees better than each of `params` and `macs`.
        beyond: whether it tells more than these sizes: partial Spearman.
        half: whether it ranks among the better half by the target.
        quarter: whether it ranks among the best quarter.
        quarter_holm: the p of `quarter`, corrected for the number of proxies.
    """

    proxy: str
    control: Claim = Claim()
    sizes: Claim = Claim()
    beyond: Claim = Claim()
    half: Claim = Claim()
    quarter: Claim = Claim()
    quarter_holm: float = math.nan


def all_claims(proxies: dict[str, Scores], truth: Scores, seed: int, *, controlled: bool = True) -> tuple[Claims, ...]:
    """The claims of every proxy that did not learn from the target.

    Args:
        proxies: by name.
        truth: the target.
        seed: of the permutations.
        controlled: whether `early` costs what the primary proxy does, so that nothing is asked of it otherwise.
    """
    control = proxies.get(CONTROL) if controlled else None
    names = [name for name in proxies if not name.startswith(ENSEMBLE)]
    found = [_claims(proxies[name], proxies, control, truth, seed) for name in names]
    corrected = holm([claims.quarter.p for claims in found])
    return tuple(
        Claims(one.proxy, one.control, one.sizes, one.beyond, one.half, one.quarter, float(p))
        for one, p in zip(found, corrected, strict=True)
    )


def _claims(proxy: Scores, proxies: dict[str, Scores], control: Scores | None, truth: Scores, seed: int) -> Claims:
    both = proxy.scored & truth.scored
    x, y = proxy.mean[both], truth.mean[both]
    sizes = [name for name in CONTROLS if name in proxies and name != proxy.name]
    against = [_against(proxy, proxies[name], truth, seed) for name in sizes]
    given = [proxies[name].mean[both] for name in sizes]
    complete = bool(given) and proxy.name not in CONTROLS and not np.isnan(given).any()
    return Claims(
        proxy.name,
        Claim() if control is None or control.name == proxy.name else _against(proxy, control, truth, seed),
        _hardest(against),
        beyond_sizes(x, y, given, seed) if complete else Claim(),
        among_best(x, y, 0.5, seed),
        among_best(x, y, 0.25, seed),
    )


def _against(proxy: Scores, other: Scores, truth: Scores, seed: int) -> Claim:
    common = proxy.scored & other.scored & truth.scored
    found = better(proxy.mean[common], other.mean[common], truth.mean[common], seed)
    return Claim(found.point, found.p, found.n, other.name)


def _hardest(against: Sequence[Claim]) -> Claim:
    """Better than both is shown where it is shown of each: the one that is least so decides."""
    tested = [claim for claim in against if not math.isnan(claim.p)]
    return min(tested, key=lambda claim: (claim.made(1.0), -claim.p), default=Claim())


def better(x: Floats, other: Floats, y: Floats, seed: int) -> Claim:
    """Whether one proxy agrees better with the target than another, by swapping their ranks at random.

    Were both as good, it would not matter which of an architecture's two ranks is whose: its share of the difference
    would as likely have the other sign.

    Args:
        x: finite scores of n architectures by the one, (n,).
        other: by the other.
        y: by the target.
        seed: of the swaps.
    """
    n = len(y)
    if n < FEWEST_FOR_INTERVAL:
        return Claim(n=n)
    a, b, c = (doubled_ranks(values) for values in (x, other, y))
    norms = [math.sqrt(float(side @ side)) for side in (a, b, c)]
    if not all(norms):
        return Claim(n=n)
    shares = (a / norms[0] - b / norms[1]) * c / norms[2]
    point = float(shares.sum())
    spread = math.sqrt(float(shares @ shares))
    if not spread:
        return Claim(0.0, 1.0, n)
    if n * PERMUTATIONS > _MOST_DRAWN:
        return Claim(point, _normal_p(point / spread), n)
    signs = np.random.default_rng([seed, 6]).choice(np.array([-1.0, 1.0], dtype=np.float32), size=(PERMUTATIONS, n))
    return Claim(point, _p(np.abs(signs @ shares), abs(point)), n)


def beyond_sizes(x: Floats, y: Floats, given: Sequence[Floats], seed: int) -> Claim:
    """Whether a proxy tells more than the sizes do: partial Spearman, by permuting what the sizes leave of its ranks.

    Args:
        x: finite scores of n architectures by the proxy, (n,).
        y: by the target.
        given: the sizes, each (n,).
        seed: of the permutations.
    """
    n = len(y)
    left = n - len(given)
    if left < FEWEST_FOR_INTERVAL:
        return Claim(n=n)
    point = float(partial_spearman(x, y, given, np.ones((1, n), dtype=np.uint8))[0])
    if math.isnan(point):
        return Claim(n=n)
    basis = np.linalg.qr(np.column_stack([np.ones(n), *map(doubled_ranks, given)]))[0]
    sides = [side - basis @ (basis.T @ side) for side in (doubled_ranks(x), doubled_ranks(y))]
    # Residuals vary in as many directions less as there are sizes, permuted ones in all.
    scale = math.sqrt((left - 1) / (n - 1))
    return Claim(point, float(_permuted(sides[0][None] * scale, sides[1], sides[0][None], seed)[0]), n)


def among_best(x: Floats, y: Floats, share: float, seed: int) -> Claim:
    """Whether a proxy ranks the best by the target as the target does.

    Args:
        x: finite scores of n architectures by the proxy, (n,).
        y: by the target.
        share: how many are the best; those tied with the last of them count among them.
        seed: of the permutations.
    """
    best = math.ceil(share * len(y))
    if best < FEWEST_FOR_INTERVAL:
        return Claim(n=best)
    inside = y >= np.sort(y)[-best]
    a, b = doubled_ranks(x[inside]), doubled_ranks(y[inside])
    norm = math.sqrt(float(a @ a) * float(b @ b))
    if not norm:
        return Claim(n=int(inside.sum()))
    p = permutation_p(x[inside], y[inside], permutations=PERMUTATIONS, seed=seed)
    return Claim(float(a @ b) / norm, p, int(inside.sum()))


def misjudged_ps(levels: Floats, places: Floats, seed: int) -> Floats:
    """P of each of several effects of parameters on what a proxy misjudges, corrected for all of them.

    If no parameter mattered, any order of the differences of places would be as likely. The largest standardised slope
    of all effects in such an order is what each slope is held against (Westfall and Young 1993), so that the chance
    of any false alarm among them is that of one test, however they depend on each other.

    Args:
        levels: of the parameters, (effects, n); NaN where an architecture has none.
        places: the place by the proxy less the place by the target, (n,).
        seed: of the permutations.
    """
    if not len(levels):
        return np.empty(0)
    centred = np.nan_to_num(levels - np.nanmean(levels, axis=1, keepdims=True))
    norms = np.linalg.norm(centred, axis=1, keepdims=True)
    directions = np.divide(centred, norms, out=np.zeros_like(centred), where=norms > 0)
    outcome = places - places.mean()
    observed, n = np.abs(directions @ outcome), len(places)
    if n * PERMUTATIONS > _MOST_DRAWN:
        deviation = math.sqrt(float(outcome @ outcome) / (n - 1))
        if not deviation:
            return np.ones(len(levels))
        return np.array([min(1.0, len(levels) * _normal_p(z / deviation)) for z in observed])
    orders = np.random.default_rng([seed, 7]).permuted(np.tile(outcome, (PERMUTATIONS, 1)), axis=1)
    largest = np.abs(orders @ directions.T).max(axis=1)
    return np.array([_p(largest, float(value)) for value in observed])


def _permuted(observed: Floats, y: Floats, x: Floats, seed: int) -> Floats:
    """P of `observed @ y` among the products of x with permutations of y; both x are (tests, n)."""
    if y.size * PERMUTATIONS > _MOST_DRAWN:
        deviations = np.sqrt((x**2).sum(axis=1) * float(y @ y) / (y.size - 1))
        return np.array([_normal_p(float(z)) for z in np.abs(observed @ y) / deviations])
    orders = np.random.default_rng([seed, 8]).permuted(np.tile(y, (PERMUTATIONS, 1)), axis=1)
    drawn = np.abs(orders @ x.T)
    return np.array([_p(drawn[:, index], float(value)) for index, value in enumerate(np.abs(observed @ y))])


def _p(drawn: NDArray[np.floating], observed: float) -> float:
    # Sums in another order differ in their last places.
    return float((np.count_nonzero(drawn >= observed * (1 - 1e-6)) + 1) / (len(drawn) + 1))


def _normal_p(z: float) -> float:
    return 2 * NormalDist().cdf(-abs(z))
