"""One command on one study: opens or creates it, locks it, runs the driver, and leaves it consistent."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, replace
from functools import cache, partial
from pathlib import Path
from typing import Any

import torch

from randsearch.base import stopping
from randsearch.base.errors import DamagedAudioError, UserError
from randsearch.base.layout import StudyFolder
from randsearch.base.logs import LOGGER
from randsearch.data import Crops, Dataset, Track, open_dataset
from randsearch.measures import Setting, find
from randsearch.measures.baseline import constant_gain_score
from randsearch.measures.catalogue import named
from randsearch.measures.contract import Lazy
from randsearch.measures.excerpts import keep_references
from randsearch.measures.own import unchanged
from randsearch.running.control import check_votes, matched_costs, told_before, with_control
from randsearch.running.driver import Driver
from randsearch.running.executors import Executor, InProcess, LocalProcesses
from randsearch.running.machine import Machine
from randsearch.running.progress import SearchProgress
from randsearch.running.retention import Retention
from randsearch.space import SearchSpace
from randsearch.study import trust
from randsearch.study.candidates import bind_space, check_room, signal, with_grid
from randsearch.study.config import StudyConfig
from randsearch.study.folders import load_config
from randsearch.study.lease import leased, locked
from randsearch.study.rebuild import open_studies, write_table
from randsearch.study.rules import RULES, check_continues, made_by
from randsearch.table.votes import measured_for
from randsearch.training import precision
from randsearch.training.recipe import Recipe
from randsearch.training.validation import affordable_seconds, take_excerpts

REPAIRS = 3
"""How often a search decodes damaged tracks again until it gives up."""


def resolve(options: dict[str, Any], machine: Machine) -> tuple[StudyConfig, Dataset]:
    """The configuration that a search will run with: what is asked, what the study says already, and defaults.

    Args:
        options: what the user gave, and nothing else; `space` may be the path of a file, `device` may be `auto`.
        machine: where it will run.

    Raises:
        UserError: the options are wrong, or the study exists with others or by other rules.
    """
    name = options.get("study", StudyConfig.model_fields["study"].default)
    folder = machine.results / str(name)
    stored = load_config(folder) if StudyFolder(folder).is_study else None
    if stored is not None:
        check_continues(stored.study, stored.rules)
    options = _completed(options, machine, stored)
    if stored is None and "space" not in options:
        raise UserError(
            f"there is no study {name} in {machine.results} yet: give the space that it searches, such as small."
        )
    if stored is not None:
        asked = StudyConfig.create({**stored.model_dump(), **options}, "options")
    else:
        # What is no name of a device is refused with the other options.
        threads = machine.threads(str(options.get("device")))
        asked = _by_these_rules(StudyConfig.create({"threads": threads, **options}, "options"))
    asked = asked.model_copy(update={"measures": named(asked.measures)})
    _agree(options, asked, folder)
    whole = asked if stored is None else stored.extended_by(asked)
    trust.agreed_storage(whole, folder)
    agreed = trust.agreed_measures(whole, folder)
    for measure in whole.all_measures:
        run = find(measure).run
        if isinstance(run, Lazy):
            with unchanged():
                run.load(agreed, machine.functions)
    check_votes(whole)
    for device in machine.devices or (asked.device,):
        if machine.executor == "local":
            check_device(device)
            precision.check(recipe(asked), torch.device(device))
    dataset = _open_data(asked, machine)
    if "task" in options and asked.source_names != dataset.source_names:
        raise UserError(
            f"{asked.data} has the stems {', '.join(dataset.source_names)}, of which task {asked.task} is not made: "
            "name sources with --sources, or leave --task out to separate all of them."
        )
    # Refuses tracks shorter than a segment.
    Crops(dataset.train, asked.batch, asked.segment, asked.segment, seed=0, pads=dataset.task.pads)
    asked = asked.model_copy(update={"sample_rate": dataset.sample_rate, "data_digest": dataset.digest})
    if asked.source_names != dataset.source_names:
        asked = asked.model_copy(update={"sources": dataset.source_names})
        LOGGER.info("%s: all stems of %s", asked.audio.aim, asked.data)
    if stored is None and "validation" not in options:
        asked = asked.model_copy(update={"validation": _affordable(asked, dataset)})
    if asked.sampler == "grid":
        asked = with_grid(asked, bind_space(asked), limited=stored is not None or "trials" in options)
    if stored is None:
        setting = make_setting(asked, dataset, dataset.validation, folder, 0.0)
        return with_control(asked, setting, chosen="measures" in options), dataset
    joined = stored.continued_by(asked)
    if "train" in options and joined.train != asked.train:
        rest = "; --train all trains the rest" if joined.halved else ""
        LOGGER.warning(
            "note: the study goes by --train %s, which trains more than %s%s", joined.train, asked.train, rest
        )
    return joined, dataset


def _completed(options: dict[str, Any], machine: Machine, stored: StudyConfig | None) -> dict[str, Any]:
    """The options, with the space read from its file, and the device where that is left to the machine."""
    # What the file of another study found out of itself is none of this one's.
    found = {name: value for name, value in options.items() if name != "control"}
    if isinstance(found.get("space"), str | Path):
        found["space"] = SearchSpace.load(Path(found["space"])).to_dict()
    if machine.devices and "device" not in found:
        kind = machine.devices[0].partition(":")[0]
        if stored is None or stored.device.partition(":")[0] != kind:
            found["device"] = kind
    if found.get("device") == "auto":
        found["device"] = "cuda:0" if torch.cuda.is_available() else "cpu"
    return found


def _by_these_rules(asked: StudyConfig) -> StudyConfig:
    """The configuration of a new study, whose options may come from the file of one that was made by other rules."""
    if asked.rules != RULES:
        LOGGER.warning(
            "note: the options are those of a study by the rules of %s; this one goes by those of %s, and its scores "
            "will be others",
            made_by(asked.rules),
            made_by(RULES),
        )
    return asked.model_copy(update={"rules": RULES})


def _agree(options: dict[str, Any], asked: StudyConfig, folder: Path) -> None:
    """Remembers which database and which code the user named; what the study says of itself is not that."""
    each = [getattr(asked, name) for name in ("proxy", "rung") if options.get(name) is not None]
    each += asked.measures if "measures" in options else []
    measures = [part for name in each for part in measured_for(name)]
    trust.agree(folder, asked.study, storage=asked.storage if "storage" in options else None, measures=measures)


def _open_data(config: StudyConfig, machine: Machine) -> Dataset:
    """The data of a study; decodes what the cache lacks or holds damaged."""
    return open_dataset(config.data, config.audio, cache=machine.cache, progress=not machine.console.quiet)


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


def check_device(name: str) -> None:
    """Refuses a GPU that is not there.

    Raises:
        UserError: says so.
    """
    device = torch.device(name)
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise UserError(f"the device {name} is not on this machine: choose --device cpu, or auto.")


def scored_on(config: StudyConfig, dataset: Dataset) -> tuple[Track, ...]:
    """The tracks, or parts of tracks, that networks of a study are scored on."""
    return take_excerpts(dataset.validation, None if config.validation == "whole" else config.validation)


def recipe(config: StudyConfig) -> Recipe:
    """How the networks of a study train."""
    return Recipe(**{each.name: getattr(config, each.name) for each in fields(Recipe)})


def make_setting(
    config: StudyConfig, dataset: Dataset, validation: tuple[Track, ...], folder: Path, baseline: float
) -> Setting:
    """What the workers of a study need to know."""
    return Setting(
        dataset=dataset,
        validation=validation,
        signal=signal(config),
        recipe=recipe(config),
        schedule=config.schedule,
        proxy_schedule=config.proxy_schedule,
        steps=config.steps,
        proxy_steps=config.proxy_steps,
        matched=matched_costs(config),
        baseline=baseline,
        device=config.device,
        threads=config.threads,
        folder=folder,
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
        the study's folder, with `config.yaml`, `study.db` and `measurements.csv` brought up to date.

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
        if not StudyFolder(folder).config.exists():
            baseline()  # So are data that nothing can be scored on.
        # First, for what is stored refuses other options where `config.yaml` is gone, and those must not be saved.
        studies = open_studies(config, folder)
        # Without `config.yaml` a table is read that lost its mark, for which a configuration asks.
        write_table(studies, config, folder)
        config.save(StudyFolder(folder).config)
        _keep_references(dataset, folder)
        if check is not None:
            studies.storage.guard(check)
        setting = make_setting(config, dataset, validation, folder, studies.remembered("baseline", baseline))
        setting = replace(setting, functions=machine.functions)
        if dataset.note:
            studies.annotate("note", dataset.note)
            LOGGER.info("note: %s", dataset.note)
        for line in told_before(config, setting):
            LOGGER.info("%s", line)

        def drive() -> None:
            progress = SearchProgress(machine.console, config.proxy)
            retention = Retention(folder, machine.keep)
            with open_executor(setting, machine, stop) as executor, progress:
                driver = Driver(config, setting, space, studies, executor, progress, retention)
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
            LOGGER.warning("a track in the cache is damaged: decoding it again")
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
    workers = machine.jobs(setting.device)
    if workers > 1 or machine.devices or machine.time_limit is not None or setting.own_measures:
        return LocalProcesses(setting, workers, machine.devices, machine.time_limit, stop)
    return InProcess(setting)


def _keep_references(dataset: Dataset, folder: Path) -> None:
    try:
        keep_references(dataset, folder)
    except OSError as error:
        raise UserError(f"the reference excerpts of the study {folder.name} cannot be saved: {error}.") from error
