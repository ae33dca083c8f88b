"""A search space in words and tables, for `randsearch show`."""

from __future__ import annotations

from collections.abc import Iterator

from rich.table import Table

from randsearch.data import AudioFormat
from randsearch.models.architecture import Architecture
from randsearch.models.sizing import Signal
from randsearch.space import BoundSpace, SearchSpace


def overview(space: SearchSpace, name: str, audio: AudioFormat, segment: int) -> Iterator[str | Table]:
    """What a space holds: its question, each parameter with the share of its values, its size, its extremes.

    Args:
        space: as loaded.
        name: its file.
        audio: that its networks separate.
        segment: samples a crop.
    """
    bound = space.bind(Signal(len(audio.source_names), audio.channels), audio.rate, segment)
    yield f"{name}: {space.description}"
    yield f"{audio.aim}, {audio.channels} channel(s), {audio.rate} Hz, segments of {segment} samples"
    shares = Table("parameter", "share of each value among random draws", box=None, pad_edge=False)
    for parameter, values in bound.shares().items():
        shares.add_row(parameter, "  ".join(f"{value}: {share:.0%}" for value, share in values.items()))
    yield shares
    yield f"{bound.count()} valid architectures"
    extremes = bound.extremes()
    suffix = "" if extremes.exact else " of 2,000 random draws"
    yield _line(f"smallest{suffix}", extremes.smallest, bound)
    yield _line(f"largest{suffix}", extremes.largest, bound)


def _line(title: str, architecture: Architecture, bound: BoundSpace) -> str:
    sizes = bound.sizes(architecture)
    options = ", ".join(f"{name} {value}" for name, value in architecture.to_row().items())
    cost = f"{sizes['params']:,.0f} parameters, {sizes['macs'] / 1e6:,.1f} M multiply-adds for a second of output"
    return f"{title}: {cost} ({options})"
