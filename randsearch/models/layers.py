"""What networks are made of: layers, and how many samples each of them sees and leaves.

Lengths with context follow Stoller et al. (arXiv 1806.03185) and its public code.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from randsearch.base.errors import UserError
from randsearch.models.architecture import Architecture

Part = Literal["encoder", "skips", "bottleneck", "decoder", "output"]
PARTS: tuple[Part, ...] = ("encoder", "skips", "bottleneck", "decoder", "output")
Kind = Literal["convolution", "decimation", "interpolation", "sum", "concatenation"]

STRIDED_TAPS, BLUR_TAPS = 3, 7


@dataclass(frozen=True)
class Signal:
    """What a network is asked to do, fixed by the study for all of its networks.

    Attributes:
        sources: how many sources are estimated.
        channels: audio channels of the mixture and of each source.
    """

    sources: int = 2
    channels: int = 1


@dataclass(frozen=True)
class Lengths:
    """Samples that go into a network, come out of it, and remain behind the bottleneck's convolution."""

    input: int
    output: int
    bottleneck: int


@dataclass(frozen=True)
class Convolution:
    """One layer of a network: a convolution, or what is done between two convolutions.

    Attributes:
        name: its module's name in the network; sums and concatenations have no module.
        part: the part of the network that it belongs to.
        level: 0 is the finest; the bottleneck's is the number of levels.
        inputs: (name of the layer that feeds it, channels) of each tensor concatenated; "" is the mixture. The others
            are cropped to the length of the first.
        out_channels: filters.
        kernel: taps.
        out_length: samples that it computes.
        kind: only a `convolution` has kernels that are parameters; a `sum` adds its last input to the others, which are
            concatenated; a `concatenation` is a decoder level whose convolutions are removed.
        stride: input samples from one output sample to the next.
        dilation: input samples from one tap to the next.
        groups: the input channels are split into that many groups, each with its own filters.
        bias: whether it adds one.
        padded: by zeros, so that no samples are lost at the borders.
        extra_parameters: parameters at it that are no convolution's and always train: learned interpolation, and
            normalisation and snake behind it.
        heads: how many convolutions it stands for, one a source: each sees all of the input, has its share of the
            filters, and is drawn as if it were by itself.
        activation: name of the module of normalisation and nonlinearity behind it; "" for none.
        within: name of the layer whose output's length is the most here: of what an interpolation puts out, and of what
            a convolution sees; None for no such bound.
    """

    name: str
    part: Part
    level: int
    inputs: tuple[tuple[str, int], ...]
    out_channels: int
    kernel: int
    out_length: int
    kind: Kind = "convolution"
    stride: int = 1
    dilation: int = 1
    groups: int = 1
    bias: bool = True
    padded: bool = True
    extra_parameters: int = 0
    heads: int = 1
    activation: str = ""
    within: str | None = None

    @property
    def in_channels(self) -> int:
        """Channels of all inputs together."""
        return sum(channels for _, channels in self.inputs)

    @property
    def radius(self) -> int:
        """Samples that it sees to either side."""
        return self.dilation * (self.kernel - 1) // 2

    @property
    def parameters(self) -> int:
        """Weights, biases, and the extra parameters."""
        if self.kind != "convolution":
            return self.extra_parameters
        return (self.in_channels // self.groups * self.kernel + self.bias) * self.out_channels + self.extra_parameters

    def multiply_adds(self, channels: int | None = None) -> int:
        """Multiply-adds of one forward pass over that many of the input channels (all of them if None).

        Taking every second sample, interpolation, sums and concatenation count nothing; a low-pass counts as the
        convolution it is.
        """
        if self.kind not in ("convolution", "decimation") or (self.kind == "decimation" and self.kernel == 1):
            return 0
        channels = self.in_channels if channels is None else channels
        return channels * self.kernel * (self.out_channels // self.groups) * self.out_length


def lengths(architecture: Architecture, desired_output: int) -> Lengths:
    """Finds how long an input a network needs for an output.

    With padding, input and output are as long as desired. With context the output is as long or a little longer: the
    bottleneck's length is rounded up, once.

    Args:
        architecture: the network.
        desired_output: samples wanted, at least 1.
    """
    depth = range(architecture.levels)
    if not architecture.context:
        bottleneck = math.ceil(desired_output / 2**architecture.levels)
        return Lengths(desired_output, desired_output, bottleneck)
    remaining = float(desired_output + architecture.output_kernel - 1)
    for level in depth:
        remaining = (remaining + decoder_span(architecture, level)) / 2
    bottleneck = max(2, math.ceil(remaining))
    output, input_ = bottleneck, bottleneck + architecture.encoder_kernel - 1
    for level in reversed(depth):
        output = 2 * output - decoder_span(architecture, level)
        input_ = 2 * (input_ - 1) + decimation_taps(architecture, level) + encoder_span(architecture, level) - 1
    return Lengths(input_, output - architecture.output_kernel + 1, bottleneck)


def check_depth(architecture: Architecture, length: int) -> None:
    """Refuses a network whose bottleneck would hold fewer than two samples; with context none does.

    Args:
        architecture: the network.
        length: samples of the segment that it puts out.

    Raises:
        UserError: names the depth, the segment and the shortest segment that would do.
    """
    shortest = 2 ** (architecture.levels + 1)
    if length < shortest and not architecture.context:
        raise UserError(
            f"a network of {architecture.levels} levels is too deep for a segment of {length} samples: "
            f"use a segment of at least {shortest} samples or fewer levels."
        )


def decimation_taps(architecture: Architecture, level: int) -> int:
    """Taps of the decimation behind an encoder level."""
    # A strided convolution is a convolution of its level: where those are removed, taking every second sample remains.
    if architecture.decimation == "strided" and architecture.removes("encoder", level):
        return 1
    return {"skip": 1, "strided": STRIDED_TAPS, "blur": BLUR_TAPS}[architecture.decimation]


def encoder_span(architecture: Architecture, level: int) -> int:
    """Samples that one valid convolution of an encoder level looks at."""
    if architecture.removes("encoder", level):
        return 1
    return architecture.dilation * (architecture.encoder_kernel - 1) + 1


def decoder_span(architecture: Architecture, level: int) -> int:
    """Samples that one valid convolution of a decoder level looks at."""
    return 1 if architecture.removes("decoder", level) else architecture.decoder_kernel
