"""Separating a whole recording with a trained network."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from randsearch.models.wave_unet import WaveUNet


def separate(network: WaveUNet, mixture: Tensor) -> Tensor:
    """Estimates the sources of a recording of any length in one pass.

    The signal is padded with zeros at its end to a multiple of 2^levels, so that every level sees whole samples.

    Args:
        network: put into evaluation mode meanwhile.
        mixture: on the network's device.

    Shape:
        (channels, time) to (sources, channels, time).
    """
    time, training = mixture.shape[-1], network.training
    network.eval()
    with torch.inference_mode():
        padded = functional.pad(mixture, (0, -time % 2**network.architecture.levels))
        estimates: Tensor = network(padded.unsqueeze(0))
    network.train(training)
    return estimates[0, ..., :time]
