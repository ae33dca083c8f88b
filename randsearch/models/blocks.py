"""The building blocks of a network, and the factory that makes them as its plan lists them.

Activations are modules of their own behind each convolution, so that hooks on a convolution see what it computes.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from randsearch.models.architecture import Architecture
from randsearch.models.initialisation import drawing
from randsearch.models.layers import Convolution, Signal, lengths
from randsearch.models.resampling import Blur, Interpolation, LearnedInterpolation, Skip
from randsearch.models.structure import convolutions


class Snake(nn.Module):
    """x + sin(a x)^2 / a, with a learned frequency a per channel (Ziyin et al., arXiv 2006.08195).

    Args:
        channels: of its input.

    Shape:
        (batch, channels, time) to the same.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.frequency = nn.Parameter(torch.ones(channels, 1))

    def forward(self, x: Tensor) -> Tensor:
        """Bends the signal."""
        # sin(a x)^2 / a without the division, which would fail at a = 0.
        return x + self.frequency * (x * torch.sinc(self.frequency * x / math.pi)).square()


class Separable(nn.Module):
    """A convolution in two steps: over time within each channel, then across channels.

    Shape:
        As the convolution that it stands for.
    """

    def __init__(self, depthwise: nn.Conv1d, pointwise: nn.Conv1d) -> None:
        super().__init__()
        self.depthwise = depthwise
        self.pointwise = pointwise

    def forward(self, x: Tensor) -> Tensor:
        """Convolves."""
        out: Tensor = self.pointwise(self.depthwise(x))
        return out


class Unit(nn.Module):
    """A convolution with the activation behind it."""

    def __init__(self, convolution: nn.Module, activation: nn.Module) -> None:
        super().__init__()
        self.convolution = convolution
        self.activation = activation

    def forward(self, x: Tensor) -> Tensor:
        """Convolves and activates."""
        out: Tensor = self.activation(self.convolution(x))
        return out


class MultiRes(nn.Module):
    """MultiRes block as in J-Net: two convolutions one behind the other, both kept, and a 1x1 convolution added.

    Args:
        first: N filters.
        second: N filters on the N channels, padded.
        wide: 2 N filters of one tap on the N channels.
        activations: one behind each of them.

    Shape:
        (batch, channels, time) to (batch, 2 N, time), or as long as `first` leaves it.
    """

    def __init__(self, first: nn.Module, second: nn.Module, wide: nn.Module, activations: list[nn.Module]) -> None:
        super().__init__()
        self.first = first
        self.second = second
        self.wide = wide
        self.activations = nn.ModuleList(activations)

    def forward(self, x: Tensor) -> Tensor:
        """Applies the block."""
        narrow, wider, wide = self.activations
        first = narrow(self.first(x))
        both = torch.cat([first, wider(self.second(first))], dim=1)
        out: Tensor = both + wide(self.wide(first))
        return out


class ResStep(nn.Module):
    """One of the steps of a ResPath: r = conv(r), then r + conv1(r), each convolution with its activation.

    Shape:
        (batch, channels, time) to (batch, filters, time).
    """

    def __init__(self, wide: nn.Module, narrow: nn.Module, activations: list[nn.Module]) -> None:
        super().__init__()
        self.wide = wide
        self.narrow = narrow
        self.activations = nn.ModuleList(activations)

    def forward(self, x: Tensor) -> Tensor:
        """Takes the step."""
        wide, narrow = self.activations
        x = wide(self.wide(x))
        out: Tensor = x + narrow(self.narrow(x))
        return out


class Factory:
    """Makes the layers of a network as its plan lists them, by name.

    Weights come from one generator in the order of the calls, so that a network's are the same whenever it is built.

    Args:
        architecture: the network.
        signal: sources and channels.
        generator: draws the initial weights.
    """

    def __init__(self, architecture: Architecture, signal: Signal, generator: torch.Generator) -> None:
        self.architecture = architecture
        self.draw = drawing(architecture, generator)
        # The shortest legal input serves: kernels and channels do not depend on the length.
        length = lengths(architecture, 2 ** (architecture.levels + 1)).input
        self.plan = {layer.name: layer for layer in convolutions(architecture, signal, length)}

    def block(self, name: str) -> nn.Module:
        """An encoder level or a decoder node; nothing where it is removed."""
        if f"{name}.sum" not in self.plan:
            return self.spread(name) if self._activated(name) else nn.Identity()
        first, second = self.spread(f"{name}.first"), self.spread(f"{name}.second")
        wide = self.convolution(f"{name}.wide")
        activations = [self.activation(f"{name}.{part}") for part in ("first", "second", "wide")]
        return MultiRes(first, second, wide, activations)

    def spread(self, name: str) -> nn.Module:
        """A convolution over time, in one or in two steps."""
        if name in self.plan:
            return self.convolution(name)
        return Separable(self.convolution(f"{name}.depthwise"), self.convolution(f"{name}.pointwise"))

    def convolution(self, name: str) -> nn.Conv1d:
        """A convolution with its initial weights."""
        layer = self.plan[name]
        with torch.device("meta"):
            convolution = nn.Conv1d(
                layer.in_channels,
                layer.out_channels,
                layer.kernel,
                stride=layer.stride,
                padding=layer.radius if layer.padded else 0,
                dilation=layer.dilation,
                groups=layer.groups,
                bias=layer.bias,
            )
        convolution.to_empty(device="cpu")
        self.draw(name, convolution)
        return convolution

    def activation(self, name: str) -> nn.Module:
        """Normalisation and nonlinearity behind a convolution; nothing where a block has its own or is removed."""
        layer = self._activated(name)
        if layer is None:
            return nn.Identity()
        nonlinearity = _nonlinearity(self.architecture, layer.out_channels)
        if self.architecture.normalisation == "none":
            return nonlinearity
        return nn.Sequential(_normalisation(self.architecture, layer.out_channels), nonlinearity)

    def decimation(self, level: int) -> nn.Module:
        """What halves the rate behind an encoder level."""
        name = f"decimation.{level}"
        if f"{name}.convolution" in self.plan:
            return Unit(self.convolution(f"{name}.convolution"), self.activation(f"{name}.convolution"))
        layer = self.plan[name]
        return Skip() if layer.kernel == 1 else Blur(padded=layer.padded)

    def upsampling(self, name: str) -> nn.Module:
        """What doubles the rate in front of a decoder level."""
        if self.architecture.upsampling == "learned":
            return LearnedInterpolation(self.plan[name].out_channels, context=self.architecture.context)
        return Interpolation(context=self.architecture.context)

    def skip(self, level: int) -> nn.Module:
        """What an encoder level's output passes on its way to the decoder."""
        steps: list[nn.Module] = []
        while f"skips.{level}.{len(steps)}.sum" in self.plan:
            name = f"skips.{level}.{len(steps)}"
            wide, narrow = self.convolution(f"{name}.wide"), self.convolution(f"{name}.narrow")
            steps.append(ResStep(wide, narrow, [self.activation(f"{name}.{part}") for part in ("wide", "narrow")]))
        return nn.Sequential(*steps)

    def _activated(self, name: str) -> Convolution | None:
        """The convolution of that name in front of an activation."""
        return self.plan.get(name, self.plan.get(f"{name}.pointwise"))


def _nonlinearity(architecture: Architecture, channels: int) -> nn.Module:
    match architecture.activation:
        case "leaky_relu":
            return nn.LeakyReLU(0.2)
        case "relu":
            return nn.ReLU()
        case "gelu":
            return nn.GELU()
        case "tanh":
            return nn.Tanh()
        case "snake":
            return Snake(channels)


def _normalisation(architecture: Architecture, channels: int) -> nn.Module:
    if architecture.normalisation == "batch":
        return nn.BatchNorm1d(channels)
    return nn.GroupNorm(math.gcd(channels, 8), channels)
