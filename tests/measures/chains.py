"""Tiny linear networks whose proxies can be written down."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Chain(nn.Module):
    """Convolutions of one tap and one channel in a row: multiplication by the product of their weights."""

    def __init__(self, *weights: float) -> None:
        super().__init__()
        self.layers = nn.ModuleList(nn.Conv1d(1, 1, 1, bias=False, dtype=torch.float64) for _ in weights)
        with torch.no_grad():
            for layer, weight in zip(self.layers, weights, strict=True):
                layer.weight.fill_(weight)

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.layers:
            x = layer(x)
        return x

    @property
    def weights(self) -> list[Tensor]:
        return [layer.weight for layer in self.layers]

    def half_square(self, x: Tensor) -> Tensor:
        """(a b ... x)^2 / 2, averaged over the batch and summed over time."""
        return 0.5 * self(x).square().sum(dim=(1, 2)).mean()


def signal(*values: float) -> Tensor:
    """(1, 1, time)."""
    return torch.tensor(values, dtype=torch.float64).view(1, 1, -1)
