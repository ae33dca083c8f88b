"""The commands that list the search spaces that come with randsearch, and copy one to change it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from randsearch.base.errors import UserError
from randsearch.cli.commands import Commands, heeding
from randsearch.cli.options import make_console


def _names() -> list[str]:
    """For completion."""
    from randsearch.space.shipped import shipped_names

    return shipped_names()


spaces = Commands(help="Lists the shipped search spaces, or copies one.")


@spaces.callback(invoke_without_command=True)
@heeding
def list_spaces(context: typer.Context) -> None:
    """Lists the search spaces that come with randsearch.

    Each name serves wherever the file of a space does: randsearch search small.
    """
    if context.invoked_subcommand is not None:
        return
    from rich.table import Table

    from randsearch.space import SearchSpace
    from randsearch.space.shipped import shipped_names

    table = Table("space", "what it holds", box=None, pad_edge=False)
    for name in shipped_names():
        table.add_row(name, SearchSpace.shipped(name).description)
    make_console().print(table)


@spaces.command()
def copy(
    name: Annotated[str, typer.Argument(metavar="SPACE", help="Its name.", autocompletion=_names)],
    to: Annotated[Path | None, typer.Option(metavar="FILE", help="Where to write; SPACE.yaml by default.")] = None,
) -> None:
    """Copies a shipped search space, to be changed; no file is overwritten."""
    from randsearch.base.files import create_file
    from randsearch.space import SearchSpace
    from randsearch.space.shipped import shipped

    SearchSpace.shipped(name)  # Refuses an unknown name.
    file = to or Path(f"{name}.yaml")
    content = shipped(f"{name}.yaml").read_bytes()
    try:
        create_file(file, content)
    except FileExistsError:
        raise UserError(f"{file} is there already and stays: name another file with --to.") from None
    make_console().print(str(file), highlight=False, markup=False)
