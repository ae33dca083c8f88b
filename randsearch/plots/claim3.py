"""J-Net's third claim: a fixed decoder separates nearly as well as full training, a fixed encoder worse."""

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from randsearch.plots import style
from randsearch.statistics import agreement, settings
from randsearch.table.tidy import means

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MEASURES = ("trained", "fixed_decoder", "fixed_encoder")


def claim3(table: pd.DataFrame, result: pd.DataFrame | None = None) -> "Figure":
    """Plots the SDR of each architecture with all weights trained, with fixed decoder and with fixed encoder.

    Args:
        table: measurements.
        result: `agreement(table)`; only its note on bias is used, and it is computed if left out.

    Returns:
        a figure with one panel; a dashed line is the best constant gain.

    Raises:
        NotEnoughDataError: if no architecture has a score for all three.
    """
    wide = means(table)
    lacking = [measure for measure in MEASURES if measure not in wide]
    if lacking:
        raise style.NotEnoughDataError(f"claim3 needs the measure {lacking[0]}, which the table does not hold.")
    scores = wide[list(MEASURES)].dropna()
    if scores.empty:
        raise style.NotEnoughDataError(f"claim3 needs an architecture with scores for {', '.join(MEASURES)}.")
    bias = settings(agreement(table) if result is None else result).bias
    baseline = table.loc[table["measure"].isin(MEASURES), "baseline"].median()
    ahead = int((scores["fixed_decoder"] > scores["fixed_encoder"]).sum())
    left_out = len(wide) - len(scores)
    with style.styled():
        figure = style.new_figure(7.0, 4.8)
        axes = figure.add_subplot()
        _draw(axes, scores.to_numpy(dtype=float))
        if np.isfinite(baseline):
            axes.axhline(baseline, color=style.ORANGE, linewidth=1.6, linestyle=(0, (5, 3)), zorder=1)
            axes.annotate(
                "best constant\ngain",
                (1.01, baseline),
                xycoords=axes.get_yaxis_transform(),
                va="center",
                fontsize=9,
            )
        axes.set_ylabel("SDR in dB, validation")
        figure.suptitle(f"Fixed decoder above fixed encoder in {ahead} of {len(scores)} architectures")
        style.footnote(
            figure,
            bias and f"biased: {bias}",
            "grey: one architecture; bar: median; dot: mean over seeds",
            f"architectures left out for lack of a score: {left_out}" if left_out else None,
        )
    return figure


def _draw(axes: "Axes", scores: NDArray[np.float64]) -> None:
    """Paired lines, dots and medians; scores are (architectures, measures)."""
    places = np.arange(len(MEASURES))
    axes.plot(places, scores.T, color=style.GREY, linewidth=0.8, alpha=min(0.6, 20 / len(scores)), zorder=1)
    for place, measure, column in zip(places, MEASURES, scores.T, strict=True):
        median = float(np.median(column))
        axes.scatter(
            np.full(len(column), place), column, s=26, color=style.colour(measure), alpha=0.75, linewidths=0, zorder=2
        )
        axes.plot([place - 0.16, place + 0.16], [median, median], color=style.colour(measure), linewidth=3.5, zorder=3)
        axes.text(
            place + 0.2,
            median,
            f"{median:.1f} dB",
            va="center",
            fontweight="bold",
            color=style.colour(measure),
            zorder=4,
            bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 1.0},
        )
    axes.set_xticks(places, [style.label(measure) for measure in MEASURES], fontsize=11)
    axes.set_xlim(-0.4, places[-1] + 0.6)
    axes.grid(visible=True, axis="y")
