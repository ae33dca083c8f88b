"""The best trained score against the seconds spent: the study's, and what random search is expected to have."""

from typing import TYPE_CHECKING

import pandas as pd

from randsearch.plots import style
from randsearch.statistics import agreement, settings
from randsearch.statistics.best_so_far import NO_RANDOM, SEARCH
from randsearch.statistics.curves import RANDOM

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_UNITS = (("hours", 3600.0), ("minutes", 60.0), ("seconds", 1.0))
_MOST_DOTS = 30


def best_so_far(table: pd.DataFrame, result: pd.DataFrame | None = None, lines: pd.DataFrame | None = None) -> "Figure":
    """Plots what the study had at each moment as steps, and random search as a dashed line with its band.

    Args:
        table: measurements.
        result: `agreement(table)`; only its settings are used, and it is computed if left out.
        lines: `best_so_far` of an analysis.

    Returns:
        a figure with one panel; what proxies took is shaded.

    Raises:
        NotEnoughDataError: if there is no line of the study.
    """
    how = settings(agreement(table) if result is None else result)
    if lines is None or lines.empty:
        raise style.NotEnoughDataError("best_so_far needs a trained score and the seconds of all measurements.")
    own, random = (lines[lines["line"] == line] for line in (SEARCH, RANDOM))
    unit, length = next((each for each in _UNITS if own["seconds"].max() >= 1.5 * each[1]), _UNITS[-1])
    own, random = (rows.assign(time=rows["seconds"] / length) for rows in (own, random))
    with style.styled():
        figure = style.new_figure(7.2, 4.2)
        axes = figure.add_subplot()
        axes.axvspan(0, own["time"].iloc[0], color=style.BLUE, alpha=0.08, linewidth=0)
        if not random.empty:
            band = (random["time"], random["best_low"], random["best_high"])
            axes.fill_between(*band, color=style.GREY, alpha=0.3, linewidth=0, zorder=1)
            dots = "." if len(random) <= _MOST_DOTS else ""
            axes.plot(random["time"], random["best"], f"{dots}--", color=style.INK, linewidth=1.2, zorder=2)
        axes.step(own["time"], own["best"], where="post", color=style.BLUE, linewidth=2.2, zorder=3)
        # A study with one training is a point.
        rises = own.dropna(subset="best").drop_duplicates("best")
        axes.plot(rises["time"], rises["best"], "o", color=style.BLUE, markersize=4.5, zorder=3)
        axes.set_xlim(left=0)
        axes.set_xlabel(f"{unit} of compute")
        axes.set_ylabel(f"best {style.label(how.target)} score" + (f" in {how.unit}" if how.unit else ""))
        axes.grid(visible=True)
        figure.suptitle("What was found for how much compute")
        style.footnote(
            figure,
            how.bias and f"biased: {how.bias}",
            f"blue: this study, {own['trained'].max():,} trained, after the time of its proxies",
            f"no line of random search: {NO_RANDOM}"
            if random.empty
            else "dashed: expected of random search among the same networks; grey: the middle 95% of its draws",
        )
    return figure
