"""How the networks learn with all weights, with a fixed decoder and with a fixed encoder: validation SDR by step."""

import json
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from randsearch.plots import style
from randsearch.statistics import agreement, settings
from randsearch.statistics.budgets import constant

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MEASURES = ("trained", "fixed_decoder", "fixed_encoder")
_LOWEST = 0.02  # share of all points that may lie below the panel: first validations can be tens of dB down


def learning_curves(table: pd.DataFrame, result: pd.DataFrame | None = None) -> "Figure":
    """Plots every measurement's curve faintly, with the median and the middle half over architectures and seeds.

    Args:
        table: measurements.
        result: `agreement(table)`; only its note on bias is used, and it is computed if left out.

    Returns:
        a figure with a panel for each of the three that the table holds, on one scale of dB.

    Raises:
        NotEnoughDataError: if no two measurements of one of the three have a curve of two points.
    """
    curves = {measure: _curves(table, measure) for measure in MEASURES}
    curves = {measure: wide for measure, wide in curves.items() if len(wide) >= 2 and wide.shape[1] >= 2}
    if not curves:
        raise style.NotEnoughDataError(
            f"learning_curves needs two measurements of {', '.join(MEASURES)} with two validations each."
        )
    bias = settings(agreement(table) if result is None else result).bias
    baseline = table.loc[table["measure"].isin(MEASURES), "baseline"].median()
    values = np.concatenate([wide.to_numpy().ravel() for wide in curves.values()])
    values = values[np.isfinite(values)]
    low, high = np.quantile(values, _LOWEST), values.max()
    low = min(low, baseline) if np.isfinite(baseline) else low
    # What a decaying rate left behind at a step is no match for a constant one; the control has the proxies' own.
    free = _curves(table, "trained" if constant(table) else "early")
    room = 0.06 * max(high - low, 0.1)
    with style.styled():
        figure = style.new_figure(max(4.8, 1.0 + 2.6 * len(curves)), 3.8)
        grid = figure.subplots(1, len(curves), squeeze=False, sharey=True)[0]
        compared = False
        for axes, (measure, wide) in zip(grid, curves.items(), strict=True):
            _panel(axes, wide, measure)
            if measure != "trained":
                compared |= _compare(axes, free, float(wide.columns.max()))
            if np.isfinite(baseline):
                axes.axhline(baseline, color=style.ORANGE, linewidth=1.4, linestyle=(0, (5, 3)), zorder=1)
        grid[0].set_ylim(low - room, high + room)
        grid[0].set_ylabel("SDR in dB, validation")
        figure.suptitle("How the networks learn")
        style.footnote(
            figure,
            bias and f"biased: {bias}",
            "faint: one measurement; thick: median; shade: middle half",
            "dotted: median when all weights train" if compared else None,
            "dashed: best constant gain" if np.isfinite(baseline) else None,
        )
    return figure


def _curves(table: pd.DataFrame, measure: str) -> pd.DataFrame:
    """The curves of the complete measurements of a measure: measurements x steps, NaN between validations."""
    rows = table[(table["measure"] == measure) & (table["state"] == "complete")]
    found = [dict(json.loads(curve or "[]")) for curve in rows["curve"]]
    return pd.DataFrame([curve for curve in found if curve], dtype=float).sort_index(axis=1)


def _panel(axes: "Axes", wide: pd.DataFrame, measure: str) -> None:
    colour = style.colour(measure)
    for _, line in wide.iterrows():
        known = line.dropna()
        axes.plot(known.index, known, color=colour, linewidth=0.7, alpha=min(0.35, 12 / len(wide)), zorder=2)
    usual = wide.loc[:, wide.notna().mean() >= 0.5]
    low, middle, high = usual.quantile([0.25, 0.5, 0.75]).to_numpy()
    axes.fill_between(usual.columns, low, high, color=colour, alpha=0.22, linewidth=0, zorder=2)
    axes.plot(usual.columns, middle, color=colour, linewidth=2.6, zorder=4)
    axes.set_title(f"{style.label(measure)}\nmedian at the end {middle[-1]:.1f} dB", fontsize=9.5)
    axes.set_xlabel("training steps")
    axes.set_xlim(left=0)
    axes.locator_params(axis="x", integer=True, nbins=4)
    axes.grid(visible=True)


def _compare(axes: "Axes", free: pd.DataFrame, last: float) -> bool:
    """Draws the median where all weights train, as far as this panel goes; returns whether that is a line."""
    usual = free.loc[:, free.notna().mean() >= 0.5]
    middle = usual[[step for step in usual if float(str(step)) <= last]].median()
    axes.plot(middle.index, middle, color=style.INK, linewidth=1.4, linestyle=(0, (1, 1.5)), zorder=3)
    return len(middle) > 1
