"""Plots of a study: each is a function from a table of measurements to a matplotlib Figure, in a file of its own."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from randsearch.base.errors import UserError
from randsearch.base.files import Place
from randsearch.plots.best_so_far import best_so_far
from randsearch.plots.bump_chart import bump_chart
from randsearch.plots.claim3 import claim3
from randsearch.plots.learning_curves import learning_curves
from randsearch.plots.matrix import matrix
from randsearch.plots.parameter_effects import effects
from randsearch.plots.quality_cost import quality_cost
from randsearch.plots.rank_rank import rank_rank
from randsearch.plots.regret_recall import regret_recall
from randsearch.plots.seeds import seeds
from randsearch.plots.segment_sdr import segments
from randsearch.plots.style import NotEnoughDataError, render
from randsearch.statistics import agreement

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = [
    *("PLOTS", "NotEnoughDataError", "make_plots", "save_plots"),
    *("best_so_far", "bump_chart", "claim3", "effects", "learning_curves", "matrix"),
    *("quality_cost", "rank_rank", "regret_recall", "seeds", "segments"),
]

FORMATS = ("png", "svg")

PLOTS: "dict[str, Callable[..., Figure]]" = {
    "rank_rank": rank_rank,
    "bump_chart": bump_chart,
    "quality_cost": quality_cost,
    "regret_recall": regret_recall,
    "best_so_far": best_so_far,
    "claim3": claim3,
    "learning_curves": learning_curves,
    "segments": segments,
    "seeds": seeds,
    "effects": effects,
    "matrix": matrix,
}
"""Every plot by name; it takes the table, its agreement, and for some a third table, which `save_plots` calls `data`.

It raises NotEnoughDataError where it cannot be made.
"""


def make_plots(
    table: pd.DataFrame,
    kinds: Sequence[str] | None = None,
    *,
    result: pd.DataFrame | None = None,
    data: Mapping[str, pd.DataFrame] | None = None,
    on_skip: Callable[[str], None] | None = None,
) -> "Iterator[tuple[str, Figure]]":
    """Makes plots, one at a time.

    Args:
        table: measurements.
        kinds: names in `PLOTS`; all of them if left out.
        result: the agreement of the table, which carries a note on bias; computed if left out.
        data: by name, the third argument of the plots that take one: `regret_recall`, `best_so_far`, `segments`,
            `effects`.
        on_skip: called with one sentence for each plot that the table is not enough for.

    Yields:
        the name and the figure of each plot that could be made.

    Raises:
        UserError: if a name is unknown.
    """
    kinds = list(PLOTS) if kinds is None else kinds
    unknown = [kind for kind in kinds if kind not in PLOTS]
    if unknown:
        raise UserError(f"There is no plot {unknown[0]!r}; choose from {', '.join(PLOTS)}.")
    result = agreement(table) if result is None else result
    for kind in kinds:
        more = [data[kind]] if data and kind in data else []
        try:
            figure = PLOTS[kind](table, result, *more)
        except NotEnoughDataError as reason:
            if on_skip is not None:
                on_skip(str(reason))
            continue
        yield kind, figure


def save_plots(
    table: pd.DataFrame,
    folder: str | Path,
    kinds: Sequence[str] | None = None,
    *,
    place: Place | None = None,
    result: pd.DataFrame | None = None,
    data: Mapping[str, pd.DataFrame] | None = None,
    on_skip: Callable[[str], None] | None = None,
) -> list[Path]:
    """Writes plots as PNG and SVG, the same bytes for the same table; the arguments are those of `make_plots`.

    Args:
        table: measurements.
        folder: where to write; made if it does not exist.
        kinds: names in `PLOTS`; all of them if left out.
        place: that the folder lies in, such as the study's; its own if left out.
        result: the agreement of the table.
        data: by name, the third argument of the plots that take one.
        on_skip: called with one sentence for each plot that the table is not enough for.

    Returns:
        the files written.

    Raises:
        UserError: if a name is unknown, or a file cannot be written.
    """
    written, place = [], place or Place(folder)
    for kind, figure in make_plots(table, kinds, result=result, data=data, on_skip=on_skip):
        for suffix in FORMATS:
            path = Path(folder) / f"{kind}.{suffix}"
            place.write(path, render(figure, suffix))
            written.append(path)
    return written
