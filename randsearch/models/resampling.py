"""Halving and doubling the rate between the levels of a Wave-U-Net."""

from __future__ import annotations

import torch
from torch import Tensor


def decimate(x: Tensor) -> Tensor:
    """Keeps every second sample, the first included; no anti-alias filter (Wave-U-Net).

    Shape:
        (batch, channels, time) to (batch, channels, ceil(time / 2)).
    """
    return x[..., ::2]


def upsample_linear(x: Tensor) -> Tensor:
    """Doubles the rate by linear interpolation as same padding has it.

    Even samples are x[k], odd samples the mean of x[k] and x[k+1], and the last sample is repeated. PyTorch's
    `interpolate` with align_corners=False computes something else.

    Shape:
        (batch, channels, time) to (batch, channels, 2 * time).
    """
    between = torch.cat([(x[..., :-1] + x[..., 1:]) * 0.5, x[..., -1:]], dim=-1)
    return torch.stack([x, between], dim=-1).flatten(-2)
