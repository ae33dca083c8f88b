"""What the median hides: the SDR of every one-second segment, as Stoller et al. (arXiv 1806.03185) show it."""

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from randsearch.plots import style
from randsearch.statistics import agreement, settings

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MEASURES = ("trained", "fixed_decoder", "fixed_encoder")
_FEWEST = 5  # segments that a distribution needs
_OUTSIDE = 0.01  # share of the segments that may lie beyond each end of a panel


def segments(table: pd.DataFrame, result: pd.DataFrame | None = None, data: pd.DataFrame | None = None) -> "Figure":
    """Plots the distribution of segments by source, when trained, with fixed decoder and with fixed encoder.

    Args:
        table: measurements.
        result: `agreement(table)`; only its note on bias is used, and it is computed if left out.
        data: as `randsearch.table.segments.read_segments` gives them, of the architectures to show; seeds are pooled.

    Returns:
        a figure with one panel a source.

    Raises:
        NotEnoughDataError: if there are no segments.
    """
    bias = settings(agreement(table) if result is None else result).bias
    finite = data[np.isfinite(data["sdr"])] if data is not None else None
    shown = [] if finite is None else [name for name in MEASURES if (finite["measure"] == name).sum() >= _FEWEST]
    if finite is None or not shown:
        raise style.NotEnoughDataError("segments needs the SDR of segments, which the measurements did not save.")
    finite = finite[finite["measure"].isin(shown)]
    sources = list(dict.fromkeys(finite["source"]))
    low, high = finite["sdr"].quantile([_OUTSIDE, 1 - _OUTSIDE])
    beyond = int(((finite["sdr"] < low) | (finite["sdr"] > high)).sum())
    names = list(dict.fromkeys(finite["architecture"]))
    with style.styled():
        figure = style.new_figure(max(4.8, 1.0 + 1.1 * len(shown) * len(sources)), 4.2)
        grid = figure.subplots(1, len(sources), squeeze=False, sharey=True)[0]
        for axes, source in zip(grid, sources, strict=True):
            rows = finite[finite["source"] == source]
            _panel(axes, [rows.loc[rows["measure"] == name, "sdr"].to_numpy(dtype=float) for name in shown], shown)
            axes.set_title(source)
        room = 0.04 * max(high - low, 0.1)
        grid[0].set_ylim(low - room, high + room)
        grid[0].set_ylabel("SDR of a one-second segment, in dB")
        which = names[0] if len(names) == 1 else f"{len(names)} architectures"
        figure.suptitle(f"Validation segments of {which}")
        style.footnote(
            figure,
            bias and f"biased: {bias}",
            "bar: median; diamond: mean; thick line: middle half",
            f"{beyond} of {len(finite)} segments lie beyond the panel" if beyond else None,
        )
    return figure


def _panel(axes: "Axes", columns: list[NDArray[np.float64]], shown: list[str]) -> None:
    """One violin a measure with its quartiles, median and mean."""
    for place, (values, measure) in enumerate(zip(columns, shown, strict=True)):
        if len(values) < _FEWEST:
            continue
        colour = style.colour(measure)
        if np.ptp(values) > 0:  # a density of equal values does not exist
            bodies: Any = axes.violinplot(values, [place], widths=0.85, showextrema=False)["bodies"]
            bodies[0].set(facecolor=colour, edgecolor=colour, alpha=0.3)
        first, middle, third = np.quantile(values, [0.25, 0.5, 0.75])
        axes.plot([place, place], [first, third], color=colour, linewidth=4, solid_capstyle="butt")
        axes.plot([place - 0.22, place + 0.22], [middle, middle], color=colour, linewidth=2.2)
        axes.plot(place, values.mean(), "D", color="white", markeredgecolor=colour, markersize=5)
    axes.set_xticks(range(len(shown)), [style.label(measure).replace(" ", "\n") for measure in shown])
    axes.set_xlim(-0.6, len(shown) - 0.4)
    axes.tick_params(axis="x", length=0)
    axes.grid(visible=True, axis="y")
