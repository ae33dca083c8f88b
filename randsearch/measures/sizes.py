"""Measures that only look at the architecture: the baselines which every other proxy must beat."""

from __future__ import annotations

from randsearch.measures.contract import Outcome, Setting
from randsearch.measures.costs import layers_of
from randsearch.models import sizing
from randsearch.models.architecture import Architecture


def params(setting: Setting, architecture: Architecture, seed: int) -> Outcome:
    """Parameters of the network."""
    return Outcome(score=float(sum(sizing.parameters(layers_of(setting, architecture)).values())))


def macs(setting: Setting, architecture: Architecture, seed: int) -> Outcome:
    """Multiply-adds of the convolutions for one second of output."""
    rate = sizing.multiply_adds_per_second(
        architecture, setting.signal, setting.recipe.segment, setting.dataset.sample_rate
    )
    return Outcome(score=rate)


def receptive_field(setting: Setting, architecture: Architecture, seed: int) -> Outcome:
    """Samples of the mixture that one sample of the output can depend on."""
    return Outcome(score=float(sizing.receptive_field(architecture)))
