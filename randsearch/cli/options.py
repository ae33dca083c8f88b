"""Arguments and options that several commands share."""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.console import Console


class ExecutorName(StrEnum):
    """Where jobs run."""

    local = "local"
    ray = "ray"


class KeptName(StrEnum):
    """Of which measurements weights and audio stay."""

    all = "all"
    trained = "trained"
    none = "none"


Results = Annotated[Path, typer.Option("--results", metavar="DIR", help="Root folder of all studies.")]
Cache = Annotated[Path | None, typer.Option("--cache", metavar="DIR", help="Cache of decoded audio.")]
Executor = Annotated[ExecutorName, typer.Option("--executor", help="Where jobs run: on this machine or a Ray cluster.")]
Address = Annotated[str, typer.Option("--address", help="Of the Ray cluster; auto is the one of this machine.")]
GpuShare = Annotated[
    float, typer.Option("--gpu-share", min=0.01, max=1, help="Part of a GPU that a job takes on a Ray cluster.")
]
Devices = Annotated[
    str | None, typer.Option("--devices", help="Devices that workers are spread over, such as cuda:0,cuda:1.")
]
TimeLimit = Annotated[
    float | None, typer.Option("--time-limit", min=0.001, help="Seconds after which a measurement fails.")
]
Kept = Annotated[KeptName, typer.Option("--keep", help="Whose weights and audio stay; scores always do.")]
AllowFailures = Annotated[
    bool, typer.Option("--allow-failures", help="Go on although more than a third of the measurements fail.")
]
Storage = Annotated[
    str | None,
    typer.Option("--storage", metavar="URL", help="The database that the study lies in, if you trust it."),
]
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


def listed(text: str | None) -> list[str] | None:
    """The parts of an option that takes several, separated by commas; None if it was not given."""
    return None if text is None else [part.strip() for part in text.split(",") if part.strip()]
