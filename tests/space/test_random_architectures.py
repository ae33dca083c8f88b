"""Whatever a shipped space can draw trains a step and separates a signal, at reduced width."""

from __future__ import annotations

import pytest
import torch
from test_shipped_spaces import SCALES, bind

from randsearch.models.architecture import Architecture
from randsearch.models.build import build
from randsearch.models.inference import separate
from randsearch.models.sizing import Signal, lengths
from randsearch.training.loop import squared_error

SIGNAL = Signal(sources=2, channels=1)


def narrowed(architecture: Architecture) -> Architecture:
    """The same network with few filters: what is tested does not depend on how many."""
    options = architecture.model_dump(exclude_defaults=True) | {"first_filters": 4, "filter_increment": 2}
    return Architecture.create(options)


def check(name: str, index: int) -> None:
    space = bind(name)
    architecture = narrowed(space.draw(7, index).architecture)
    size = lengths(architecture, 2 ** (architecture.levels + 2))
    network = build(architecture, SIGNAL, index)
    generator = torch.Generator().manual_seed(index)
    mixture = torch.rand((2, 1, size.input), generator=generator) - 0.5
    sources = torch.rand((2, 2, 1, size.output), generator=generator) - 0.5

    network.train()
    assert network(mixture).shape == sources.shape, architecture
    trainable = [p for p in network.parameters() if p.requires_grad]
    before = [p.detach().clone() for p in trainable]
    optimiser = torch.optim.Adam(trainable, lr=1e-3)
    loss = squared_error(network.forward_all(mixture), sources, architecture.levels)
    loss.backward()
    optimiser.step()
    assert torch.isfinite(loss), architecture
    assert all(torch.isfinite(p).all() for p in network.parameters()), architecture
    assert any(not torch.equal(p, old) for p, old in zip(trainable, before, strict=True)), architecture

    time = size.output + 37
    estimates = separate(network, torch.rand((1, time), generator=generator) - 0.5)
    assert estimates.shape == (2, 1, time), architecture
    assert torch.isfinite(estimates).all(), architecture


@pytest.mark.parametrize("index", range(20))
@pytest.mark.parametrize("name", SCALES)
def test_drawn_networks_train_and_separate(name: str, index: int) -> None:
    check(name, index)


@pytest.mark.long
@pytest.mark.parametrize("index", range(300))
@pytest.mark.parametrize("name", SCALES)
def test_many_drawn_networks_train_and_separate(name: str, index: int) -> None:
    check(name, index)
