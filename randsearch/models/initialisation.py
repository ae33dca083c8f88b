"""How initial weights are drawn. It decides what a half fixed at random is worth (J-Net, 1911.12926).

Over ten fixed layers Glorot's weights keep 1e-3 of the power and PyTorch's default 2e-8, hence nothing is left to
defaults. Fans are counted within groups: counted over all groups, as PyTorch does, a depthwise layer would fall silent.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from randsearch.base.errors import UserError
from randsearch.models.architecture import Architecture, content_digest

LEAKY_GAIN = math.sqrt(2 / (1 + 0.2**2))
"""Keeps the power of a signal behind leaky ReLU of slope 0.2 (He et al., arXiv 1502.01852)."""
SPARSITY = 0.9
"""Share of a filter's weights that sparse initialisation leaves at 0."""


class Draw(Protocol):
    """The way in which the convolutions of an architecture are initialised."""

    def __call__(self, name: str, convolution: nn.Conv1d, heads: int = 1) -> None:
        """Sets weight and bias of a convolution, given its name in the network and how many it stands for."""


def drawing(architecture: Architecture, generator: torch.Generator) -> Draw:
    """The way in which an architecture's convolutions are initialised.

    Args:
        architecture: names it.
        generator: draws all weights, in the order in which convolutions are handed over.

    Raises:
        UserError: statistics are to be taken from a file that is missing, changed, or of another kind.
    """
    if architecture.initialisation == "statistics":
        return _Statistics(architecture.init_statistics, generator)
    fill = _FILLS.get(architecture.initialisation)

    def draw(name: str, convolution: nn.Conv1d, heads: int = 1) -> None:
        if fill is None:
            _glorot(convolution, heads, generator)
        else:
            fill(convolution, generator)
        if convolution.bias is not None:
            nn.init.zeros_(convolution.bias)

    return draw


def draw_interpolation(weight: Tensor, generator: torch.Generator) -> None:
    """Draws the weights of learned interpolation, in whatever way convolutions are initialised.

    Uniform, as Glorot's rule has it for a vector: both its fans are its length.
    """
    bound = math.sqrt(3 / len(weight))
    nn.init.uniform_(weight, -bound, bound, generator)


def _fan_in(convolution: nn.Conv1d) -> int:
    return convolution.in_channels // convolution.groups * convolution.kernel_size[0]


def _glorot(convolution: nn.Conv1d, heads: int, generator: torch.Generator) -> None:
    """Uniform, of a variance between those that keep the power forwards and backwards of each head."""
    fan_out = convolution.out_channels // (convolution.groups * heads) * convolution.kernel_size[0]
    bound = math.sqrt(3.0) * math.sqrt(2.0 / float(_fan_in(convolution) + fan_out))
    nn.init.uniform_(convolution.weight, -bound, bound, generator)


def _he(convolution: nn.Conv1d, generator: torch.Generator) -> None:
    """Uniform, of the variance that keeps the power behind leaky ReLU."""
    bound = LEAKY_GAIN * math.sqrt(3.0 / _fan_in(convolution))
    nn.init.uniform_(convolution.weight, -bound, bound, generator)


def _orthogonal(convolution: nn.Conv1d, generator: torch.Generator) -> None:
    """Filters (or, where they are more than their weights, weights) orthogonal to each other, scaled as He's."""
    nn.init.orthogonal_(convolution.weight, LEAKY_GAIN, generator)


def _sparse(convolution: nn.Conv1d, generator: torch.Generator) -> None:
    """Normal, but nine of ten weights of each filter are 0 (after Martens 2010), scaled as He's."""
    fan_in = _fan_in(convolution)
    kept = max(1, round((1 - SPARSITY) * fan_in))
    weight = convolution.weight
    places = torch.rand(weight.shape[0], fan_in, generator=generator).argsort(dim=1)[:, :kept]
    values = torch.randn(weight.shape[0], kept, generator=generator) * (LEAKY_GAIN / math.sqrt(kept))
    with torch.no_grad():
        weight.copy_(torch.zeros(weight.shape[0], fan_in).scatter_(1, places, values).view_as(weight))


def _delta_orthogonal(convolution: nn.Conv1d, generator: torch.Generator) -> None:
    """All taps 0 but the middle one, an orthogonal matrix in each group, scaled as He's (Xiao et al. 1806.05393)."""
    weight = convolution.weight
    with torch.no_grad():
        weight.zero_()
        for group in weight.chunk(convolution.groups):
            matrix = torch.empty(group.shape[:2])
            nn.init.orthogonal_(matrix, LEAKY_GAIN, generator)
            group[..., group.shape[2] // 2] = matrix


_FILLS: dict[str, Callable[[nn.Conv1d, torch.Generator], None]] = {
    "he": _he,
    "orthogonal": _orthogonal,
    "delta_orthogonal": _delta_orthogonal,
    "sparse": _sparse,
}


class _Statistics:
    """Normal, with mean and variance of the equally named layer of a trained network."""

    def __init__(self, statistics: str, generator: torch.Generator) -> None:
        path, _, digest = statistics.rpartition("@")
        self.path = Path(path)
        self.generator = generator
        try:
            if content_digest(self.path) != digest:
                raise UserError(f"init_statistics: {path} has changed since its digest {digest} was taken.")
            with safe_open(self.path, framework="pt") as file:
                self.tensors: dict[str, Tensor] = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        except OSError as error:
            raise UserError(f"init_statistics: cannot read {path}: {error.strerror or error}.") from None
        except SafetensorError as error:
            raise UserError(f"init_statistics: {path} is not a safetensors file: {error}.") from None

    def __call__(self, name: str, convolution: nn.Conv1d, heads: int = 1) -> None:
        for kind, tensor in convolution.named_parameters():
            trained = self.tensors.get(f"{name}.{kind}")
            if trained is None or trained.shape != tensor.shape:
                found = "no such layer" if trained is None else f"one of shape {tuple(trained.shape)}"
                raise UserError(
                    f"init_statistics: {self.path} has {found} where the network has {name}.{kind} of shape "
                    f"{tuple(tensor.shape)}; use weights of the same depth, widths and kernels."
                )
            deviation = trained.double().std(correction=0).item()
            nn.init.normal_(tensor, trained.double().mean().item(), deviation, generator=self.generator)
