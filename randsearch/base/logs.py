"""What randsearch says while it works: through one logger, `randsearch`, that others may listen to."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

LOGGER = logging.getLogger("randsearch")
"""Progress and notes are information, what fails or may mislead is a warning, and single measurements are details."""


class _Printer(logging.Handler):
    """Prints messages on a console, which is made when there is one to print: importing it takes time."""

    def __init__(self, console: Callable[[], Console]) -> None:
        super().__init__()
        self.console = console

    def emit(self, record: logging.LogRecord) -> None:
        style = "yellow" if record.levelno >= logging.WARNING else None
        self.console().print(record.getMessage(), style=style, highlight=False, markup=False)


@contextmanager
def printed(console: Callable[[], Console]) -> Iterator[Callable[[], Console]]:
    """Prints what is said, from information on, until it is left; within another, that one alone prints.

    Args:
        console: makes the console to print on.

    Yields:
        what makes the console that is printed on, which progress is to be shown on too.
    """
    outer = next((handler for handler in LOGGER.handlers if isinstance(handler, _Printer)), None)
    if outer is not None:
        yield outer.console
        return
    printer, before = _Printer(console), LOGGER.level
    LOGGER.addHandler(printer)
    LOGGER.setLevel(min(logging.INFO, LOGGER.getEffectiveLevel()))
    try:
        yield console
    finally:
        LOGGER.removeHandler(printer)
        LOGGER.setLevel(before)
