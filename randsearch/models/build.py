"""Networks as they begin: built from an architecture and a seed, with what the architecture fixes fixed."""

from __future__ import annotations

import torch

from randsearch.models.architecture import Architecture
from randsearch.models.frozen import fix_half
from randsearch.models.layers import Signal
from randsearch.models.wave_unet import WaveUNet


def build(architecture: Architecture, signal: Signal, seed: int) -> WaveUNet:
    """Builds a network with initial weights that the seed alone decides, and fixes what the architecture fixes.

    Raises:
        UserError: weights are to be drawn with the statistics of a file that does not serve.
    """
    network = WaveUNet(architecture, signal, torch.Generator().manual_seed(seed))
    fix_half(network, "none")
    return network
