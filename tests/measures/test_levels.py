"""Readouts of all levels: the features are those of the levels at the full rate, in both ways of running a network."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from test_catalogue import KINDS, SMALL

from randsearch.measures import MEASURES, costs
from randsearch.measures.levels import see_levels
from randsearch.models.architecture import Architecture
from randsearch.models.build import build
from randsearch.models.channels_last import estimate_all
from randsearch.models.sizing import Signal, convolutions, lengths, multiply_adds

SIDES = ["encoder", "decoder"]


def seen_by(network, mixture):
    """What the output of a network sees, by name of the module that computes it."""
    found = {}
    for layer in network.layers:
        if layer.activation:
            module = network.get_submodule(layer.activation)
            module.register_forward_hook(lambda _, __, out, name=layer.name: found.update({name: out.numpy()}))
    with torch.no_grad():
        network.features(mixture)
    return found


def doubled(signal: np.ndarray, length: int, *, context: bool) -> np.ndarray:
    """Linear interpolation of each channel at half samples, the last sample repeated where there is no context."""
    places = np.arange(2 * signal.shape[-1] - context) / 2
    wide = np.stack([np.interp(places, np.arange(signal.shape[-1]), channel) for channel in signal[0]])
    return wide[None, :, :length]


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("context", [False, True])
def test_the_output_sees_each_level_at_the_full_rate(side, context):
    architecture = Architecture(**SMALL | {"levels": 3}, context=context)
    network, twin = (build(architecture, Signal(), 0) for _ in range(2))
    size = lengths(architecture, 61 if context else 60)  # 60, 30, 15, 8 samples
    mixture = torch.randn(1, 1, size.input)
    see_levels(twin, side)
    with torch.no_grad():
        features = twin.features(mixture).numpy()
    found = seen_by(network, mixture)
    expected = []
    for level in range(3):
        signal = found[f"{side}.{level}"]
        for finer in reversed(range(level)):
            signal = doubled(signal, found[f"encoder.{finer}"].shape[-1], context=context)
        expected.append(signal)
    expected.append(mixture.numpy())
    cropped = [each[..., (each.shape[-1] - size.output) // 2 :][..., : size.output] for each in expected]
    np.testing.assert_allclose(features, np.concatenate(cropped, axis=1), atol=1e-5)
    ran = seen_by(twin, mixture)
    assert ("decoder.0" in ran) == (side == "decoder" or context)


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("kind", KINDS)
def test_both_ways_of_running_it_agree_and_it_costs_what_runs(setting, side, kind):
    architecture = Architecture(**SMALL, **KINDS[kind])
    network = build(architecture, Signal(), 0)
    see_levels(network, side)
    # Long enough for the fast way to fold what it doubles.
    mixture = torch.randn(1, 1, lengths(architecture, 600).input)
    with torch.no_grad():
        torch.testing.assert_close(estimate_all(network, mixture), network.forward_all(mixture), atol=1e-5, rtol=1e-4)
    layers = convolutions(architecture, Signal(), lengths(architecture, setting.recipe.segment).input)
    ran = {layer.name for layer in network.layers} - {"output"}
    forward = multiply_adds([layer for layer in layers if layer.name in ran])
    output = network.output
    length = next(layer.out_length for layer in layers if layer.name == "output")
    forward += output.in_channels * output.kernel_size[0] * output.out_channels * length
    cost = MEASURES[f"readout_{side}"].cost(setting, architecture)
    assert cost == costs.READOUT_DRAWS * costs.READOUT_BATCHES * setting.recipe.batch * forward
