"""Figures that a notebook shows, whether or not it ever heard of pyplot."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from matplotlib.figure import Figure


class ShownFigure(Figure):
    """A figure that shows itself once, as the last value of a cell.

    Notebooks know how to show figures only once pyplot was imported in them. Where it was, their own way comes first,
    and this one is not asked.

    Args:
        render: makes a figure the bytes of a PNG.
        options: of matplotlib's figure.
    """

    def __init__(self, render: Callable[[Figure], bytes], **options: Any) -> None:
        super().__init__(**options)
        self._render = render

    def _repr_png_(self) -> bytes:
        return self._render(self)
