"""One training loop for everything that trains: the full network and every proxy that takes steps."""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from randsearch.data import Crops, Track
from randsearch.metrics import score, sdr
from randsearch.models.inference import separate
from randsearch.models.resampling import crop
from randsearch.models.rows import estimate_all
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


def segment_scores(
    network: WaveUNet, tracks: tuple[Track, ...], sample_rate: int, device: torch.device
) -> list[NDArray[np.float64]]:
    """SDR of a network on every audible second of each whole track, (sources, seconds) in dB."""
    found = []
    for track in tracks:
        references = track.sources(0, track.length)
        estimates = separate(network, torch.from_numpy(references.sum(axis=0)).to(device))
        found.append(sdr(references, estimates.cpu().numpy(), sample_rate))
    return found


def evaluate(network: WaveUNet, tracks: tuple[Track, ...], sample_rate: int, device: torch.device) -> float:
    """Score of a network on whole tracks, in dB (see `randsearch.metrics`)."""
    return score(segment_scores(network, tracks, sample_rate, device))


def squared_error(estimates: Tensor, sources: Tensor) -> Tensor:
    """What training minimises: squared error averaged over sources, and over all supervised outputs.

    Where a network puts out more than the sources' time, its middle counts.

    Shape:
        estimates (outputs, batch, sources, channels, output time), sources (batch, sources, channels, time); a single
        number.
    """
    estimates = crop(estimates, sources.shape[-1])
    return functional.mse_loss(estimates, sources.expand_as(estimates))


def batches(crops: Crops, steps: range, device: torch.device) -> Iterator[tuple[Tensor, Tensor]]:
    """The batches of these steps on the device, each fetched by a thread of its own while the one before is in use.

    Args:
        crops: where they come from.
        steps: their numbers.
        device: a GPU gets them from pinned memory, so that copying does not wait either.
    """

    def fetch(step: int) -> tuple[Tensor, Tensor]:
        mixture, sources = (torch.from_numpy(array) for array in crops.batch_at(step))
        return (mixture.pin_memory(), sources.pin_memory()) if device.type == "cuda" else (mixture, sources)

    with ThreadPoolExecutor(1, thread_name_prefix="batches") as thread:
        waiting = [thread.submit(fetch, step) for step in steps[:1]]
        for step in steps:
            mixture, sources = waiting.pop().result()
            if step + 1 in steps:
                waiting.append(thread.submit(fetch, step + 1))
            yield mixture.to(device, non_blocking=True), sources.to(device, non_blocking=True)


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
    optimiser = torch.optim.Adam(
        [p for p in network.parameters() if p.requires_grad],
        lr=recipe.learning_rate,
        fused=device.type in ("cpu", "cuda"),
    )
    curve: list[tuple[int, float]] = []
    losses: list[float] = []
    best_weights: dict[str, Tensor] = {}
    seconds = validation_seconds = data_seconds = 0.0
    pending: list[Tensor] = []
    fetched = batches(crops, range(steps), device)
    for step in range(1, steps + 1):
        began = time.perf_counter()
        mixture, sources = next(fetched)
        loaded = time.perf_counter()
        optimiser.zero_grad(set_to_none=True)
        loss = squared_error(estimate_all(network, mixture), sources)
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
