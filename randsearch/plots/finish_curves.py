"""How networks were trained on: validation SDR by step of each finish, and where the search had left them."""

from typing import TYPE_CHECKING

import pandas as pd

from randsearch.plots import style

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COLUMNS = ("label", "part", "step", "score", "searched", "gain")

_COLOURS = (style.BLUE, style.VERMILION, style.GREEN, style.PURPLE, style.OCHRE, style.SKY)
_LOWEST = 0.02  # share of all points that may lie below the panel


def finish_curves(curves: pd.DataFrame) -> "Figure":
    """Plots validation SDR by step, a line a network.

    Args:
        curves: one row a validation, with the columns `COLUMNS`: label of the network, part of the finish, step, score,
            and the scores in dB of the searched network and of the best constant gain, NaN where they are not known.

    Returns:
        a figure with one panel.

    Raises:
        NotEnoughDataError: if nothing was validated.
    """
    if curves.empty:
        raise style.NotEnoughDataError("finish_curves needs a validation.")
    with style.styled():
        figure = style.new_figure(6.4, 3.8)
        axes = figure.subplots()
        for place, (label, rows) in enumerate(curves.groupby("label", sort=False)):
            colour = _COLOURS[place % len(_COLOURS)]
            axes.plot(rows["step"], rows["score"], color=colour, linewidth=1.6, label=str(label))
            best = int(rows["score"].to_numpy().argmax())
            axes.plot(rows["step"].iloc[best], rows["score"].iloc[best], "o", color=colour, markersize=5)
            axes.axhline(rows["searched"].iloc[0], color=colour, linewidth=1.2, linestyle=(0, (1, 1.5)), zorder=1)
            for _, part in list(rows.groupby("part"))[1:]:
                axes.axvline(part["step"].iloc[0], color=style.GREY, linewidth=0.8, zorder=1)
        axes.axhline(curves["gain"].median(), color=style.ORANGE, linewidth=1.4, linestyle=(0, (5, 3)), zorder=1)
        known = curves[["score", "searched", "gain"]]
        low = min(curves["score"].quantile(_LOWEST), known["searched"].min(), known["gain"].min())
        room = 0.06 * max(known.max().max() - low, 0.1)
        axes.set_ylim(low - room, known.max().max() + room)
        axes.set_xlim(left=0)
        axes.set_xlabel("training steps after the search")
        axes.set_ylabel("SDR in dB, validation")
        axes.set_title("Trained on")
        axes.grid(visible=True)
        axes.legend(loc="best")
        style.footnote(
            figure,
            "point: best; dotted: as the search left it; dashed: best constant gain; upright: where steps were added",
        )
    return figure
