"""The forward pass of a network as a list of operations, read off the list of its layers once.

Whoever runs it, in whatever memory layout, keeps the outputs of operations by name and need not know what network it
is.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from randsearch.models.layers import Convolution

Path = tuple[str, ...]


@dataclass(frozen=True)
class Operation:
    """A layer in its place.

    Attributes:
        layer: what is computed.
        module: the names that lead to its module, the outermost first; nothing for layers without a module.
        activation: the names that lead to the module behind it; nothing for none.
        readers: the layers that see its output.
        last_read: names of the layers whose outputs, and whose outputs' lengths, matter no more from here on.
    """

    layer: Convolution
    module: Path
    activation: Path
    readers: tuple[Convolution, ...]
    last_read: tuple[str, ...]


def operations(layers: Sequence[Convolution]) -> tuple[Operation, ...]:
    """Everything that a network computes in front of its output convolutions.

    Args:
        layers: of a network, in the order in which they run, the output convolutions last.
    """
    readers: dict[str, list[Convolution]] = defaultdict(list)
    last_reader: dict[str, str] = {}
    for layer in layers:
        for name, _ in layer.inputs:
            readers[name].append(layer)
            last_reader[name] = layer.name
        if layer.within is not None:
            last_reader[layer.within] = layer.name
    last_read: dict[str, list[str]] = defaultdict(list)
    for name, reader in last_reader.items():
        last_read[reader].append(name)
    return tuple(
        Operation(
            layer,
            _path("" if layer.kind in ("sum", "concatenation") else layer.name),
            _path(layer.activation),
            tuple(readers[layer.name]),
            tuple(last_read[layer.name]),
        )
        for layer in layers
        if layer.part != "output"
    )


def _path(name: str) -> Path:
    return tuple(name.split(".")) if name else ()
