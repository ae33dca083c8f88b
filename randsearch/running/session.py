"""One command on one study: opens or creates it, locks it, runs the driver, and leaves it consistent."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cache, partial
from pathlib import Path
from typing import Any, Literal

import torch
from rich.console import Console

from randsearch.base import stopping
from randsearch.base.errors import DamagedAudioError, UserError
from randsearch.data import Crops, Dataset, Track, open_dataset
from randsearch.measures import MEASURES, Setting, find
from randsearch.measures.baseline import constant_gain_score
from randsearch.measures.contract import Lazy
from randsearch.measures.excerpts import keep_references
from randsearch.measures.own import unchanged
from randsearch.running.driver import Driver
from randsearch.running.executors import Executor, InProcess, LocalProcesses
from randsearch.running.progress import SearchProgress
from randsearch.running.retention import Keep, Keeper
from randsearch.study import trust
from randsearch.study.candidates import bind_space, check_room, open_studies, signal, with_grid
from randsearch.study.config import StudyConfig
from randsearch.study.folders import load_config
from randsearch.study.lease import leased, locked
from randsearch.table.measurement import Measurement
from randsearch.training.loop import Recipe
from randsearch.training.validation import affordable_seconds, take_excerpts

REPAIRS = 3
"""How often a search decodes damaged tracks again until it gives up."""


@dataclass(frozen=True)
class Machine:
    """Where and how a command runs; nothing here changes a number.

    Attributes:
        results: root of all studies.
        cache: of decoded audio; None for the user's own.
        workers: jobs at once.
        console: where progress is shown.
        asked_workers: what the user said of `workers`; None if nothing.
        executor: `local` or `ray`.
        address: of the Ray cluster.
        gpu_share: part of a GPU that a job takes on the cluster.
        devices: that local workers are spread over; none for the study's own.
        time_limit: seconds that a measurement may take; None for no limit.
        keep: of which measurements the weights and the audio stay.
        allow_failures: goes on although more than a third of the measurements fail.
        functions: measures that were given as functions, by name, as they travel (`measures.given`).
        on_measured: told of each measurement once it is recorded; what it raises stops the search.
    """

    results: Path
    cache: Path | None
    workers: int
    console: Console
    asked_workers: int | None = None
    executor: Literal["local", "ray"] = "local"
    address: str = "auto"
    gpu_share: float = 1.0
    devices: tuple[str, ...] = ()
    time_limit: float | None = None
    keep: Keep = "all"
    allow_failures: bool = False
    functions: Mapping[str, bytes] = field(default_factory=dict)
    on_measured: Callable[[Measurement], None] | None = field(default_factory=lambda: None)


def resolve(options: dict[str, Any], machine: Machine) -> tuple[StudyConfig, Dataset]:
    """The configuration that a search will run with: what is asked, what the study says already, and defaults.

    Args:
        options: what the user gave, and nothing else.
        machine: where it will run.

    Raises:
        UserError: the options are wrong, or the study exists with others.
    """
    name = options.get("study", StudyConfig.model_fields["study"].default)
    folder = machine.results / str(name)
    stored = load_config(folder) if (folder / "config.yaml").is_file() else None
    if stored is None and "space" not in options:
        raise UserError(f"there is no study {name} in {machine.results} yet: give the SPACE.yaml that it searches.")
    if stored is not None:
        asked = StudyConfig.create({**stored.model_dump(), **options}, "options")
    else:
        threads = max(1, (os.cpu_count() or 1) // machine.workers)
        asked = StudyConfig.create({"threads": threads, **options}, "options")
    asked = asked.model_copy(update={"measures": _every(asked.measures)})
    _agree(options, asked, folder)
    whole = asked if stored is None else stored.extended_by(asked)
    trust.agreed_storage(whole, folder)
    agreed = trust.agreed_measures(whole, folder)
    for measure in whole.all_measures:
        run = find(measure).run
        if isinstance(run, Lazy):
            with unchanged():
                run.load(agreed, machine.functions)
    for device in machine.devices or (asked.device,):
        if machine.executor == "local":
            _check_device(device)
    dataset = _open_data(asked, machine)
    # Refuses tracks shorter than a segment.
    Crops(dataset.train, asked.batch, asked.segment, asked.segment, seed=0, pads=dataset.task.pads)
    asked = asked.model_copy(update={"sample_rate": dataset.sample_rate, "data_digest": dataset.digest})
    if stored is None and "validation" not in options:
        asked = asked.model_copy(update={"validation": _affordable(asked, dataset)})
    if asked.sampler == "grid":
        asked = with_grid(asked, bind_space(asked), limited=stored is not None or "trials" in options)
    return (asked if stored is None else stored.continued_by(asked)), dataset


def _agree(options: dict[str, Any], asked: StudyConfig, folder: Path) -> None:
    """Remembers which database and which code the user named; what the study says of itself is not that."""
    measures = (*([asked.proxy] if "proxy" in options else []), *(asked.measures if "measures" in options else []))
    trust.agree(folder, asked.study, storage=asked.storage if "storage" in options else None, measures=measures)


def _open_data(config: StudyConfig, machine: Machine) -> Dataset:
    """The data of a study; decodes what the cache lacks or holds damaged."""
    return open_dataset(
        config.data,
        task=config.task,
        sample_rate=config.sample_rate,
        channels=config.channels,
        upmix_mono=config.upmix_mono,
        cache=machine.cache,
        progress=not machine.console.quiet,
    )


def _affordable(config: StudyConfig, dataset: Dataset) -> int | str:
    """How much to score networks on, so that it costs less than a tenth of a proxy."""
    seconds = affordable_seconds(
        proxy_steps=config.proxy_steps,
        validate_every=config.validate_every,
        batch=config.batch,
        segment=config.segment,
        sample_rate=dataset.sample_rate,
    )
    whole = sum(track.length // track.sample_rate for track in dataset.validation)
    return seconds if seconds < whole else "whole"


def _every(measures: tuple[str, ...]) -> tuple[str, ...]:
    """Measures by name, `all` among them standing for the whole registry."""
    registry = [name for name in MEASURES if name != "trained"]
    return tuple(dict.fromkeys(each for name in measures for each in (registry if name == "all" else [name])))


def _check_device(name: str) -> None:
    device = torch.device(name)
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise UserError(f"the device {name} is not on this machine: choose --device cpu, or auto.")


def scored_on(config: StudyConfig, dataset: Dataset) -> tuple[Track, ...]:
    """The tracks, or parts of tracks, that networks of a study are scored on."""
    return take_excerpts(dataset.validation, None if config.validation == "whole" else config.validation)


def make_setting(
    config: StudyConfig, dataset: Dataset, validation: tuple[Track, ...], folder: Path, baseline: float
) -> Setting:
    """What the workers of a study need to know."""
    return Setting(
        dataset=dataset,
        validation=validation,
        signal=signal(config),
        recipe=Recipe(config.learning_rate, config.batch, config.segment, config.validate_every),
        steps=config.steps,
        proxy_steps=config.proxy_steps,
        proxy_half=find(config.proxy).fixes,
        baseline=baseline,
        device=config.device,
        threads=config.threads,
        folder=folder / "measured",
        study=config.batch_name,
        proxy_batch=config.proxy_batch,
        own_measures=trust.agreed_measures(config, folder),
    )


def search(config: StudyConfig, dataset: Dataset, machine: Machine) -> Path:
    """Runs a study, or what is missing of it, to its end.

    Args:
        config: resolved.
        dataset: that it names.
        machine: where to run.

    Returns:
        The study's folder, with `config.yaml`, `study.db` and `measurements.csv` brought up to date.

    Raises:
        UserError: the folder cannot be written, another process is at work in it, or too much fails.
        StoppedError: a signal stopped it; the same command continues it.
    """
    folder, space = machine.results / config.study, bind_space(config)
    validation = scored_on(config, dataset)
    baseline = cache(partial(constant_gain_score, dataset.train, validation, dataset.source_names))
    check_room(config, space)
    stop = stopping.SharedFlag()
    with (
        locked(folder) as killed,
        leased(config, folder, killed) as check,
        stopping.heeding(stop),
        stopping.signals(stop) as came,
    ):
        if not (folder / "config.yaml").exists():
            baseline()  # So are data that nothing can be scored on.
        # First, for what is stored refuses other options where `config.yaml` is gone, and those must not be saved.
        studies = open_studies(config, folder)
        config.save(folder / "config.yaml")
        _keep_references(dataset, folder)
        if check is not None:
            studies.storage.guard(check)
        setting = make_setting(config, dataset, validation, folder, studies.remembered("baseline", baseline))
        setting = replace(setting, functions=machine.functions)
        if dataset.note:
            studies.annotate("note", dataset.note)
            machine.console.print(f"note: {dataset.note}", highlight=False, markup=False)

        def drive() -> None:
            progress = SearchProgress(machine.console, config.proxy)
            keeper = Keeper(setting.folder, machine.keep)
            with open_executor(setting, machine, stop) as executor, progress:
                driver = Driver(
                    config, setting, space, studies, executor, progress, keeper, folder / "measurements.csv"
                )
                driver.run(allow_failures=machine.allow_failures, on_measured=machine.on_measured)

        try:
            _mending(drive, config, machine)
        except stopping.StoppedError:
            raise stopping.StoppedError(*came[:1]) from None
    return folder


def _mending(drive: Callable[[], None], config: StudyConfig, machine: Machine) -> None:
    """Drives a study; tracks that turn out to be damaged in the cache are decoded again, and it goes on."""
    for _ in range(REPAIRS):
        try:
            return drive()
        except DamagedAudioError:
            machine.console.print("a track in the cache is damaged: decoding it again", highlight=False)
            _open_data(config, machine)
    drive()


def open_executor(setting: Setting, machine: Machine, stop: stopping.SharedFlag) -> Executor:
    """Where the jobs of a search run: a cluster, worker processes, or this process where one is enough.

    Args:
        setting: of the study.
        machine: what was asked for.
        stop: set when workers are to stop.
    """
    if machine.executor == "ray":
        from randsearch.running.cluster import RayCluster

        return RayCluster(setting, machine)
    # A time limit takes a process that can be ended, and anybody's code may end its process itself.
    if machine.workers > 1 or machine.devices or machine.time_limit is not None or setting.own_measures:
        return LocalProcesses(setting, machine.workers, machine.devices, machine.time_limit, stop)
    return InProcess(setting)


def _keep_references(dataset: Dataset, folder: Path) -> None:
    try:
        keep_references(dataset, folder / "measured")
    except OSError as error:
        raise UserError(f"the reference excerpts of the study {folder.name} cannot be saved: {error}.") from error
