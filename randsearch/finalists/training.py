"""Trains one network of a finish for one of its parts, and keeps its curve, its weights and TensorBoard's events."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from safetensors.torch import save
from torch import Tensor, nn

from randsearch.base.errors import UserError
from randsearch.base.files import Place
from randsearch.base.layout import CHECKPOINT_FILE, CURVE_FILE, EVENTS_FILE, WEIGHTS_FILE, StudyFolder
from randsearch.base.logs import LOGGER
from randsearch.base.seeds import derive
from randsearch.data import Crops, Dataset, Track
from randsearch.finalists import events
from randsearch.finalists.progress import FinishProgress
from randsearch.finalists.winner import Finalist
from randsearch.models.sizing import lengths
from randsearch.models.wave_unet import WaveUNet
from randsearch.study.config import StudyConfig
from randsearch.study.finish_config import FinishConfig
from randsearch.study.finishes import Ended, Validated, best_of, read_curve, write_curve
from randsearch.training.checkpoints import Checkpoint, Progress
from randsearch.training.loop import DivergedError, Trained, Validation, evaluate, train
from randsearch.training.recipe import Recipe
from randsearch.training.schedules import Schedule, schedule


@dataclass(frozen=True)
class Setup:
    """What all networks of a finish share.

    Attributes:
        config: the study's configuration.
        options: of the finish.
        folder: the study's folder.
        name: of the finish.
        data: of the study.
        tracks: to train on.
        validation: what the study's networks are scored on.
        console: where progress is shown.
    """

    config: StudyConfig
    options: FinishConfig
    folder: Path
    name: str
    data: Dataset
    tracks: tuple[Track, ...]
    validation: tuple[Track, ...]
    console: Console

    @property
    def place(self) -> Place:
        """The study, as the only door to write there."""
        return Place(self.folder)

    @property
    def device(self) -> torch.device:
        """Where networks are computed."""
        return torch.device(self.options.device)

    @property
    def recipe(self) -> Recipe:
        """How they train."""
        return Recipe(**{each.name: getattr(self.options, each.name) for each in fields(Recipe)})

    def home(self, searched: Finalist) -> Path:
        """Folder of a network.

        Args:
            searched: the network as the search left it.
        """
        return StudyFolder(self.folder).finish(self.name).home(searched.network)

    def finalist(self, searched: Finalist) -> Finalist:
        """A network with its best weights so far.

        Args:
            searched: the same as the search left it.

        Raises:
            UserError: its curve is lost.
        """
        home = self.home(searched)
        best = best_of(read_curve(self.place, home))
        if best is None:
            raise UserError(
                f"{home / CURVE_FILE} is missing or empty, so that nobody knows how good the weights beside it are: "
                f"put it back from a copy, or remove {home} to train that network anew."
            )
        return replace(searched, score=best.score, home=home, finish=self.name, step=best.step)

    def crops(self, finalist: Finalist, part: int) -> Crops:
        """Crops in an order of their own, the same for all finishes of the network, so that they compare."""
        size = lengths(finalist.architecture, self.options.segment)
        return Crops(
            tracks=self.tracks,
            batch=self.options.batch,
            input_length=size.input,
            output_length=size.output,
            seed=derive("crops", finalist.architecture.hash, "finish", finalist.seed, part),
            augment=self.options.augment,
            pads=self.data.task.pads,
        )


class _Followed(Checkpoint):
    """A checkpoint whose training is told to people each time that it is saved.

    Args:
        setup: of the finish.
        finalist: that is trained.
        part: of the finish.
        begins: steps of the parts before.
        schedule: of this part.
        progress: where it is shown.

    Attributes:
        done: how far the training is; `train` keeps it up to date.
    """

    def __init__(
        self, setup: Setup, finalist: Finalist, part: int, begins: int, schedule: Schedule, progress: FinishProgress
    ) -> None:
        self._setup, self._part, self._begins, self._schedule = setup, part, begins, schedule
        self._progress = progress
        self._home = setup.home(finalist)
        self._architecture = finalist.architecture
        known = read_curve(setup.place, self._home)
        self._before = tuple(row for row in known if row.part < part)
        self._times = {row.step: row.time for row in known if row.part == part}
        self._written: float | None = None
        self._step = begins
        self._best = max((row.score for row in known), default=-math.inf)
        self.done = Progress()
        super().__init__(setup.place, self._home / CHECKPOINT_FILE, _run(setup, finalist, part))

    def load(self, network: nn.Module, optimiser: torch.optim.Optimizer) -> Progress:
        """Puts the training where it was left, or at its beginning."""
        found = super().load(network, optimiser)
        if found is None and self._times:
            LOGGER.warning(
                f"there is no checkpoint in {self._home} that can be used (none was saved, it is damaged, or another "
                "PyTorch wrote it): this part begins anew"
            )
        self._step = self._begins + (found.step if found else 0)
        if found is not None:
            LOGGER.info(f"it goes on at step {self._step:,}")
        self._progress.begin(self._step)
        self.done = found or Progress()
        return self.done

    def save(self, progress: Progress, network: nn.Module, optimiser: torch.optim.Optimizer) -> None:
        """Writes the checkpoint, and then what follows from it."""
        super().save(progress, network, optimiser)
        self.follow(progress)

    def validated(self, found: Validation) -> None:
        """Takes note of a validation."""
        options, taken = self._setup.options, self._step - self._begins
        due = self._begins + (taken // options.validate_every + 1) * options.validate_every
        self._step = min(due, options.parts[self._part])
        self._best = max(self._best, found.score)
        self._times.setdefault(self._step, time.time())
        self._progress.advance(self._step, self._best)

    def follow(self, progress: Progress | Trained) -> None:
        """Brings the network's files up to where its training is.

        Raises:
            PlaceError: one cannot be written.
        """
        own, place = self._rows(progress), self._setup.place
        best = best_of(own)
        if best is not None and best.score != self._written and all(best.score > row.score for row in self._before):
            _write_weights(place, self._home, progress.best_weights, self._architecture.model_dump_json())
            self._written = best.score
        curve = (*self._before, *own)
        write_curve(place, self._home, curve)
        if events.available():
            events.keep_up(place, self._home / EVENTS_FILE, map(_point, curve))

    def _rows(self, progress: Progress | Trained) -> list[Validated]:
        """All validations of this part."""
        losses, options = progress.validation_losses, self._setup.options
        course = self._schedule.course(losses)[:-1]
        # The loss that a training diverged at has no validation.
        found = zip(progress.curve, losses, progress.losses[: len(losses)], course, strict=True)
        return [
            Validated(
                part=self._part,
                step=self._begins + step,
                score=score,
                validation_loss=validation_loss,
                loss=loss,
                learning_rate=options.learning_rate * self._schedule.rate(step - 1, over),
                batch=options.batch * self._schedule.batch(over),
                time=self._times.setdefault(self._begins + step, time.time()),
            )
            for (step, score), (_, validation_loss), loss, over in found
        ]


def train_part(setup: Setup, finalist: Finalist, network: WaveUNet, part: int, begins: int) -> tuple[Ended, str, float]:
    """Trains a network for one part of a finish, from its checkpoint if there is one.

    Args:
        setup: of the finish.
        finalist: as the search left it.
        network: with the weights to begin with.
        part: which.
        begins: steps that the parts before took.

    Returns:
        why it ended, the reason of a divergence (all that it was until then is kept), and the seconds of its steps.

    Raises:
        StoppedError: it is to stop; the checkpoint holds all that was done.
    """
    options = setup.options
    steps = options.parts[part] - begins
    own = schedule(options.schedule, steps, patience=options.patience)
    with FinishProgress(setup.console, finalist.network, options.parts[part]) as progress:
        followed = _Followed(setup, finalist, part, begins, own, progress)

        def validate(current: WaveUNet) -> Validation:
            found = evaluate(current, setup.validation, setup.data.sample_rate, setup.device)
            followed.validated(found)
            return found

        try:
            trained = train(
                network,
                setup.crops(finalist, part),
                validate,
                recipe=setup.recipe,
                schedule=own,
                steps=steps,
                device=setup.device,
                checkpoint=followed,
            )
        except DivergedError as error:
            followed.follow(followed.done)
            return "diverged", str(error), followed.done.seconds
    followed.follow(trained)
    return "steps" if trained.steps == steps else "patience", "", trained.seconds


def _run(setup: Setup, finalist: Finalist, part: int) -> dict[str, Any]:
    """What decides the numbers of a part."""
    left_out = ("networks", "parts", "steps", "data", "device")
    return {
        "finish": setup.name,
        "network": finalist.network,
        "part": part,
        "ends": setup.options.parts[part],
        "options": setup.options.model_dump(mode="json", exclude=set(left_out)),
        "validation": [(track.name, track.start, track.stop) for track in setup.validation],
        "device": setup.device.type,
    }


def _write_weights(place: Place, home: Path, weights: Mapping[str, Tensor], architecture: str) -> None:
    content = {name: tensor.cpu().contiguous() for name, tensor in weights.items()}
    place.write(home / WEIGHTS_FILE, save(content, metadata={"architecture": architecture}))


def _point(row: Validated) -> events.Point:
    values = {
        "validation/sdr_db": row.score,
        "validation/loss": row.validation_loss,
        "training/loss": row.loss,
        "training/learning_rate": row.learning_rate,
        "training/batch": row.batch,
    }
    return events.Point(row.step, row.time, values)
