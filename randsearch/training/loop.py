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

from randsearch.base import stopping
from randsearch.data import Crops, Track
from randsearch.data.metrics import score, sdr
from randsearch.models.channels_last import estimate_all
from randsearch.models.inference import separate
from randsearch.models.resampling import crop
from randsearch.models.wave_unet import WaveUNet
from randsearch.training.checkpoints import Checkpoint, Progress

RISEN = 10.0
"""How many times the least loss of a training a later one may be, if it is also above the first."""


class DivergedError(Exception):
    """The loss stopped being a number, or rose far above where it began."""


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
    """Score of a network on whole tracks, in dB (see `randsearch.data.metrics`)."""
    return score(segment_scores(network, tracks, sample_rate, device))


def squared_error(estimates: Tensor, sources: Tensor, levels: int) -> Tensor:
    """What training minimises: squared error averaged over sources.

    With deep supervision it is summed over all supervised outputs and divided by the levels (J-Net). Where a network
    puts out more than the sources' time, its middle counts.

    Args:
        estimates: by every output that is trained.
        sources: wanted.
        levels: of the network.

    Shape:
        estimates (outputs, batch, sources, channels, output time), sources (batch, sources, channels, time); a single
        number.
    """
    estimates = crop(estimates, sources.shape[-1])
    error = functional.mse_loss(estimates, sources.expand_as(estimates))
    return error if len(estimates) == 1 else error * (len(estimates) / levels)


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


def take_step(
    network: WaveUNet, optimiser: torch.optim.Optimizer, mixture: Tensor, sources: Tensor, parts: int
) -> tuple[Tensor, int]:
    """One training step; where memory is short, on parts of the batch whose gradients add up to the whole batch's.

    Batch normalisation alone notices, since its statistics are those of a part.

    Args:
        network: in training mode.
        optimiser: of its weights.
        mixture: of a batch.
        sources: of the same.
        parts: in how many the batch is taken at first.

    Returns:
        the loss, and in how many parts the batch went in.

    Raises:
        torch.OutOfMemoryError: not even single crops fit.
    """
    while True:
        try:
            optimiser.zero_grad(set_to_none=True)
            total = torch.zeros((), device=mixture.device)
            for some, theirs in zip(mixture.chunk(parts), sources.chunk(parts), strict=True):
                error = squared_error(estimate_all(network, some), theirs, network.architecture.levels)
                loss = error * (len(some) / len(mixture))
                loss.backward()  # type: ignore[no-untyped-call]
                total += loss.detach()
            optimiser.step()
            return total, parts
        except torch.OutOfMemoryError:
            if parts >= len(mixture):
                raise
            parts = min(2 * parts, len(mixture))
        if mixture.device.type == "cuda":
            torch.cuda.empty_cache()


def train(
    network: WaveUNet,
    crops: Crops,
    validate: Callable[[WaveUNet], float],
    *,
    recipe: Recipe,
    steps: int,
    device: torch.device,
    checkpoint: Checkpoint | None = None,
) -> Trained:
    """Trains what is trainable in a network by Adam on the squared error averaged over sources.

    Args:
        network: moved to the device, and left there as its last step made it.
        crops: where batches come from.
        validate: gives the network's validation score in dB.
        recipe: optimiser and intervals.
        steps: how many steps to take.
        device: where to compute.
        checkpoint: to go on from, and to save now and then and when the search is to stop; None for neither.

    Raises:
        DivergedError: the loss or the score is no longer finite, or the loss has risen far.
        StoppedError: the search is to stop; the checkpoint holds all that was done.
    """
    network.to(device).train()
    optimiser = torch.optim.Adam(
        [p for p in network.parameters() if p.requires_grad],
        lr=recipe.learning_rate,
        fused=device.type in ("cpu", "cuda"),
    )
    done = (checkpoint.load(network, optimiser) if checkpoint is not None else None) or Progress()
    parts = 1
    for mixture, sources in _timed(batches(crops, range(done.step, steps), device), done):
        loaded = time.perf_counter()
        loss, parts = take_step(network, optimiser, mixture, sources, parts)
        done.pending.append(loss)
        done.step += 1
        due = done.step % recipe.validate_every == 0 or done.step == steps
        if due:
            # Reading the losses waits for the device, so it belongs to the steps' time and not to validation's.
            done.losses.append(float(torch.stack(done.pending).mean()))
            done.pending.clear()
        stepped = time.perf_counter()
        done.seconds += stepped - loaded
        if due:
            _validate(network, validate, done)
            done.validation_seconds += time.perf_counter() - stepped
        if checkpoint is not None and done.step < steps:
            _save(checkpoint, done, network, optimiser)
    return Trained(
        tuple(done.curve),
        tuple(done.losses),
        done.best_weights,
        done.seconds,
        done.validation_seconds,
        done.data_seconds,
    )


def _save(checkpoint: Checkpoint, done: Progress, network: WaveUNet, optimiser: torch.optim.Optimizer) -> None:
    """Saves a checkpoint if one is due, and before the training is left because the search is to stop."""
    stop = stopping.requested()
    if stop or checkpoint.due():
        checkpoint.save(done, network, optimiser)
    if stop:
        raise stopping.StoppedError


def _timed(fetched: Iterator[tuple[Tensor, Tensor]], done: Progress) -> Iterator[tuple[Tensor, Tensor]]:
    """Batches; the time it takes to get them is added up."""
    began = time.perf_counter()
    for batch in fetched:
        done.data_seconds += time.perf_counter() - began
        yield batch
        began = time.perf_counter()


def _validate(network: WaveUNet, validate: Callable[[WaveUNet], float], done: Progress) -> None:
    """Adds a point to the curve, and keeps the weights if it is the best."""
    loss = done.losses[-1]
    if not math.isfinite(loss):
        raise DivergedError(f"diverged: the training loss is {loss} by step {done.step}")
    if loss > RISEN * min(done.losses) and loss > done.losses[0]:
        raise DivergedError(
            f"diverged: the training loss rose from {min(done.losses):.3g} to {loss:.3g} by step {done.step}"
        )
    value = validate(network)
    if math.isnan(value):
        raise DivergedError(f"diverged: the validation score is not a number at step {done.step}")
    if all(value > earlier for _, earlier in done.curve):
        done.best_weights = copy.deepcopy({name: t.detach().cpu() for name, t in network.state_dict().items()})
    done.curve.append((done.step, value))
