"""The commands that put a study's best networks to use."""

from __future__ import annotations

import signal
import sys
from pathlib import Path
from typing import Annotated

import typer

from randsearch.base.logs import LOGGER
from randsearch.cli.commands import Commands
from randsearch.cli.declared import Given, takes
from randsearch.cli.options import RESULTS, Cache, Finish, Results, Storage, Study, Workers, make_console
from randsearch.study.finish_config import DEFAULT_NAME, FinishConfig

finalists = Commands()

Hash = Annotated[str | None, typer.Option("--architecture", metavar="HASH", help="Default: the best trained.")]
Seed = Annotated[int | None, typer.Option("--seed", help="Of its training; default: its best.")]
SEPARATED = Path("separated")
Output = Annotated[Path | None, typer.Option("--output", metavar="DIR", help="Where to write.")]


@finalists.command()
@takes(options=FinishConfig)
def finish(
    name: Study,
    top: Annotated[int | None, typer.Option(min=1, help="How many of the best trained; default: 1.")] = None,
    architecture: Hash = None,
    seed: Seed = None,
    named: Annotated[str, typer.Option("--as", metavar="FINISH", help="Name of the finish.")] = DEFAULT_NAME,
    *,
    options: Given,
    results: Results = RESULTS,
    cache: Cache = None,
) -> None:
    """Trains the best networks of a study on.

    They go on from where the search left them, with any budget and schedule. The same command again goes on where it
    stood; more --steps add a part with a schedule of its own. Several finishes lie side by side, each under its name.
    """
    from randsearch.api import load_study

    study = load_study(name, results=results)
    try:
        study.finish(top, name=named, architecture=architecture, seed=seed, cache=cache, **options)
    except KeyboardInterrupt:
        print("randsearch: stopped; the same command goes on where it stood.", file=sys.stderr)
        raise typer.Exit(128 + signal.SIGINT) from None


@finalists.command()
def evaluate(
    name: Study,
    top: Annotated[int, typer.Option(min=1, help="How many of the best trained architectures.")] = 3,
    finish: Finish = None,
    workers: Workers = None,
    results: Results = RESULTS,
    cache: Cache = None,
) -> None:
    """Scores the best networks on the test subset.

    By museval (BSSEval v4, windows of 1 s), at the study's rate. Tracks that are scored already are kept;
    evaluation.csv holds the table.
    """
    from rich.table import Table

    from randsearch.api import load_study

    def tell(done: str) -> None:
        LOGGER.info("scored %s", done)

    found = load_study(name, results=results).evaluate(top, finish=finish, workers=workers, cache=cache, on_done=tell)
    console = make_console()
    printed = ["median", "mad", "mean", "sd", "median_of_medians", "windows", "windows_left_out"]
    headings = ["network", "source", "median", "MAD", "mean", "SD", "track\nmedians", "windows", "left\nout"]
    table = Table(*headings, box=None, padding=(0, 1, 0, 0), title="SDR on the test subset in dB (museval)")
    for row in found.to_dict(orient="records"):
        cells = (f"{row[key]:.2f}" if isinstance(row[key], float) else str(row[key]) for key in printed)
        network = "-".join(filter(None, (row["architecture"], str(row["seed"]), row["finish"])))
        table.add_row(network, row["source"], *cells)
    console.print(table)
    console.print(
        "median, MAD, mean and SD: of the windows of all tracks together; track medians: their median", highlight=False
    )
    console.print("left out: windows in which a reference or an estimate is silent", highlight=False)


@finalists.command()
def separate(
    name: Study,
    songs: Annotated[list[Path], typer.Argument(metavar="SONG...", help="Audio files of any length and rate.")],
    architecture: Hash = None,
    seed: Seed = None,
    finish: Finish = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", metavar="DIR", help="Where to write; of several songs each has a folder in it."),
    ] = None,
    results: Results = RESULTS,
) -> None:
    """Writes the stems of songs by a trained network.

    They go to separated/SONG unless told otherwise. Songs of one name go to separated/FOLDER-SONG. No file is
    overwritten.
    """
    from randsearch.api import load_study
    from randsearch.finalists.separation import folders_of

    study, console = load_study(name, results=results), make_console()
    folders = [output] if output and len(songs) == 1 else folders_of(songs, output or SEPARATED)
    for song, folder in zip(songs, folders, strict=True):
        for path in study.separate(song, output=folder, architecture=architecture, seed=seed, finish=finish):
            console.print(str(path), highlight=False, markup=False)


@finalists.command()
def export(
    name: Study,
    architecture: Hash = None,
    seed: Seed = None,
    finish: Finish = None,
    output: Output = None,
    results: Results = RESULTS,
) -> None:
    """Writes a trained network as weights, YAML and a program.

    The program needs PyTorch alone (torch.export). They go into a folder of results/NAME/exported unless told
    otherwise.
    """
    from randsearch.api import load_study

    study = load_study(name, results=results)
    for path in study.export(output=output, architecture=architecture, seed=seed, finish=finish):
        make_console().print(str(path), highlight=False, markup=False)


@finalists.command()
def dashboard(
    name: Study,
    port: Annotated[int, typer.Option(min=0, max=65535, help="To listen on; 0 takes a free one.")] = 8080,
    browser: Annotated[bool, typer.Option("--browser/--no-browser", help="Open a browser.")] = True,
    storage: Storage = None,
    results: Results = RESULTS,
) -> None:
    """Opens optuna-dashboard on a study.

    With plots, and what the best networks sound like.
    """
    from randsearch.finalists.dashboard import prepare, serve
    from randsearch.study.folders import load_config, study_folder

    folder, console = study_folder(results, name), make_console()

    def tell(sentence: str) -> None:
        console.print(sentence, highlight=False, markup=False)

    app = prepare(load_config(folder, storage), folder, tell)
    serve(app, port, browser=browser, on_ready=lambda address: tell(f"{address} (Ctrl-C ends it)"))
