"""What a network computes, layer by layer with lengths and channels, found without building it.

The one place that decides the structure: from this list the modules of a network are made, its forward pass is run, in
PyTorch's memory layout and in the faster one, and its sizes are summed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypedDict, Unpack

from randsearch.base.errors import UserError
from randsearch.models.architecture import Architecture
from randsearch.models.layers import STRIDED_TAPS, Convolution, Part, Signal, check_depth, decimation_taps, lengths

Side = Literal["encoder", "decoder"]

SHALLOWEST_SUPERVISED = 6
"""Deep supervision trains sub-networks of that many levels or more (J-Net)."""


def convolutions(architecture: Architecture, signal: Signal, length: int) -> list[Convolution]:
    """Lists a network's layers in an order in which they can run.

    Args:
        architecture: the network.
        signal: sources and channels.
        length: samples of the input; with context, one of those that `lengths` gives.

    Raises:
        UserError: the network halves the input more often than its length allows, or has nothing to predict.
        ValueError: with context, no output fits an input of that length exactly.
    """
    check_depth(architecture, length)
    if architecture.output == "difference" and signal.sources < 2:
        raise UserError("output: difference needs two sources or more, of which the last follows; use direct.")
    shortest = lengths(architecture, 1).input
    if architecture.context and (length < shortest or (length - shortest) % 2**architecture.levels):
        raise ValueError(f"inputs are of {shortest} + {2**architecture.levels} k samples, not {length}")
    walk = _Walk(architecture, signal)
    mixture = _Tensors((("", signal.channels),), length)
    encoded = walk.encode(mixture)
    *shallower, features = walk.decode_nested(encoded) if architecture.nested else [walk.decode(encoded)]
    for depth, others in zip(supervised_depths(architecture), shallower, strict=True):
        walk.put_out(f"auxiliary.{depth}", others, mixture, within=features)
    walk.put_out("output", features, mixture)
    return walk.layers


def supervised_depths(architecture: Architecture) -> range:
    """Levels of the sub-networks that separate too in training: from 6 up, or all where there are no more than 6."""
    if not architecture.deep_supervision:
        return range(0)
    return range(SHALLOWEST_SUPERVISED if architecture.levels > SHALLOWEST_SUPERVISED else 1, architecture.levels)


@dataclass(frozen=True)
class _Tensors:
    """Concatenated tensors of one length: (name of the layer that computes it, channels) of each."""

    parts: tuple[tuple[str, int], ...]
    length: int

    @property
    def channels(self) -> int:
        return sum(channels for _, channels in self.parts)

    @property
    def name(self) -> str:
        """Of the layer that computes it, or the first of them."""
        return self.parts[0][0]

    def crop(self, length: int) -> _Tensors:
        assert length <= self.length
        return _Tensors(self.parts, length)

    def join(self, others: list[_Tensors]) -> _Tensors:
        """Appends tensors, cropped to this one's length."""
        cropped = [other.crop(self.length) for other in others]
        return _Tensors(sum((tensors.parts for tensors in cropped), self.parts), self.length)


class _More(TypedDict, total=False):
    """What else may be asked of a layer; where nothing is, the defaults are those of `Convolution`."""

    stride: int
    dilation: int
    groups: int
    bias: bool
    padded: bool
    heads: int
    activation: str
    within: str | None


class _Walk:
    """Goes the way of a network's forward pass and notes every layer that it passes."""

    def __init__(self, architecture: Architecture, signal: Signal) -> None:
        self.architecture = architecture
        self.signal = signal
        self.layers: list[Convolution] = []
        self.per_channel = {"none": 0, "group": 2, "batch": 2}[architecture.normalisation]
        self.per_channel += architecture.activation == "snake"

    def encode(self, mixture: _Tensors) -> list[_Tensors]:
        """The output of every encoder level, before decimation, and last of the bottleneck."""
        architecture, x, found = self.architecture, mixture, []
        for level in range(architecture.levels):
            x = self.block(f"encoder.{level}", "encoder", level, x)
            found.append(x)
            x = self.decimate(level, x)
        depth, kernel = architecture.levels, architecture.encoder_kernel
        filters, activation = architecture.filters(depth), "bottleneck_activation"
        found.append(self.convolve("bottleneck", "bottleneck", depth, x, filters, kernel, activation=activation))
        return found

    def decode(self, encoded: list[_Tensors]) -> _Tensors:
        """The features in front of the output."""
        x = encoded[-1]
        for level in reversed(range(self.architecture.levels)):
            x = self.upsample(f"upsampling.{level}", level, x, encoded[level])
            x = self.block(f"decoder.{level}", "decoder", level, x.join(self.skip(level, encoded[level])))
        return x

    def decode_nested(self, encoded: list[_Tensors]) -> list[_Tensors]:
        """The features in front of each output, the deepest sub-network's last.

        The decoder is a grid. Node (level, column) upsamples node (level + 1, column - 1), where column -1 is the
        encoder's output of that level, and concatenates the encoder's skip and the nodes (level, 0) to (level,
        column - 1); then comes its block. Node (0, d - 1) ends a sub-network of d levels, and the deepest is the
        network. One level makes a plain Wave-U-Net.
        """
        depth = self.architecture.levels
        kept = [self.skip(level, encoded[level]) for level in range(depth)]
        column, features = encoded, []
        for number in range(depth):
            following = []
            for level in range(depth - number):
                name = f"{level}.{number}"
                x = self.upsample(f"upsampling.{name}", level, column[level + 1], encoded[level])
                x = self.block(f"decoder.{name}", "decoder", level, x.join(kept[level]))
                following.append(x)
                kept[level].append(x)
            column = following
            features.append(column[0])
        return [features[levels - 1] for levels in (*supervised_depths(self.architecture), depth)]

    def put_out(self, name: str, features: _Tensors, mixture: _Tensors, within: _Tensors | None = None) -> None:
        """An output convolution; of features longer than those that it must stay within, it sees the middle."""
        sources = self.signal.sources - (self.architecture.output == "difference")
        filters = self.signal.channels * sources
        x = (features.crop(within.length) if within else features).join([mixture])
        bound = within.name if within else None
        self.convolve(name, "output", 0, x, filters, self.architecture.output_kernel, within=bound, heads=sources)

    def skip(self, level: int, encoded: _Tensors) -> list[_Tensors]:
        """What the decoder sees of an encoder level besides what comes from below: one tensor or none."""
        if not self.architecture.has_skip(level):
            return []
        x = encoded
        if self.architecture.res_path != "none":
            filters, kernel = self.architecture.filters(level), self.architecture.encoder_kernel
            for number in range(3):
                name = f"skips.{level}.{number}"
                wide, narrow = (f"{name}.activations.{place}" for place in range(2))
                x = self.convolve(f"{name}.wide", "skips", level, x, filters, kernel, padded=True, activation=wide)
                y = self.convolve(f"{name}.narrow", "skips", level, x, filters, 1, activation=narrow)
                x = self.add(f"{name}.sum", "skips", level, x, y)
        return [x]

    def block(self, name: str, part: Side, level: int, x: _Tensors) -> _Tensors:
        """The convolutions of an encoder level or a decoder node; a removed level has none."""
        architecture = self.architecture
        if architecture.removes(part, level):
            return self.concatenate(name, part, level, x) if len(x.parts) > 1 else x
        if not architecture.multires:
            place = name.removeprefix(part)
            return self.convolve_over_time(name, part, level, x, f"{part}_activation{place}")
        narrow, wider, wide = (f"{name}.activations.{place}" for place in range(3))
        first = self.convolve_over_time(f"{name}.first", part, level, x, narrow)
        second = self.convolve_over_time(f"{name}.second", part, level, first, wider, padded=True)
        third = self.convolve(f"{name}.wide", part, level, first, 2 * architecture.filters(level), 1, activation=wide)
        return self.add(f"{name}.sum", part, level, first.join([second]), third)

    def convolve_over_time(
        self, name: str, part: Side, level: int, x: _Tensors, activation: str, *, padded: bool = False
    ) -> _Tensors:
        """A convolution of the encoder or the decoder that sees several samples, in one or in two steps."""
        architecture, filters = self.architecture, self.architecture.filters(level)
        in_encoder = part == "encoder"
        kernel = architecture.encoder_kernel if in_encoder else architecture.decoder_kernel
        dilation = architecture.dilation if in_encoder else 1
        if not architecture.separable or (in_encoder and level == 0):
            return self.convolve(
                name,
                part,
                level,
                x,
                filters,
                kernel,
                dilation=dilation,
                padded=padded,
                activation=activation,
            )
        x = self.convolve(
            f"{name}.depthwise",
            part,
            level,
            x,
            x.channels,
            kernel,
            dilation=dilation,
            padded=padded,
            groups=x.channels,
            bias=False,
        )
        return self.convolve(f"{name}.pointwise", part, level, x, filters, 1, activation=activation)

    def decimate(self, level: int, x: _Tensors) -> _Tensors:
        """Half the rate."""
        name, taps = f"decimation.{level}", decimation_taps(self.architecture, level)
        if taps == STRIDED_TAPS:
            return self.convolve(
                f"{name}.convolution",
                "encoder",
                level,
                x,
                x.channels,
                taps,
                stride=2,
                activation=f"{name}.activation",
            )
        padded = not self.architecture.context
        length = (x.length - 1 + (0 if padded else 1 - taps)) // 2 + 1
        self.layers.append(
            Convolution(
                name,
                "encoder",
                level,
                x.parts,
                x.channels,
                taps,
                length,
                kind="decimation",
                stride=2,
                groups=x.channels,
                bias=False,
                padded=padded,
            )
        )
        return _Tensors(((name, x.channels),), length)

    def upsample(self, name: str, level: int, x: _Tensors, beside: _Tensors) -> _Tensors:
        """Twice the rate, no longer than what stands beside it."""
        learned = self.architecture.upsampling == "learned"
        length = min(2 * x.length - self.architecture.context, beside.length)
        self.layers.append(
            Convolution(
                name,
                "decoder",
                level,
                x.parts,
                x.channels,
                2,
                length,
                kind="interpolation",
                groups=x.channels,
                bias=False,
                extra_parameters=x.channels * learned,
                within=beside.name,
            )
        )
        return _Tensors(((name, x.channels),), length)

    def concatenate(self, name: str, part: Part, level: int, x: _Tensors) -> _Tensors:
        """What is left of a removed level that joins tensors: they are one from here on."""
        self.layers.append(
            Convolution(name, part, level, x.parts, x.channels, 1, x.length, kind="concatenation", bias=False)
        )
        return _Tensors(((name, x.channels),), x.length)

    def add(self, name: str, part: Part, level: int, x: _Tensors, y: _Tensors) -> _Tensors:
        """The sum of two tensors of one shape."""
        inputs = x.parts + y.parts
        self.layers.append(Convolution(name, part, level, inputs, y.channels, 1, y.length, kind="sum", bias=False))
        return _Tensors(((name, y.channels),), y.length)

    def convolve(
        self, name: str, part: Part, level: int, x: _Tensors, filters: int, kernel: int, **more: Unpack[_More]
    ) -> _Tensors:
        """A convolution, padded if asked to or if the whole network is."""
        more["padded"] = more.get("padded", False) or not self.architecture.context
        lost = 0 if more["padded"] else more.get("dilation", 1) * (kernel - 1)
        length = (x.length - lost - 1) // more.get("stride", 1) + 1
        extra = self.per_channel * filters if more.get("activation") else 0
        self.layers.append(
            Convolution(name, part, level, x.parts, filters, kernel, length, extra_parameters=extra, **more)
        )
        return _Tensors(((name, filters),), length)
