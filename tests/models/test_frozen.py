"""What is fixed stays bit by bit; everything else trains."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from random_networks import architectures, shortest
from torch import Tensor, nn

from randsearch.models.architecture import Architecture
from randsearch.models.build import build
from randsearch.models.frozen import Half, fix_half, is_fixed
from randsearch.models.sizing import Signal, convolutions
from randsearch.models.wave_unet import WaveUNet


def _train(network: WaveUNet) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Parameters before and after three steps of Adam."""
    before = {name: p.detach().clone() for name, p in network.named_parameters()}
    optimiser = torch.optim.Adam([p for p in network.parameters() if p.requires_grad], lr=1e-2)
    for _ in range(3):
        optimiser.zero_grad()
        mixture = torch.randn(2, 1, shortest(network.architecture))
        network.forward_all(mixture).square().mean().backward()  # type: ignore[no-untyped-call]
        optimiser.step()
    return before, {name: p.detach() for name, p in network.named_parameters()}


def _owner(name: str) -> tuple[str, int]:
    part, _, rest = name.partition(".")
    return ("encoder" if part == "decimation" else part), int(rest.partition(".")[0])


@given(architectures(), st.sampled_from(["none", "encoder", "decoder"]))
@settings(max_examples=40)
def test_fixed_convolutions_are_bit_identical_after_training(architecture: Architecture, half: Half) -> None:
    network = build(architecture, Signal(), 0).train()
    fix_half(network, half)
    before, after = _train(network)
    convolved = {name for name, module in network.named_modules() if isinstance(module, nn.Conv1d)}
    for name, trainable in ((name, p.requires_grad) for name, p in network.named_parameters()):
        expected = False
        module = name.rpartition(".")[0]
        part = name.partition(".")[0]
        if module in convolved and part in ("encoder", "decimation", "decoder"):
            side, level = _owner(name)
            chosen = getattr(architecture, f"fixed_{side}_levels")
            expected = half == side or chosen == "all" or level in chosen
            if part == "decoder" and architecture.multires:
                expected = expected and ".first." in name
        elif module in convolved and part == "skips":
            expected = architecture.res_path == "fixed"
        assert trainable != expected, name
        if expected:
            assert torch.equal(before[name], after[name]), name


@given(architectures(), st.sampled_from(["none", "encoder", "decoder"]))
@settings(max_examples=30)
def test_the_predicate_names_what_is_fixed(architecture: Architecture, half: Half) -> None:
    network = build(architecture, Signal(), 0)
    fix_half(network, half)
    fixed = is_fixed(architecture, half)
    for layer in convolutions(architecture, Signal(), shortest(architecture)):
        if layer.kind == "convolution":
            weight = network.get_parameter(f"{layer.name}.weight")
            assert weight.requires_grad != fixed(layer)
        else:
            assert not fixed(layer)


@pytest.mark.parametrize("half", ["encoder", "decoder"])
def test_a_half_of_a_plain_network(half: Half) -> None:
    network = build(Architecture(levels=3, first_filters=4, upsampling="learned"), Signal(), 0)
    fix_half(network, half)
    before, after = _train(network)
    moved = {name.partition(".")[0] for name in before if not torch.equal(before[name], after[name])}
    assert moved == {"encoder", "decoder", "bottleneck", "output", "upsampling"} - {half}


@pytest.mark.parametrize("half", ["encoder", "decoder"])
def test_a_multires_decoder_keeps_the_convolutions_that_its_blocks_add(half: Half) -> None:
    network = build(Architecture(levels=2, first_filters=4, multires=True), Signal(), 0)
    fix_half(network, half)
    fixed = {name.rpartition(".")[0] for name, p in network.named_parameters() if not p.requires_grad}
    kept = ["first"] if half == "decoder" else ["first", "second", "wide"]
    assert fixed == {f"{half}.{level}.{name}" for level in range(2) for name in kept}


def test_an_architecture_fixes_its_levels_in_every_measure() -> None:
    network = build(Architecture(levels=3, first_filters=4, fixed_decoder_levels=(0, 2)), Signal(), 0)
    fixed = {name.rpartition(".")[0] for name, p in network.named_parameters() if not p.requires_grad}
    assert fixed == {"decoder.0", "decoder.2"}
