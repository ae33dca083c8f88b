"""One training within a measurement: its network, its crops and its checkpoint, in random streams of its own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass

import torch

from randsearch.base.layout import CHECKPOINT_FILE
from randsearch.base.seeds import derive
from randsearch.data import Crops
from randsearch.measures.contract import Outcome, Setting
from randsearch.models.architecture import Architecture
from randsearch.models.build import build
from randsearch.models.sizing import lengths
from randsearch.models.wave_unet import WaveUNet
from randsearch.training.checkpoints import Checkpoint
from randsearch.training.loop import Trained, Validation, evaluate, train
from randsearch.training.schedules import ScheduleName, schedule


@dataclass(frozen=True)
class Run:
    """One training.

    Attributes:
        measure: in whose name; it decides the random streams.
        steps: how long.
        setting: the study.
        architecture: the network.
        seed: of the measurement.
        draw: its number, where one measurement makes several trainings; None where it makes one.
        until: the step at which it pauses; None for its end.
    """

    measure: str
    steps: int
    setting: Setting
    architecture: Architecture
    seed: int
    draw: int | None = None
    until: int | None = None

    @property
    def device(self) -> torch.device:
        """Where it computes."""
        return torch.device(self.setting.device)

    @property
    def schedule(self) -> ScheduleName:
        """The schedule under which it trains."""
        return self.setting.schedule_of(self.measure)

    def stream(self, name: str, *more: int) -> int:
        """The seed of one of its random streams."""
        numbers = (*(() if self.draw is None else (self.draw,)), *more)
        return derive(name, self.architecture.hash, self.measure, self.seed, *numbers)

    def network(self) -> WaveUNet:
        """The network at its initial weights, with what its architecture fixes fixed."""
        return build(self.architecture, self.setting.signal, self.stream("weights"))

    def crops(self, stream: str = "crops") -> Crops:
        """Training crops in the order of one of its streams."""
        data, recipe = self.setting.dataset, self.setting.recipe
        size = lengths(self.architecture, recipe.segment)
        return Crops(
            tracks=data.train,
            batch=recipe.batch,
            input_length=size.input,
            output_length=size.output,
            seed=self.stream(stream),
            augment=recipe.augment,
            pads=data.task.pads,
        )

    def train(self, network: WaveUNet, validate: Callable[[WaveUNet], Validation]) -> Trained:
        """Trains what is trainable in a network, as every measure does.

        Args:
            network: is left as its last step made it.
            validate: scores it.

        Raises:
            DivergedError: it diverges.
            StoppedError: the search is to stop.
        """
        return train(
            network,
            self.crops(),
            validate,
            recipe=self.setting.recipe,
            schedule=schedule(self.schedule, self.steps),
            steps=self.steps,
            device=self.device,
            checkpoint=self._checkpoint(),
        )

    def score(self, network: WaveUNet) -> Validation:
        """What a network makes of the tracks that the study scores on."""
        return evaluate(network, self.setting.validation, self.setting.dataset.sample_rate, self.device)

    def outcome(self, trained: Trained, multiply_adds: float) -> Outcome:
        """What a measure returns whose score is that of the training.

        Args:
            trained: what came of it.
            multiply_adds: that it took.
        """
        return Outcome(
            score=trained.score,
            baseline=self.setting.baseline,
            seconds=trained.seconds,
            steps=trained.steps,
            multiply_adds=multiply_adds,
            validation_seconds=trained.validation_seconds,
            data_seconds=trained.data_seconds,
            schedule=self.schedule,
            curve=trained.curve,
            validation_losses=trained.validation_losses,
        )

    def _checkpoint(self) -> Checkpoint:
        """Its checkpoint, with all that decides its numbers."""
        setting = self.setting
        run = {
            "architecture": self.architecture.hash,
            "measure": self.measure,
            "seed": self.seed,
            "steps": self.steps,
            "schedule": self.schedule,
            "recipe": asdict(setting.recipe),
            "data": setting.dataset.digest,
            "validation": [(track.name, track.start, track.stop) for track in setting.validation],
            "threads": setting.threads,
            "device": self.device.type,
        }
        if self.draw is not None:
            run["draw"] = self.draw
        home = setting.home(self.architecture, self.measure, self.seed)
        return Checkpoint(setting.place, home / CHECKPOINT_FILE, run, until=self.until)
