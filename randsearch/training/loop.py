"""One training loop for everything that trains: the full network and every proxy that takes steps."""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from randsearch.base import stopping
from randsearch.data import Crops, Track
from randsearch.data.metrics import score, sdr
from randsearch.models.channels_last import estimate_all
from randsearch.models.inference import separate
from randsearch.models.resampling import crop
from randsearch.models.wave_unet import WaveUNet
from randsearch.training.average import Average
from randsearch.training.checkpoints import Checkpoint, Progress
from randsearch.training.precision import Estimate, computing, forward, warm_up
from randsearch.training.recipe import Recipe
from randsearch.training.schedules import Schedule

RISEN = 10.0
"""How many times the least loss of a training a later one may be, if it is also above the first."""


class DivergedError(Exception):
    """The loss stopped being a number, or rose far above where it began."""


@dataclass(frozen=True)
class Validation:
    """What a validation finds.

    Attributes:
        score: in dB.
        loss: mean squared error, as training minimises it.
    """

    score: float
    loss: float


@dataclass(frozen=True)
class Trained:
    """What came of a training.

    Attributes:
        curve: (step, validation score in dB) at every validation.
        losses: mean training loss since the validation before, at every validation.
        validation_losses: (step, validation loss) at every validation.
        best_weights: the network's state at its best validation, on the CPU.
        steps: taken.
        seconds: wall time of the training steps alone.
        validation_seconds: wall time of validation.
        data_seconds: wall time spent waiting for batches.
    """

    curve: tuple[tuple[int, float], ...]
    losses: tuple[float, ...]
    validation_losses: tuple[tuple[int, float], ...]
    best_weights: dict[str, Tensor]
    steps: int
    seconds: float
    validation_seconds: float
    data_seconds: float

    @property
    def score(self) -> float:
        """The best of the curve, in dB."""
        return max(value for _, value in self.curve)


def segment_scores(
    network: WaveUNet, tracks: tuple[Track, ...], sample_rate: int, device: torch.device
) -> tuple[list[NDArray[np.float64]], float]:
    """What a network makes of whole tracks.

    Returns:
        SDR on every audible second of each track, (sources, seconds) in dB; and the mean squared error over all of
        their samples.
    """
    found, error, samples = [], 0.0, 0
    for track in tracks:
        references = track.sources(0, track.length)
        estimates = separate(network, torch.from_numpy(references.sum(axis=0)).to(device)).cpu().numpy()
        found.append(sdr(references, estimates, sample_rate))
        error += float(np.square(references - estimates, dtype=np.float64).sum())
        samples += references.size
    return found, error / samples


def evaluate(network: WaveUNet, tracks: tuple[Track, ...], sample_rate: int, device: torch.device) -> Validation:
    """Score of a network on whole tracks, in dB (see `randsearch.data.metrics`), and its loss."""
    segments, loss = segment_scores(network, tracks, sample_rate, device)
    return Validation(score(segments), loss)


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
    network: WaveUNet,
    optimiser: torch.optim.Optimizer,
    mixture: Tensor,
    sources: Tensor,
    parts: int,
    *,
    clip: float | None = None,
    estimate: Estimate = estimate_all,
) -> tuple[Tensor, int]:
    """One training step; where memory is short, on parts of the batch whose gradients add up to the whole batch's.

    Batch normalisation alone notices, since its statistics are those of a part.

    Args:
        network: in training mode.
        optimiser: of its weights.
        mixture: of a batch.
        sources: of the same.
        parts: in how many the batch is taken at first.
        clip: largest norm of the gradient; None clips nothing.
        estimate: the forward pass.

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
                error = squared_error(estimate(network, some), theirs, network.architecture.levels)
                loss = error * (len(some) / len(mixture))
                loss.backward()  # type: ignore[no-untyped-call]
                total += loss.detach()
            if clip is not None:
                nn.utils.clip_grad_norm_(network.parameters(), clip)
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
    validate: Callable[[WaveUNet], Validation],
    *,
    recipe: Recipe,
    schedule: Schedule,
    steps: int,
    device: torch.device,
    checkpoint: Checkpoint | None = None,
) -> Trained:
    """Trains what is trainable in a network by Adam on the squared error averaged over sources.

    Args:
        network: moved to the device, and left there as its last step made it.
        crops: where batches come from.
        validate: of the network.
        recipe: optimiser and intervals.
        schedule: of the learning rate and the batch.
        steps: how many steps to take at most.
        device: where to compute.
        checkpoint: to go on from, to save now and then and when the search is to stop, and to pause at; None for none.

    Raises:
        DivergedError: the loss or the score is no longer finite, or the loss has risen far.
        StoppedError: the search is to stop; the checkpoint holds all that was done.
    """
    until = None if checkpoint is None else checkpoint.until
    end = steps if until is None else min(until, steps)
    if end % recipe.validate_every and end != steps:
        raise ValueError(f"a training pauses at a multiple of {recipe.validate_every} steps and not at {until}")
    network.to(device).train()
    optimiser = _optimiser(network, recipe, device)
    done = (checkpoint.load(network, optimiser) if checkpoint is not None else None) or Progress()
    with computing(recipe.precision):
        training = _Training(network, optimiser, recipe, schedule, validate, done, device)
        if recipe.compiled:
            warm_up(training.estimate, network, crops.shape, device)
        while done.step < end and not training.ended:
            due = min((done.step // recipe.validate_every + 1) * recipe.validate_every, steps)
            drawn = replace(crops, batch=crops.batch * training.batch)
            for mixture, sources in _timed(batches(drawn, range(done.step, due), device), done):
                training.step(mixture, sources)
                if done.step == due:
                    training.validate()
                if checkpoint is not None:
                    last = done.step == end or training.ended
                    _save(checkpoint, done, network, optimiser, last=last)
    return Trained(
        tuple(done.curve),
        tuple(done.losses),
        tuple(done.validation_losses),
        done.best_weights,
        done.step,
        done.seconds,
        done.validation_seconds,
        done.data_seconds,
    )


class _Training:
    """What the steps of a training need."""

    def __init__(
        self,
        network: WaveUNet,
        optimiser: torch.optim.Optimizer,
        recipe: Recipe,
        schedule: Schedule,
        validate: Callable[[WaveUNet], Validation],
        done: Progress,
        device: torch.device,
    ) -> None:
        self._network = network
        self._optimiser = optimiser
        self._recipe = recipe
        self._schedule = schedule
        self._validated = validate
        self._done = done
        self._over = schedule.course(done.validation_losses)[-1]
        self._average = Average(network, recipe.ema, done.average) if recipe.ema else None
        self._parts = 1
        self.estimate = forward(recipe, device)

    @property
    def ended(self) -> bool:
        """Whether patience ran out for the last time."""
        return self._schedule.ended(self._over)

    @property
    def batch(self) -> int:
        """What the batch is multiplied by now."""
        return self._schedule.batch(self._over)

    def step(self, mixture: Tensor, sources: Tensor) -> None:
        """Takes a step, and adds it and its seconds to what is done."""
        began, done = time.perf_counter(), self._done
        rate = self._recipe.learning_rate * self._schedule.rate(done.step, self._over)
        for group in self._optimiser.param_groups:
            group["lr"] = rate
        loss, self._parts = take_step(
            self._network,
            self._optimiser,
            mixture,
            sources,
            self._parts,
            clip=self._recipe.clip,
            estimate=self.estimate,
        )
        if self._average is not None:
            self._average.follow(done.step)
        done.pending.append(loss)
        done.step += 1
        done.seconds += time.perf_counter() - began

    def validate(self) -> None:
        """Adds a point to the curves, and keeps the weights if it is the best."""
        began, done = time.perf_counter(), self._done
        # Reading the losses waits for the device, so it belongs to the steps' time and not to validation's.
        done.losses.append(float(torch.stack(done.pending).mean()))
        done.pending.clear()
        read = time.perf_counter()
        done.seconds += read - began
        _check_loss(done)
        with nullcontext() if self._average is None else self._average.in_place():
            self._judge()
        before, self._over = self._over, self._schedule.course(done.validation_losses)[-1]
        if self._schedule.restarts and before < self._over and not self.ended:
            self._network.load_state_dict(done.best_weights)
            if self._average is not None:
                self._average.restart(done.best_weights)
        done.validation_seconds += time.perf_counter() - read

    def _judge(self) -> None:
        network, done = self._network, self._done
        found = self._validated(network)
        if math.isnan(found.score):
            raise DivergedError(f"diverged: the validation score is not a number at step {done.step}")
        if all(found.score > earlier for _, earlier in done.curve):
            done.best_weights = copy.deepcopy({name: t.detach().cpu() for name, t in network.state_dict().items()})
        done.curve.append((done.step, found.score))
        done.validation_losses.append((done.step, found.loss))


def _check_loss(done: Progress) -> None:
    """Refuses to go on where training has gone wrong.

    Raises:
        DivergedError: the loss is not finite, or has risen far.
    """
    loss = done.losses[-1]
    if not math.isfinite(loss):
        raise DivergedError(f"diverged: the training loss is {loss} by step {done.step}")
    if loss > RISEN * min(done.losses) and loss > done.losses[0]:
        raise DivergedError(
            f"diverged: the training loss rose from {min(done.losses):.3g} to {loss:.3g} by step {done.step}"
        )


def _optimiser(network: WaveUNet, recipe: Recipe, device: torch.device) -> torch.optim.Optimizer:
    """Adam; kernels alone decay, since biases, scales and interpolation weights are few and mean something."""
    weights = [weight for weight in network.parameters() if weight.requires_grad]
    groups = [
        {"params": [weight for weight in weights if weight.dim() > 1], "weight_decay": recipe.weight_decay},
        {"params": [weight for weight in weights if weight.dim() <= 1], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=recipe.learning_rate, fused=device.type in ("cpu", "cuda"))


def _save(
    checkpoint: Checkpoint,
    done: Progress,
    network: WaveUNet,
    optimiser: torch.optim.Optimizer,
    *,
    last: bool,
) -> None:
    """Saves a checkpoint if one is due, at a pause, and before the training is left because the search is to stop."""
    if last:
        if checkpoint.until is not None:
            checkpoint.save(done, network, optimiser)
        return
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
