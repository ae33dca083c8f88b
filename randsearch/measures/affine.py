"""Affine: every convolution stays random but the output's; what is learned is how loud each channel is, and its offset.

Frankle et al. (arXiv 2003.00152) trained the scales and shifts of batch normalisation alone. Where a network has no
normalisation, each channel is given a scale and a shift in front of its nonlinearity, for the measure alone.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from randsearch.measures import costs
from randsearch.measures.contract import Outcome, Setting
from randsearch.measures.run import Run
from randsearch.models.architecture import Architecture
from randsearch.models.wave_unet import WaveUNet


def affine(setting: Setting, architecture: Architecture, seed: int) -> Outcome:
    """Validation SDR after a short training of scales, shifts and the output convolution (cf. 2003.00152)."""
    run = Run("affine", setting.proxy_steps, setting, architecture, seed)
    network = run.network()
    leave_affine(network)
    return run.outcome(run.train(network, run.score), costs.affine_cost(setting, architecture))


class Affine(nn.Module):
    """A scale, at first 1, and a shift, at first 0, for each channel.

    Args:
        channels: of its input.

    Shape:
        (batch, channels, time) to the same.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(channels))
        self.shift = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor) -> Tensor:
        """Scales and shifts."""
        return torch.addcmul(self.shift.unsqueeze(1), x, self.scale.unsqueeze(1))


def leave_affine(network: WaveUNet) -> None:
    """Fixes all convolutions but the output's, and adds scales and shifts where there is no normalisation.

    Args:
        network: has just been built, on the processor.
    """
    for layer in network.layers:
        if costs.random_but_output(layer):
            network.get_submodule(layer.name).requires_grad_(False)
        if layer.activation and network.architecture.normalisation == "none":
            behind = network.get_submodule(layer.activation)
            network.set_submodule(layer.activation, nn.Sequential(Affine(layer.out_channels), behind))
