"""How many architectures and seeds a wanted interval takes, and what they cost.

The width of an interval of Spearman's rho is foreseen by Fisher's z with the variance of Bonett and Wright (2000,
doi:10.1007/BF02294183), (1 + rho^2 / 2) / (n - 4), as the mean over the rhos that n architectures may show: where rho
is high, those that fall short of it have much wider intervals. BCa intervals of nearly perfect agreement are wider
still, by a factor that was fitted to simulations. Together these foresee the mean width of 14 to 80 architectures to
within 15% for rho from 0 to 0.95, and of 10 to within 30%. Single studies differ: about half of them need more. Further
seeds sharpen both rankings: by Spearman and Brown, a mean over more seeds is more reliable, and the correlation grows
with the square root of either reliability.
"""

import math
from collections.abc import Hashable
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import numpy as np
import pandas as pd

from randsearch.base.errors import UserError
from randsearch.statistics.analysis import Analysis, settings
from randsearch.statistics.ceiling import spearman_brown
from randsearch.statistics.interval import LEVEL
from randsearch.table.tidy import scores

FURTHER_SEEDS = 2
_Z = NormalDist().inv_cdf((1 + LEVEL) / 2)
_MOST = 10**6
FEWEST_TO_PLAN = 10
"""Fewer architectures tell too little of rho to plan from, and no width of fewer is foreseen."""

# Where the mean over rhos is taken, in standard deviations, and the share of each.
_NODES, _SHARES = np.polynomial.hermite_e.hermegauss(15)


@dataclass(frozen=True)
class Option:
    """One way to reach a width.

    Attributes:
        seeds: of the target.
        proxy_seeds: of the proxy.
        rho: the Spearman that these seeds should show.
        architectures: how many are needed.
        low: how many are needed if the true rho lies at the end of its interval that needs fewest; NaN if unknown.
        high: at the end that needs most.
        more: how many of them are still missing.
        hours: of one worker, for all that is still missing.
    """

    seeds: int
    proxy_seeds: int
    rho: float
    architectures: int
    low: float
    high: float
    more: int
    hours: float


@dataclass(frozen=True)
class Plan:
    """What an interval of a given width takes.

    Attributes:
        proxy: whose agreement is to be known so well.
        target: with what.
        width: of the 95% interval of Spearman's rho, from end to end.
        n: architectures that have both scores now.
        seeds: seeds of the target now.
        proxy_seeds: seeds of the proxy now.
        now: the width of the interval now; NaN if there is none.
        options: one for each number of seeds, from those measured up to two more if the reliability is known.
    """

    proxy: str
    target: str
    width: float
    n: int
    seeds: int
    proxy_seeds: int
    now: float
    options: tuple[Option, ...]

    def sentences(self) -> list[str]:
        """The plan in words."""
        now = "no interval yet" if math.isnan(self.now) else f"an interval of width {self.now:.2f}"
        lines = [
            f"{self.proxy} against {self.target}: {self.n} architectures "
            f"at {_both(self.seeds, self.proxy_seeds)} give {now}.",
            f"A 95% interval of width {self.width:g} takes, on average:",
        ]
        for option in self.options:
            hours = "" if math.isnan(option.hours) else f", about {option.hours:.2g} hours of one worker"
            lines.append(
                f"  {_both(option.seeds, option.proxy_seeds)}: {option.architectures:,} architectures, "
                f"{option.more:,} more than now{hours}"
            )
        lines.append("Half of all studies need more.")
        first = self.options[0]
        if not math.isnan(first.low):
            lines.append(
                f"This supposes a Spearman of {first.rho:.2f}; within its interval it takes "
                f"{first.low:,.0f} to {first.high:,.0f} architectures."
            )
        if self.seeds < 2:
            lines.append("What further seeds would change cannot be told from one seed.")
        return lines


def foreseen_width(rho: float, n: float) -> float:
    """The mean width of the 95% interval of Spearman's rho from n architectures."""
    if n < FEWEST_TO_PLAN:
        return 2.0
    bounded = min(max(rho, -0.999), 0.999)
    shown = np.arctanh(bounded) + math.sqrt((1 + bounded**2 / 2) / (n - 4)) * _NODES
    half = _Z * np.sqrt((1 + np.tanh(shown) ** 2 / 2) / (n - 4))
    widths = np.tanh(shown + half) - np.tanh(shown - half)
    wider = 1 + 26 * bounded**30 / n
    return float(widths @ _SHARES / _SHARES.sum() * wider)


def needed(rho: float, width: float) -> int:
    """The fewest architectures whose foreseen interval is no wider than `width`, at least `FEWEST_TO_PLAN`."""
    low, high = FEWEST_TO_PLAN, _MOST
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if foreseen_width(rho, middle) <= width else (middle + 1, high)
    return low


def plan(table: pd.DataFrame, analysis: Analysis, proxy: str, width: float) -> Plan:
    """Plans how to know the agreement of one proxy.

    Args:
        table: measurements, for their costs.
        analysis: of the table.
        proxy: whose agreement is to be known.
        width: of the 95% interval of Spearman's rho, from end to end.

    Raises:
        UserError: if the width is not between 0 and 2, or the proxy has fewer than 10 architectures, or no
            coefficient, to plan from.
    """
    if not 0 < width < 2:
        raise UserError(f"the width of an interval of Spearman's rho lies between 0 and 2, not at {width:g}.")
    rows = {str(row["proxy"]): row for row in analysis.rows.to_dict(orient="records")}
    if proxy not in rows or math.isnan(rows[proxy]["spearman"]):
        raise UserError(
            f"{proxy} has no correlation with {settings(analysis.rows).target} to plan from; "
            f"measure both on at least {FEWEST_TO_PLAN} architectures first."
        )
    if rows[proxy]["n"] < FEWEST_TO_PLAN:
        raise UserError(
            f"{rows[proxy]['n']} architectures with both scores tell too little of how {proxy} agrees with "
            f"{settings(analysis.rows).target} to plan from; measure both on at least {FEWEST_TO_PLAN} first."
        )
    row, how = rows[proxy], settings(analysis.rows)
    reliable = not math.isnan(analysis.ceiling.reliability.point) and analysis.ceiling.reliability.point > 0
    last = how.seeds + FURTHER_SEEDS if reliable else how.seeds
    options = tuple(_option(table, analysis, row, proxy, width, seeds) for seeds in range(how.seeds, last + 1))
    now, proxy_seeds = row["spearman_high"] - row["spearman_low"], scores(table, proxy).shape[1]
    return Plan(proxy, how.target, width, row["n"], how.seeds, proxy_seeds, now, options)


def _option(
    table: pd.DataFrame, analysis: Analysis, row: dict[Hashable, Any], proxy: str, width: float, seeds: int
) -> Option:
    how = settings(analysis.rows)
    factor = _sharper(analysis.ceiling.reliability.point, how.seeds, seeds)
    now = scores(table, proxy).shape[1]
    proxy_seeds = max(now, seeds)
    factor *= _sharper(row["reliability"], now, proxy_seeds)
    points = [float(np.clip(row[name] * factor, -1, 1)) for name in ("spearman", "spearman_low", "spearman_high")]
    wanted = needed(points[0], width)
    ends = [needed(rho, width) for rho in points[1:] if not math.isnan(rho)]
    if ends and points[1] < 0 < points[2]:
        ends.append(needed(0.0, width))
    n = int(row["n"])
    pairs = ((how.target, how.seeds, seeds), (proxy, now, proxy_seeds))
    hours = sum(_seconds(table, name) * (max(wanted, n) * then - n * had) for name, had, then in pairs) / 3600
    low, high = (float(min(ends)), float(max(ends))) if ends else (math.nan, math.nan)
    return Option(seeds, proxy_seeds, points[0], wanted, low, high, max(0, wanted - n), hours)


def _sharper(reliability: float, now: int, then: int) -> float:
    """By how much a correlation grows if one side becomes a mean over `then` instead of `now` seeds; 1 if unknown."""
    if math.isnan(reliability) or reliability <= 0 or now < 1 or now == then:
        return 1.0
    ratio = spearman_brown(np.array(reliability), then) / spearman_brown(np.array(reliability), now)
    return float(np.sqrt(ratio))


def _seconds(table: pd.DataFrame, measure: str) -> float:
    """The mean wall time of one measurement, validation and waits for data included."""
    own = table[(table["measure"] == measure) & (table["state"] == "complete")]
    total = own["seconds"]
    for further in ("validation_seconds", "data_seconds"):
        if further in own:
            total = total + own[further].fillna(0.0)
    return float(total.mean())


def _both(seeds: int, proxy_seeds: int) -> str:
    return _seeds(seeds) if seeds == proxy_seeds else f"{_seeds(seeds)} of training and {proxy_seeds} of the proxy"


def _seeds(seeds: int) -> str:
    return "1 seed" if seeds == 1 else f"{seeds} seeds"
