"""Measures that only look at the architecture: the baselines which every other proxy must beat."""

from __future__ import annotations

from randsearch.architecture import Architecture
from randsearch.measures.base import Outcome, Setting
from randsearch.models import sizing


def params(setting: Setting, architecture: Architecture, seed: int) -> Outcome:
    """Weights and biases of the network."""
    layers = sizing.convolutions(
        architecture, setting.signal, sizing.lengths(architecture, setting.recipe.segment).input
    )
    return Outcome(score=float(sum(sizing.parameters(layers).values())))


def macs(setting: Setting, architecture: Architecture, seed: int) -> Outcome:
    """Multiply-adds of the convolutions for one second of output."""
    rate = sizing.multiply_adds_per_second(
        architecture, setting.signal, setting.recipe.segment, setting.dataset.sample_rate
    )
    return Outcome(score=rate)
