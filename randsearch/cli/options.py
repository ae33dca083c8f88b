"""Arguments and options that several commands share."""

from __future__ import annotations

import logging
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from randsearch.base.logs import LOGGER
from randsearch.cli.declared import option
from randsearch.data.task import TaskName
from randsearch.running.machine import Machine
from randsearch.study.config import StudyConfig

if TYPE_CHECKING:
    from rich.console import Console


Results = Annotated[Path, option(Machine, "results")]
Cache = Annotated[Path | None, option(Machine, "cache")]
Workers = Annotated[int | None, option(Machine, "workers")]
Task = Annotated[TaskName | None, option(StudyConfig, "task")]
Storage = Annotated[
    str | None,
    typer.Option("--storage", metavar="URL", help="The database that the study lies in, if you trust it."),
]
Finish = Annotated[
    str | None, typer.Option("--finish", metavar="FINISH", help="Networks of this finish; default: whatever is best.")
]
Study = Annotated[str, typer.Argument(metavar="NAME", help="Name of the study.")]
RESULTS = Machine.results
WIDTH = 120
"""Characters of a table that no terminal bounds."""


def make_console() -> Console:
    """Where a command prints; lines are not broken, and tables not narrowed, where a program reads them."""
    from rich.console import Console

    return Console() if sys.stdout.isatty() else Console(soft_wrap=True, width=WIDTH)


def make_log() -> Console:
    """Where progress and messages are printed, beside the result; `--quiet` leaves no progress."""
    from rich.console import Console

    quiet = not LOGGER.isEnabledFor(logging.INFO)
    bounds: dict[str, Any] = {} if sys.stderr.isatty() else {"soft_wrap": True, "width": WIDTH}
    return Console(stderr=True, quiet=quiet, **bounds)
