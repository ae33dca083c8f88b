"""Which hyperparameters a proxy misjudges: the effect of each on the ranking by training and on that by the proxy.

The effect is a slope: the expected change of an architecture's place in the ranking, as a share of the whole ranking
(1 = from last to first), from the lowest to the highest value of a number, by its rank, or between having and not
having a value of any other parameter. It is the effect of each parameter alone; where the space makes parameters depend
on each other, so do their effects. Ranks are those of the whole sample in every resample.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
import pandas as pd

from randsearch.agreement.correlations import Counts, Floats
from randsearch.agreement.interval import FEWEST_FOR_INTERVAL, UNKNOWN, Draws, Interval
from randsearch.agreement.permutation import doubled_ranks
from randsearch.agreement.scores import Scores

FEWEST_WITH = 3
"""A value that fewer architectures have, or fewer have not, has no effect of its own."""
_MOST_VALUES = 12


@dataclass(frozen=True)
class Effect:
    """The effect of one parameter on the ranking by training and by one proxy.

    Attributes:
        proxy: The proxy.
        parameter: The parameter.
        value: Which value against all others; empty for a number, where it is from lowest to highest.
        n: Architectures with both scores.
        trained: On the ranking by training.
        by_proxy: On the ranking by the proxy.
        misjudged: `by_proxy` less `trained`: above 0, the proxy favours high values, or this one, too much.
        sure: Whether `misjudged` differs from 0 after Bonferroni's correction over this proxy's parameters.
    """

    proxy: str
    parameter: str
    value: str
    n: int
    trained: Interval = UNKNOWN
    by_proxy: Interval = UNKNOWN
    misjudged: Interval = UNKNOWN
    sure: bool = False


def effects(proxy: Scores, truth: Scores, given: pd.DataFrame, resamples: int, seed: int) -> list[Effect]:
    """The effects of every parameter; none for fewer than 5 architectures.

    Args:
        proxy: The proxy.
        truth: The target.
        given: The parameters of all architectures, in candidate order, (architectures, parameters).
        resamples: The number of bootstrap resamples of architectures.
        seed: Of the bootstrap.
    """
    both = proxy.scored & truth.scored
    n = int(both.sum())
    if n < FEWEST_FOR_INTERVAL:
        return []
    contrasts = list(_contrasts(given[both]))
    draws = Draws.of(n, resamples, np.random.default_rng([seed, 5]))
    places = [doubled_ranks(side.mean[both]) / (2 * (n - 1)) for side in (proxy, truth)]
    found = []
    for parameter, value, levels in contrasts:
        known = ~np.isnan(levels)
        inside = draws.among(known)
        by_proxy, trained = (_slope(levels[known], place[known], inside.counts) for place in places)
        misjudged = by_proxy - trained
        sure = _beyond(misjudged, inside, len(contrasts))
        trained_effect, by_proxy_effect, difference = map(inside.bca, (trained, by_proxy, misjudged))
        found.append(
            Effect(proxy.name, parameter, value, int(known.sum()), trained_effect, by_proxy_effect, difference, sure)
        )
    return found


def _contrasts(given: pd.DataFrame) -> Iterator[tuple[str, str, Floats]]:
    """Each parameter as numbers from 0 to 1: its rank if it is a number, else one contrast for each of its values."""
    for parameter, column in given.items():
        if pd.api.types.is_bool_dtype(column) or not pd.api.types.is_numeric_dtype(column):
            values = column.astype(str)
            counts = values.value_counts()
            often = counts[(counts >= FEWEST_WITH) & (counts <= len(values) - FEWEST_WITH)].index[:_MOST_VALUES]
            # Of two values, one contrast says all.
            for value in sorted(often, reverse=len(counts) == 2)[: 1 if len(counts) == 2 else None]:
                yield str(parameter), str(value), (values == value).to_numpy(dtype=float)
        else:
            numbers = column.to_numpy(dtype=float)
            known = ~np.isnan(numbers)
            if known.sum() >= FEWEST_FOR_INTERVAL and np.ptp(numbers[known]) > 0:
                ranks = doubled_ranks(numbers[known])
                levels = np.full(len(numbers), np.nan)
                levels[known] = (ranks - ranks.min()) / np.ptp(ranks)
                yield str(parameter), "", levels


def _slope(levels: Floats, place: Floats, counts: Counts) -> Floats:
    """The slope of place on levels in every resample, (resamples,)."""
    sums = counts.astype(np.float32) @ np.stack([levels, place, levels**2, levels * place], axis=1)
    z, r, zz, zr = (sums / np.maximum(counts.sum(axis=1, dtype=float), 1)[:, None]).T
    variance = zz - z**2
    return np.asarray(np.divide(zr - z * r, variance, out=np.full_like(z, np.nan), where=variance > 1e-12))


def _beyond(values: Floats, draws: Draws, tests: int) -> bool:
    """Whether a statistic is further from 0 than chance takes one of so many tests, by its bootstrap deviation."""
    deviation = float(np.nanstd(values[1 + draws.members :]))
    bound = NormalDist().inv_cdf(1 - 0.025 / max(tests, 1))
    return not math.isnan(values[0]) and deviation > 0 and abs(float(values[0])) > bound * deviation
