"""One training loop for everything that trains: the full network and every proxy that takes steps."""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from randsearch.data import Crops, Track
from randsearch.metrics import score, sdr
from randsearch.models.inference import separate
from randsearch.models.resampling import crop
from randsearch.models.wave_unet import WaveUNet


class DivergedError(Exception):
    """The loss stopped being a number."""


@dataclass(frozen=True)
class Recipe:
    """How a network is trained; the same for all measures of a study.

    Attributes:
        learning_rate: of Adam, constant.
        batch: crops a step.
        segment: samples of output a crop.
        validate_every: steps between two validations.
    """

    learning_rate: float
    batch: int
    segment: int
    validate_every: int


@dataclass(frozen=True)
class Trained:
    """What came of a training.

    Attributes:
        curve: (step, validation score in dB) at every validation.
        losses: mean training loss since the validation before, at every validation.
        best_weights: the network's state at its best validation, on the CPU.
        seconds: wall time of the training steps alone.
        validation_seconds: wall time of validation.
        data_seconds: wall time spent waiting for batches.
    """

    curve: tuple[tuple[int, float], ...]
    losses: tuple[float, ...]
    best_weights: dict[str, Tensor]
    seconds: float
    validation_seconds: float
    data_seconds: float

    @property
    def score(self) -> float:
        """The best of the curve, in dB."""
        return max(value for _, value in self.curve)


def evaluate(network: WaveUNet, tracks: tuple[Track, ...], sample_rate: int, device: torch.device) -> float:
    """Score of a network on whole tracks, in dB (see `randsearch.metrics`)."""
    found = []
    for track in tracks:
        references = track.sources(0, track.length)
        estimates = separate(network, torch.from_numpy(references.sum(axis=0)).to(device))
        found.append(sdr(references, estimates.cpu().numpy(), sample_rate))
    return score(found)


def squared_error(network: WaveUNet, mixture: Tensor, sources: Tensor) -> Tensor:
    """What training minimises: squared error averaged over sources, and over all supervised outputs.

    Where a network puts out more than the sources' time, its middle counts.

    Shape:
        mixture (batch, channels, input time), sources (batch, sources, channels, time); a single number.
    """
    estimates = crop(network.forward_all(mixture), sources.shape[-1])
    return functional.mse_loss(estimates, sources.expand_as(estimates))


def train(
    network: WaveUNet,
    crops: Crops,
    validate: Callable[[WaveUNet], float],
    *,
    recipe: Recipe,
    steps: int,
    device: torch.device,
) -> Trained:
    """Trains what is trainable in a network by Adam on the squared error averaged over sources.

    Args:
        network: moved to the device, and left there as its last step made it.
        crops: where batches come from.
        validate: gives the network's validation score in dB.
        recipe: optimiser and intervals.
        steps: how many steps to take.
        device: where to compute.

    Raises:
        DivergedError: the loss or the score is no longer finite.
    """
    network.to(device).train()
    optimiser = torch.optim.Adam([p for p in network.parameters() if p.requires_grad], lr=recipe.learning_rate)
    curve: list[tuple[int, float]] = []
    losses: list[float] = []
    best_weights: dict[str, Tensor] = {}
    seconds = validation_seconds = data_seconds = 0.0
    pending: list[Tensor] = []
    for step in range(1, steps + 1):
        began = time.perf_counter()
        mixture, sources = (torch.from_numpy(array).to(device) for array in crops.batch_at(step - 1))
        loaded = time.perf_counter()
        optimiser.zero_grad(set_to_none=True)
        loss = squared_error(network, mixture, sources)
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        pending.append(loss.detach())
        due = step % recipe.validate_every == 0 or step == steps
        if due:
            # Reading the losses waits for the device, so it belongs to the steps' time and not to validation's.
            losses.append(float(torch.stack(pending).mean()))
            pending.clear()
        stepped = time.perf_counter()
        data_seconds += loaded - began
        seconds += stepped - loaded
        if due:
            if not math.isfinite(losses[-1]):
                raise DivergedError(f"diverged: the training loss is {losses[-1]} by step {step}")
            value = validate(network)
            if math.isnan(value):
                raise DivergedError(f"diverged: the validation score is not a number at step {step}")
            if all(value > earlier for _, earlier in curve):
                best_weights = copy.deepcopy({name: t.detach().cpu() for name, t in network.state_dict().items()})
            curve.append((step, value))
            validation_seconds += time.perf_counter() - stepped
    return Trained(tuple(curve), tuple(losses), best_weights, seconds, validation_seconds, data_seconds)
