"""Arguments and options that several commands share."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.console import Console

Results = Annotated[Path, typer.Option("--results", metavar="DIR", help="Root folder of all studies.")]
Cache = Annotated[Path | None, typer.Option("--cache", metavar="DIR", help="Cache of decoded audio.")]
Study = Annotated[str, typer.Argument(metavar="NAME", help="Name of the study.")]
Workers = Annotated[
    int | None, typer.Option("--workers", min=1, help="Worker processes; one a core by default, one on a GPU.")
]
RESULTS = Path("results")
WIDTH = 120
"""Characters of a table that no terminal bounds."""


def make_console() -> Console:
    """Where a command prints; lines are not broken, and tables not narrowed, where a program reads them."""
    from rich.console import Console

    return Console() if sys.stdout.isatty() else Console(soft_wrap=True, width=WIDTH)


def workers_for(asked: int | None, device: str | None) -> int:
    """How many workers a command has.

    On a processor single-threaded workers do more together than the same cores do as threads of one (`make bench`).

    Args:
        asked: by the user; None if nothing was.
        device: that networks are computed on; None is the processor.
    """
    if asked is not None:
        return asked
    return 1 if (device or "cpu").startswith("cuda") else os.cpu_count() or 1


def listed(text: str | None) -> list[str] | None:
    """The parts of an option that takes several, separated by commas; None if it was not given."""
    return None if text is None else [part.strip() for part in text.split(",") if part.strip()]
