"""What must be true of every network of the family."""

import hashlib

import pytest
import torch
from hypothesis import given, settings
from random_networks import SIGNALS, architectures, scatter, shortest

from randsearch.models.architecture import Architecture
from randsearch.models.build import build
from randsearch.models.layers import decimation_taps, encoder_span, lengths
from randsearch.models.sizing import Signal
from randsearch.models.wave_unet import WaveUNet


def _digest(network: WaveUNet) -> str:
    digest = hashlib.sha256()
    for name, tensor in network.state_dict().items():
        digest.update(name.encode())
        digest.update(tensor.numpy().tobytes())
    return digest.hexdigest()[:16]


@pytest.mark.parametrize(
    ("options", "signal", "seed", "digest"),
    [
        ({"levels": 3}, Signal(), 7, "92f1c0fac113dbb4"),
        (
            {"levels": 2, "output": "direct", "skips": (1,), "encoder_kernel": 5},
            Signal(4, 2),
            11,
            "c518b05f5566c4df",
        ),
        (
            {
                **{"levels": 3, "nested": True, "deep_supervision": True, "multires": True, "separable": True},
                **{"res_path": "trainable", "decimation": "strided", "upsampling": "learned"},
                **{"normalisation": "batch", "activation": "snake"},
            },
            Signal(),
            5,
            "420febd8cdd68ebe",
        ),
    ],
)
def test_names_order_and_initial_weights_never_change(
    options: dict[str, object], signal: Signal, seed: int, digest: str
) -> None:
    architecture = Architecture.create({"first_filters": 4, "filter_increment": 2, **options})
    assert _digest(build(architecture, signal, seed)) == digest


@given(architectures())
@settings(max_examples=30, deadline=None)
def test_the_seed_alone_decides_the_weights(architecture: Architecture) -> None:
    torch.manual_seed(1)
    before = torch.random.get_rng_state()
    network = build(architecture, Signal(), 5)
    assert torch.equal(torch.random.get_rng_state(), before)
    torch.manual_seed(2)
    assert _digest(build(architecture, Signal(), 5)) == _digest(network)


@pytest.mark.parametrize(
    "options",
    [{"res_path": "trainable"}, {"decimation": "strided"}, {"upsampling": "learned"}, {"normalisation": "batch"}],
)
def test_options_beside_the_plain_network_leave_its_weights_alone(options: dict[str, object]) -> None:
    small = {"levels": 3, "first_filters": 4}
    plain = build(Architecture.create(small), Signal(), 0).state_dict()
    found = build(Architecture.create(small | options), Signal(), 0).state_dict()
    assert all(torch.equal(found[name], tensor) for name, tensor in plain.items())


@given(architectures(output="difference"), SIGNALS)
@settings(max_examples=30, deadline=None)
def test_difference_outputs_sum_to_the_mixture(architecture: Architecture, signal: Signal) -> None:
    size = lengths(architecture, 2 ** (architecture.levels + 1))
    mixture = torch.randn(2, signal.channels, size.input, dtype=torch.float64)
    estimates = build(architecture, signal, 0).double().train()(mixture)
    border = (size.input - size.output) // 2
    heard = mixture[..., border : border + size.output]
    assert torch.allclose(estimates.sum(dim=1), heard, atol=1e-10)


@pytest.mark.parametrize("output", ["direct", "difference", "residual"])
@pytest.mark.parametrize("activation", ["tanh", "linear"])
def test_estimates_are_clipped_at_test_time_only(output: str, activation: str) -> None:
    architecture = Architecture.create({"levels": 1, "output": output, "output_activation": activation})
    network = build(architecture, Signal(), 0)
    mixture = 30 * torch.randn(1, 1, 64, generator=torch.Generator().manual_seed(0))
    trained, tested = network.train()(mixture), network.eval()(mixture)
    bounded = output == "direct" and activation == "tanh"
    assert (trained.abs().max() <= 1) == bounded
    if output == "residual":
        # What is predicted is clipped, its sum with the mixture is not.
        assert torch.allclose(tested, mixture[:, None] + (trained - mixture[:, None]).clamp(-1, 1), atol=1e-4)
        return
    assert tested.abs().max() <= 1
    if output != "difference" or activation == "tanh":
        assert torch.equal(tested, trained.clamp(-1, 1))


def test_residual_outputs_are_the_mixture_and_a_correction() -> None:
    architecture = Architecture(levels=2, first_filters=3, output="residual", output_activation="linear", context=True)
    network = build(architecture, Signal(3, 2), 0).train()
    with torch.no_grad():
        network.output.weight.zero_()
    size = lengths(architecture, 20)
    mixture = torch.randn(1, 2, size.input)
    border = (size.input - size.output) // 2
    assert torch.equal(network(mixture), mixture[:, None, :, border:-border].expand(1, 3, -1, -1))


@given(architectures(context=True, res_path="none", multires=False), SIGNALS)
@settings(max_examples=40, deadline=None)
def test_context_is_the_inside_of_padding(architecture: Architecture, signal: Signal) -> None:
    """The same weights with zeros around give the same, wherever no zeros are seen and decimation keeps the same."""
    if architecture.normalisation == "group":
        architecture = architecture.model_copy(update={"normalisation": "batch"})
    padded_architecture = architecture.model_copy(update={"context": False})
    context, padded = (build(each, signal, 3).double().eval() for each in (architecture, padded_architecture))
    scatter(context)
    padded.load_state_dict(context.state_dict())
    size, grid = lengths(architecture, 20), 2**architecture.levels
    # Sample 0 of the bottleneck is this one of the input with context; with padding it is sample 0.
    first_kept = sum(
        2**level * (encoder_span(architecture, level) + decimation_taps(architecture, level) - 2) // 2
        for level in range(architecture.levels)
    )
    start = 60 * grid - first_kept
    mixture = torch.randn(1, signal.channels, 120 * grid + size.input, dtype=torch.float64)
    inside = context(mixture[..., start : start + size.input])
    border = start + (size.input - size.output) // 2
    assert torch.allclose(inside, padded(mixture)[..., border : border + size.output], atol=1e-10)


def test_plain_networks_keep_their_names() -> None:
    names = set(build(Architecture(levels=1), Signal(), 0).state_dict())
    layers = ("encoder.0", "bottleneck", "decoder.0", "output")
    assert names == {f"{layer}.{kind}" for layer in layers for kind in ("weight", "bias")}


def test_removed_levels_pass_their_channels_on() -> None:
    architecture = Architecture(
        levels=2, first_filters=3, remove_random=True, fixed_encoder_levels="all", fixed_decoder_levels="all"
    )
    network = build(architecture, Signal(), 0)
    mixture = torch.randn(1, 1, 16)
    features = network.features(mixture)
    # Bottleneck, two skips that are the mixture as it was decimated, and the mixture.
    assert features.shape[1] == architecture.filters(2) + 3
    assert torch.equal(features[:, -2:], mixture.expand(1, 2, -1))


@given(architectures())
@settings(max_examples=40, deadline=None)
def test_one_step_of_training_moves_what_trains_and_stays_finite(architecture: Architecture) -> None:
    network = build(architecture, Signal(), 0).train()
    optimiser = torch.optim.Adam([p for p in network.parameters() if p.requires_grad], lr=1e-3)
    estimates = network.forward_all(torch.randn(2, 1, shortest(architecture)))
    estimates.square().mean().backward()  # type: ignore[no-untyped-call]
    for name, parameter in network.named_parameters():
        assert (parameter.grad is not None) == parameter.requires_grad, name
    optimiser.step()
    network.eval()
    assert network(torch.randn(1, 1, shortest(architecture))).isfinite().all()
