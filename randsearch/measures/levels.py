"""Readouts of every level: what a random encoder offers by itself, and what a random decoder offers behind it."""

from __future__ import annotations

from typing import Any

from torch import nn

from randsearch.measures.contract import Outcome, Setting
from randsearch.measures.readout import mean_over_draws
from randsearch.measures.rewiring import seeing_levels
from randsearch.models.architecture import Architecture
from randsearch.models.layers import Convolution
from randsearch.models.operations import operations
from randsearch.models.resampling import Interpolation
from randsearch.models.structure import Side
from randsearch.models.wave_unet import WaveUNet


def readout_encoder(setting: Setting, architecture: Architecture, seed: int) -> Outcome:
    """As `readout`, of what the encoder's skips carry, brought to the full rate; the decoder does nothing."""
    return mean_over_draws(
        "readout_encoder", setting, architecture, seed, lambda network: see_levels(network, "encoder")
    )


def readout_decoder(setting: Setting, architecture: Architecture, seed: int) -> Outcome:
    """As `readout`, of every level of the decoder, brought to the full rate."""
    return mean_over_draws(
        "readout_decoder", setting, architecture, seed, lambda network: see_levels(network, "decoder")
    )


def see_levels(network: WaveUNet, side: Side) -> None:
    """Has the output convolution of a network see every level of a half, and runs no more than that takes.

    Args:
        network: its output convolution is replaced by one whose weights are yet to be found.
        side: the half.
    """
    context = network.architecture.context
    layers = seeing_levels(network.layers, side, context=context)
    known = {layer.name for layer in network.layers}
    for layer in layers:
        if layer.kind == "interpolation" and layer.name not in known:
            network.add_module(layer.name, Interpolation(context=context))
    before: Any = network.output
    network.output = nn.Conv1d(
        layers[-1].in_channels,
        before.out_channels,
        before.kernel_size[0],
        padding=before.padding[0],
        device=before.weight.device,
    )
    rewire(network, layers)


def rewire(network: WaveUNet, layers: list[Convolution]) -> None:
    """Has a network run other layers, for which it has the modules; the last is its only output."""
    network.layers = tuple(layers)
    network.operations = operations(network.layers)
    network.outputs = network.layers[-1:]
