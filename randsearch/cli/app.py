"""The command line: parse, call, print. Heavy imports stand inside the commands, so that `--help` is quick."""

from __future__ import annotations

import signal
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

import randsearch
from randsearch.base.errors import UserError, printable, refused_file
from randsearch.base.logs import LOGGER, printed
from randsearch.cli.analysis import analysis, save_all
from randsearch.cli.commands import Commands, heeding
from randsearch.cli.declared import Given, takes
from randsearch.cli.ending import ending
from randsearch.cli.finalists import finalists
from randsearch.cli.options import Storage, Study, Task, make_console, make_log
from randsearch.cli.replays import replays
from randsearch.cli.spaces import spaces
from randsearch.cli.studies import studies_app
from randsearch.data.format import AudioFormat
from randsearch.running.machine import Machine
from randsearch.study.config import StudyConfig

if TYPE_CHECKING:
    from randsearch.table.measurement import Measurement

app = Commands(
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.add_typer(analysis)
app.add_typer(finalists)
app.add_typer(studies_app)
app.add_typer(replays)
app.add_typer(spaces, name="spaces")

SPACE = "A YAML file, or the name of a shipped search space (randsearch spaces lists them)."

SHOWN = AudioFormat(sample_rate=8000)
SHOWN_SEGMENT = 8192
"""What a space is held against unless told otherwise."""


def main() -> None:
    """Runs the command line; a mistake of the user's, or a file refused, gives one sentence and exit code 1."""
    try:
        with printed(make_log):
            app(prog_name="randsearch")
    except UserError as error:
        _complain(str(error))
    except OSError as error:
        _complain(str(refused_file(error, "run the same command again")))


def _say_version(asked: bool) -> None:
    if asked:
        print(f"randsearch {randsearch.__version__}")
        raise typer.Exit


def _complain(sentence: str) -> NoReturn:
    """Ends with one line, whatever it quotes: text of files may hold line breaks or steer a terminal."""
    print(f"randsearch: {printable(sentence)}", file=sys.stderr)
    sys.exit(1)


@app.callback()
@heeding
def everywhere(
    version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_say_version, help="Print the version and exit.")
    ] = False,
) -> None:
    """Proxy architecture search for audio source separation, and how far its cheap scores can be trusted."""


@app.command()
@takes(options=StudyConfig, machine=Machine)
def search(
    space: Annotated[Path | None, typer.Argument(metavar="SPACE", help=SPACE)] = None,
    *,
    options: Given,
    config: Annotated[Path | None, typer.Option(help="A YAML file with any of these options.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print what would run, with hours and disk.")] = False,
    machine: Given,
) -> None:
    """Samples architectures, scores them by proxies, trains them.

    How far the rankings agree is logged in the study. The same command again
    continues the study; more trials, measures, seeds or training extend it.
    """
    from randsearch.study.config_file import load_options

    told = load_options(config, StudyConfig) if config else {}
    named = {} if space is None else {"space": str(space)}
    _search({**told, **options, **named}, Machine.create(machine, make_log()), dry_run=dry_run)


def _search(options: dict[str, Any], machine: Machine, *, dry_run: bool = False, plots: bool = False) -> None:
    from randsearch.base.stopping import StoppedError
    from randsearch.running.estimate import estimate
    from randsearch.running.session import resolve
    from randsearch.running.session import search as run
    from randsearch.study.findings import analyse_study

    config, dataset = resolve(options, machine)
    console = make_console()
    if dry_run:
        for line in estimate(config, dataset, machine):
            console.print(line, highlight=False, markup=False)
        return
    measured: list[Measurement] = []
    try:
        folder = run(config, dataset, replace(machine, on_measured=measured.append))
    except (KeyboardInterrupt, StoppedError) as stop:
        print("randsearch: stopped; the same command continues where it stood.", file=sys.stderr)
        terminated = isinstance(stop, StoppedError) and stop.number == signal.SIGTERM
        raise typer.Exit(128 + (signal.SIGTERM if terminated else signal.SIGINT)) from None
    found = analyse_study(folder, storage=config.storage) if config.train != "none" else None
    if found is not None and found.unlogged:
        LOGGER.warning("%s", printable(found.unlogged))
    if found is not None and plots:
        save_all(folder, found)
    for line in ending(config, folder, found, measured=len(measured)):
        console.print(line, highlight=False, markup=False)


@app.command()
@takes(machine=Machine)
def train(
    name: Study,
    top: Annotated[int | None, typer.Option(min=1, help="Train the best K by the primary proxy.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="Train every architecture.")] = False,
    storage: Storage = None,
    *,
    machine: Given,
) -> None:
    """Trains more architectures of an existing study."""
    from randsearch.study.folders import study_folder

    if (top is None) == (not everything):
        raise typer.BadParameter("give either --top K or --all")
    chosen = Machine.create(machine, make_log())
    study_folder(chosen.results, name)
    options = {"study": name, "train": "all" if everything else f"top:{top}"}
    if storage is not None:
        options["storage"] = storage
    _search(options, chosen)


@app.command()
def measures() -> None:
    """Lists every measure, what it costs, and where it is from."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    from randsearch.measures import MEASURES

    caption = (
        "group: --measures cheap trains nothing, short trains a little or solves for the output, all is both;\n"
        "  halves are variants of the fixed ones\n"
        "cost: in training steps, of `proxy_batch` crops for measures on batches\n"
        "sign: how the score follows from its source's formula, so that higher is predicted better\n"
        "norm: batch normalisation uses the deviation in the batch, its running mean, or is taken out"
    )
    view = Table(caption=caption, caption_justify="left", box=SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
    for heading in ("measure", "group", "needs", "cost", "sign", "norm", "source"):
        view.add_column(heading, no_wrap=True)
    differing = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    differing.add_column("measure", no_wrap=True)
    differing.add_column("where it differs from the published formula or code")
    for name, entry in MEASURES.items():
        row = (name, entry.group, entry.needs, entry.steps, entry.sign, entry.normalised or "-", entry.source)
        view.add_row(*row)
        if entry.differs:
            differing.add_row(name, entry.differs)
    console = make_console()
    console.print(view, differing)


@app.command()
def show(
    space: Annotated[Path | None, typer.Argument(metavar="SPACE", help=SPACE)] = None,
    preset: Annotated[
        str | None, typer.Option(help="A published network instead: M1 to M7, jnet-10 and others.")
    ] = None,
    task: Task = None,
    channels: Annotated[int | None, typer.Option(min=1, max=2, help="Audio channels.")] = None,
    sample_rate: Annotated[int | None, typer.Option(min=1000, help="In Hz.")] = None,
    segment: Annotated[int | None, typer.Option(min=64, help="Samples a crop.")] = None,
) -> None:
    """Prints a search space or a published network.

    Of a space: its parameters, the number of its architectures, the smallest and the largest.
    """
    from randsearch.cli.overview import overview
    from randsearch.cli.portrait import portrait
    from randsearch.models.presets import find_preset
    from randsearch.space import SearchSpace

    if (space is None) == (preset is None):
        raise typer.BadParameter("give either SPACE or --preset NAME")
    given = {"task": task, "channels": channels, "sample_rate": sample_rate}
    audio: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    if preset is not None:
        network = replace(find_preset(preset), **audio)
        parts = portrait(preset, network if segment is None else replace(network, desired_output=segment))
    else:
        assert space is not None
        parts = overview(SearchSpace.load(space), str(space), replace(SHOWN, **audio), segment or SHOWN_SEGMENT)
    console = make_console()
    for part in parts:
        console.print(part, highlight=False, markup=False)


@app.command()
@takes(machine=Machine)
def demo(*, machine: Given) -> None:
    """Runs the main job in minutes, on generated songs.

    It searches, trains, computes agreement and plots.
    """
    from randsearch.running.demo import demo_options

    options, chosen = demo_options(), Machine.create(machine, make_log())
    _search(options, chosen, plots=True)
