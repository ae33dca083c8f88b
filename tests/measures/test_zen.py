"""Zen scores: closed forms on linear networks, and the published formula computed another way."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import nn

from randsearch.base.seeds import derive
from randsearch.measures import Job, UnmeasurableError, measure
from randsearch.measures.zen import deviation, zen_score
from randsearch.models.architecture import Architecture
from randsearch.models.build import build
from randsearch.models.sizing import lengths

SMALL = Architecture(levels=2, first_filters=4, filter_increment=1, encoder_kernel=3, decoder_kernel=3)


def changed(**options: object) -> Architecture:
    return Architecture(**SMALL.model_dump() | options)


class Scaled(nn.Module):
    """Its features are its input times a factor, and the input."""

    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor = factor

    def features(self, x):
        return torch.cat([self.factor * x, x], dim=1)


def test_zen_of_a_linear_network_is_the_log_of_its_gain():
    noise = torch.randn(4, 1, 50, dtype=torch.float64)
    change = torch.ones(4, 1, 50, dtype=torch.float64)
    assert zen_score(Scaled(3.0), noise, change, 1) == pytest.approx(math.log(3 * math.sqrt(50)))
    with pytest.raises(UnmeasurableError, match=r"change of the features is 0\.0"):
        zen_score(Scaled(0.0), noise, change, 1)


def test_zen_as_published_takes_the_one_norm():
    noise = torch.zeros(2, 1, 50)
    change = torch.stack([torch.ones(1, 50), torch.full((1, 50), -2.0)])
    assert zen_score(Scaled(3.0), noise, change, 1, order=1) == pytest.approx(math.log(3 * 50 * (1 + 2) / 2))


def test_zen_adds_what_normalisation_divides_by(setting):
    before = torch.randn(8, 4, 10_000, dtype=torch.float64) * torch.tensor([1.0, 1, 7, 7]).view(1, 4, 1)
    assert deviation(nn.BatchNorm1d(4), before) == pytest.approx(5, rel=0.03)
    assert deviation(nn.GroupNorm(2, 4), before) == pytest.approx(5, rel=0.03)
    plain, normal = (measure(setting, Job(changed(normalisation=kind), "zen", 0)).score for kind in ("none", "batch"))
    assert abs(plain - normal) < 3


def test_zen_as_published_multiplies_by_the_root_of_the_fan_in(setting):
    """Without nonlinearity the change would grow by the root of the fan-in, here 16 times as large, in every layer.

    A rectifier lets half of the power through, whatever the fan-in. Two decoder levels of the network see one source
    of channels each (there are no skips), so that four convolutions of five lie in front of the features.
    """
    narrow, wide = (changed(skips=(), first_filters=n, filter_increment=0) for n in (8, 128))
    scores = [np.mean([measure(setting, Job(a, "zen_published", s)).score for s in range(4)]) for a in (narrow, wide)]
    # The first layer's fan-in is the same; the 1-norm sums 16 times as many features.
    assert scores[1] - scores[0] == pytest.approx(4 * math.log(16) / 2 + math.log(16), rel=0.05)


def test_side_by_side_zen_as_published(setting):
    """ZenNAS: normal weights, two inputs of noise, mean over the batch of the summed absolute differences, its log."""
    network = build(SMALL, setting.signal, 0).double().train()
    draw = torch.Generator().manual_seed(derive("normal weights", SMALL.hash, "zen_published", 0))
    for module in network.modules():
        if isinstance(module, nn.Conv1d):
            module.weight.data = torch.randn(module.weight.shape, generator=draw).double()
    shape = (setting.proxy_batch, 1, lengths(SMALL, setting.recipe.segment).input)
    noise = torch.Generator().manual_seed(derive("noise", "tiny", 0))
    x, z = (torch.randn(shape, generator=noise).double() for _ in range(2))
    before, after = (network.features(each)[:, :-1] for each in (x, x + 0.01 * z))
    expected = torch.log(torch.mean(torch.sum(torch.abs(before - after), dim=[1, 2]))).item()
    assert measure(setting, Job(SMALL, "zen_published", 0)).score == pytest.approx(expected, rel=1e-9)
