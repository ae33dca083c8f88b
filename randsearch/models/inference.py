"""Separating a whole recording with a trained network, in pieces that leave no seams."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from randsearch.models.architecture import Architecture
from randsearch.models.channels_last import estimate_all
from randsearch.models.layers import lengths
from randsearch.models.sizing import reach
from randsearch.models.wave_unet import WaveUNet


def separate(network: WaveUNet, mixture: Tensor, chunk: int = 2**18) -> Tensor:
    """Estimates the sources of a recording of any length.

    The result is that of one pass over the whole recording: with zeros at its end up to a multiple of 2^levels, or with
    context, with zeros at both ends where the network looks beyond. It is computed in chunks, each with as much of the
    recording around it as its samples can depend on, so that memory stays bounded. Group normalisation alone notices,
    since its statistics are those of a chunk.

    Args:
        network: put into evaluation mode meanwhile.
        mixture: on the network's device.
        chunk: samples of the result to compute at a time, about; more are quicker and take more memory.

    Shape:
        (channels, time) to (sources, channels, time).
    """
    architecture, time = network.architecture, mixture.shape[-1]
    # Chunks start at multiples of this, so that decimation keeps the samples that it keeps in one pass.
    grid = 2**architecture.levels
    step = max(chunk // grid, 1) * grid
    length, border = _fitting(architecture, time)
    around = -(-max(0, reach(architecture) - border) // grid) * grid
    padded = functional.pad(mixture, (border, length + border - time))
    found, was_training = [], network.training
    network.eval()
    try:
        with torch.inference_mode():
            for start in range(0, time, step):
                stop = min(start + step, time)
                first = max(0, start - around)
                last = min(length, first + _fitting(architecture, stop + around - first)[0])
                estimates = estimate_all(network, padded[None, :, first : last + 2 * border])[-1]
                found.append(estimates[0, ..., start - first : stop - first])
    finally:
        network.train(was_training)
    return torch.cat(found, dim=-1)


def _fitting(architecture: Architecture, desired: int) -> tuple[int, int]:
    """The shortest output of at least so many samples that the network computes, and how far it looks beyond."""
    if not architecture.context:
        return -(-desired // 2**architecture.levels) * 2**architecture.levels, 0
    size = lengths(architecture, desired)
    return size.output, (size.input - size.output) // 2
