"""The one look of all plots: colours, sizes, names of measures, and how a figure is made and turned into bytes.

Colours are those of Okabe and Ito (2008), which people with any kind of colour vision can tell apart; ochre replaces
their yellow, which is lost on white paper. matplotlib is imported inside the functions, so that importing the plots
stays cheap; pyplot and its global state are never used.
"""

import io
import re
import textwrap
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from randsearch.base.errors import UserError
from randsearch.table.votes import is_vote

if TYPE_CHECKING:
    from matplotlib.figure import Figure

BLUE, ORANGE, GREEN, VERMILION = "#0072B2", "#E69F00", "#009E73", "#D55E00"
PURPLE, SKY, OCHRE = "#CC79A7", "#56B4E9", "#A6761D"
INK, FAINT, GREY, PALE = "#222222", "#5A5A5A", "#8A8A8A", "#DDDDDD"

PNG_DPI = 150
_CHARACTERS_AN_INCH = 15  # of small print

COLOURS = {
    "trained": INK,
    "fixed_decoder": BLUE,
    "fixed_encoder": VERMILION,
    "early": GREEN,
    "params": FAINT,
    "macs": FAINT,
}
"""The measures that keep their colour through all plots; `colour` gives the others'."""

_OTHERS = (PURPLE, SKY, OCHRE)
_CHARACTERS_OF_A_HEADING = 24
_LABELS = {"params": "parameters", "macs": "multiply-adds"}

_RC: Any = {
    "font.family": "DejaVu Sans",
    "font.size": 10,
    "axes.titlesize": 10,
    "axes.titleweight": "bold",
    "axes.labelsize": 10,
    "axes.edgecolor": GREY,
    "axes.labelcolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "xtick.labelsize": 9,
    "ytick.labelsize": 9,
    "grid.color": PALE,
    "grid.linewidth": 0.6,
    "legend.frameon": False,
    "legend.fontsize": 9,
    "figure.titlesize": 12,
    "figure.titleweight": "bold",
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
    "svg.hashsalt": "randsearch",  # without it the ids in an SVG differ from run to run
}
_one_at_a_time = threading.RLock()


class NotEnoughDataError(UserError):
    """A table from which a plot cannot be made; the message says what is missing."""


@contextmanager
def styled() -> Iterator[None]:
    """Draws in the style of randsearch; matplotlib's settings are global, so one thread does at a time."""
    from matplotlib import rc_context

    with _one_at_a_time, rc_context(_RC):
        yield


def new_figure(width: float, height: float) -> "Figure":
    """An empty figure, inches wide and high, that belongs to no window and lays its parts out without overlap."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    from randsearch.plots.shown import ShownFigure

    figure = ShownFigure(lambda shown: render(shown, "png"), figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def render(figure: "Figure", kind: str) -> bytes:
    """A figure as the bytes of a file, the same each time.

    Args:
        figure: what to render.
        kind: "png" or "svg".
    """
    buffer = io.BytesIO()
    with styled():
        figure.savefig(buffer, format=kind, dpi=PNG_DPI, metadata={"Date": None} if kind == "svg" else None)
    return buffer.getvalue()


def label(measure: str) -> str:
    """The name of a measure as people say it, and that of a vote as it is given."""
    return measure if is_vote(measure) else _LABELS.get(measure, measure.replace("_", " "))


def heading(measure: str) -> str:
    """The same in lines that fit above a panel: a vote may name many parts."""
    lines = [""]
    for part in re.split(r"(?<=\+)", label(measure)):
        if lines[-1] and len(lines[-1] + part) > _CHARACTERS_OF_A_HEADING:
            lines.append("")
        lines[-1] += part
    return "\n".join(lines)


def colour(measure: str, place: int = 0) -> str:
    """The colour of a measure: its own in all plots, or else one of a few that alternate by place."""
    return COLOURS.get(measure, _OTHERS[place % len(_OTHERS)])


def footnote(figure: "Figure", *sentences: str | None) -> None:
    """Small print below the axes, for which the figure grows; it is where a bias is told."""
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    width, height = figure.get_size_inches()
    text = ". ".join(sentence for sentence in sentences if sentence)
    lines = textwrap.wrap(text, int(width * _CHARACTERS_AN_INCH))
    if not lines:
        return
    below = 0.15 + 0.15 * len(lines)
    figure.set_size_inches(width, height + below)
    below /= height + below
    figure.text(0.08 / width, 0.06 / height, "\n".join(lines), fontsize=8, color=FAINT, va="bottom")
    layout = figure.get_layout_engine()
    assert isinstance(layout, ConstrainedLayoutEngine)
    layout.set(rect=(0, below, 1, 1 - below))
