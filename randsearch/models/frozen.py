"""Which convolutions of a network stay at their random initialisation (J-Net, arXiv 1911.12926).

A measure may fix a half, an architecture any levels and its ResPaths. Only convolutions are fixed: the bottleneck, the
output convolution, learned interpolation, normalisation and snake always train, and the running statistics of batch
normalisation always adapt. Of a decoder's MultiRes block the first convolution is fixed, and the two that the block
adds train, as in the authors' code; of an encoder's all three are.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from randsearch.models.architecture import Architecture, Half
from randsearch.models.layers import Convolution

if TYPE_CHECKING:
    from randsearch.models.wave_unet import WaveUNet

__all__ = ["Half", "fix_half", "is_fixed"]

ADDED = frozenset({"second", "wide"})
"""Names of the convolutions that a MultiRes block has besides the one that a plain level has."""


def is_fixed(architecture: Architecture, half: Half) -> Callable[[Convolution], bool]:
    """Tells which layers stay as they are, by a measure's choice or by the architecture's.

    Args:
        architecture: the network.
        half: what the measure fixes; `none` leaves what the architecture fixes.
    """

    def fixed(layer: Convolution) -> bool:
        if layer.kind != "convolution":
            return False
        if layer.part == "decoder" and architecture.multires and not ADDED.isdisjoint(layer.name.split(".")):
            return False
        if layer.part in ("encoder", "decoder"):
            return layer.part == half or architecture.fixes(layer.part, layer.level)
        return layer.part == "skips" and architecture.res_path == "fixed"

    return fixed


def fix_half(network: WaveUNet, half: Half) -> None:
    """Stops the convolutions of one half of a network from training, and those that its architecture fixes.

    Args:
        network: has just been built.
        half: whose convolutions keep their initial weights; `none` leaves what the architecture fixes.
    """
    for layer in filter(is_fixed(network.architecture, half), network.layers):
        network.get_submodule(layer.name).requires_grad_(False)
