"""The commands that say, plot and report how far each proxy can be trusted."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from randsearch.base.errors import printable
from randsearch.base.layout import StudyFolder
from randsearch.base.logs import LOGGER
from randsearch.cli.commands import Commands
from randsearch.cli.declared import listed
from randsearch.cli.options import RESULTS, Finish, Results, Storage, Study, make_console

if TYPE_CHECKING:
    from pandas import DataFrame
    from rich.console import Console

    from randsearch.statistics import Analysis
    from randsearch.study.config import StudyConfig
    from randsearch.study.findings import Findings

analysis = Commands()

OptionalStudy = Annotated[str | None, typer.Argument(metavar="[NAME]", help="Name of the study.")]


def print_agreement(
    config: StudyConfig,
    folder: Path,
    console: Console,
    resamples: int = 2000,
    votes: Sequence[str] = (),
    *,
    details: bool = False,
) -> None:
    """Analyses a study, and prints and writes what was found."""
    from randsearch.statistics.ensembles import sentences
    from randsearch.study.findings import analyse_study

    found = analyse_study(folder, resamples=resamples, storage=config.storage, votes=votes)
    used = sentences(found.ensemble) if found.ensemble is not None else []
    used += [found.untold] if found.untold else []
    _print_analysis(found.analysis, config.proxy, console, used, details=details)
    if found.unlogged:
        console.print(printable(found.unlogged), highlight=False, markup=False)


def _print_analysis(
    found: Analysis, proxy: str, console: Console, used: Sequence[str] = (), *, details: bool = False
) -> None:
    """The verdict and the table of proxies; in detail, what ensembles use, effects, and the verdict's reasons."""
    from randsearch.statistics import format_agreement, format_details, format_effects, settings, spoken_of, verdict

    said = verdict(found, proxy)
    for line in said.sentences():
        console.print(line, highlight=False, markup=False)
    console.print(format_agreement(found.rows))
    if not details:
        console.print("--details says more: effects of options, budgets, and what the verdict rests on.")
        return
    for further in format_details(found.rows):
        console.print(further)
    for line in used:
        console.print(line, highlight=False, markup=False)
    by_option = format_effects(found.effects, settings(found.rows).target, spoken_of(found.rows, proxy))
    if by_option is not None:
        console.print(by_option)
    for question, answer in said.parts():
        console.print(f"{question}\n{answer}\n".lstrip(), highlight=False, markup=False)


@analysis.command()
def analyse(
    name: OptionalStudy = None,
    table: Annotated[Path | None, typer.Option(metavar="CSV", help="Scores from elsewhere instead of a study.")] = None,
    target: Annotated[str, typer.Option(help="Of --table: the measure to predict.")] = "trained",
    parameters: Annotated[str | None, typer.Option(help="Of --table: columns of numbers that are no measures.")] = None,
    proxy: Annotated[str, typer.Option(help="Of --table: the primary proxy.")] = "fixed_decoder",
    output: Annotated[Path | None, typer.Option(metavar="DIR", help="Of --table: where to write; beside it.")] = None,
    details: Annotated[bool, typer.Option("--details", help="All that is known, with its reasons.")] = False,
    budgets: Annotated[bool, typer.Option("--budgets", help="Also at each smaller budget of what trains.")] = False,
    vote: Annotated[
        list[str] | None, typer.Option(metavar="A+B", help="Also the sum of the ranks of proxies; may be repeated.")
    ] = None,
    resamples: Annotated[int, typer.Option(min=1, help="Of the bootstrap.")] = 2000,
    storage: Storage = None,
    results: Results = RESULTS,
) -> None:
    """Says how far each proxy agrees with training.

    Writes agreement.csv, agreement.json and effects.csv. With --table, of any CSV file: one row an architecture, one
    column a measure; or one row a measurement.
    """
    if (name is None) == (table is None):
        raise typer.BadParameter("give either the name of a study or --table CSV")
    if name is not None:
        from randsearch.statistics import format_agreement
        from randsearch.study.findings import analyse_budgets
        from randsearch.study.folders import load_config, study_folder

        folder, console = study_folder(results, name), make_console()
        print_agreement(load_config(folder, storage), folder, console, resamples, vote or [], details=details)
        if budgets:
            console.print(format_agreement(analyse_budgets(folder, resamples=resamples)))
    elif table is not None:
        from randsearch.statistics.votes import with_votes
        from randsearch.table.foreign import read_foreign

        scores = with_votes(read_foreign(table, target, listed(parameters) or []), vote or [], target=target)
        _analyse_table(table, scores, target, proxy, output or table.parent, resamples, details=details)


def _analyse_table(
    path: Path, table: DataFrame, target: str, proxy: str, output: Path, resamples: int, *, details: bool
) -> None:
    from randsearch import statistics
    from randsearch.base.files import Place
    from randsearch.table.tidy import measure_names
    from randsearch.table.tidy import parameters as parameters_of

    console = make_console()
    others = ", ".join(measure for measure in measure_names(table) if measure != target) or "none"
    console.print(
        f"{path}: {table['architecture'].nunique()} architectures; measures beside {target}: {others}; "
        f"parameters: {', '.join(parameters_of(table)) or 'none'}",
        highlight=False,
        markup=False,
    )
    # Whether scores from elsewhere are in dB is not known.
    found = statistics.analyse(table, target=target, resamples=resamples, unit="")
    place, into = Place(output, own=True), StudyFolder(output)
    statistics.write_agreement(found, place, proxy)
    statistics.write_effects(found.effects, place)
    _print_analysis(found, proxy, console, details=details)
    written = ", ".join(map(str, (into.agreement, into.agreement_json, into.effects)))
    console.print(f"written: {written}", highlight=False, markup=False)


analysis.command("analyze", hidden=True, help="The same as analyse.")(analyse)


@analysis.command()
def plan(
    name: Study,
    width: Annotated[float, typer.Option(help="Of the 95% interval of Spearman's rho, from end to end.")] = 0.2,
    proxy: Annotated[str | None, typer.Option(help="Whose agreement; the study's primary proxy by default.")] = None,
    results: Results = RESULTS,
) -> None:
    """Says how many architectures an interval of some width takes.

    And how many seeds and hours, from what was measured.
    """
    from randsearch import statistics
    from randsearch.study.findings import examine
    from randsearch.study.folders import study_folder

    found = examine(study_folder(results, name))
    for line in statistics.plan(found.table, found.analysis, proxy or found.config.proxy, width).sentences():
        make_console().print(line, highlight=False, markup=False)


@analysis.command()
def compare(
    first: Annotated[str, typer.Argument(metavar="A", help="Name of a study.")],
    second: Annotated[str, typer.Argument(metavar="B", help="Name of another.")],
    results: Results = RESULTS,
) -> None:
    """Says how far rankings transfer between two studies.

    The studies share architectures.
    """
    from randsearch import statistics
    from randsearch.study.folders import load_config, study_folder
    from randsearch.study.rules import made_by
    from randsearch.study.votes import voted
    from randsearch.table.tidy import read_measurements

    folders = [study_folder(results, name) for name in (first, second)]
    configs = [load_config(folder) for folder in folders]
    measured = [read_measurements(StudyFolder(folder).table) for folder in folders]
    tables = [voted(config, table) for config, table in zip(configs, measured, strict=True)]
    biases = dict.fromkeys(f"in {config.study}, {config.bias}" for config in configs if config.bias)
    found = statistics.compare(tables[0], tables[1], seed=configs[0].seed, bias="; ".join(biases) or None)
    lines = found.sentences()
    if configs[0].rules != configs[1].rules:
        by = [made_by(config.rules) for config in configs]
        lines.append(
            f"{first} was made by the rules of {by[0]} and {second} by those of {by[1]}, which alone changes scores."
        )
    for line in lines:
        make_console().print(line, highlight=False, markup=False)


@analysis.command()
def plot(
    name: Study,
    kind: Annotated[list[str] | None, typer.Option(help="Make only this plot; may be repeated.")] = None,
    results: Results = RESULTS,
) -> None:
    """Writes the plots of a study as PNG and SVG."""
    from randsearch.study.findings import examine
    from randsearch.study.folders import study_folder

    folder, console = study_folder(results, name), make_console()
    for path in save_all(folder, examine(folder), kind):
        console.print(str(path), highlight=False, markup=False)


def save_all(folder: Path, found: Findings, kinds: Sequence[str] | None = None) -> list[Path]:
    """Writes the plots of a study, and says which are left out.

    Args:
        folder: the study's folder.
        found: what it says.
        kinds: only these; all by default.

    Returns:
        the files written.
    """
    from randsearch.base.files import Place
    from randsearch.plots import save_plots
    from randsearch.study.findings import plot_data

    how: dict[str, Any] = {"place": Place(folder), "result": found.analysis.rows, "data": plot_data(folder, found)}

    def tell(reason: str) -> None:
        LOGGER.info("not drawn: %s", reason)

    return save_plots(found.table, StudyFolder(folder).plots, kinds, on_skip=tell, **how)


@analysis.command()
def report(name: Study, finish: Finish = None, results: Results = RESULTS) -> None:
    """Writes one self-contained HTML file on a study.

    It holds the verdict, tables, plots, audio, and how to repeat the study.
    """
    from randsearch.api import load_study

    path = load_study(name, results=results).report(finish=finish)
    make_console().print(f"{path} ({path.stat().st_size / 1e6:.1f} MB)", highlight=False, markup=False)
