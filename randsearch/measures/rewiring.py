"""Networks whose output sees something else, as lists of layers: for readouts, and for what they cost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from randsearch.models.layers import Convolution, Kind
from randsearch.models.structure import Side


def seeing_levels(layers: Sequence[Convolution], side: Side, *, context: bool) -> list[Convolution]:
    """A network whose output sees every level of a half at the full rate, and the mixture.

    A decoder's levels are those of the whole network. Of an encoder they are what its skips carry, whether or not there
    are skips; the decoder does not run, but with context, where it decides how long the output is. The rate is doubled
    by linear interpolation, level by level. A level that is removed has no output.

    Args:
        layers: of the network, in the order in which they run.
        side: the half.
        context: whether the network has context.
    """
    *others, output = layers
    (features, channels), mixture = output.inputs[0], output.inputs[-1]
    levels = {layer.level: layer for layer in others if _ends_level(layer, side)}
    beside = {layer.level: layer.within for layer in others if layer.kind == "interpolation"}
    added: list[Convolution] = []
    seen = [(features, channels)] if side == "decoder" else []
    for level, layer in sorted(levels.items()):
        if layer.name == features:
            continue
        source = layer
        for finer in reversed(range(level)):
            source = _behind(source, f"level_{level}_{finer}", "interpolation", beside[finer])
            added.append(source)
        # Computed there, so that it can be cropped like any other tensor.
        added.append(_behind(source, f"level_{level}", "concatenation"))
        seen.append((f"level_{level}", source.out_channels))
    bound = features if context and side == "encoder" else None
    return needed([*others, *added, replace(output, inputs=(*seen, mixture), within=bound)])


def needed(layers: Sequence[Convolution]) -> list[Convolution]:
    """The layers without which the last one cannot run."""
    found, names = [], {layers[-1].name}
    for layer in reversed(layers):
        if layer.name in names:
            found.append(layer)
            names |= {name for name, _ in layer.inputs} | ({layer.within} if layer.within is not None else set())
    return found[::-1]


def _ends_level(layer: Convolution, side: Side) -> bool:
    """Whether a layer may be the last of its level's block; the last of those is."""
    block = layer.kind in ("convolution", "sum", "concatenation") and not layer.name.startswith("decimation")
    return block and layer.part == side


def _behind(source: Convolution, name: str, kind: Kind, within: str | None = None) -> Convolution:
    """A layer without weights behind another one."""
    channels = source.out_channels
    inputs = ((source.name, channels),)
    return Convolution(
        name, source.part, source.level, inputs, channels, 1, source.out_length, kind=kind, bias=False, within=within
    )


@dataclass(frozen=True)
class Tangent:
    """The weights of which a network is linearised: those of its output, and the middle taps of the convolution before.

    Attributes:
        last: the convolution whose activation the output sees.
        output: the output convolution.
        taps: how many of the taps of `last`, an odd number.
    """

    last: Convolution
    output: Convolution
    taps: int

    @property
    def parameters(self) -> int:
        """Weights and biases: the columns of the Jacobian."""
        before = (self.last.in_channels * self.taps + self.last.bias) * self.last.out_channels
        return before + self.output.parameters


def tangent(layers: Sequence[Convolution], most: int) -> Tangent | None:
    """As many taps as the bound allows; None where the output sees no single convolution, or not one tap fits.

    Args:
        layers: of the network, in the order in which they run.
        most: parameters of the system.
    """
    output = layers[-1]
    last = next(layer for layer in layers if layer.name == output.inputs[0][0])
    if last.kind != "convolution":
        return None
    counts = range(last.kernel - (last.kernel + 1) % 2, 0, -2)
    each = (Tangent(last, output, taps) for taps in counts)
    return next((found for found in each if found.parameters <= most), None)


def with_tangent(layers: Sequence[Convolution], of: Tangent) -> list[Convolution]:
    """The layers of a linearised network: behind the activation of `last` comes as much again, its derivative."""
    twice = 2 * of.last.out_channels
    (name, _), *others = of.output.inputs
    wide = replace(of.last, out_channels=twice)
    kept = [wide if layer.name == of.last.name else layer for layer in layers[:-1]]
    return needed([*kept, replace(of.output, inputs=((name, twice), *others))])
