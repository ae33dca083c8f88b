"""Trains the best networks of a study on: with any budget, schedule and data of the same kind."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from randsearch.base import stopping
from randsearch.base.errors import UserError
from randsearch.base.layout import CHECKPOINT_FILE, CHECKPOINT_PART, RESULT_FILE, StudyFolder
from randsearch.base.logs import LOGGER
from randsearch.base.memory import keep_freed_memory
from randsearch.base.seeds import derive
from randsearch.data import Crops, Dataset, Track, open_dataset
from randsearch.data.augmentation import refused
from randsearch.data.dataset import list_test
from randsearch.finalists import events
from randsearch.finalists.loading import has_weights, load_network
from randsearch.finalists.training import Setup, train_part
from randsearch.finalists.winner import Finalist, Searched
from randsearch.finalists.yardsticks import Yardsticks
from randsearch.measures import own_threads
from randsearch.models.build import build
from randsearch.models.wave_unet import WaveUNet
from randsearch.running.machine import Machine
from randsearch.running.session import check_device, scored_on
from randsearch.study.candidates import signal
from randsearch.study.config import StudyConfig
from randsearch.study.finish_config import FinishConfig
from randsearch.study.finishes import (
    Finished,
    Result,
    held,
    read_curve,
    read_finish,
    read_finished,
    read_result,
    write_finish,
)
from randsearch.study.options import option_of
from randsearch.study.rules import check_continues
from randsearch.training import precision

_OF_CORPUS = re.compile(r"( \(\d+\))+$")


@dataclass(frozen=True)
class Chosen:
    """Which networks are trained on.

    Attributes:
        top: how many of the best that the search trained; None is 1, or those that the finish has.
        architecture: hash of one instead.
        seed: of its training; None is its best.
    """

    top: int | None = None
    architecture: str | None = None
    seed: int | None = None


def finish(
    config: StudyConfig, folder: Path, name: str, chosen: Chosen, options: Mapping[str, Any], machine: Machine
) -> list[Finished]:
    """Trains networks of a study on, or goes on with that.

    Args:
        config: the study's configuration.
        folder: the study's folder.
        name: of the finish.
        chosen: which networks.
        options: of `FinishConfig`, those that were asked for.
        machine: where to run.

    Returns:
        how all networks of the finish stand.

    Raises:
        UserError: an option is wrong, the finish exists with others, or the training cannot go on.
        StoppedError: a signal stopped it; the same command goes on.
    """
    before, searched = _stored(folder, name), Searched(folder)
    setup = _prepare(config, searched, folder, name, chosen, options, machine)
    stop = threading.Event()
    with held(folder, name), stopping.heeding(stop), stopping.signals(stop) as came, own_threads():
        if _stored(folder, name) != before:
            raise UserError(f"the finish {name} of {folder.name} was changed meanwhile: give the same command again.")
        if setup.options != before:
            write_finish(folder, name, setup.options)
        torch.set_num_threads(setup.options.threads)
        keep_freed_memory()
        yardsticks = Yardsticks(setup)
        try:
            for network in setup.options.networks:
                architecture, _, seed = network.partition("-")
                _finish_network(setup, searched.find(architecture, int(seed)), yardsticks)
        except stopping.StoppedError:
            raise stopping.StoppedError(*came[:1]) from None
        except torch.OutOfMemoryError:
            raise UserError(
                f"out of memory on {setup.options.device}: choose another name with --as and a smaller --batch or "
                "--segment, or go on where there is more."
            ) from None
        return read_finished(folder, name)


def _stored(folder: Path, name: str) -> FinishConfig | None:
    """The options of a finish; None where it was not begun yet."""
    return read_finish(folder, name) if StudyFolder(folder).finish(name).config.exists() else None


def _networks(searched: Searched, stored: FinishConfig | None, chosen: Chosen) -> tuple[str, ...]:
    """The networks to train: those that the finish has, and what is lacking of those that were asked for."""
    has = () if stored is None else stored.networks
    if chosen.architecture is not None:
        return (searched.find(chosen.architecture, chosen.seed).network,)
    lacking = max(0, (chosen.top or 1) - len(has))
    best = (each.network for each in searched.best(len(has) + lacking)) if lacking else ()
    return (*has, *[network for network in best if network not in has][:lacking])


def _prepare(
    config: StudyConfig,
    searched: Searched,
    folder: Path,
    name: str,
    chosen: Chosen,
    options: Mapping[str, Any],
    machine: Machine,
) -> Setup:
    """Settles the options of a finish, and opens its data."""
    check_continues(config.study, config.rules)
    known = [option for option, field in FinishConfig.model_fields.items() if option_of(field).asked]
    for option in options:
        if option not in known:
            raise UserError(f"a finish knows no option {option}: choose from {', '.join(known)}.")
    stored = _stored(folder, name)
    given = dict(options)
    if given.get("device") == "auto":
        given["device"] = "cuda:0" if torch.cuda.is_available() else "cpu"
    if stored is None:
        own = {"threads": machine.threads(), **FinishConfig.as_study(config.model_dump(), given)}
    else:
        own = stored.model_dump()
    found_out = {"networks": _networks(searched, stored, chosen), "parts": (1,), "data_digest": ""}
    asked = FinishConfig.create({**own, **given, **found_out}, "options")
    asked = asked.model_copy(update={"parts": (asked.steps,)})
    reason = refused(asked.augment, config.audio.separated, config.channels)
    if reason is not None:
        raise UserError(f"options: {reason}.")
    check_device(asked.device)
    data = _open(config.data, config, machine)
    if data.digest != config.data_digest:
        raise UserError(
            f"the data of {config.study} ({config.data}) have changed since it was searched, so that scores would not "
            "compare: put them back as they were."
        )
    other = data if asked.data == config.data else _open(asked.data, config, machine)
    if other.source_names != data.source_names:
        raise UserError(
            f"{asked.data} offers the sources {', '.join(other.source_names)} and not those of {config.study} "
            f"({', '.join(data.source_names)}): choose other --data."
        )
    asked = asked.model_copy(update={"data_digest": other.digest})
    settled = asked if stored is None else stored.continued_by(asked, name)
    validation = scored_on(config, data)
    tracks = data.train if other is data else _apart(other, data, config, machine)
    setup = Setup(config, settled, folder, name, data, tracks, validation, machine.console)
    precision.check(setup.recipe, setup.device)
    # Refuses tracks shorter than a segment.
    Crops(tracks, settled.batch, settled.segment, settled.segment, seed=0, pads=data.task.pads)
    if not events.available():
        LOGGER.warning(
            'TensorBoard is not installed (pip install "randsearch[tensorboard]"): curves are in curve.csv alone'
        )
    if stored is not None and settled.parts != stored.parts:
        LOGGER.info(
            f"finish {name}: {settled.steps:,} steps instead of {stored.steps:,}; what is added is a part with a "
            f"schedule ({settled.schedule}) of its own"
        )
    return setup


def _open(spec: str, config: StudyConfig, machine: Machine) -> Dataset:
    return open_dataset(spec, config.audio, cache=machine.cache, progress=not machine.console.quiet)


def _apart(other: Dataset, data: Dataset, config: StudyConfig, machine: Machine) -> tuple[Track, ...]:
    """The training tracks of a corpus, without those that the study is validated or tested on.

    Raises:
        UserError: none is left.
    """
    audio, progress = replace(config.audio, sample_rate=data.sample_rate), not machine.console.quiet
    validation = {track.path: track.name for track in data.validation}
    tested = list_test(data.spec, audio, cache=machine.cache, progress=progress)
    kept = other.train
    for how, known in (("validated", validation), ("tested", tested)):
        names = {_song(name) for name in known.values()}
        shared = [track for track in kept if track.path in known or _song(track.name) in names]
        kept = tuple(track for track in kept if track not in shared)
        if shared:
            LOGGER.warning(
                "%s: left out of training, for the study is %s on them (the same file or name): %s",
                other.spec,
                how,
                ", ".join(track.name for track in shared),
            )
    if not kept:
        raise UserError(
            f"{other.spec} has no other training tracks than songs that the study is validated on or tested on (the "
            "same file or name): choose other --data."
        )
    return kept


def _song(name: str) -> str:
    """A track's name without the number of the corpus, which tracks of joined corpora have that share a name."""
    return _OF_CORPUS.sub("", name)


def _finish_network(setup: Setup, searched: Finalist, yardsticks: Yardsticks) -> None:
    """Trains one network for what it lacks of its parts."""
    home = setup.home(searched)
    result = read_result(setup.place, home)
    while result is None or (result.parts < len(setup.options.parts) and result.ended != "diverged"):
        part, begins = (0, 0) if result is None else (result.parts, result.steps)
        for line in _plan(setup, searched, part, begins):
            LOGGER.info(line)
        ended, reason, seconds = train_part(setup, searched, _begin(setup, searched, part), part, begins)
        taken = Result(
            parts=part + 1,
            steps=max((row.step for row in read_curve(setup.place, home)), default=begins),
            ended=ended,
            reason=reason,
            seconds=seconds + (result.seconds if result else 0.0),
        )
        result = yardsticks.compared(taken, searched)
        setup.place.write(home / RESULT_FILE, result.to_json())
        setup.place.clear(home, (CHECKPOINT_FILE, CHECKPOINT_PART))


def _plan(setup: Setup, searched: Finalist, part: int, begins: int) -> Iterator[str]:
    """What a part will do, in words."""
    options, folder = setup.options, setup.folder
    patience = "" if options.patience is None else f", patience {options.patience}"
    steps = f"{options.parts[part] - begins:,} steps"
    if part:
        best = setup.finalist(searched)
        yield (
            f"{searched.network}: part {part + 1}, {steps}, schedule {options.schedule}{patience} of its own, "
            f"from the best weights so far (step {best.step:,}, {best.score:.2f} dB)"
        )
        return
    if options.from_scratch:
        start = "from new weights"
    elif has_weights(searched):
        start = f"from the best weights of the search ({searched.score:.2f} dB, {searched.home})"
    else:
        start = "from new weights, for the search kept none (--keep)"
    yield f"{searched.network}: {steps}, schedule {options.schedule}{patience}, {start}"
    seconds = sum(track.length for track in setup.validation) / setup.data.sample_rate
    tracks = len(setup.validation)
    yield (
        f"learning rate {options.learning_rate:g}, batch {options.batch}, segment {options.segment}; data "
        f"{options.data}, {len(setup.tracks)} training tracks; validated as {folder.name} is, on {seconds:.0f} s of "
        f"{tracks} track{'' if tracks == 1 else 's'}"
    )


def _begin(setup: Setup, searched: Finalist, part: int) -> WaveUNet:
    """The network with the weights that a part begins with."""
    if part:
        return load_network(setup.finalist(searched))
    if has_weights(searched) and not setup.options.from_scratch:
        return load_network(searched)
    seed = derive("weights", searched.architecture.hash, "trained", searched.seed)
    return build(searched.architecture, signal(setup.config), seed)
