"""The commands that look at studies, join them and take their tables elsewhere."""

from __future__ import annotations

import shlex
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from randsearch.base.errors import UserError
from randsearch.base.layout import StudyFolder
from randsearch.cli.commands import Commands
from randsearch.cli.options import RESULTS, Results, Storage, Study, make_console

studies_app = Commands()


class Format(StrEnum):
    """Of an exported table."""

    csv = "csv"
    parquet = "parquet"
    json = "json"


@studies_app.command("list")
def list_studies(results: Results = RESULTS) -> None:
    """Lists the studies in the results folder."""
    from rich.box import SIMPLE_HEAD
    from rich.markup import escape
    from rich.table import Table

    from randsearch.study.status import read_status, studies_in

    view = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for heading in ("study", "architectures", "measurements", "failed", "trained", "state", "data", "last change"):
        numbers = heading in ("architectures", "measurements", "failed", "trained")
        view.add_column(heading, justify="right" if numbers else "left", overflow="fold")
    console, broken = make_console(), []
    for folder in studies_in(results):
        try:
            found = read_status(folder)
        except UserError as error:
            broken.append(f"{folder.name}: {error}")
            continue
        counts = (found.architectures, found.measurements, found.failed, found.trained)
        changed = f"{found.changed:%Y-%m-%d %H:%M}"
        view.add_row(folder.name, *map(str, counts), found.state, escape(found.config.data), changed)
    if view.row_count == 0 and not broken:
        console.print(f"no studies in {results}: `randsearch search` makes one", highlight=False, markup=False)
    if view.row_count:
        console.print(view)
    for sentence in broken:
        console.print(sentence, highlight=False, markup=False)


@studies_app.command()
def status(name: Study, storage: Storage = None, results: Results = RESULTS) -> None:
    """Says how a study stands, and how to continue it.

    What is done and what is missing, what failed and why, and who is at work on it.
    """
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    from randsearch.study.finish_words import standing
    from randsearch.study.folders import study_folder
    from randsearch.study.status import describe, read_status

    found, console = read_status(study_folder(results, name), storage), make_console()
    config = found.config
    console.print(
        f"{name}: {found.state}; {found.architectures} of {config.trials} architectures by {config.sampler}, "
        f"data {config.data}, last change {found.changed:%Y-%m-%d %H:%M}",
        highlight=False,
        markup=False,
    )
    view = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    view.add_column("measure")
    stopped = any(done.pruned for done in found.measures)
    for heading in ("complete", "failed", *(["stopped"] if stopped else []), "missing"):
        view.add_column(heading, justify="right")
    for done in found.measures:
        counts = (done.complete, done.failed, *([done.pruned] if stopped else []), done.missing)
        view.add_row(done.measure, *map(str, counts))
    console.print(view, markup=False)
    if found.finishes:
        trained_on = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
        for heading in ("finish", "network", "steps", "best SDR", "state"):
            trained_on.add_column(heading, justify="right" if heading in ("steps", "best SDR") else "left")
        for network in found.finishes:
            trained_on.add_row(*standing(network))
        console.print(trained_on, markup=False)
    for line in describe(found):
        console.print(line, highlight=False, markup=False)


@studies_app.command("export-table")
def export_table(
    name: Study,
    form: Annotated[Format, typer.Option("--format", help="Of the table.")] = Format.csv,
    out: Annotated[Path | None, typer.Option(metavar="FILE", help="Where to write; standard output.")] = None,
    results: Results = RESULTS,
) -> None:
    """Writes all measurements of a study as one table.

    One row a measurement, failures with their reason.
    """
    from randsearch.base.files import replace_file
    from randsearch.study.folders import study_folder
    from randsearch.table.formats import encode
    from randsearch.table.tidy import read_measurements

    if out is None and form is Format.parquet and sys.stdout.isatty():
        raise UserError("Parquet is nothing for a terminal: say where to write it with --out FILE.")
    content = encode(read_measurements(StudyFolder(study_folder(results, name)).table), form.value)
    if out is not None:
        replace_file(out, content)
        make_console().print(str(out), highlight=False, markup=False)
    else:
        sys.stdout.buffer.write(content)


@studies_app.command()
def merge(
    studies: Annotated[list[str], typer.Argument(metavar="A B...", help="Names of studies, or their folders.")],
    into: Annotated[str, typer.Option(metavar="NAME", help="Name of the new study.")],
    results: Results = RESULTS,
) -> None:
    """Joins studies of one configuration into a new one.

    The studies may have run in different places, and stay as they are.
    """
    from randsearch.study.folders import located
    from randsearch.study.merging import merge as join
    from randsearch.study.rules import remark

    if len(studies) < 2:
        raise typer.BadParameter("give at least two studies")
    if Path(into).name != into:
        raise UserError(f"{into} cannot be the name of a study: give a name, and its root with --results.")
    made, console = join([located(study, results) for study in studies], results / into), make_console()
    where = "" if results == RESULTS else f" --results {shlex.quote(str(results))}"
    rules = remark(made.config.rules)
    onward = f"{into} was {rules}" if rules else f"go on with it: randsearch search --study {into}{where}"
    counts = ", ".join(f"{count} of {study}" for count, study in zip(made.architectures, studies, strict=True))
    lines = [
        f"{into}: {sum(made.architectures)} architectures ({counts}), {made.measurements} measurements",
        f"{made.identical} measurements were there more than once with the same score",
        f"{len(made.different)} were there with different scores, of which the first was kept",
        *made.notes,
        *(f"  {measure} of {architecture} at seed {seed}" for architecture, measure, seed in made.different[:10]),
        f"{onward}; randsearch analyse {into}{where}",
    ]
    for line in lines:
        console.print(line, highlight=False, markup=False)
