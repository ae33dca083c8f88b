"""The commands that put a study's best networks to use."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from randsearch.cli.options import RESULTS, Cache, Results, Storage, Study, Workers, make_console

finalists = typer.Typer()

Hash = Annotated[str | None, typer.Option("--architecture", metavar="HASH", help="Default: the best trained.")]
Seed = Annotated[int | None, typer.Option("--seed", help="Of its training; default: its best.")]
Output = Annotated[Path | None, typer.Option("--output", metavar="DIR", help="Where to write.")]


@finalists.command()
def evaluate(
    name: Study,
    top: Annotated[int, typer.Option(min=1, help="How many of the best trained architectures.")] = 3,
    workers: Workers = None,
    results: Results = RESULTS,
    cache: Cache = None,
) -> None:
    """Scores the best networks on the test subset with museval (BSSEval v4, windows of 1 s), at the study's rate.

    Tracks that are scored already are kept; evaluation.csv holds the table.
    """
    from rich.table import Table

    from randsearch.api import load_study

    console = make_console()

    def tell(done: str) -> None:
        console.print(f"scored {done}", highlight=False, markup=False)

    found = load_study(name, results=results).evaluate(top, workers=workers, cache=cache, on_done=tell)
    printed = ["median", "mad", "mean", "sd", "median_of_medians", "windows", "windows_left_out"]
    headings = ["network", "source", "median", "MAD", "mean", "SD", "track\nmedians", "windows", "left\nout"]
    table = Table(*headings, box=None, padding=(0, 1, 0, 0), title="SDR on the test subset in dB (museval)")
    for row in found.to_dict(orient="records"):
        cells = (f"{row[key]:.2f}" if isinstance(row[key], float) else str(row[key]) for key in printed)
        table.add_row(f"{row['architecture']}-{row['seed']}", row["source"], *cells)
    console.print(table)
    console.print(
        "median, MAD, mean and SD: of the windows of all tracks together; track medians: their median", highlight=False
    )
    console.print("left out: windows in which a reference or an estimate is silent", highlight=False)


@finalists.command()
def separate(
    name: Study,
    song: Annotated[Path, typer.Argument(metavar="SONG", help="An audio file of any length and rate.")],
    architecture: Hash = None,
    seed: Seed = None,
    output: Output = None,
    results: Results = RESULTS,
) -> None:
    """Writes the stems of a song with a trained network, into separated/SONG unless told otherwise."""
    from randsearch.api import load_study

    study = load_study(name, results=results)
    for path in study.separate(song, output=output, architecture=architecture, seed=seed):
        make_console().print(str(path), highlight=False, markup=False)


@finalists.command()
def export(
    name: Study,
    architecture: Hash = None,
    seed: Seed = None,
    output: Output = None,
    results: Results = RESULTS,
) -> None:
    """Writes a trained network as weights, as YAML, and as a program that needs PyTorch alone (torch.export).

    They go into results/NAME/exported/HASH-SEED unless told otherwise.
    """
    from randsearch.api import load_study

    for path in load_study(name, results=results).export(output=output, architecture=architecture, seed=seed):
        make_console().print(str(path), highlight=False, markup=False)


@finalists.command()
def dashboard(
    name: Study,
    port: Annotated[int, typer.Option(min=0, max=65535, help="To listen on; 0 takes a free one.")] = 8080,
    browser: Annotated[bool, typer.Option("--browser/--no-browser", help="Open a browser.")] = True,
    storage: Storage = None,
    results: Results = RESULTS,
) -> None:
    """Opens optuna-dashboard on a study, with plots and what the best networks sound like."""
    from randsearch.finalists.dashboard import prepare, serve
    from randsearch.study.folders import load_config, study_folder

    folder, console = study_folder(results, name), make_console()

    def tell(sentence: str) -> None:
        console.print(sentence, highlight=False, markup=False)

    app = prepare(load_config(folder, storage), folder, tell)
    serve(app, port, browser=browser, on_ready=lambda address: tell(f"{address} (Ctrl-C ends it)"))
