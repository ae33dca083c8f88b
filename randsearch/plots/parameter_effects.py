"""Which parameters a proxy misjudges: the effect of each on the ranking by training and on that by the proxy."""

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from randsearch.plots import style
from randsearch.statistics import agreement, settings

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SHOWN = ("fixed_decoder", "fixed_encoder")
MOST = 24
COLUMNS = (
    *("proxy", "parameter", "value", "trained", "trained_low", "trained_high"),
    *("by_proxy", "by_proxy_low", "by_proxy_high", "sure"),
)


def effects(table: pd.DataFrame, result: pd.DataFrame | None = None, data: pd.DataFrame | None = None) -> "Figure":
    """Plots for each parameter how far it moves an architecture up the ranking by training, and up that by a proxy.

    Args:
        table: measurements.
        result: `agreement(table)`; gives the order and the note on bias, and is computed if left out.
        data: `COLUMNS`, one row a proxy and parameter (or value of one that is no number): expected change of place as
            a share of the ranking; `sure` where the two effects differ by more than chance.

    Returns:
        a figure with a panel each for the primary proxy and the fixed halves, or else for the best proxy.

    Raises:
        NotEnoughDataError: if there are no effects.
    """
    result = agreement(table) if result is None else result
    known = None if data is None else data.dropna(subset=["trained", "by_proxy"])
    if known is None or known.empty:
        raise style.NotEnoughDataError("effects needs five architectures or more whose parameters differ.")
    how = settings(result)
    first = (*([how.named.primary] if how.named.primary else []), *SHOWN)
    proxies = [proxy for proxy in dict.fromkeys(first) if proxy in set(known["proxy"])]
    proxies = proxies or [next(proxy for proxy in result["proxy"] if proxy in set(known["proxy"]))]
    known = known.assign(name=[_name(*pair) for pair in zip(known["parameter"], known["value"], strict=True)])
    largest = known[known["proxy"].isin(proxies)].groupby("name")["trained"].agg(lambda values: values.abs().max())
    names = largest.sort_values(ascending=False, kind="stable").index[:MOST].tolist()
    with style.styled():
        figure = style.new_figure(2.0 + 3.3 * len(proxies), 1.8 + 0.34 * len(names))
        grid = figure.subplots(1, len(proxies), squeeze=False, sharex=True, sharey=True)[0]
        for axes, proxy in zip(grid, proxies, strict=True):
            _panel(axes, known[known["proxy"] == proxy].set_index("name").reindex(names), proxy)
            axes.set_title(f"{style.label(how.target)} (circle) and\n{style.heading(proxy)} (square)", fontsize=9.5)
            axes.set_xlabel("change of place,\nas a share of the ranking")
        grid[0].set_yticks(range(len(names)), names)
        grid[0].set_ylim(len(names) - 0.4, -0.6)
        figure.suptitle("Which parameters move an architecture up the ranking")
        left_out = len(largest) - len(names)
        style.footnote(
            figure,
            how.bias and f"biased: {how.bias}",
            "from the lowest to the highest value, or with this value against all others; lines: 95% intervals",
            "star: the two effects differ by more than chance",
            f"smaller effects left out: {left_out}" if left_out else None,
        )
    return figure


def _name(parameter: str, value: str) -> str:
    return style.label(parameter) + (f" = {value}" if value else "")


def _panel(axes: "Axes", rows: pd.DataFrame, proxy: str) -> None:
    y = np.arange(len(rows), dtype=float)
    axes.axvline(0, color=style.GREY, linewidth=0.8)
    marks: tuple[tuple[str, str, str, float], ...] = (
        ("trained", "o", style.INK, -0.14),
        ("by_proxy", "s", style.colour(proxy), 0.14),
    )
    for value, marker, colour, offset in marks:
        look: dict[str, Any] = {"color": colour, "zorder": 3}
        axes.hlines(y + offset, rows[f"{value}_low"], rows[f"{value}_high"], linewidth=1.4, alpha=0.5, color=colour)
        axes.plot(rows[value], y + offset, marker, markersize=5.5, linestyle="none", **look)
    sure = rows["sure"].fillna(value=False).to_numpy(dtype=bool)
    axes.plot(
        np.full(sure.sum(), 0.97), y[sure], "*", color=style.INK, markersize=8, transform=axes.get_yaxis_transform()
    )
    axes.grid(visible=True, axis="x")
    axes.tick_params(axis="y", length=0)
