"""What is lost by trusting a proxy: regret and recall against how many of its first choices are then trained."""

from typing import TYPE_CHECKING, Any

import pandas as pd

from randsearch.plots import style
from randsearch.statistics import TOP, agreement, settings

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SHOWN = ("fixed_decoder", "fixed_encoder", "early", "params", "macs")
"""These first behind the primary proxy, then the best others."""
MOST = 4
COLUMNS = (
    *("proxy", "trained", "regret_db", "regret_db_low", "regret_db_high", "recall", "recall_low", "recall_high"),
    *("random_regret_db", "random_recall"),
)


def regret_recall(
    table: pd.DataFrame, result: pd.DataFrame | None = None, curves: pd.DataFrame | None = None
) -> "Figure":
    """Plots one column a proxy: the regret in dB above, the recall of the best below, each against random choice.

    Args:
        table: measurements.
        result: `agreement(table)`; gives the order and the note on bias, and is computed if left out.
        curves: `COLUMNS`, one row a proxy and number of trained architectures; ends of bands may be NaN.

    Returns:
        a figure of two lines of panels; the dashed line is what random choice is expected to give.

    Raises:
        NotEnoughDataError: if there are no curves.
    """
    result = agreement(table) if result is None else result
    if curves is None or curves.empty:
        raise style.NotEnoughDataError("regret_recall needs the curves of an analysis of three architectures or more.")
    known = [proxy for proxy in result["proxy"] if proxy in set(curves["proxy"])]
    how = settings(result)
    chosen = [proxy for proxy in dict.fromkeys((how.named.primary, *SHOWN, *known)) if proxy in known][:MOST]
    if not chosen:
        raise style.NotEnoughDataError("regret_recall needs a proxy that shares three architectures with the target.")
    with style.styled():
        figure = style.new_figure(max(4.6, 1.2 + 2.3 * len(chosen)), 5.2)
        grid = figure.subplots(2, len(chosen), squeeze=False, sharex=True, sharey="row")
        for proxy, (above, below) in zip(chosen, grid.T, strict=True):
            above.set_title(style.heading(proxy))
            for axes, value in ((above, "regret_db"), (below, "recall")):
                _ghosts(axes, curves, value, [other for other in chosen if other != proxy])
                _curve(axes, curves[curves["proxy"] == proxy].sort_values("trained"), value, style.colour(proxy))
        grid[0, 0].set_ylabel("regret in dB")
        grid[0, 0].set_ylim(bottom=0)
        grid[1, 0].set_ylabel(f"recall of the best {TOP}")
        grid[1, 0].set_ylim(0, 1.03)
        for axes in grid[1]:
            axes.set_xlabel("k trained")
        figure.suptitle("What is lost by training only a proxy's first k choices")
        style.footnote(
            figure,
            how.bias and f"biased: {how.bias}",
            "line: as measured, with its 95% bootstrap band; dashed: expected of random choice; grey: other proxies",
        )
    return figure


def _curve(axes: "Axes", rows: pd.DataFrame, value: str, colour: str) -> None:
    look: dict[str, Any] = {"color": colour, "zorder": 3}
    x = rows["trained"]
    axes.plot(x, rows[f"random_{value}"], color=style.INK, linewidth=1.2, linestyle=(0, (3, 2)), zorder=2)
    axes.fill_between(x, rows[f"{value}_low"], rows[f"{value}_high"], color=colour, alpha=0.22, linewidth=0, zorder=1)
    axes.plot(x, rows[value], linewidth=2.0, marker="o", markersize=3.5 if len(rows) <= 30 else 0, **look)
    axes.set_xlim(0.5, float(x.max()) + 0.5)
    axes.locator_params(axis="x", integer=True, nbins=5)
    axes.grid(visible=True)


def _ghosts(axes: "Axes", curves: pd.DataFrame, value: str, others: list[str]) -> None:
    for other in others:
        rows = curves[curves["proxy"] == other].sort_values("trained")
        axes.plot(rows["trained"], rows[value], color=style.GREY, linewidth=0.8, alpha=0.6, zorder=1)
