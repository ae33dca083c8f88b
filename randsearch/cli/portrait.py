"""One network in words and tables, for `randsearch show --preset`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import groupby

from rich.table import Table

from randsearch.models.frozen import is_fixed
from randsearch.models.presets import Preset
from randsearch.models.sizing import (
    PARTS,
    Convolution,
    convolutions,
    lengths,
    multiply_adds_per_second,
    parameters,
    receptive_field,
)


def portrait(name: str, preset: Preset) -> Iterator[str | Table]:
    """What a network is: levels, lengths, sizes, what it sees of the mixture, what is fixed and what trains.

    Args:
        name: what to call it.
        preset: the network with its task and its segment.
    """
    architecture, signal, rate = preset.architecture, preset.signal, preset.sample_rate
    size = lengths(architecture, preset.desired_output)
    layers = convolutions(architecture, signal, size.input)
    fixed = is_fixed(architecture, "none")
    counts = parameters(layers)
    total = sum(counts.values())
    chosen = architecture.model_dump(exclude_defaults=True)
    options = ", ".join(f"{option} {value}" for option, value in architecture.to_row().items() if option in chosen)
    yield f"{name}: {options or 'default options'}"
    yield f"task {preset.task}, {signal.channels} channel(s), {rate} Hz"
    # Lengths without separators, as they are given to --segment and found in the papers.
    yield f"input {size.input}, output {size.output}, {total:,} parameters"
    yield _levels(layers, fixed)
    yield (
        "parameters: " + ", ".join(f"{part} {counts[part]:,}" for part in PARTS if counts[part]) + f", total {total:,}"
    )
    macs = multiply_adds_per_second(architecture, signal, preset.desired_output, rate)
    yield f"multiply-adds: {macs / 1e9:,.2f} G for a second of output"
    seen = receptive_field(architecture)
    yield f"receptive field: {seen} samples, {seen / rate:.2f} s"
    kept = sum(_kernels(layer) for layer in layers if fixed(layer))
    yield f"fixed at random: {_fixed_places(layers, fixed) or 'nothing'}, {kept:,} parameters; train: {total - kept:,}"


def _levels(layers: list[Convolution], fixed: Callable[[Convolution], bool]) -> Table:
    """A row for what each part does at each level, in the order in which it runs."""
    table = Table("part", "level", "channels", "samples", "parameters", "fixed", box=None, pad_edge=False)
    for column in table.columns[1:]:
        column.justify = "right"
    for (part, level), group in groupby(layers, key=lambda layer: (layer.part, layer.level)):
        own = list(group)
        # What an encoder level hands to its skip; where its convolutions are removed, what it hands down.
        last = next((layer for layer in reversed(own) if layer.kind != "decimation"), own[-1])
        kept, count = sum(_kernels(layer) for layer in own if fixed(layer)), sum(layer.parameters for layer in own)
        row = (level, last.out_channels, last.out_length, f"{count:,}", f"{kept:,}" if kept else "")
        table.add_row(part, *map(str, row))
    return table


def _kernels(layer: Convolution) -> int:
    """Parameters that stay where a convolution is fixed: normalisation and snake behind it train all the same."""
    return layer.parameters - layer.extra_parameters


def _fixed_places(layers: Iterable[Convolution], fixed: Callable[[Convolution], bool]) -> str:
    places: dict[str, list[str]] = {}
    for layer in filter(fixed, layers):
        places.setdefault(layer.part, []).append(str(layer.level))
    return ", ".join(f"{part} levels {' '.join(sorted(set(levels), key=int))}" for part, levels in places.items())
