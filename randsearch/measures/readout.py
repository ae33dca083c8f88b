"""Readout: a random network whose output convolution is solved exactly, and what it then separates.

All convolutions stay at their random weights; only the linear map from their features to the sources is fitted, by
ridge regression on streamed normal equations. It carries to separation the finding of Saxe et al. (2011, "On random
weights and unsupervised feature learning") that random features with a trained linear readout rank architectures much
as trained networks do. One measurement averages over three draws of the weights.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from functools import reduce
from itertools import islice
from operator import add
from statistics import fmean
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from randsearch.base.seeds import derive
from randsearch.data import Crops
from randsearch.measures.contract import Outcome, Setting, UnmeasurableError
from randsearch.measures.costs import READOUT_BATCHES, READOUT_DRAWS
from randsearch.measures.ridge import Moments, fit
from randsearch.models.architecture import Architecture
from randsearch.models.build import build
from randsearch.models.resampling import crop
from randsearch.models.sizing import lengths
from randsearch.models.wave_unet import WaveUNet
from randsearch.training.loop import evaluate

HELD_OUT = 4
"""One of so many batches chooses the ridge's strength."""
ROWS = 4096
"""Moments of a batch that are fitted on; neighbouring samples of audio say much the same."""
MOST_FEATURES = 1024
"""Above, the solve would cost more than the features."""
SETTLING = 4
"""Batches from which batch normalisation learns its statistics."""


def readout(setting: Setting, architecture: Architecture, seed: int) -> Outcome:
    """Validation SDR in dB with the output convolution solved, mean over three draws of the other weights."""
    return mean_over_draws("readout", setting, architecture, seed, lambda network: None)


def readout_last(setting: Setting, architecture: Architecture, seed: int) -> Outcome:
    """As `readout`, with the last decoder convolution made linear and solved together with the output convolution.

    Two linear convolutions in a row are one, of as many taps as both see. The mixture, which only the output
    convolution sees, is given the same taps.
    """
    return mean_over_draws("readout_last", setting, architecture, seed, merge_last)


def mean_over_draws(
    measure: str, setting: Setting, architecture: Architecture, seed: int, prepare: Callable[[WaveUNet], None]
) -> Outcome:
    """Fits and scores a network at several draws of its weights.

    Args:
        measure: in whose name; it decides the weights.
        setting: the study.
        architecture: the network.
        seed: of the measurement.
        prepare: changes the network before it is fitted.
    """
    data, device = setting.dataset, torch.device(setting.device)
    # The readout is linear: it is solved, and scored, before any tanh.
    linear = architecture.model_copy(update={"output_activation": "linear"})
    scores, seconds, data_seconds, validation_seconds = [], 0.0, 0.0, 0.0
    for draw in range(READOUT_DRAWS):
        network = build(linear, setting.signal, derive("weights", architecture.hash, measure, seed, draw)).to(device)
        prepare(network)
        batches = Batches(setting, architecture, seed)
        began = time.perf_counter()
        settle(network, batches)
        solve_output(network, batches, derive("moments", setting.study, seed, draw))
        solved = time.perf_counter()
        scores.append(evaluate(network, setting.validation, data.sample_rate, device).score)
        validation_seconds += time.perf_counter() - solved
        seconds += solved - began - batches.seconds
        data_seconds += batches.seconds
    return Outcome(
        fmean(scores),
        baseline=setting.baseline,
        seconds=seconds,
        data_seconds=data_seconds,
        validation_seconds=validation_seconds,
    )


class Batches:
    """The training crops that readouts of a study are fitted on, and the time it takes to read them.

    Args:
        setting: the study.
        architecture: of the network that sees them.
        seed: of the measurement.
        count: how many batches.

    Attributes:
        seconds: spent reading.
    """

    def __init__(self, setting: Setting, architecture: Architecture, seed: int, count: int = READOUT_BATCHES) -> None:
        self.seconds = 0.0
        self._count = count
        self._device = setting.device
        self._crops = Crops(
            tracks=setting.dataset.train,
            batch=setting.recipe.batch,
            input_length=lengths(architecture, setting.recipe.segment).input,
            output_length=setting.recipe.segment,
            seed=derive("readout", setting.study, seed),
            augment=setting.recipe.augment,
            pads=setting.dataset.task.pads,
        )

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        for index in range(self._count):
            began = time.perf_counter()
            mixture, sources = (torch.from_numpy(array).to(self._device) for array in self._crops.batch_at(index))
            self.seconds += time.perf_counter() - began
            yield mixture, sources


def solve_output(network: WaveUNet, batches: Any, seed: int) -> None:
    """Sets the output convolution to the linear map that predicts the sources best.

    Args:
        network: with a linear output activation, in evaluation mode.
        batches: pairs of mixture and sources, of a length; the last quarter chooses the ridge's strength.
        seed: of the choice of moments.

    Raises:
        UnmeasurableError: there are too many features, or they do not serve.
    """
    output: Any = network.output
    features = output.in_channels * output.kernel_size[0]
    if features > MOST_FEATURES:
        raise UnmeasurableError(f"refused: {features} features are too many to solve for; {MOST_FEATURES} is the most")
    random = np.random.default_rng(seed)
    with torch.no_grad():
        rows = (Moments.of(*_rows(network, mixture, sources, random)) for mixture, sources in batches)
        weights, intercept = fit(*summed(rows, len(batches)))
        shape = (output.out_channels, output.in_channels, output.kernel_size[0])
        output.weight.copy_(torch.from_numpy(weights.T.reshape(shape)))
        output.bias.copy_(torch.from_numpy(intercept))


def settle(network: WaveUNet, batches: Any) -> None:
    """Puts a network into evaluation mode, after its batch normalisation, if any, has seen a few batches."""
    layers = [module for module in network.modules() if isinstance(module, nn.BatchNorm1d)]
    for layer in layers:
        layer.momentum = None  # The mean over all batches, instead of one that forgets.
    network.train()
    with torch.no_grad():
        for _, (mixture, _) in zip(range(SETTLING if layers else 0), batches, strict=False):
            network.features(mixture)
    network.eval()


def _rows(network: WaveUNet, mixture: Tensor, sources: Tensor, random: np.random.Generator) -> tuple[Any, Any]:
    """Features and targets at some moments, the same in all crops of a batch.

    Moments are random, since the samples of a grid would all stand alike to decimation.

    Returns:
        features, (rows, channels * taps), and targets, (rows, predicted sources * channels), in float64.
    """
    output: Any = network.output
    time = sources.shape[-1]
    seen = functional.pad(network.features(mixture), (output.padding[0],) * 2)
    taps = seen.unfold(-1, output.kernel_size[0], 1).transpose(2, 3)  # (batch, channels, taps, time)
    moments = random.permutation(time)[: max(1, ROWS // len(mixture))]
    taps = crop(taps, time)[..., moments].flatten(1, 2)
    wanted = targets(network, mixture, sources)[..., moments]
    return tuple(part.transpose(1, 2).flatten(0, 1).double().cpu().numpy() for part in (taps, wanted))  # type: ignore[return-value]


def targets(network: WaveUNet, mixture: Tensor, sources: Tensor) -> Tensor:
    """What a linear output convolution must compute so that the head returns the sources.

    Shape:
        mixture (batch, channels, input time), sources (batch, sources, channels, time), output (batch, predicted
        sources * channels, time).
    """
    kind = network.architecture.output
    if kind == "difference":
        sources = sources[:, :-1]
    elif kind == "residual":
        sources = sources - crop(mixture, sources.shape[-1]).unsqueeze(1)
    return sources.flatten(1, 2)


def summed(moments: Iterable[Moments], count: int) -> tuple[Moments, Moments]:
    """Sums of the moments of batches, of those that are fitted and of those that choose the strength; never all kept.

    Args:
        moments: of each batch.
        count: how many there are, at least 2.
    """
    each = iter(moments)
    held_out = max(1, count // HELD_OUT)
    return tuple(reduce(add, islice(each, some)) for some in (count - held_out, held_out))  # type: ignore[return-value]


def merge_last(network: WaveUNet) -> None:
    """Makes the last decoder convolution and the output convolution one: linear, of as many taps as both see.

    Raises:
        UnmeasurableError: the last decoder level is not one convolution.
    """
    name = f"decoder.0.{network.architecture.levels - 1}" if network.architecture.nested else "decoder.0"
    names = (name, f"{name}.depthwise", f"{name}.pointwise")
    last = [layer for layer in network.layers if layer.kind == "convolution" and layer.name in names]
    if not last:
        raise UnmeasurableError("refused: the last decoder level is no single convolution that could be made linear")
    channels, taps = last[0].in_channels, last[0].kernel
    output: Any = network.output
    merged = nn.Conv1d(
        channels + network.signal.channels,
        output.out_channels,
        taps + output.kernel_size[0] - 1,
        padding=0 if network.architecture.context else (taps + output.kernel_size[0] - 2) // 2,
        device=output.weight.device,
    )
    for gone in (*(layer.name for layer in last), last[-1].activation):
        network.set_submodule(gone, nn.Identity())
    network.output = merged
