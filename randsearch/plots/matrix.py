"""How all measures rank the architectures against each other: Spearman's coefficient of every pair."""

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

FEWEST = 3  # architectures that a coefficient needs
_CELL = 0.42  # inches
_MAP = "PuOr_r"  # diverging, and told apart by people with any kind of colour vision


def matrix(table: pd.DataFrame, result: pd.DataFrame | None = None) -> "Figure":
    """Plots the rank correlation of each pair of measures: the target first, then the proxies by their agreement.

    Args:
        table: measurements.
        result: `agreement(table)`; gives the order and the note on bias, and is computed if left out.

    Returns:
        a figure with one panel, the lower triangle; a dash stands where there is no coefficient.

    Raises:
        NotEnoughDataError: if no two measures share three architectures.
    """
    result = agreement(table) if result is None else result
    how = settings(result)
    order = [how.target, *result["proxy"]]
    values = means(table)[order].corr(method="spearman", min_periods=FEWEST).to_numpy(dtype=float)
    lower = np.where(np.tril(np.ones_like(values, dtype=bool), -1), values, np.nan)[1:, :-1]
    if not np.isfinite(lower).any():
        raise style.NotEnoughDataError("matrix needs two measures that share three architectures.")
    with style.styled():
        side = max(2.2, _CELL * len(lower))
        figure = style.new_figure(side + 2.9, side + 1.9)
        axes = figure.add_subplot()
        _draw(axes, lower)
        names = [style.label(measure) for measure in order]
        axes.set_yticks(range(len(lower)), names[1:])
        axes.set_xticks(range(len(lower)), names[:-1], rotation=90)
        figure.suptitle("Rank correlation of the measures (Spearman)")
        style.footnote(
            figure,
            how.bias and f"biased: {how.bias}",
            "pairs by pairs, on the architectures that both scored; intervals stand in the table of agreement",
        )
    return figure


def _draw(axes: "Axes", lower: NDArray[np.float64]) -> None:
    """Coloured cells with their numbers; lower holds NaN above the diagonal."""
    picture = axes.imshow(np.ma.masked_invalid(lower), cmap=_MAP, vmin=-1, vmax=1, aspect="equal")
    for (row, column), value in np.ndenumerate(lower):
        if column > row:
            continue
        text = "-" if np.isnan(value) else f"{value:.2f}".replace("0.", ".", 1)
        dark = abs(value) > 0.6
        axes.text(column, row, text, ha="center", va="center", fontsize=8, color="white" if dark else style.INK)
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0)
    bar = axes.figure.colorbar(picture, ax=axes, shrink=0.6, aspect=14, pad=0.02, ticks=[-1, 0, 1])
    bar.outline.set_visible(False)
