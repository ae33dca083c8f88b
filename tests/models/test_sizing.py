"""Sizes in closed form against the published numbers and against networks that are built and run."""

import pytest
import torch
from hypothesis import given, settings
from random_networks import SIGNALS, architectures, scatter, shortest
from torch import nn

from randsearch.base.errors import UserError
from randsearch.models.architecture import Architecture
from randsearch.models.build import build
from randsearch.models.frozen import is_fixed
from randsearch.models.resampling import Blur
from randsearch.models.sizing import (
    Convolution,
    Signal,
    check_depth,
    convolutions,
    lengths,
    multiply_adds,
    multiply_adds_per_second,
    parameters,
    reach,
    receptive_field,
    step_multiply_adds,
)
from randsearch.models.wave_unet import WaveUNet


@pytest.mark.parametrize(
    ("levels", "input_", "output"), [(8, 24563, 16389), (9, 32755, 16389), (10, 49139, 16389), (12, 147443, 16389)]
)
def test_lengths_with_context_are_the_published_ones(levels: int, input_: int, output: int) -> None:
    found = lengths(Architecture(levels=levels, context=True), 16384)
    assert (found.input, found.output) == (input_, output)


def test_padding_leaves_lengths_as_desired() -> None:
    found = lengths(Architecture(levels=3), 100)
    assert (found.input, found.output, found.bottleneck) == (100, 100, 13)


@pytest.mark.parametrize(
    ("options", "signal", "total"),
    [
        ({"levels": 12, "output": "direct"}, Signal(2, 1), 10_263_028),
        ({"levels": 12}, Signal(2, 1), 10_263_002),
        ({"levels": 12, "context": True}, Signal(2, 1), 10_263_002),
        ({"levels": 12, "context": True}, Signal(2, 2), 10_263_390),
    ],
)
def test_parameters_of_the_published_networks(options: dict[str, object], signal: Signal, total: int) -> None:
    architecture = Architecture.create(options)
    layers = convolutions(architecture, signal, lengths(architecture, 16384).input)
    assert sum(parameters(layers).values()) == total


def test_parameters_by_part() -> None:
    counts = parameters(convolutions(Architecture(levels=10), Signal(2, 2), 16384))
    assert counts == {"encoder": 2_853_240, "skips": 0, "bottleneck": 950_664, "decoder": 2_377_320, "output": 54}


def test_learned_interpolation_has_one_parameter_per_channel_and_level() -> None:
    linear, learned = (
        sum(parameters(convolutions(Architecture(levels=3, upsampling=kind), Signal(), 64)).values())
        for kind in ("linear", "learned")
    )
    assert learned - linear == 48 + 72 + 96


def _count(network: WaveUNet, mixture: torch.Tensor) -> int:
    """Multiply-adds that the modules of a network really make on one example."""
    found = []

    def note(module: nn.Module, inputs: tuple[torch.Tensor], output: torch.Tensor) -> None:
        taps = module.weight[0].numel() if isinstance(module, nn.Conv1d) else 7
        found.append(output.numel() * taps)

    for module in network.modules():
        if isinstance(module, nn.Conv1d | Blur):
            module.register_forward_hook(note)  # type: ignore[arg-type]
    network.forward_all(mixture)
    return sum(found)


@given(architectures(), SIGNALS)
@settings(max_examples=60, deadline=None)
def test_closed_form_is_what_networks_have_and_do(architecture: Architecture, signal: Signal) -> None:
    network = build(architecture, signal, 0).train()
    length = shortest(architecture)
    # Odd lengths too, where any length goes.
    length += 0 if architecture.context else 3
    layers = convolutions(architecture, signal, length)
    assert sum(parameters(layers).values()) == sum(p.numel() for p in network.parameters())
    assert _count(network, torch.randn(1, signal.channels, length)) == multiply_adds(layers)
    for layer in layers:
        if layer.kind == "convolution":
            module = network.get_submodule(layer.name)
            assert isinstance(module, nn.Conv1d)
            assert sum(p.numel() for p in module.parameters()) == layer.parameters - layer.extra_parameters


@given(architectures(), SIGNALS)
@settings(max_examples=40, deadline=None)
def test_outputs_are_as_long_as_announced(architecture: Architecture, signal: Signal) -> None:
    size = lengths(architecture, 50)
    assert size.output >= 50
    estimates = build(architecture, signal, 0)(torch.randn(2, signal.channels, size.input))
    assert estimates.shape == (2, signal.sources, signal.channels, size.output)


@given(architectures(context=True))
@settings(max_examples=40, deadline=None)
def test_context_refuses_lengths_that_do_not_fit(architecture: Architecture) -> None:
    length = shortest(architecture)
    assert convolutions(architecture, Signal(), length + 2**architecture.levels)
    with pytest.raises(ValueError, match="inputs are of"):
        convolutions(architecture, Signal(), length + 1)


def test_too_deep_a_network_is_refused() -> None:
    check_depth(Architecture(levels=4), 32)
    check_depth(Architecture(levels=12, context=True), 1)
    with pytest.raises(UserError, match="at least 32 samples or fewer levels"):
        check_depth(Architecture(levels=4), 31)


def test_one_source_cannot_be_a_difference() -> None:
    with pytest.raises(UserError, match="needs two sources or more"):
        convolutions(Architecture(levels=3), Signal(sources=1), 64)
    network = build(Architecture(levels=3, first_filters=2, output="direct"), Signal(sources=1), 0)
    assert network(torch.randn(1, 1, 64)).shape == (1, 1, 1, 64)


def _support(network: WaveUNet, length: int) -> tuple[int, int]:
    """Receptive field and reach as gradients show them, over the outputs of one period in the middle."""
    mixture = torch.randn(1, 1, length, dtype=torch.float64, requires_grad=True)
    estimates = network(mixture)
    outputs = estimates.shape[-1]
    offset = (length - outputs) // 2
    span = far = 0
    middle = outputs // 2
    for time in range(middle, middle + 2**network.architecture.levels):
        (gradient,) = torch.autograd.grad(estimates[0, 0, 0, time], mixture, retain_graph=True)
        touched = gradient[0, 0].nonzero()
        first, last = int(touched.min()), int(touched.max())
        span, far = max(span, last - first + 1), max(far, time + offset - first, last - time - offset)
    return span, far


@given(architectures(activation="tanh", output="direct", initialisation="he", normalisation="none"))
@settings(max_examples=40, deadline=None)
def test_receptive_field_is_what_gradients_show(architecture: Architecture) -> None:
    network = scatter(build(architecture, Signal(), 0)).double()
    length = lengths(architecture, 2 * receptive_field(architecture) + 2**architecture.levels).input
    span, far = _support(network, length)
    assert span == receptive_field(architecture)
    assert far == reach(architecture)


def test_multiply_adds_per_second_counts_what_context_computes_besides() -> None:
    padded, context = Architecture(levels=3), Architecture(levels=3, context=True)
    assert multiply_adds_per_second(padded, Signal(), 64, 64) == multiply_adds(convolutions(padded, Signal(), 64))
    short, long = (multiply_adds_per_second(context, Signal(), segment, 64) for segment in (64, 6400))
    assert short > 1.5 * long
    supervised = Architecture(levels=3, nested=True, deep_supervision=True)
    nested = Architecture(levels=3, nested=True)
    assert multiply_adds_per_second(supervised, Signal(), 64, 1) == multiply_adds_per_second(nested, Signal(), 64, 1)


def _step(architecture: Architecture, half: str) -> int:
    layers = convolutions(architecture, Signal(), 64)
    return step_multiply_adds(layers, is_fixed(architecture, half))  # type: ignore[arg-type]


def _forward(architecture: Architecture, part: str) -> int:
    return multiply_adds(layer for layer in convolutions(architecture, Signal(), 64) if layer.part == part)


def test_step_costs_three_passes_less_what_needs_no_gradient() -> None:
    plain = Architecture(levels=3)
    layers = convolutions(plain, Signal(), 64)
    from_mixture = sum(layer.multiply_adds(n) for layer in layers for source, n in layer.inputs if source == "")
    assert _step(plain, "none") == 3 * multiply_adds(layers) - from_mixture
    # A fixed decoder is back-propagated through: it saves weight gradients only.
    assert _step(plain, "none") - _step(plain, "decoder") == _forward(plain, "decoder")
    # A fixed encoder is not: it saves the input gradients as well, and those of the skips and the bottleneck's input.
    skips = sum(
        layer.multiply_adds(n) for layer in layers for source, n in layer.inputs
        if source.startswith("encoder") and layer.part == "decoder"
    )  # fmt: skip
    first = layers[0].multiply_adds()
    saved = 2 * _forward(plain, "encoder") - first + _forward(plain, "bottleneck") + skips
    assert _step(plain, "none") - _step(plain, "encoder") == saved


def test_what_trains_in_a_fixed_encoder_brings_its_input_gradients_back() -> None:
    fixed = Architecture(levels=3, fixed_encoder_levels="all")
    trained_norms = fixed.model_copy(update={"normalisation": "batch"})
    later_levels = sum(
        layer.multiply_adds() for layer in convolutions(fixed, Signal(), 64) if layer.part == "encoder" and layer.level
    )
    assert _step(trained_norms, "none") - _step(fixed, "none") > later_levels


def test_levels_that_an_architecture_fixes_cost_as_the_half_that_a_measure_fixes() -> None:
    for half in ("encoder", "decoder"):
        by_option = Architecture.create({"levels": 3, f"fixed_{half}_levels": "all"})
        assert _step(by_option, "none") == _step(Architecture(levels=3), half)


def test_grouped_convolutions_count_their_groups_only() -> None:
    depthwise = Convolution("x", "encoder", 0, (("", 4),), 4, 3, 10, groups=4, bias=False)
    assert depthwise.parameters == 12
    assert depthwise.multiply_adds() == 120
    assert depthwise.multiply_adds(1) == 30
