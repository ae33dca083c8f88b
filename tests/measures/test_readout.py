"""The readout: exactly least squares on the features of the network, through any head, and scored as networks are."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from randsearch.measures import Job, UnmeasurableError, measure
from randsearch.measures import readout as room
from randsearch.measures.ridge import STRENGTHS, Moments, Ridge, fit
from randsearch.models.architecture import Architecture
from randsearch.models.build import build
from randsearch.models.sizing import Signal

SMALL = Architecture(levels=2, first_filters=4, filter_increment=1, encoder_kernel=3, decoder_kernel=3)


def changed(**options: object) -> Architecture:
    return Architecture(**SMALL.model_dump() | options)


@pytest.fixture
def data():
    random = np.random.default_rng(0)
    features = random.normal(size=(400, 7)) * 10.0 ** np.arange(-3, 4) + random.normal(size=7) * 3
    targets = features @ random.normal(size=(7, 2)) + random.normal(size=(400, 2)) + 5
    return features, targets


def test_without_strength_it_is_least_squares(data):
    features, targets = data
    weights, intercept = Ridge(Moments.of(features, targets)).solve(0.0)
    stacked = np.hstack([features, np.ones((400, 1))])
    expected = np.linalg.lstsq(stacked, targets, rcond=None)[0]
    np.testing.assert_allclose(weights, expected[:-1], rtol=1e-6)
    np.testing.assert_allclose(intercept, expected[-1], rtol=1e-6)


@pytest.mark.parametrize("strength", [1e-3, 0.5])
def test_with_strength_it_is_ridge_on_standardised_features(data, strength):
    features, targets = data
    mean, deviation = features.mean(axis=0), features.std(axis=0)
    stacked = np.vstack([(features - mean) / deviation, np.sqrt(400 * strength) * np.eye(7)])
    wanted = np.vstack([targets - targets.mean(axis=0), np.zeros((7, 2))])
    expected = np.linalg.lstsq(stacked, wanted, rcond=None)[0] / deviation[:, None]
    weights, intercept = Ridge(Moments.of(features, targets)).solve(strength)
    np.testing.assert_allclose(weights, expected, rtol=1e-6)
    np.testing.assert_allclose(intercept, targets.mean(axis=0) - mean @ expected, rtol=1e-6)


def test_moments_add_up_and_tell_the_error(data):
    features, targets = data
    halves = Moments.of(features[:150], targets[:150]) + Moments.of(features[150:], targets[150:])
    whole = Moments.of(features, targets)
    weights, intercept = Ridge(halves).solve(0.01)
    np.testing.assert_allclose(weights, Ridge(whole).solve(0.01)[0], rtol=1e-6)
    error = np.mean((features @ weights + intercept - targets) ** 2)
    assert whole.error(weights, intercept) == pytest.approx(error, rel=1e-6)


def test_dead_and_repeated_features_do_no_harm(data):
    features, targets = data
    wide = np.hstack([features, np.zeros((400, 1)), np.full((400, 1), 1e6), features[:, :1]])
    ridge = Ridge(Moments.of(wide, targets))
    weights, intercept = ridge.solve(0.0)
    assert ridge.alive == 8
    assert (weights[7:9] == 0).all()
    plain = Ridge(Moments.of(features, targets)).solve(0.0)
    np.testing.assert_allclose(wide @ weights + intercept, features @ plain[0] + plain[1], atol=1e-5)


@pytest.mark.parametrize(
    ("features", "sentence"), [(np.ones((9, 2)), "no feature"), (np.full((9, 2), np.inf), "not finite")]
)
def test_features_that_do_not_serve_are_refused(features, sentence):
    with np.errstate(invalid="ignore"), pytest.raises(UnmeasurableError, match=sentence):
        Ridge(Moments.of(features, np.ones((9, 1))))


def test_the_strength_is_the_one_that_held_out_rows_prefer():
    random = np.random.default_rng(1)
    features, noise = random.normal(size=(60, 30)), random.normal(size=(60, 1))
    truth = random.normal(size=(30, 1)) * 0.1
    train, other = (
        Moments.of(features[rows], features[rows] @ truth + noise[rows]) for rows in (slice(35), slice(35, 60))
    )
    errors = {strength: other.error(*Ridge(train).solve(strength)) for strength in STRENGTHS}
    best = min(errors, key=errors.__getitem__)
    assert best > 1e-3
    np.testing.assert_array_equal(fit(train, other)[0], Ridge(train + other).solve(best)[0])


def stream(network, count=room.READOUT_BATCHES, sources=2, channels=1, seed=0):
    """Batches of 2 crops of noise through which the sources can be told apart."""
    generator = torch.Generator().manual_seed(seed)
    size = room.lengths(network.architecture, 64)
    margin = (size.input - 64) // 2
    batches = []
    for _ in range(count):
        wide = torch.randn(2, sources, channels, size.input, generator=generator)
        wide[:, 1:] = torch.cumsum(wide[:, 1:], dim=-1) * 0.1
        batches.append((wide.sum(dim=1), wide[..., margin : margin + 64]))
    return batches


def solve(network, batches):
    room.settle(network, batches)
    room.solve_output(network, batches, seed=0)


HEADS = [
    {},
    {"output": "direct"},
    {"output": "residual"},
    {"output_kernel": 3},
    {"context": True, "output_kernel": 3},
    {"nested": True},
]


@pytest.mark.parametrize("options", HEADS)
@pytest.mark.parametrize("signal", [Signal(), Signal(sources=3, channels=2)])
def test_the_output_convolution_is_least_squares_on_the_stacked_features(monkeypatch, options, signal):
    monkeypatch.setattr("randsearch.measures.ridge.STRENGTHS", (0.0,))
    network = build(changed(output_activation="linear", **options), signal, 0)
    batches = stream(network, sources=signal.sources, channels=signal.channels)
    solve(network, batches)
    # All moments of 64 are used, so that the solution is that of the whole stream: unfold it by hand.
    mixture, sources = (torch.cat(part) for part in zip(*batches, strict=True))
    with torch.no_grad():
        features = network.features(mixture)
    kernel, padding = network.output.kernel_size[0], network.output.padding[0]
    unfolded = functional.unfold(features.unsqueeze(2), (1, kernel), padding=(0, padding))
    start = (unfolded.shape[-1] - 64) // 2
    rows = unfolded[..., start : start + 64].transpose(1, 2).flatten(0, 1).double().numpy()
    wanted = room.targets(network, mixture, sources).transpose(1, 2).flatten(0, 1).double().numpy()
    stacked = np.hstack([rows, np.ones((len(rows), 1))])
    expected = np.linalg.lstsq(stacked, wanted, rcond=None)[0]
    np.testing.assert_allclose(network.output.weight.detach().flatten(1).T, expected[:-1], rtol=1e-2, atol=1e-4)
    # No other weights give a smaller error through the real head, in training mode where nothing is clipped.
    fitted = error(network, mixture, sources)
    for _ in range(3):
        other = build(network.architecture, signal, 0).eval()
        with torch.no_grad():
            other.output.weight.copy_(network.output.weight + 0.01 * torch.randn_like(network.output.weight))
            other.output.bias.copy_(network.output.bias)
        assert error(other, mixture, sources) > fitted


def error(network, mixture, sources):
    with torch.no_grad():
        estimates = network.train()(mixture)
    start = (estimates.shape[-1] - sources.shape[-1]) // 2
    return functional.mse_loss(estimates[..., start : start + sources.shape[-1]], sources).item()


@pytest.mark.parametrize(
    "options", [{}, {"output_kernel": 3}, {"context": True}, {"nested": True}, {"separable": True}]
)
def test_the_last_convolution_and_the_output_become_one(options):
    architecture = changed(output_activation="linear", activation="relu", **options)
    network, twin = (build(architecture, Signal(), 0).eval() for _ in range(2))
    room.merge_last(twin)
    mixture = torch.randn(1, 1, room.lengths(architecture, 64).input)
    with torch.no_grad():
        assert twin(mixture).shape == network(mixture).shape
    assert twin.output.kernel_size[0] == 3 + architecture.output_kernel - 1
    # Any composition of the two linear maps is among those that can be found: its error is no smaller.
    batches = stream(network)
    solve(network, batches)
    solve(twin, batches)
    mixture, sources = (torch.cat(part) for part in zip(*batches, strict=True))
    assert twin.output.weight.shape[1] > network.output.weight.shape[1]
    assert error(twin, mixture, sources) < error(network, mixture, sources)


def test_blocks_of_several_convolutions_are_refused(setting):
    for options in ({"multires": True}, {"remove_random": True, "fixed_decoder_levels": (0,)}):
        made = measure(setting, Job(changed(**options), "readout_last", 0))
        assert made.reason == "refused: the last decoder level is no single convolution that could be made linear"


def test_too_many_features_are_refused(setting):
    made = measure(setting, Job(changed(first_filters=300, output_kernel=5), "readout", 0))
    assert made.reason == "refused: 1505 features are too many to solve for; 1024 is the most"


def test_batch_normalisation_settles_before_features_are_taken():
    network = build(changed(normalisation="batch", output_activation="linear"), Signal(), 0)
    batches = stream(network)
    room.settle(network, batches)
    assert not network.training
    layers = [module for module in network.modules() if isinstance(module, nn.BatchNorm1d)]
    assert all(layer.num_batches_tracked == room.SETTLING for layer in layers)
    assert all((layer.running_var != 1).all() for layer in layers)


@pytest.mark.parametrize("name", ["readout", "readout_last"])
def test_a_readout_beats_silence_and_is_the_mean_of_its_draws(setting, monkeypatch, name):
    scores = []
    kept = room.evaluate
    monkeypatch.setattr(room, "evaluate", lambda *arguments: scores.append(kept(*arguments)) or scores[-1])
    made = measure(setting, Job(SMALL, name, 0))
    assert len({each.score for each in scores}) == 3
    assert made.score == pytest.approx(np.mean([each.score for each in scores]))
    assert made.score > 0
    assert made.baseline == setting.baseline
    assert min(made.seconds, made.validation_seconds, made.data_seconds, made.multiply_adds) > 0
