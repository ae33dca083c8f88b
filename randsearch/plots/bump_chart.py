"""How the order of the architectures changes from one measure to the next: one line an architecture."""

import itertools
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from randsearch.plots import style
from randsearch.statistics import agreement, settings
from randsearch.table.tidy import means

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MEASURES = ("fixed_decoder", "fixed_encoder", "early")
_HIGHLIGHTS = (style.ORANGE, style.SKY, style.PURPLE)  # colours that stand for no measure
_MOST_LABELLED = 30


def bump_chart(table: pd.DataFrame, result: pd.DataFrame | None = None) -> "Figure":
    """Plots the ranks by the target, the primary proxy, fixed halves and early training, the three best coloured.

    Args:
        table: measurements.
        result: `agreement(table)`; computed if left out.

    Returns:
        a figure with one panel.

    Raises:
        NotEnoughDataError: if the target and one of these proxies do not share at least two architectures.
    """
    result = agreement(table) if result is None else result
    how = settings(result)
    wide = means(table)
    first = (*([how.named.primary] if how.named.primary else []), *MEASURES)
    shown = list(dict.fromkeys([how.target, *(measure for measure in first if measure in wide)]))
    scores = wide[shown].dropna()
    if len(shown) < 2 or len(scores) < 2:
        raise style.NotEnoughDataError(
            f"bump_chart needs two architectures with scores for {how.target} and one of {', '.join(MEASURES)}."
        )
    # Ties are broken by the order of the candidates: two lines on one place would read as one architecture.
    ranks = scores.rank(ascending=False, method="first").sort_values(how.target)
    left_out = len(wide[how.target].dropna()) - len(ranks)
    with style.styled():
        figure = style.new_figure(2.2 + 1.9 * len(shown), min(9.0, 2.0 + 0.24 * max(len(ranks), 8)))
        axes = figure.add_subplot()
        _draw(axes, ranks)
        axes.set_xticks(range(len(shown)), [style.heading(measure) for measure in shown])
        figure.suptitle("Which architectures each measure puts first")
        style.footnote(
            figure,
            how.bias and f"biased: {how.bias}",
            f"architectures left out for lack of a score: {left_out}" if left_out else None,
        )
    return figure


def _draw(axes: "Axes", ranks: pd.DataFrame) -> None:
    """One smooth line an architecture through its ranks; ranks are sorted by the target, which comes first."""
    n, columns = ranks.shape
    size = min(5.0, 120 / n)
    # Drawn from the last to the first, so that the coloured lines lie on top.
    for place, line in reversed(list(enumerate(ranks.to_numpy()))):
        best = place < len(_HIGHLIGHTS)
        look: dict[str, Any] = {"color": _HIGHLIGHTS[place] if best else style.GREY, "zorder": 3 if best else 2}
        x, y = _smooth(line)
        axes.plot(x, y, linewidth=2.4 if best else 0.9, alpha=1.0 if best else min(0.55, 60 / n), **look)
        axes.plot(range(columns), line, "o", markersize=size * (1.6 if best else 1.0), **look)
    if n <= _MOST_LABELLED:
        for place, architecture in enumerate(map(str, ranks.index)):
            bold: dict[str, Any] = (
                {"color": _HIGHLIGHTS[place], "fontweight": "bold"} if place < len(_HIGHLIGHTS) else {}
            )
            axes.text(
                -0.1, place + 1, architecture[:6], ha="right", va="center", fontsize=8, family="monospace", **bold
            )
    axes.set(xlim=(-0.15, columns - 0.85), ylim=(n + 0.7, 0.3))
    axes.yaxis.tick_right()
    axes.yaxis.set_label_position("right")
    axes.set_yticks(range(1, n + 1) if n <= _MOST_LABELLED else sorted({1, n // 4, n // 2, 3 * n // 4, n}))
    axes.set_ylabel("rank (1 = best)", labelpad=8)
    axes.tick_params(length=0)
    axes.xaxis.tick_top()
    axes.spines[:].set_visible(False)


def _smooth(line: NDArray[np.float64], points: int = 30) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """A line through the ranks that leaves and enters each of them level."""
    t = np.linspace(0, 1, points)
    ease = t * t * (3 - 2 * t)
    x = np.concatenate([column + t for column in range(len(line) - 1)])
    y = np.concatenate([start + (end - start) * ease for start, end in itertools.pairwise(line)])
    return x, y
