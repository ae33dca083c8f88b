"""How much a score depends on its seed, against how much it depends on the architecture."""

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from randsearch.plots import style
from randsearch.statistics import agreement, settings
from randsearch.table.tidy import scores

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MEASURES = ("fixed_decoder", "fixed_encoder", "early")


def seeds(table: pd.DataFrame, result: pd.DataFrame | None = None) -> "Figure":
    """Plots the score of each architecture at each seed, the architectures by their mean by the target.

    Args:
        table: measurements.
        result: `agreement(table)`; gives the target and the note on bias, and is computed if left out.

    Returns:
        a figure with a panel for the target, fixed decoder, fixed encoder and early training, where they have seeds.

    Raises:
        NotEnoughDataError: if none of them has two architectures with two seeds.
    """
    result = agreement(table) if result is None else result
    how = settings(result)
    target = scores(table, how.target)
    order = target.mean(axis=1).sort_values(ascending=False, kind="stable").dropna().index
    wide = {measure: scores(table, measure).loc[order] for measure in (how.target, *MEASURES)}
    wide = {measure: values for measure, values in wide.items() if (values.notna().sum(axis=1) >= 2).sum() >= 2}
    if not wide:
        raise style.NotEnoughDataError("seeds needs two architectures that were measured at two seeds or more.")
    with style.styled():
        figure = style.new_figure(max(4.8, 0.8 + 2.4 * len(wide)), 3.9)
        grid = figure.subplots(1, len(wide), squeeze=False, sharey=True)[0]
        for axes, (measure, values) in zip(grid, wide.items(), strict=True):
            _panel(axes, values, measure)
            axes.set_xlabel(f"rank by {style.label(how.target)}")
        grid[0].set_ylabel("score (SDR in dB)")
        figure.suptitle("Scores at every seed (dot) and their mean (bar)")
        style.footnote(
            figure,
            how.bias and f"biased: {how.bias}",
            "SD over seeds: pooled over architectures; SD over architectures: of their means",
        )
    return figure


def _panel(axes: "Axes", values: pd.DataFrame, measure: str) -> None:
    """One column of dots an architecture; values are (architectures, seeds)."""
    colour = style.colour(measure)
    x = np.arange(1, len(values) + 1)
    average = values.mean(axis=1).to_numpy()
    axes.vlines(x, values.min(axis=1), values.max(axis=1), color=colour, linewidth=1.0, alpha=0.4)
    size = min(16.0, max(3.0, 400 / len(values)))
    for _, column in values.items():
        axes.scatter(x, column, s=size, color=colour, alpha=0.6, linewidths=0)
    axes.hlines(average, x - 0.35, x + 0.35, color=colour, linewidth=2.0)
    within = float(np.sqrt(values.var(axis=1, ddof=1).mean()))
    axes.set_title(
        f"{style.label(measure)}\nSD over seeds {within:.2f},\nover architectures {values.mean(axis=1).std():.2f} dB",
        fontsize=9,
    )
    axes.set_xlim(0, len(values) + 1)
    axes.set_xticks(sorted({1, (len(values) + 1) // 2, len(values)}))
    axes.grid(visible=True, axis="y")
