"""NEAR and the scores of AZ-NAS: closed forms, and the published formulas computed another way."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import nn

from randsearch.base.seeds import derive
from randsearch.measures import Job, UnmeasurableError, measure
from randsearch.measures import spectra as proxies
from randsearch.measures.probing import audible_batch
from randsearch.models.architecture import Architecture
from randsearch.models.build import build

SMALL = Architecture(levels=2, first_filters=4, filter_increment=1, encoder_kernel=3, decoder_kernel=3)


def fresh(setting, name):
    network = build(SMALL, setting.signal, derive("weights", SMALL.hash, name, 0)).train()
    return network, audible_batch(setting, SMALL, 0, 4)[0]


def random_matrix(*shape):
    return np.random.default_rng(0).normal(size=shape)


@pytest.mark.parametrize(("singular", "rank"), [((1, 1, 1), 3), ((5, 0, 0), 1), ((0, 0, 0), 0)])
def test_the_effective_rank_of_equal_directions_is_their_number(singular, rank):
    turn, _ = np.linalg.qr(random_matrix(3, 3))
    assert proxies.effective_rank(turn @ np.diag(np.square(singular)) @ turn.T) == pytest.approx(rank)


def test_the_effective_rank_is_that_of_singular_values():
    matrix = random_matrix(50, 6) * np.arange(1, 7)
    shares = np.linalg.svd(matrix, compute_uv=False)
    shares /= shares.sum()
    expected = math.exp(-(shares * np.log(shares)).sum())
    assert proxies.effective_rank(matrix.T @ matrix) == pytest.approx(expected)
    assert proxies.effective_rank(7 * matrix.T @ matrix) == pytest.approx(expected)


def test_spectral_entropy_of_equal_shares_is_the_log_of_their_number():
    assert proxies.spectral_entropy(np.array([3.0, 3.0, 0.0, 3.0])) == pytest.approx(math.log(3))
    assert proxies.spectral_entropy(np.zeros(3)) == 0


def test_second_moments_are_over_crops_and_time():
    activation = torch.tensor(random_matrix(3, 4, 20) + 5).float()
    rows = activation.transpose(1, 2).flatten(0, 1).double().numpy()
    np.testing.assert_allclose(proxies.second_moments(activation), rows.T @ rows / 60)
    covariance = np.cov(rows.T, bias=True)
    np.testing.assert_allclose(proxies.second_moments(activation, centred=True), covariance, rtol=1e-9)


def test_what_is_not_finite_has_no_spectrum():
    with pytest.raises(UnmeasurableError, match="an activation is not finite"):
        proxies.second_moments(torch.tensor([[[1.0, math.inf]]]))


def watched(network, mixture):
    """Input and output of each nonlinearity as matrices of (positions, channels)."""
    found = []
    for module in network.modules():
        if isinstance(module, nn.LeakyReLU):
            module.register_forward_hook(
                lambda module, inputs, output: found.extend(x.permute(0, 2, 1).flatten(0, 1) for x in (*inputs, output))
            )
    network(mixture)
    return [matrix.detach().double() for matrix in found]


def test_side_by_side_near_as_published(setting):
    """NEAR: exp of the entropy of normalised singular values, of what goes in and what comes out of an activation."""
    network, mixture = fresh(setting, "near")
    expected = 0.0
    for matrix in watched(network, mixture):
        shares = torch.linalg.svdvals(matrix)
        expected += torch.distributions.Categorical(probs=shares).entropy().exp().item()
    assert measure(setting, Job(SMALL, "near", 0)).score == pytest.approx(expected, rel=1e-6)


def test_side_by_side_az_expressivity_as_published(setting):
    """AZ-NAS: features centred, sigma = F^T F / n, its eigenvalues' shares p, the sum of -p log(p + 1e-8)."""
    network, mixture = fresh(setting, "az_expressivity")
    expected = 0.0
    for feature in watched(network, mixture)[1::2]:
        centred = feature - feature.mean(dim=0, keepdim=True)
        shares = torch.linalg.eigvalsh(centred.T @ centred / len(feature))
        shares /= shares.sum()
        expected += (-shares * torch.log(shares + 1e-8)).sum().item()
    assert measure(setting, Job(SMALL, "az_expressivity", 0)).score == pytest.approx(expected, rel=1e-5)


def convolution(weight, **options):
    filters, channels, taps = weight.shape
    layer = nn.Conv1d(channels * options.get("groups", 1), filters, taps, dtype=torch.float64, **options)
    layer.weight.data = weight
    return layer


def test_the_gradient_norm_of_one_tap_is_that_of_its_matrix():
    weight = torch.tensor(random_matrix(5, 3, 1))
    slopes = torch.tensor([1.0, 0.2, 0.6, 1.0, 0.5]).double()
    expected = np.linalg.norm(np.diag(slopes) @ weight[..., 0].numpy(), 2)
    assert proxies.gradient_norm(convolution(weight), slopes) == pytest.approx(expected)


def test_the_gradient_norm_of_groups_is_that_of_the_greatest():
    weight = torch.tensor([[[3.0, 4.0]], [[0.0, 2.0]]]).double()
    assert proxies.gradient_norm(convolution(weight, groups=2), torch.ones(2).double()) == pytest.approx(5)
    assert proxies.gradient_norm(convolution(weight, groups=2), torch.tensor([0.1, 1.0]).double()) == pytest.approx(2)


@pytest.mark.parametrize("options", [{}, {"stride": 2}, {"dilation": 3}, {"stride": 2, "groups": 2}, {"stride": 3}])
def test_the_gradient_norm_against_the_map_that_autograd_computes(options):
    """Gradients of the input's samples of one stride, one by one for each gradient behind the layer."""
    layer = convolution(torch.tensor(random_matrix(4, 2, 3)), **options)
    stride = options.get("stride", 1)
    x = torch.zeros(1, layer.in_channels, 36, dtype=torch.float64, requires_grad=True)
    y = layer(x)
    found = [torch.autograd.grad(y[0, f, t], x, retain_graph=True)[0] for f in range(4) for t in range(y.shape[2])]
    middle = torch.stack(found)[:, 0, :, 18 : 18 + stride].flatten(1)
    expected = torch.linalg.matrix_norm(middle, ord=2).item()
    assert proxies.gradient_norm(layer, torch.ones(4).double()) == pytest.approx(expected)


def test_mean_slopes_of_a_leaky_rectifier_and_of_normalisation():
    before = torch.tensor([[[1.0, -1, 2, 3], [-1, -1, -1, 1]]]).expand(50, -1, -1)
    generator = torch.Generator().manual_seed(0)
    assert proxies.mean_slopes(nn.LeakyReLU(0.2), before, generator).tolist() == pytest.approx([0.8, 0.4])
    assert proxies.mean_slopes(None, before, generator).tolist() == [1, 1]
    wide = torch.randn(64, 2, 500, generator=generator) * torch.tensor([4.0, 0.5])[:, None]
    slopes = proxies.mean_slopes(nn.BatchNorm1d(2), wide, generator)
    assert slopes.tolist() == pytest.approx([1 / 4, 2], rel=0.01)


def test_trainability_is_best_where_gradients_keep_their_size(setting, monkeypatch):
    for size in (0.5, 1.0, 2.0):
        monkeypatch.setattr(proxies, "gradient_norm", lambda layer, slopes, size=size: size)
        assert measure(setting, Job(SMALL, "az_trainability", 0)).score == pytest.approx(2 - size - 1 / size)
    monkeypatch.setattr(proxies, "gradient_norm", lambda layer, slopes: 0.0)
    assert measure(setting, Job(SMALL, "az_trainability", 0)).reason == "no gradient passes through encoder.0"


def test_side_by_side_az_trainability_as_published(setting):
    """AZ-NAS: random signs behind a level, mat = mean of g_in g_out^T, where kernels have one tap."""
    pointwise = Architecture(**SMALL.model_dump() | {"encoder_kernel": 1, "decoder_kernel": 1})
    network = build(pointwise, setting.signal, derive("weights", pointwise.hash, "az_trainability", 0)).train()
    mixture = audible_batch(setting, pointwise, 0, 4)[0]
    layers = [layer for layer in network.layers if layer.activation]
    seen, expected = [], []
    for layer in layers:
        network.get_submodule(layer.name).register_forward_hook(lambda _, inputs, output: seen.append(inputs[0]))
    network(mixture)
    for x, layer in zip(tuple(seen), layers, strict=True):
        x = x.detach().repeat(200, 1, 1).requires_grad_()  # many draws of signs
        y = network.get_submodule(layer.activation)(network.get_submodule(layer.name)(x))
        g_out = torch.randint(2, y.shape) * 2.0 - 1
        g_in = torch.autograd.grad(y, x, g_out)[0].permute(0, 2, 1).flatten(0, 1)
        mat = g_in.T @ g_out.permute(0, 2, 1).flatten(0, 1) / len(g_in)
        s = torch.linalg.svdvals(mat).max().item()
        expected.append(-s - 1 / (s + 1e-6) + 2)
    assert len(expected) == 5
    assert measure(setting, Job(pointwise, "az_trainability", 0)).score == pytest.approx(np.mean(expected), rel=0.02)
