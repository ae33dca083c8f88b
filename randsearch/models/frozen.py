"""Which half of a network stays at its random initialisation (J-Net, arXiv 1911.12926).

Only convolutions of that half are fixed; the bottleneck and the output convolution always train.
"""

from __future__ import annotations

from typing import Literal

from torch import nn

Half = Literal["none", "encoder", "decoder"]


def fix_half(network: nn.Module, half: Half) -> None:
    """Stops one half of a network from training.

    Args:
        network: has a submodule for each half.
        half: which convolutions keep their initial weights; `none` leaves everything trainable.
    """
    if half != "none":
        network.get_submodule(half).requires_grad_(False)
