"""Sizes of a network in closed form, from its architecture alone: parameters, multiply-adds, receptive field, cost.

Every layer is listed with what feeds it, so that the cost of a training step with parts fixed follows from which
tensors need a gradient.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np

from randsearch.models.architecture import Architecture
from randsearch.models.layers import PARTS, Convolution, Lengths, Part, Signal, check_depth, lengths
from randsearch.models.structure import convolutions

__all__ = [
    "PARTS",
    "Convolution",
    "Lengths",
    "Part",
    "Signal",
    "check_depth",
    "convolutions",
    "lengths",
    "multiply_adds",
    "multiply_adds_per_second",
    "parameters",
    "reach",
    "receptive_field",
    "step_multiply_adds",
]


def parameters(layers: Iterable[Convolution]) -> dict[Part, int]:
    """Parameters by part."""
    counts: dict[Part, int] = dict.fromkeys(PARTS, 0)
    for layer in layers:
        counts[layer.part] += layer.parameters
    return counts


def multiply_adds(layers: Iterable[Convolution]) -> int:
    """Multiply-adds of one forward pass of one example."""
    return sum(layer.multiply_adds() for layer in layers)


def multiply_adds_per_second(architecture: Architecture, signal: Signal, segment: int, sample_rate: int) -> float:
    """Multiply-adds for one second of output, where the network separates as long a segment as it is trained on.

    With context, what it computes for the borders counts; what only training computes (deep supervision) does not.

    Args:
        architecture: the network.
        signal: sources and channels.
        segment: samples of output that it is asked for at a time.
        sample_rate: samples a second.
    """
    size = lengths(architecture, segment)
    layers = convolutions(architecture, signal, size.input)
    used = [layer for layer in layers if not layer.name.startswith("auxiliary.")]
    return multiply_adds(used) * sample_rate / size.output


def step_multiply_adds(layers: Iterable[Convolution], is_fixed: Callable[[Convolution], bool]) -> int:
    """Multiply-adds of one training step of one example: forward, weight gradients, input gradients.

    A fixed convolution needs no weight gradient; an input needs a gradient only if something that trains lies
    before it. A full step is thus three forward passes less the gradient with respect to the mixture.

    Args:
        layers: the network, in the order in which it runs.
        is_fixed: tells which convolutions stay as they are.
    """
    total = 0
    # Channels of each layer's output that need a gradient: all or none, but for concatenations.
    with_gradient = {"": 0}
    for layer in layers:
        trains = layer.kind == "convolution" and not is_fixed(layer)
        total += layer.multiply_adds() * (1 + trains)
        total += sum(layer.multiply_adds(with_gradient[source]) for source, _ in layer.inputs)
        behind_training = sum(with_gradient[source] for source, _ in layer.inputs)
        if layer.kind == "concatenation":
            with_gradient[layer.name] = behind_training
        else:
            needed = trains or behind_training or layer.extra_parameters
            with_gradient[layer.name] = layer.out_channels if needed else 0
    return total


def receptive_field(architecture: Architecture) -> int:
    """Samples from the first to the last of the mixture on which one sample of the output can depend, at most.

    Group normalisation is left out: through its statistics every sample depends on the whole input.
    """
    earliest, latest = _seen(architecture)
    return int((latest - earliest).max()) + 1


def reach(architecture: Architecture) -> int:
    """Samples of the mixture to either side of an output sample on which it can depend, at most."""
    earliest, latest = _seen(architecture)
    times = np.arange(len(earliest))
    return int(max((times - earliest).max(), (latest - times).max()))


def _seen(architecture: Architecture) -> tuple[np.ndarray, np.ndarray]:
    """First and last sample of the mixture that each output sample of one period of 2^levels samples depends on."""
    period = np.arange(2**architecture.levels)
    needed = {"output": (period, period)}
    layers = convolutions(architecture, Signal(), lengths(architecture, 2 * len(period)).input)
    for layer in reversed(layers):
        if layer.name not in needed:  # An output that only training computes.
            continue
        first, last = needed.pop(layer.name)
        if layer.kind == "interpolation":
            first, last = first // 2, (last + 1) // 2
        else:
            first, last = first * layer.stride - layer.radius, last * layer.stride + layer.radius
        for source, _ in layer.inputs:
            known_first, known_last = needed.get(source, (first, last))
            needed[source] = np.minimum(first, known_first), np.maximum(last, known_last)
    return needed[""]
