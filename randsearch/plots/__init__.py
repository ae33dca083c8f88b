"""Plots of a study: each is a function from a table of measurements to a matplotlib Figure, in a file of its own."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from randsearch.agreement import agreement
from randsearch.errors import UserError
from randsearch.plots.bump_chart import bump_chart
from randsearch.plots.claim3 import claim3
from randsearch.plots.quality_cost import quality_cost
from randsearch.plots.rank_rank import rank_rank
from randsearch.plots.style import NotEnoughDataError, render
from randsearch.table import replace_file

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["PLOTS", "NotEnoughDataError", "bump_chart", "claim3", "quality_cost", "rank_rank", "save_plots"]

FORMATS = ("png", "svg")

PLOTS: "dict[str, Callable[[pd.DataFrame, pd.DataFrame], Figure]]" = {
    "rank_rank": rank_rank,
    "bump_chart": bump_chart,
    "quality_cost": quality_cost,
    "claim3": claim3,
}
"""Every plot by name; it takes the table and its agreement, and raises NotEnoughDataError where it cannot be made."""


def save_plots(
    table: pd.DataFrame,
    folder: str | Path,
    kinds: Sequence[str] | None = None,
    *,
    result: pd.DataFrame | None = None,
    on_skip: Callable[[str], None] | None = None,
) -> list[Path]:
    """Writes plots as PNG and SVG, the same bytes for the same table.

    Args:
        table: Measurements.
        folder: Where to write; made if it does not exist.
        kinds: Names in `PLOTS`; all of them if left out.
        result: The agreement of the table, which carries a note on bias; computed if left out.
        on_skip: Called with one sentence for each plot that the table is not enough for.

    Returns:
        The files written.

    Raises:
        UserError: If a name is unknown, or a file cannot be written.
    """
    kinds = list(PLOTS) if kinds is None else kinds
    unknown = [kind for kind in kinds if kind not in PLOTS]
    if unknown:
        raise UserError(f"There is no plot {unknown[0]!r}; choose from {', '.join(PLOTS)}.")
    result = agreement(table) if result is None else result
    written = []
    for kind in kinds:
        try:
            figure = PLOTS[kind](table, result)
        except NotEnoughDataError as reason:
            if on_skip is not None:
                on_skip(str(reason))
            continue
        for suffix in FORMATS:
            path = Path(folder) / f"{kind}.{suffix}"
            replace_file(path, render(figure, suffix))
            written.append(path)
    return written
