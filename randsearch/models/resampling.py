"""Halving and doubling the rate between the levels of a Wave-U-Net, and cropping what has become too long."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional


def crop(x: Tensor, length: int) -> Tensor:
    """Keeps the centre; where an odd number of samples is too many, one more goes at the end.

    Shape:
        (..., time) to (..., length).
    """
    start = (x.shape[-1] - length) // 2
    return x[..., start : start + length] if x.shape[-1] > length else x


class Skip(nn.Module):
    """Keeps every second sample, the first included; no anti-alias filter (Wave-U-Net).

    Shape:
        (batch, channels, time) to (batch, channels, ceil(time / 2)).
    """

    def forward(self, x: Tensor) -> Tensor:
        """Halves the rate."""
        return x[..., ::2]


class Blur(nn.Module):
    """Keeps every second sample behind a fixed low-pass, so that less aliases.

    The filter is the maximally flat half-band of 7 taps: -6 dB at the new Nyquist frequency, a gain of exactly 1 at 0.

    Args:
        padded: by zeros; else 6 samples are lost.

    Shape:
        (batch, channels, time) to (batch, channels, ceil(time / 2)), or ceil(time / 2) - 3 if not padded.
    """

    taps: Tensor

    def __init__(self, *, padded: bool) -> None:
        super().__init__()
        self.padding = 3 if padded else 0
        taps = torch.tensor([-1.0, 0.0, 9.0, 16.0, 9.0, 0.0, -1.0]) / 32
        # Known beforehand: it moves with the network, but belongs to no checkpoint.
        self.register_buffer("taps", taps, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Halves the rate."""
        alone = x.flatten(0, 1).unsqueeze(1)
        low = functional.conv1d(alone, self.taps.view(1, 1, -1), stride=2, padding=self.padding)
        return low.view(x.shape[0], x.shape[1], -1)


class Interpolation(nn.Module):
    """Doubles the rate by linear interpolation.

    Even samples are x[k], odd samples the mean of x[k] and x[k+1]. PyTorch's `interpolate` with align_corners=False
    computes something else; with align_corners=True and 2 time - 1 samples, the same as here with context.

    Args:
        context: ends with the last sample; else one more follows it, its repetition.

    Shape:
        (batch, channels, time) to (batch, channels, 2 * time), one sample less with context.
    """

    def __init__(self, *, context: bool) -> None:
        super().__init__()
        self.context = context

    def forward(self, x: Tensor) -> Tensor:
        """Doubles the rate."""
        between = torch.cat([self.between(x[..., :-1], x[..., 1:]), self.behind(x[..., -1:])], dim=-1)
        doubled = torch.stack([x, between], dim=-1).flatten(-2)
        return doubled[..., :-1] if self.context else doubled

    def between(self, left: Tensor, right: Tensor) -> Tensor:
        """The new samples, from the sample to either side of each."""
        return (left + right) * 0.5

    def behind(self, last: Tensor) -> Tensor:
        """The new sample behind the last one, where no sample stands to its right."""
        return last


class LearnedInterpolation(Interpolation):
    """Doubles the rate by interpolation with a learned weight per channel (Wave-U-Net M5).

    A new sample is w * x[k] + (1 - w) * x[k+1] with w = sigmoid(weight). As made here, it is linear.

    Args:
        channels: of its input.
        context: ends with the last sample; else one more follows it, as if a zero stood behind.
    """

    def __init__(self, channels: int, *, context: bool) -> None:
        super().__init__(context=context)
        self.weight = nn.Parameter(torch.zeros(channels))

    def between(self, left: Tensor, right: Tensor) -> Tensor:
        """The new samples, from the sample to either side of each."""
        return torch.lerp(right, left, torch.sigmoid(self.weight).unsqueeze(-1))

    def behind(self, last: Tensor) -> Tensor:
        """The new sample behind the last one, where no sample stands to its right."""
        return torch.sigmoid(self.weight).unsqueeze(-1) * last
