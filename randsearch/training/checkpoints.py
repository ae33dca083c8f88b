"""Checkpoints of trainings: what a run needs to go on as if it had never been interrupted, bit for bit on a processor.

A checkpoint is one safetensors file, written beside and renamed, so that it is there whole or not at all. One that is
damaged, or was made by another run, is passed over and the training begins anew. Batches need no state of their own:
the number of the next step is the position in the sequence of crops (`randsearch.data.Crops`).
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from randsearch.base.files import Place
from randsearch.base.layout import CHECKPOINT_PART

CHECKPOINT_SECONDS = 60.0
"""Between two checkpoints of a training: what a killed worker can lose."""

_TENSORS = ("pending", "best_weights", "average")


@dataclass
class Progress:
    """How far a training is; `train` keeps it up to date.

    Attributes:
        step: steps taken.
        curve: (step, validation score in dB) at every validation.
        losses: mean training loss since the validation before, at every validation.
        validation_losses: (step, validation loss) at every validation.
        pending: losses since the last validation.
        best_weights: the network's state at its best validation, on the CPU.
        average: the moving average of the network's state, where one is kept.
        seconds: wall time of the training steps alone.
        validation_seconds: wall time of validation.
        data_seconds: wall time spent waiting for batches.
    """

    step: int = 0
    curve: list[tuple[int, float]] = field(default_factory=list)
    losses: list[float] = field(default_factory=list)
    validation_losses: list[tuple[int, float]] = field(default_factory=list)
    pending: list[Tensor] = field(default_factory=list)
    best_weights: dict[str, Tensor] = field(default_factory=dict)
    average: dict[str, Tensor] = field(default_factory=dict)
    seconds: float = 0.0
    validation_seconds: float = 0.0
    data_seconds: float = 0.0


class Checkpoint:
    """The checkpoint of one training.

    Args:
        place: the study.
        path: of its file.
        run: whatever decides the training's numbers; a checkpoint of another run is passed over.
        every: seconds between two checkpoints.
        until: the step at which the training pauses, one that is validated anyway; it is saved there, and a later
            `until` or none goes on as if there had been no pause. None leaves no checkpoint of the training's end.
    """

    def __init__(
        self,
        place: Place,
        path: Path,
        run: dict[str, Any],
        every: float = CHECKPOINT_SECONDS,
        until: int | None = None,
    ) -> None:
        self.until = until
        self._place = place
        self._path = path
        self._run = json.dumps({**run, "torch": torch.__version__}, sort_keys=True, default=str)
        self._every = every
        self._saved = time.monotonic()

    def due(self) -> bool:
        """Whether the last one is old enough."""
        return time.monotonic() - self._saved >= self._every

    def save(self, progress: Progress, network: nn.Module, optimiser: torch.optim.Optimizer) -> None:
        """Writes the checkpoint.

        Raises:
            PlaceError: the file cannot be written.
        """
        tensors = {f"network.{name}": tensor for name, tensor in network.state_dict().items()}
        tensors |= {f"best.{name}": tensor for name, tensor in progress.best_weights.items()}
        tensors |= {f"average.{name}": tensor for name, tensor in progress.average.items()}
        for number, state in optimiser.state_dict()["state"].items():
            tensors |= {f"optimiser.{number}.{name}": tensor for name, tensor in state.items()}
        tensors["random"] = torch.get_rng_state()
        if progress.pending:
            tensors["pending"] = torch.stack(progress.pending)
        numbers = {name: value for name, value in vars(progress).items() if name not in _TENSORS}
        content = save(
            {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()},
            metadata={"run": self._run, "progress": json.dumps(numbers)},
        )
        self._place.write(self._path, content, part=CHECKPOINT_PART)
        self._saved = time.monotonic()

    def load(self, network: nn.Module, optimiser: torch.optim.Optimizer) -> Progress | None:
        """Puts a network and its optimiser where the checkpoint left them.

        Returns:
            how far the training is; None if there is no checkpoint of this run that can be read.

        Raises:
            PlaceError: a link is in its place.
        """
        try:
            with safe_open(self._place.checked(self._path), framework="pt") as file:
                metadata = file.metadata() or {}
                if metadata.get("run") != self._run:
                    return None
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            numbers = json.loads(metadata["progress"])
        except (OSError, SafetensorError, KeyError, ValueError):
            return None
        network.load_state_dict(_part(tensors, "network"))
        states: dict[int, dict[str, Tensor]] = {}
        for name, tensor in _part(tensors, "optimiser").items():
            number, _, what = name.partition(".")
            states.setdefault(int(number), {})[what] = tensor
        optimiser.load_state_dict({**optimiser.state_dict(), "state": states})
        torch.set_rng_state(tensors["random"])
        for name in ("curve", "validation_losses"):
            numbers[name] = [(step, value) for step, value in numbers[name]]
        device = next(network.parameters()).device
        pending = tensors.get("pending", torch.empty(0)).to(device)
        best, average = _part(tensors, "best"), _part(tensors, "average")
        return Progress(**numbers, pending=list(pending.unbind()), best_weights=best, average=average)


def _part(tensors: dict[str, Tensor], name: str) -> dict[str, Tensor]:
    return {key.removeprefix(f"{name}."): tensor for key, tensor in tensors.items() if key.startswith(f"{name}.")}
