"""The nested network against the plain one, and its sub-networks."""

import re

import torch
from hypothesis import given, settings
from random_networks import SIGNALS, architectures, scatter, shortest

from randsearch.models.architecture import Architecture
from randsearch.models.build import build
from randsearch.models.sizing import Signal
from randsearch.models.structure import supervised_depths


@given(architectures(levels=1, nested=False, deep_supervision=False, remove_random=False), SIGNALS)
@settings(max_examples=30, deadline=None)
def test_one_level_makes_the_plain_network(architecture: Architecture, signal: Signal) -> None:
    plain = scatter(build(architecture, signal, 0))
    nested = build(architecture.model_copy(update={"nested": True}), signal, 1)
    # Node 0.0 of the grid is the plain decoder's level 0.
    renamed = {
        re.sub(r"^(decoder|decoder_activation|upsampling)\.0", r"\1.0.0", name): tensor
        for name, tensor in plain.state_dict().items()
    }
    nested.load_state_dict(renamed)
    mixture = torch.randn(2, signal.channels, shortest(architecture))
    assert torch.equal(nested.eval()(mixture), plain.eval()(mixture))
    assert torch.equal(nested.train()(mixture), plain.train()(mixture))


@given(architectures(levels=3, nested=True, remove_random=False, deep_supervision=True), SIGNALS)
@settings(max_examples=20, deadline=None)
def test_the_last_of_all_outputs_is_the_networks_own(architecture: Architecture, signal: Signal) -> None:
    network = build(architecture, signal, 0).eval()
    mixture = torch.randn(2, signal.channels, shortest(architecture))
    everything = network.forward_all(mixture)
    assert len(everything) == 3
    assert torch.equal(everything[-1], network(mixture))


def test_a_sub_network_sees_no_deeper_level() -> None:
    architecture = Architecture(levels=3, first_filters=4, nested=True, deep_supervision=True)
    network = build(architecture, Signal(), 0).eval()
    mixture = torch.randn(1, 1, 32)
    before = network.forward_all(mixture)
    with torch.no_grad():
        network.bottleneck.weight.mul_(2)
    after = network.forward_all(mixture)
    assert torch.equal(before[:2], after[:2])
    assert not torch.equal(before[2], after[2])


def test_sub_networks_from_six_levels_up_are_supervised() -> None:
    def depths(levels: int) -> list[int]:
        return list(supervised_depths(Architecture(levels=levels, nested=True, deep_supervision=True)))

    assert depths(8) == [6, 7]
    assert depths(7) == [6]
    assert depths(6) == [1, 2, 3, 4, 5]
    assert depths(3) == [1, 2]
    assert list(supervised_depths(Architecture(levels=8, nested=True))) == []


def test_networks_of_one_output_return_it_alone() -> None:
    network = build(Architecture(levels=2, first_filters=2), Signal(), 0)
    mixture = torch.randn(1, 1, 16)
    assert torch.equal(network.forward_all(mixture), network(mixture).unsqueeze(0))
