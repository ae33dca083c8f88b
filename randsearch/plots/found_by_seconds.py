"""What search strategies find for the seconds that they spend: means with their bands, each line with its name."""

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from randsearch.plots import style
from randsearch.plots.quality_cost import spread

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COLUMNS = ("strategy", "seconds", "judged", "mean_low", "mean_high")

_COLOURS = (style.INK, style.BLUE, style.VERMILION, style.GREEN, style.PURPLE, style.OCHRE, style.SKY)
_UNITS = (("hours", 3600.0), ("minutes", 60.0), ("seconds", 1.0))
_BEGINS = 0.5  # share of the seconds from which on all means are in view: what comes before may be far below
_ROOM = 0.055  # of the panel's height, between two names


def found_by_seconds(curves: pd.DataFrame, *footnotes: str) -> "Figure":
    """Plots what each strategy had found at each moment: the mean of its searches, with its 95% interval.

    Args:
        curves: one row a strategy and moment, with the columns `COLUMNS`: the mean of searches, and its 95% interval.
        footnotes: sentences on how it was made.

    Returns:
        a figure with one panel.

    Raises:
        NotEnoughDataError: if there is no row.
    """
    if curves.empty:
        raise style.NotEnoughDataError("found_by_seconds needs a strategy.")
    last = float(curves["seconds"].max())
    unit, length = next((each for each in _UNITS if last >= 1.5 * each[1]), _UNITS[-1])
    view = curves[curves["seconds"] >= _BEGINS * last]
    low, high = float(view["judged"].min()), float(curves["mean_high"].max())
    room = 0.06 * max(high - low, 0.1)
    low, high = low - room, high + room
    groups = [(str(name), rows) for name, rows in curves.groupby("strategy", sort=False)]
    with style.styled():
        figure = style.new_figure(8.4, 4.4)
        axes = figure.add_subplot()
        for place, (_, rows) in enumerate(groups):
            colour, time = _COLOURS[place % len(_COLOURS)], rows["seconds"] / length
            axes.fill_between(time, rows["mean_low"], rows["mean_high"], color=colour, alpha=0.3, linewidth=0, zorder=2)
            axes.plot(time, rows["judged"], color=colour, linewidth=2.0, zorder=3)
        axes.set_xlim(0, last / length)
        axes.set_ylim(low, high)
        ends = np.array([float(rows["judged"].iloc[-1]) for _, rows in groups])
        order = np.argsort(-ends, kind="stable")
        heights = spread(ends[order], _ROOM * (high - low), low, high)
        for place, height in zip(order.tolist(), heights.tolist(), strict=True):
            axes.annotate(
                groups[place][0],
                (1.0, height),
                xytext=(6, 0),
                xycoords=("axes fraction", "data"),
                textcoords="offset points",
                va="center",
                fontsize=8.5,
                color=_COLOURS[place % len(_COLOURS)],
                annotation_clip=False,
            )
        axes.set_xlabel(f"{unit} of compute")
        axes.set_ylabel("SDR in dB of what was found")
        axes.grid(visible=True)
        figure.suptitle("What is found for how much compute")
        style.footnote(
            figure,
            "mean of searches, with its 95% interval; it falls where a search takes a network that the only training "
            "which it saw flatters",
            *footnotes,
        )
    return figure
