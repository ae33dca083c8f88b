"""Rank by each proxy against rank by training: one panel a proxy, with its Spearman and interval in the title."""

import math
from typing import TYPE_CHECKING

import pandas as pd

from randsearch.plots import style
from randsearch.statistics import agreement, format_interval, settings
from randsearch.table.tidy import means

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST_COLUMNS = 5
_PANEL = 2.5  # inches


def rank_rank(table: pd.DataFrame, result: pd.DataFrame | None = None, *, proxies: list[str] | None = None) -> "Figure":
    """Plots ranks against ranks; points on the diagonal are ranked alike, and the lower left corner holds the best.

    Args:
        table: measurements.
        result: `agreement(table)`; computed if left out.
        proxies: which panels to draw; those with at least two architectures, best first, if left out.

    Returns:
        a figure with one panel a proxy.

    Raises:
        NotEnoughDataError: if no proxy shares at least two architectures with the target.
    """
    result = agreement(table) if result is None else result
    rows = result[(result["n"] >= 2) & (result["proxy"].isin(proxies) if proxies is not None else True)]
    if rows.empty:
        raise style.NotEnoughDataError(
            "rank_rank needs a proxy that shares at least two architectures with the target."
        )
    how = settings(result)
    wide = means(table)
    columns = _columns(len(rows))
    lines = math.ceil(len(rows) / columns)
    with style.styled():
        figure = style.new_figure(max(5.0, columns * _PANEL), lines * (_PANEL + 0.3) + 0.7)
        grid = figure.subplots(lines, columns, squeeze=False).ravel()
        for axes, row in zip(grid, rows.to_dict(orient="records"), strict=False):
            rho = format_interval(row["spearman"], row["spearman_low"], row["spearman_high"])
            axes.set_title(f"{style.heading(row['proxy'])}\n$\\rho$ = {rho}", fontsize=9.5)
            _panel(axes, wide[[how.target, row["proxy"]]].dropna(), style.colour(row["proxy"]))
        for axes in grid[len(rows) :]:
            axes.remove()
        for axes in grid[: len(rows) : columns]:
            axes.set_ylabel("rank by proxy")
        for axes in grid[max(0, len(rows) - columns) : len(rows)]:
            axes.set_xlabel(f"rank by {_by(how.target)}")
        figure.suptitle(f"Rank by proxy against rank by {_by(how.target)} (1 = best)")
        style.footnote(figure, how.bias and f"biased: {how.bias}")
    return figure


def _columns(panels: int) -> int:
    """As many columns as fill the last line best: 4 panels make one line, 6 two lines of 3, 15 three of 5."""
    lines = math.ceil(panels / MOST_COLUMNS)
    return math.ceil(panels / lines)


def _by(target: str) -> str:
    return "training" if target == "trained" else style.label(target)


def _panel(axes: "Axes", pair: pd.DataFrame, colour: str) -> None:
    ranks = pair.rank(ascending=False).to_numpy()
    n = len(ranks)
    end = n + 0.5 + 0.03 * n
    axes.plot([1, n], [1, n], color=style.GREY, linewidth=0.8, linestyle=(0, (4, 3)), zorder=1)
    size = min(36.0, max(4.0, 900 / n))
    axes.scatter(
        ranks[:, 0], ranks[:, 1], s=size, color=colour, alpha=0.85, linewidths=0.4, edgecolors="white", zorder=2
    )
    axes.set(xlim=(1 - (end - n), end), ylim=(1 - (end - n), end), aspect="equal")
    ticks = sorted({1, (n + 1) // 2, n})
    axes.set_xticks(ticks)
    axes.set_yticks(ticks)
    axes.grid(visible=True)
