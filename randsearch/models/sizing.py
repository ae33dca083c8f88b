"""Sizes of a network in closed form, from its architecture alone: parameters, multiply-adds, the cost of a step.

Every convolution is listed with what feeds it, so that the cost of a training step with parts fixed follows from which
tensors need a gradient. Nothing here imports torch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal

from randsearch.architecture import Architecture
from randsearch.errors import UserError

Part = Literal["encoder", "bottleneck", "decoder", "output"]
PARTS: tuple[Part, ...] = ("encoder", "bottleneck", "decoder", "output")


@dataclass(frozen=True)
class Signal:
    """What a network is asked to do, fixed by the study for all of its networks.

    Attributes:
        sources: how many sources are estimated.
        channels: audio channels of the mixture and of each source.
    """

    sources: int = 2
    channels: int = 1


@dataclass(frozen=True)
class Convolution:
    """One convolution of a network.

    Attributes:
        name: its name in the network's `state_dict`, without `.weight`.
        part: the part of the network that it belongs to.
        level: 0 is the finest; the bottleneck's is the number of levels.
        inputs: (name of the convolution that feeds it, channels) of each tensor concatenated; "" is the mixture.
        out_channels: filters.
        kernel: taps.
        out_length: samples that it computes.
    """

    name: str
    part: Part
    level: int
    inputs: tuple[tuple[str, int], ...]
    out_channels: int
    kernel: int
    out_length: int

    @property
    def in_channels(self) -> int:
        """Channels of all inputs together."""
        return sum(channels for _, channels in self.inputs)

    @property
    def parameters(self) -> int:
        """Weights and biases."""
        return (self.in_channels * self.kernel + 1) * self.out_channels

    def multiply_adds(self, channels: int | None = None) -> int:
        """Multiply-adds of one forward pass over that many of the input channels (all of them if None)."""
        return (self.in_channels if channels is None else channels) * self.kernel * self.out_channels * self.out_length


def convolutions(architecture: Architecture, signal: Signal, length: int) -> list[Convolution]:
    """Lists a network's convolutions in the order in which they run.

    Args:
        architecture: the network.
        signal: sources and channels.
        length: samples of the input.

    Raises:
        UserError: the network halves the input more often than its length allows.
    """
    check_depth(architecture, length)
    found = []
    feed: tuple[str, int] = ("", signal.channels)
    lengths = [length]
    for level in range(architecture.levels):
        name, filters = f"encoder.{level}", architecture.filters(level)
        found.append(Convolution(name, "encoder", level, (feed,), filters, architecture.encoder_kernel, lengths[level]))
        feed = (name, filters)
        lengths.append((lengths[level] + 1) // 2)
    depth, filters = architecture.levels, architecture.filters(architecture.levels)
    found.append(
        Convolution("bottleneck", "bottleneck", depth, (feed,), filters, architecture.encoder_kernel, lengths[depth])
    )
    feed = ("bottleneck", filters)
    for level in reversed(range(architecture.levels)):
        name, filters = f"decoder.{level}", architecture.filters(level)
        skip = ((f"encoder.{level}", filters),) if architecture.has_skip(level) else ()
        found.append(
            Convolution(name, "decoder", level, (feed, *skip), filters, architecture.decoder_kernel, lengths[level])
        )
        feed = (name, filters)
    predicted = signal.channels * (signal.sources - (architecture.output == "difference"))
    inputs = (feed, ("", signal.channels))
    found.append(Convolution("output", "output", 0, inputs, predicted, architecture.output_kernel, length))
    return found


def check_depth(architecture: Architecture, length: int) -> None:
    """Refuses a network whose bottleneck would hold fewer than two samples.

    Raises:
        UserError: names the depth, the segment and the shortest segment that would do.
    """
    shortest = 2 ** (architecture.levels + 1)
    if length < shortest:
        raise UserError(
            f"a network of {architecture.levels} levels is too deep for a segment of {length} samples: "
            f"use a segment of at least {shortest} samples or fewer levels."
        )


def parameters(layers: Iterable[Convolution]) -> dict[Part, int]:
    """Weights and biases by part."""
    counts: dict[Part, int] = dict.fromkeys(PARTS, 0)
    for layer in layers:
        counts[layer.part] += layer.parameters
    return counts


def multiply_adds(layers: Iterable[Convolution]) -> int:
    """Multiply-adds of one forward pass of one example."""
    return sum(layer.multiply_adds() for layer in layers)


def step_multiply_adds(layers: Iterable[Convolution], is_fixed: Callable[[Convolution], bool]) -> int:
    """Multiply-adds of one training step of one example: forward, weight gradients, input gradients.

    A fixed convolution needs no weight gradient; an input needs a gradient only if something that trains lies
    before it. A full step is thus three forward passes less the gradient with respect to the mixture.

    Args:
        layers: the network, in the order in which it runs.
        is_fixed: tells which convolutions stay as they are.
    """
    total = 0
    needs_gradient = {"": False}
    for layer in layers:
        trains = not is_fixed(layer)
        total += layer.multiply_adds() * (1 + trains)
        total += sum(layer.multiply_adds(channels) for source, channels in layer.inputs if needs_gradient[source])
        needs_gradient[layer.name] = trains or any(needs_gradient[source] for source, _ in layer.inputs)
    return total


def multiply_adds_per_second(architecture: Architecture, signal: Signal, segment: int, sample_rate: int) -> float:
    """Multiply-adds for one second of output.

    Args:
        architecture: the network.
        signal: sources and channels.
        segment: samples of output that it computes at a time.
        sample_rate: samples a second.
    """
    return multiply_adds(convolutions(architecture, signal, segment)) * sample_rate / segment
