"""The networks that steps are timed on: twelve at random from small.yaml, a deep one, and Wave-U-Net's M4."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from randsearch.base.seeds import derive
from randsearch.models.architecture import Architecture
from randsearch.models.layers import Signal
from randsearch.models.presets import find_preset
from randsearch.space import SearchSpace
from randsearch.space.shipped import shipped

SMALL = 12


@dataclass(frozen=True)
class Case:
    """A network and the batches that it is timed on."""

    name: str
    architecture: Architecture
    signal: Signal
    segment: int
    batch: int


@cache
def networks() -> tuple[Case, ...]:
    """The cases, small networks first."""
    signal = Signal()
    space = SearchSpace.load(shipped("small.yaml")).bind(signal, 8000, 8192)
    small, taken = [], set()
    for index in range(SMALL):
        architecture = space.draw(derive("bench"), index, taken).architecture
        taken.add(architecture.hash)
        small.append(Case(f"small {index + 1}: {said(architecture)}", architecture, signal, 8192, 8))
    deep = Architecture(levels=8, first_filters=8, filter_increment=8)
    m4 = find_preset("M4")
    return (
        *small,
        Case(f"deep: {said(deep)}", deep, signal, 8192, 8),
        Case(f"M4: {said(m4.architecture)}", m4.architecture, Signal(2, m4.channels), m4.desired_output, 2),
    )


def said(architecture: Architecture) -> str:
    """The options that decide what a step costs."""
    skips = architecture.levels if architecture.skips == "all" else len(architecture.skips)
    return (
        f"{architecture.levels} levels, {architecture.first_filters}+{architecture.filter_increment} filters, "
        f"{architecture.encoder_kernel}/{architecture.decoder_kernel} taps, {skips} skips"
    )
