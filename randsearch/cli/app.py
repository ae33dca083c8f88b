"""The command line: parse, call, print. Heavy imports stand inside the commands, so that `--help` is quick."""

from __future__ import annotations

import signal
import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from randsearch.base.errors import UserError, printable
from randsearch.base.processes import workers_for
from randsearch.cli.agreement import agreement_app, plot, print_agreement
from randsearch.cli.finalists import finalists
from randsearch.cli.options import (
    RESULTS,
    Address,
    AllowFailures,
    Cache,
    Devices,
    Executor,
    ExecutorName,
    GpuShare,
    Kept,
    KeptName,
    Results,
    Storage,
    Study,
    TimeLimit,
    Workers,
    listed,
    make_console,
)
from randsearch.cli.studies import studies_app

if TYPE_CHECKING:
    from randsearch.running.session import Machine

app = typer.Typer(
    help="Proxy architecture search for audio source separation, and how far its cheap scores can be trusted.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.add_typer(agreement_app)
app.add_typer(finalists)
app.add_typer(studies_app)


class Sampler(StrEnum):
    """How architectures are chosen."""

    random = "random"
    grid = "grid"
    tpe = "tpe"
    nsga2 = "nsga2"


class Separation(StrEnum):
    """Which sources are separated."""

    voice = "voice"
    multi = "multi"
    denoise = "denoise"


def main() -> None:
    """Runs the command line; a mistake of the user's, or a file refused, gives one sentence and exit code 1."""
    try:
        app(prog_name="randsearch")
    except UserError as error:
        _complain(str(error))
    except OSError as error:
        place = f" at {error.filename}" if error.filename else ""
        _complain(
            f"the machine refused a file{place} ({error.strerror or error}): "
            "mend that and run the same command again, which continues where it stood."
        )


def _complain(sentence: str) -> NoReturn:
    """Ends with one line, whatever it quotes: text of files may hold line breaks or steer a terminal."""
    print(f"randsearch: {printable(sentence)}", file=sys.stderr)
    sys.exit(1)


def _machine(
    results: Path,
    cache: Path | None,
    workers: int | None,
    device: str | None = None,
    devices: str | None = None,
    **more: Any,
) -> Machine:
    from randsearch.running.session import Machine

    spread = tuple(listed(devices) or ())
    jobs = workers_for(workers, device, spread)
    return Machine(results, cache, jobs, make_console(), asked_workers=workers, devices=spread, **more)


@app.command()
def search(
    space: Annotated[Path | None, typer.Argument(metavar="SPACE.yaml", help="Search space.")] = None,
    data: Annotated[str | None, typer.Option(help="musdb:PATH, musdbhq:PATH, speech:PATH or synthetic.")] = None,
    study: Annotated[str | None, typer.Option(help="Name of the study.")] = None,
    trials: Annotated[int | None, typer.Option(help="How many architectures; a grid takes all by default.")] = None,
    measures: Annotated[str | None, typer.Option(help="Names, package.module:function, or all; with commas.")] = None,
    proxy: Annotated[str | None, typer.Option(help="The primary proxy.")] = None,
    steps: Annotated[int | None, typer.Option(help="Training steps of `trained`.")] = None,
    proxy_steps: Annotated[int | None, typer.Option(help="Training steps of proxies that train.")] = None,
    train: Annotated[str | None, typer.Option(help="Which architectures to train: all, top:K or none.")] = None,
    sampler: Annotated[Sampler | None, typer.Option(help="How architectures are chosen.")] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of sampling.")] = None,
    seeds: Annotated[str | None, typer.Option(help="Seeds of the measurements, separated by commas.")] = None,
    train_seeds: Annotated[str | None, typer.Option(help="Seeds of training, if not the same.")] = None,
    batch: Annotated[int | None, typer.Option(help="Crops a step.")] = None,
    segment: Annotated[int | None, typer.Option(help="Samples a crop.")] = None,
    proxy_batch: Annotated[int | None, typer.Option(help="Crops a batch of proxies that score on batches.")] = None,
    learning_rate: Annotated[float | None, typer.Option(help="Of Adam.")] = None,
    validate_every: Annotated[int | None, typer.Option(help="Steps between validations.")] = None,
    validation: Annotated[str | None, typer.Option(help="Seconds of audio to score on, or whole.")] = None,
    sample_rate: Annotated[int | None, typer.Option(help="In Hz; the data's own up to 22,050 by default.")] = None,
    channels: Annotated[int | None, typer.Option(help="1 or 2.")] = None,
    upmix_mono: Annotated[bool | None, typer.Option("--upmix-mono", help="Double mono data for stereo.")] = None,
    task: Annotated[Separation | None, typer.Option(help="Which sources are separated.")] = None,
    device: Annotated[str | None, typer.Option(help="auto, cpu or cuda:N.")] = None,
    threads: Annotated[int | None, typer.Option(help="Threads of each worker.")] = None,
    storage: Annotated[str | None, typer.Option(help="Optuna storage URL instead of the study's own file.")] = None,
    config: Annotated[Path | None, typer.Option(help="A YAML file with any of these options.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print what would run, with hours and disk.")] = False,
    workers: Workers = None,
    results: Results = RESULTS,
    cache: Cache = None,
    devices: Devices = None,
    executor: Executor = ExecutorName.local,
    address: Address = "auto",
    gpu_share: GpuShare = 1.0,
    time_limit: TimeLimit = None,
    keep: Kept = KeptName.all,
    allow_failures: AllowFailures = False,
) -> None:
    """Samples architectures, scores each by cheap proxies, trains them, and logs how far the rankings agree.

    The same command again continues the study; more trials, measures, seeds or training extend it.
    """
    given: dict[str, Any] = {
        "data": data,
        "study": study,
        "trials": trials,
        "measures": listed(measures),
        "proxy": proxy,
        "steps": steps,
        "proxy_steps": proxy_steps,
        "train": train,
        "sampler": sampler and sampler.value,
        "seed": seed,
        "seeds": listed(seeds),
        "train_seeds": listed(train_seeds),
        "batch": batch,
        "segment": segment,
        "proxy_batch": proxy_batch,
        "learning_rate": learning_rate,
        "validate_every": validate_every,
        "validation": int(validation) if validation and validation.isdecimal() else validation,
        "sample_rate": sample_rate,
        "channels": channels,
        "upmix_mono": upmix_mono,
        "task": task and task.value,
        "device": device,
        "threads": threads,
        "storage": storage,
    }
    options = {name: value for name, value in given.items() if value is not None}
    merged = _merged(space, config, options)
    if devices is not None and "device" not in merged:
        merged["device"] = (listed(devices) or ["cpu"])[0].partition(":")[0]
    machine = _machine(
        *(results, cache, workers, merged.get("device"), devices),
        executor=executor.value,
        address=address,
        gpu_share=gpu_share,
        time_limit=time_limit,
        keep=keep.value,
        allow_failures=allow_failures,
    )
    _search(merged, machine, dry_run=dry_run)


def _merged(space: Path | None, config: Path | None, options: dict[str, Any]) -> dict[str, Any]:
    """Options of the file, overruled by those of the command line; a space is read from its file."""
    from randsearch.space import SearchSpace
    from randsearch.study.config_file import load_options

    merged = {**(load_options(config) if config else {}), **options}
    if space is not None:
        merged["space"] = str(space)
    if isinstance(merged.get("space"), str):
        merged["space"] = SearchSpace.load(Path(merged["space"])).to_dict()
    if merged.get("device") == "auto":
        import torch

        merged["device"] = "cuda:0" if torch.cuda.is_available() else "cpu"
    return merged


def _search(options: dict[str, Any], machine: Machine, *, dry_run: bool = False) -> None:
    from randsearch.base.stopping import StoppedError
    from randsearch.running.estimate import estimate
    from randsearch.running.session import resolve
    from randsearch.running.session import search as run
    from randsearch.study.status import disk_use, megabytes

    config, dataset = resolve(options, machine)
    if dry_run:
        for line in estimate(config, dataset, machine):
            machine.console.print(line, highlight=False, markup=False)
        return
    try:
        folder = run(config, dataset, machine)
    except (KeyboardInterrupt, StoppedError) as stop:
        print("randsearch: stopped; the same command continues where it stood.", file=sys.stderr)
        terminated = isinstance(stop, StoppedError) and stop.number == signal.SIGTERM
        raise typer.Exit(128 + (signal.SIGTERM if terminated else signal.SIGINT)) from None
    size = megabytes(sum(disk_use(folder).values()))
    machine.console.print(f"{config.study}: finished, in {folder} ({size})", highlight=False, markup=False)
    if config.train == "none":
        machine.console.print(f"nothing was trained; `randsearch train {config.study} --top 5` trains the best.")
    else:
        print_agreement(config, folder, machine.console)


@app.command()
def train(
    name: Study,
    top: Annotated[int | None, typer.Option(min=1, help="Train the best K by the primary proxy.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="Train every architecture.")] = False,
    storage: Storage = None,
    workers: Workers = None,
    results: Results = RESULTS,
    cache: Cache = None,
    devices: Devices = None,
    executor: Executor = ExecutorName.local,
    address: Address = "auto",
    gpu_share: GpuShare = 1.0,
    time_limit: TimeLimit = None,
    keep: Kept = KeptName.all,
    allow_failures: AllowFailures = False,
) -> None:
    """Trains more architectures of an existing study."""
    from randsearch.study.folders import study_folder

    if (top is None) == (not everything):
        raise typer.BadParameter("give either --top K or --all")
    study_folder(results, name)
    options = {"study": name, "train": "all" if everything else f"top:{top}"}
    if storage is not None:
        options["storage"] = storage
    machine = _machine(
        *(results, cache, workers, None, devices),
        executor=executor.value,
        address=address,
        gpu_share=gpu_share,
        time_limit=time_limit,
        keep=keep.value,
        allow_failures=allow_failures,
    )
    _search(options, machine)


@app.command()
def measures() -> None:
    """Lists every measure: what it needs, what it costs, its sign and its source."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    from randsearch.measures import MEASURES

    caption = (
        "cost: in training steps, of `proxy_batch` crops for measures on batches; sign: how the score follows from the "
        "formula of its source, so that higher is predicted better"
    )
    view = Table(caption=caption, caption_justify="left", box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for heading in ("measure", "needs", "cost", "sign", "source"):
        view.add_column(heading, no_wrap=True)
    for name, entry in MEASURES.items():
        view.add_row(name, entry.needs, entry.steps, entry.sign, entry.source)
    make_console().print(view)


@app.command()
def show(
    space: Annotated[Path | None, typer.Argument(metavar="SPACE.yaml", help="Search space.")] = None,
    preset: Annotated[
        str | None, typer.Option(help="A published network instead: M1 to M7, jnet-10 and others.")
    ] = None,
    task: Annotated[Separation | None, typer.Option(help="Which sources are separated.")] = None,
    channels: Annotated[int | None, typer.Option(min=1, max=2, help="Audio channels.")] = None,
    sample_rate: Annotated[int | None, typer.Option(min=1000, help="In Hz.")] = None,
    segment: Annotated[int | None, typer.Option(min=64, help="Samples a crop.")] = None,
) -> None:
    """Prints a search space (parameters, number of architectures, extremes) or a published network."""
    from dataclasses import replace

    from randsearch.cli.network_view import portrait
    from randsearch.cli.space_view import overview
    from randsearch.models.presets import find_preset
    from randsearch.space import SearchSpace

    if (space is None) == (preset is None):
        raise typer.BadParameter("give either SPACE.yaml or --preset NAME")
    given = {"task": task and task.value, "channels": channels, "sample_rate": sample_rate, "desired_output": segment}
    asked: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    if preset is not None:
        parts = portrait(preset, replace(find_preset(preset), **asked))
    else:
        assert space is not None
        study: dict[str, Any] = {"task": "voice", "channels": 1, "sample_rate": 8000, "desired_output": 8192} | asked
        parts = overview(SearchSpace.load(space), str(space), *study.values())
    console = make_console()
    for part in parts:
        console.print(part, highlight=False, markup=False)


@app.command()
def demo(workers: Workers = None, results: Results = RESULTS, cache: Cache = None) -> None:
    """Runs the main job in minutes on generated songs: search, agreement, plots."""
    from randsearch.running.demo import demo_options

    options = demo_options()
    _search(options, _machine(results, cache, workers))
    plot(str(options["study"]), results=results)
