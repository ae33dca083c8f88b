"""What each proxy's agreement costs: Spearman with its interval against the cost relative to training."""

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from randsearch.plots import style
from randsearch.statistics import agreement, settings
from randsearch.statistics.budgets import at_budgets, base
from randsearch.table.tidy import measure_names

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_LINE = 0.25  # inches between two names
_MOST_LED = 10  # more lines from names to points than this cross each other too much to be followed
_BESIDE, _BESIDE_NUMBERED = 0.008, 0.016  # of the width of the axis
_CHEAPEST = 1e-6


def quality_cost(table: pd.DataFrame, result: pd.DataFrame | None = None) -> "Figure":
    """Plots Spearman against relative cost; the best proxies are at the upper left.

    A line leads to a proxy that trains from what it would have been at each smaller budget of its curve.

    Args:
        table: measurements.
        result: `agreement(table)`; computed if left out.

    Returns:
        a figure with one panel; names stand beside it in the order of the points.

    Raises:
        NotEnoughDataError: if no proxy has both a coefficient and a cost.
    """
    result = agreement(table) if result is None else result
    rows = result.dropna(subset=["spearman", "relative_cost"])
    if rows.empty:
        raise style.NotEnoughDataError("quality_cost needs a proxy with a Spearman coefficient and a cost.")
    how = settings(result)
    # On a logarithmic axis nothing is free: what was too quick for the clock stands at the left end.
    cost = rows["relative_cost"].clip(lower=_CHEAPEST).to_numpy(dtype=float)
    rho = rows["spearman"].to_numpy(dtype=float)
    ends = rows[["spearman_low", "spearman_high"]].to_numpy(dtype=float)
    paths = _paths(table, result)
    leftmost = min([cost.min(), *(float(path[:, 0].min()) for path in paths.values())])
    with style.styled():
        figure = style.new_figure(8.0, max(4.2, 1.6 + _LINE * len(rows)))
        axes = figure.add_subplot()
        axes.set_xscale("log")
        axes.axhline(0, color=style.GREY, linewidth=0.8)
        axes.axvline(1, color=style.GREY, linewidth=0.8, linestyle=(0, (4, 3)))
        lowest = [float(path[:, 1].min()) for path in paths.values()]
        bottom = min(0.0, float(np.nanmin([ends[:, 0], rho])), *lowest) - 0.06
        axes.set(xlim=(leftmost / 2.5, 3.0), ylim=(bottom, 1.04))
        heights = spread(rho, _LINE / (figure.get_figheight() - 1.6) * (1.04 - bottom), bottom, 1.0)
        numbered = len(rows) > _MOST_LED
        places = _side_by_side(cost, axes.get_xlim(), _BESIDE_NUMBERED if numbered else _BESIDE)
        for i, (x, y, (low, high), proxy) in enumerate(zip(places, rho, ends, rows["proxy"], strict=True)):
            paint = style.colour(proxy, i)
            if proxy in paths:
                to_here = np.vstack([paths[proxy], [x, y]])
                axes.plot(*to_here.T, ".-", color=paint, linewidth=0.9, markersize=4, alpha=0.8)
            axes.plot([x, x], [low, high], color=paint, linewidth=1.6, alpha=0.55, solid_capstyle="butt")
            axes.plot(x, y, "o", color=paint, markersize=12 if numbered else 8, markeredgecolor="white", zorder=3)
            _name(axes, proxy, paint, (x, y), heights[i], i + 1 if numbered else None)
        front = pareto(cost, rho)
        axes.step(places[front], rho[front], where="post", color=style.INK, linewidth=1.2, alpha=0.6, zorder=1)
        axes.grid(visible=True)
        axes.set_ylabel(f"Spearman with {style.label(how.target)}, {how.interval.split()[0]} interval")
        axes.set_xlabel(f"cost relative to {style.label(how.target)} (seconds an architecture)")
        figure.suptitle("What a proxy's agreement costs")
        moved = not np.allclose(places, cost, rtol=0.1)
        style.footnote(
            figure,
            how.bias and f"biased: {how.bias}",
            "line: the best that each cost buys (Pareto front)",
            "nearly equal costs are drawn side by side" if moved else None,
        )
    return figure


def _name(axes: "Axes", proxy: str, paint: str, at: tuple[float, float], height: float, number: int | None) -> None:
    """Writes a proxy's name beside the panel: a line leads to its point, or a number stands for it in both places."""
    look: dict[str, Any] = {"va": "center", "color": paint, "fontsize": 9}
    beside = axes.get_yaxis_transform()
    if number is None:
        arrow = {"arrowstyle": "-", "color": paint, "linewidth": 0.6, "alpha": 0.5, "shrinkB": 5}
        axes.annotate(style.label(proxy), at, xytext=(1.03, height), textcoords=beside, arrowprops=arrow, **look)
    else:
        axes.text(*at, str(number), ha="center", va="center_baseline", color="white", fontsize=7, weight="bold")
        axes.text(1.06, height, str(number), transform=beside, ha="right", **look)
        axes.text(1.08, height, style.label(proxy), transform=beside, **look)


def _paths(table: pd.DataFrame, result: pd.DataFrame) -> dict[str, NDArray[np.float64]]:
    """Cost and Spearman of proxies at their smaller budgets, (budgets, 2) by rising cost; coefficients alone count."""
    how = settings(result)
    finer = at_budgets(table, target=how.target)
    wanted = [measure == how.target or base(measure) != measure for measure in finer["measure"].astype(str)]
    if len(measure_names(finer[wanted])) < 2:
        return {}
    rows = agreement(finer[wanted], target=how.target, resamples=1, seed=how.seed).dropna(
        subset=["spearman", "relative_cost"]
    )
    rows = rows.assign(base=rows["proxy"].map(base), cost=rows["relative_cost"].clip(lower=_CHEAPEST))
    return {
        str(proxy): found.sort_values("cost")[["cost", "spearman"]].to_numpy(dtype=float)
        for proxy, found in rows.groupby("base")
    }


def pareto(cost: NDArray[np.float64], quality: NDArray[np.float64]) -> NDArray[np.intp]:
    """Which points no other point beats in quality at the same or a lower cost, by rising cost."""
    order = np.lexsort((-quality, cost))
    before = np.concatenate([[-np.inf], np.maximum.accumulate(quality[order])[:-1]])
    front: NDArray[np.intp] = order[quality[order] > before]
    return front


def _side_by_side(cost: NDArray[np.float64], limits: tuple[float, float], gap: float) -> NDArray[np.float64]:
    """Moves equal costs apart, by a share of the axis, so that their intervals do not hide each other."""
    falling = np.argsort(-cost, kind="stable")
    low, high = np.log(limits)
    places = np.empty_like(cost)
    places[falling] = np.exp(spread(np.log(cost[falling]), gap * (high - low), low, high))
    return places


def spread(heights: NDArray[np.float64], gap: float, low: float, high: float) -> NDArray[np.float64]:
    """Moves heights as little as a single sweep can, so that they keep their order, a gap, and the range.

    Args:
        heights: wanted heights, falling.
        gap: the least distance between neighbours; shrunk if they would not fit.
        low: the lowest height allowed.
        high: the highest height allowed.
    """
    gap = min(gap, (high - low) / max(len(heights) - 1, 1))
    room = gap * np.arange(len(heights))
    lowered = np.minimum.accumulate(np.minimum(heights, high) + room)  # from the top down
    raised = np.maximum.accumulate((np.maximum(heights, low) + room)[::-1])[::-1]  # from the bottom up
    middle = (lowered + raised) / 2
    return np.clip(middle, low + room[-1:], high) - room
