"""Several draws of a random half at once: what trains is shared by all of them, at the cost of one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from copy import deepcopy

import torch
from torch import Tensor, nn

from randsearch.measures.calibration import layers_of_half, redraw
from randsearch.models.architecture import Half
from randsearch.models.wave_unet import WaveUNet


class Several(nn.Module):
    """Draws of one convolution: each sees its part of the batch, and the parts are equal up to one crop.

    Args:
        draws: of the convolution, at most as many as a batch has crops.

    Attributes:
        only: number of the one draw that sees all crops; None for the parts.

    Shape:
        That of the convolution.
    """

    def __init__(self, draws: Sequence[nn.Module]) -> None:
        super().__init__()
        self.draws = nn.ModuleList(draws)
        self.only: int | None = None

    def forward(self, x: Tensor) -> Tensor:
        """Convolves each part of the batch with its draw."""
        if self.only is not None:
            seen: Tensor = self.draws[self.only](x)
            return seen
        parts = x.tensor_split(len(self.draws))
        # Where memory is short, the batch comes in parts of fewer crops than draws.
        pairs = [(draw, part) for draw, part in zip(self.draws, parts, strict=True) if len(part)]
        return torch.cat([draw(part) for draw, part in pairs])


def put_in_turn(network: WaveUNet, half: Half, seeds: Sequence[int]) -> None:
    """Puts several draws of a half into the place of its convolutions; the network's own is the first.

    Args:
        network: has just been built.
        half: whose convolutions are drawn, in the architecture's way.
        seeds: of the other draws.
    """
    names = [layer.name for layer in layers_of_half(network, half)]
    draws = [[deepcopy(network.get_submodule(name)) for name in names]]
    for seed in seeds:
        redraw(network, half, network.architecture.initialisation, seed)
        draws.append([deepcopy(network.get_submodule(name)) for name in names])
    for name, *convolutions in zip(names, *draws, strict=True):
        network.set_submodule(name, Several(convolutions))


def with_each(network: nn.Module, draws: int) -> Iterator[int]:
    """The network with each of its draws alone in turn, and in the end with all of them again."""
    several = [module for module in network.modules() if isinstance(module, Several)]
    try:
        for draw in range(draws):
            for module in several:
                module.only = draw
            yield draw
    finally:
        for module in several:
            module.only = None
