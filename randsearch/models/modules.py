"""The modules of a network, made from the list of its layers: their places, their kinds, their initial weights.

Activations are modules of their own behind each convolution, so that hooks on a convolution see what it computes.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from itertools import takewhile
from typing import Any

import torch
from torch import Tensor, nn

from randsearch.models.architecture import Architecture
from randsearch.models.initialisation import draw_interpolation, drawing
from randsearch.models.layers import Convolution
from randsearch.models.operations import Path
from randsearch.models.resampling import Blur, Interpolation, LearnedInterpolation, Skip

ORDER = (
    *("encoder", "encoder_activation", "bottleneck", "bottleneck_activation"),
    *("decoder", "decoder_activation", "auxiliary", "output", "decimation", "skips", "upsampling"),
)
"""Parts of a network in the order in which they are made, which is that of their weights in the generator's stream."""


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


def make_modules(
    network: nn.Module, architecture: Architecture, layers: Iterable[Convolution], generator: torch.Generator
) -> None:
    """Puts a module for each layer, and one for each activation, into a network under its name.

    Args:
        network: has no modules yet.
        architecture: says which kinds of modules it has.
        layers: its layers, in the order in which they run.
        generator: draws the initial weights, in the order of `ORDER`, within a part the finest level first.

    Raises:
        UserError: weights are to be drawn with the statistics of a file that does not serve.
    """
    draw = drawing(architecture, generator)
    named = [(layer.name, layer) for layer in layers if layer.kind not in ("sum", "concatenation")]
    named += [(layer.activation, layer) for layer in layers if layer.activation]
    for name, layer in sorted(named, key=lambda pair: _place(pair[0])):
        if name == layer.activation:
            _put(network, name, _activation(architecture, layer.out_channels))
        elif layer.kind == "convolution":
            convolution = _convolution(layer)
            draw(name, convolution, layer.heads)
            _put(network, name, convolution)
        else:
            resampling = _resampling(architecture, layer)
            if isinstance(resampling, LearnedInterpolation):
                draw_interpolation(resampling.weight, generator)
            _put(network, name, resampling)


def module_at(network: nn.Module, path: Path) -> nn.Module:
    """The module to which names lead, as `get_submodule` finds it, but fast enough to look it up in every pass."""
    module: Any = network
    for name in path:
        module = module._modules[name]
    return module  # type: ignore[no-any-return]


def _place(name: str) -> tuple[int, list[int], bool]:
    """By what modules are sorted: part, level and what else is counted, activations behind the convolutions."""
    part, *others = name.split(".")
    numbers = [int(other) for other in takewhile(str.isdigit, others)]
    return ORDER.index(part), numbers, any(other.startswith("activation") for other in others)


def _put(network: nn.Module, name: str, module: nn.Module) -> None:
    """Adds a module, and on the way to it those that only hold others."""
    *holders, last = name.split(".")
    parent = network
    for holder in holders:
        if not hasattr(parent, holder):
            parent.add_module(holder, nn.Module())
        parent = parent.get_submodule(holder)
    parent.add_module(last, module)


def _convolution(layer: Convolution) -> nn.Conv1d:
    """A convolution whose weights are yet to be drawn."""
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
    return convolution.to_empty(device="cpu")


def _resampling(architecture: Architecture, layer: Convolution) -> nn.Module:
    """What halves the rate behind an encoder level, or doubles it in front of a decoder level."""
    if layer.kind == "decimation":
        return Skip() if layer.kernel == 1 else Blur(padded=layer.padded)
    if architecture.upsampling == "learned":
        return LearnedInterpolation(layer.out_channels, context=architecture.context)
    return Interpolation(context=architecture.context)


def _activation(architecture: Architecture, channels: int) -> nn.Module:
    """Normalisation, if any, and nonlinearity."""
    nonlinearity = _nonlinearity(architecture, channels)
    match architecture.normalisation:
        case "none":
            return nonlinearity
        case "batch":
            return nn.Sequential(nn.BatchNorm1d(channels), nonlinearity)
        case "group":
            return nn.Sequential(nn.GroupNorm(math.gcd(channels, 8), channels), nonlinearity)


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
