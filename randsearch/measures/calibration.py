"""Other weights for the half of a network that a measure fixes: drawn in another way, or calibrated on data.

To calibrate is the idea of LSUV (Mishkin & Matas, arXiv 1511.06422), one forward pass in which each layer is scaled
when its turn comes. LSUV scales to unit variance, but audio has a level of about 0.1, and what trains beside a half
that is ten times as loud cannot follow. Here each layer keeps the level of what it sees.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

import torch
from torch import Tensor, nn

from randsearch.measures.contract import UnmeasurableError
from randsearch.models.architecture import Half, Initialisation
from randsearch.models.frozen import is_fixed
from randsearch.models.initialisation import drawing
from randsearch.models.layers import Convolution
from randsearch.models.wave_unet import WaveUNet

MOST_ROUNDS = 50
CLOSE = 1e-5
"""How far the level behind a layer may be from that in front of it, as a share."""


def layers_of_half(network: WaveUNet, half: Half) -> list[Convolution]:
    """The convolutions that a measure fixes by fixing a half; what the architecture fixes elsewhere is not its."""
    fixed = is_fixed(network.architecture, half)
    return [layer for layer in network.layers if layer.part == half and fixed(layer)]


def redraw(network: WaveUNet, half: Half, initialisation: Initialisation, seed: int) -> None:
    """Draws the convolutions of a half anew.

    Args:
        network: all of its other weights stay as they are.
        half: what is drawn.
        initialisation: how.
        seed: of the draw.
    """
    way = network.architecture.model_copy(update={"initialisation": initialisation})
    draw = drawing(way, torch.Generator().manual_seed(seed))
    for layer in layers_of_half(network, half):
        convolution: Any = network.get_submodule(layer.name)
        draw(layer.name, convolution, layer.heads)


def calibrate(network: WaveUNet, half: Half, mixture: Tensor) -> None:
    """Scales the convolutions of a half so that the level behind each is that of its input, in one forward pass.

    The level is the root mean square over crops, channels and time; behind a layer it is taken after its nonlinearity.
    Behind normalisation no scale is left, so that what is normalised keeps the level itself. A layer that is silent has
    no level, and stays as it is.

    Args:
        network: on the device of the mixture.
        half: what is scaled.
        mixture: of a few crops, (crops, channels, input time).

    Raises:
        UnmeasurableError: no scale makes the level behind a nonlinearity that of its input.
    """
    with ExitStack() as hooks, torch.no_grad():
        for layer in layers_of_half(network, half):
            convolution: Any = network.get_submodule(layer.name)
            scale = _Scale(layer.name, _behind(network, layer))
            hooks.callback(convolution.register_forward_hook(scale).remove)
        network.features(mixture)


def _behind(network: WaveUNet, layer: Convolution) -> Callable[[Tensor], Tensor]:
    """What the level behind a layer is measured on."""
    if not layer.activation or network.architecture.normalisation != "none":
        return nn.Identity()
    return network.get_submodule(layer.activation)


class _Scale:
    """The forward hook that scales a convolution, and what it has just computed."""

    def __init__(self, name: str, behind: Callable[[Tensor], Tensor]) -> None:
        self._name = name
        self._behind = behind

    def __call__(self, convolution: nn.Conv1d, inputs: tuple[Tensor, ...], output: Tensor) -> Tensor:
        factor = self._factor(level(inputs[0]), output)
        for tensor in convolution.parameters():
            tensor.mul_(factor)
        return output * factor

    def _factor(self, wanted: float, output: Tensor) -> float:
        factor = 1.0
        # Exact at once where the nonlinearity is homogeneous; close to it where it is so for small signals.
        for _ in range(MOST_ROUNDS):
            found = level(self._behind(output * factor))
            if found == 0.0 or wanted == 0.0:
                return 1.0
            if abs(found / wanted - 1.0) < CLOSE:
                return factor
            factor *= wanted / found
        raise UnmeasurableError(f"refused: no weights of {self._name} give its output the level of its input")


def level(signal: Tensor) -> float:
    """Root mean square of all samples."""
    return float(signal.detach().square().mean(dtype=torch.float64).sqrt())
