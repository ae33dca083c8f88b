"""What the proxies at fresh random weights share: their networks, their batches, and what of a network they look at.

A network's weights come from the measurement's own stream. Batches come from (study, seed) alone, so that all
architectures are scored on the same crops; networks with context see more around them and are scored on their middle.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from randsearch.base.seeds import derive
from randsearch.data import Crops
from randsearch.data.metrics import AUDIBLE_DBFS
from randsearch.measures.contract import Outcome, Setting, UnmeasurableError
from randsearch.models.architecture import Architecture
from randsearch.models.build import build
from randsearch.models.modules import Snake
from randsearch.models.sizing import lengths
from randsearch.models.wave_unet import WaveUNet

PATIENCE = 100
"""Batches that are looked through for audible crops."""

ACTIVATIONS = (nn.LeakyReLU, nn.ReLU, nn.GELU, nn.Tanh, Snake)
NORMALISATIONS = (nn.BatchNorm1d, nn.GroupNorm)

Batch = tuple[Tensor, Tensor]
Core = Callable[[WaveUNet, Batch], float]


def fresh_network(measure: str, setting: Setting, architecture: Architecture, seed: int) -> WaveUNet:
    """A network at the random weights of a measurement, in training mode on its device."""
    network = build(architecture, setting.signal, derive("weights", architecture.hash, measure, seed))
    return network.to(setting.device).train()


def audible_batch(setting: Setting, architecture: Architecture, seed: int, crops: int) -> Batch:
    """Training crops in which every source is above -60 dBFS, drawn until there are enough.

    Shape:
        mixture (crops, channels, input time), sources (crops, sources, channels, segment).

    Raises:
        UnmeasurableError: the training tracks hardly have such crops.
    """
    drawn = Crops(
        tracks=setting.dataset.train,
        batch=crops,
        input_length=lengths(architecture, setting.recipe.segment).input,
        output_length=setting.recipe.segment,
        seed=derive("proxy batch", setting.study, seed),
        augment=setting.recipe.augment,
        pads=setting.dataset.task.pads,
    )
    mixtures, sources = [], []
    for index in range(PATIENCE):
        mixture, source = drawn.batch_at(index)
        power = np.mean(np.square(source, dtype=np.float64), axis=(2, 3))
        audible = (power > 10 ** (AUDIBLE_DBFS / 10)).all(axis=1)
        mixtures.append(mixture[audible])
        sources.append(source[audible])
        if sum(map(len, sources)) >= crops:
            return _on(setting.device, mixtures, crops), _on(setting.device, sources, crops)
    raise UnmeasurableError(
        f"of {PATIENCE * crops} training crops only {sum(map(len, sources))} have every source above "
        f"{AUDIBLE_DBFS:.0f} dBFS, and {crops} are needed"
    )


def _on(device: str, parts: list[NDArray[np.float32]], crops: int) -> Tensor:
    return torch.from_numpy(np.concatenate(parts)[:crops]).to(device)


def score_fresh(
    measure: str, setting: Setting, architecture: Architecture, seed: int, core: Core, batches: int = 1
) -> Outcome:
    """Scores a network at fresh random weights on audible crops.

    Args:
        measure: in whose name.
        setting: the study.
        architecture: the network.
        seed: of the measurement.
        core: computes the score from the network and all crops.
        batches: how many times `proxy_batch` crops.
    """
    network = fresh_network(measure, setting, architecture, seed)
    began = time.perf_counter()
    batch = audible_batch(setting, architecture, seed, batches * setting.proxy_batch)
    loaded = time.perf_counter()
    score = core(network, batch)
    return Outcome(score, seconds=time.perf_counter() - loaded, data_seconds=loaded - began)


def convolutions(network: nn.Module, *, trained_only: bool = True) -> list[tuple[str, nn.Conv1d]]:
    """Convolutions by name, in the order of the modules; those that the architecture fixes are left out if asked."""
    return [
        (name, module)
        for name, module in network.named_modules()
        if isinstance(module, nn.Conv1d) and (module.weight.requires_grad or not trained_only)
    ]


@contextmanager
def watching(
    network: nn.Module, kinds: tuple[type[nn.Module], ...], look: Callable[[nn.Module, Tensor, Tensor], None]
) -> Iterator[None]:
    """Calls `look(module, input, output)` whenever a module of these kinds runs."""
    hooks = [
        module.register_forward_hook(lambda module, inputs, output: look(module, inputs[0], output))
        for module in network.modules()
        if isinstance(module, kinds)
    ]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def predicted(network: WaveUNet, mixture: Tensor) -> Tensor:
    """What the output convolution computes, before the head turns it into estimates.

    With difference output the estimates add up to the mixture whatever the weights, so that their sum says nothing;
    tanh would saturate.

    Shape:
        Input (batch, channels, input time), output (batch, predicted sources * channels, time).
    """
    out: Tensor = network.output(network.features(mixture))
    return out


def log(value: float, name: str) -> float:
    """Natural logarithm of a score that must be positive.

    Raises:
        UnmeasurableError: it is not, or not a number.
    """
    if not value > 0 or math.isinf(value):
        raise UnmeasurableError(f"{name} is {value}, which has no logarithm")
    return math.log(value)


def total(values: Tensor) -> float:
    """Sum in float64."""
    return float(values.sum(dtype=torch.float64))


def refuse(architecture: Architecture, option: str, values: tuple[str, ...], why: str) -> None:
    """Refuses networks on which a measure would be meaningless.

    Raises:
        UnmeasurableError: names the option and why.
    """
    value = getattr(architecture, option)
    if value in values:
        raise UnmeasurableError(f"refused for {option} {value}: {why}")
