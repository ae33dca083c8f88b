"""Figures that a notebook shows, whether or not it ever heard of pyplot."""

from __future__ import annotations

from matplotlib.figure import Figure


class ShownFigure(Figure):
    """A figure that shows itself once, as the last value of a cell.

    Notebooks know how to show figures only once pyplot was imported in them. Where it was, their own way comes first,
    and this one is not asked.
    """

    def _repr_png_(self) -> bytes:
        from randsearch.plots.style import render

        return render(self, "png")
