"""jacob_cov, nwot, swap and synflow: closed forms on linear networks, and published formulas computed another way."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from chains import Chain, signal
from torch import nn
from torch.nn import functional

from randsearch.base.seeds import derive
from randsearch.measures import Job, UnmeasurableError, measure
from randsearch.measures import kernels as proxies
from randsearch.measures.probing import NORMALISATIONS, audible_batch, convolutions
from randsearch.measures.synflow import make_positive, synaptic_flows
from randsearch.models.architecture import Architecture
from randsearch.models.build import build

SMALL = Architecture(levels=2, first_filters=4, filter_increment=1, encoder_kernel=3, decoder_kernel=3)
K = 1e-5


def changed(**options: object) -> Architecture:
    return Architecture(**SMALL.model_dump() | options)


def test_jacob_cov_of_a_linear_network_is_singular():
    # Every crop has the same Jacobian: the correlation is all ones, with eigenvalues N and N - 1 zeros.
    rows = np.repeat([[1.0, 2.0, 4.0, -3.0]], 5, axis=0)
    expected = -(math.log(5 + K) + 1 / (5 + K)) - 4 * (math.log(K) + 1 / K)
    assert proxies.jacobian_score(rows) == pytest.approx(expected, rel=1e-6)


def test_jacob_cov_of_uncorrelated_jacobians_is_the_best():
    rows = np.array([[1.0, -1, 1, -1], [1, 1, -1, -1], [1, -1, -1, 1]])
    best = -3 * (math.log(1 + K) + 1 / (1 + K))
    assert proxies.jacobian_score(rows) == pytest.approx(best, rel=1e-9)
    assert proxies.jacobian_score(np.add(rows, [0.3, 0, 0, 0])) < best


def test_jacob_cov_does_not_depend_on_the_order_nor_on_the_scale_of_crops():
    rows = np.random.default_rng(0).normal(size=(6, 30))
    assert proxies.jacobian_score(rows[::-1] * np.arange(1, 7)[:, None]) == pytest.approx(proxies.jacobian_score(rows))


@pytest.mark.parametrize("row", [[1.0, 1.0], [np.nan, 1.0]])
def test_jacob_cov_refuses_a_constant_jacobian(row):
    with pytest.raises(UnmeasurableError, match="constant or not finite"):
        proxies.jacobian_score(np.array([[1.0, 2.0], row]))


def test_side_by_side_jacob_cov_as_published(setting):
    """Mellor et al. v1: one backward pass for all crops, np.corrcoef, np.linalg.eig."""
    network = build(SMALL, setting.signal, derive("weights", SMALL.hash, "jacob_cov", 0)).train()
    x = audible_batch(setting, SMALL, 0, 4)[0].requires_grad_(True)
    y = network.output(network.features(x))
    cotangent = torch.randn(y.shape[1:], generator=torch.Generator().manual_seed(derive("projection", "tiny", 0)))
    y.backward(cotangent.expand_as(y))
    v, _ = np.linalg.eig(np.corrcoef(x.grad.numpy().reshape(4, -1)))
    expected = -np.sum(np.log(v + K) + 1.0 / (v + K))
    assert measure(setting, Job(SMALL, "jacob_cov", 0)).score == pytest.approx(expected, rel=1e-3)


def test_jacob_cov_of_a_difference_network_is_not_that_of_its_estimates(setting):
    """The estimates add up to the mixture: their sum has the same Jacobian everywhere, whatever the weights."""
    linear = -3 * (math.log(K) + 1 / K)
    assert measure(setting, Job(SMALL, "jacob_cov", 0)).score > linear / 100


def test_nwot_kernel_of_signs_written_out():
    before = torch.tensor([[[1.0, -1, 2]], [[1.0, 1, -2]], [[-1.0, 1, -2]]])
    expected = [[3, 1, 0], [1, 3, 2], [0, 2, 3]]
    found = proxies.agreement(before, torch.Generator())
    assert found.tolist() == expected
    assert proxies.log_determinant(found.numpy()) == pytest.approx(math.log(np.linalg.det(np.array(expected))))


def test_nwot_of_many_moments_is_counted_as_if_all_had_been_taken():
    before = torch.randn(3, 2, 4 * proxies.MOMENTS, generator=torch.Generator().manual_seed(0))
    found = proxies.agreement(before, torch.Generator().manual_seed(1))
    whole = torch.stack([((before > 0) == (other > 0)).sum(dim=(1, 2)) for other in before])
    assert found.diagonal().tolist() == [2 * 4 * proxies.MOMENTS] * 3
    torch.testing.assert_close(found, whole.double(), rtol=0.15, atol=0)


def test_nwot_refuses_equal_codes():
    with pytest.raises(UnmeasurableError, match="cannot be told apart"):
        proxies.log_determinant(np.array([[2.0, 2.0], [2.0, 2.0]]))


def test_side_by_side_nwot_as_published(setting):
    """Mellor et al. v3: x = (inp > 0).float() in every ReLU, K += x @ x.T + (1 - x) @ (1 - x).T, slogdet."""
    network = build(SMALL, setting.signal, derive("weights", SMALL.hash, "nwot", 0)).train()
    kernel = np.zeros((4, 4))
    for module in network.modules():
        if isinstance(module, nn.LeakyReLU):

            def hook(module, inputs, output):
                nonlocal kernel
                x = (inputs[0].reshape(4, -1) > 0).float()
                kernel = kernel + (x @ x.t()).numpy() + ((1.0 - x) @ (1.0 - x.t())).numpy()

            module.register_forward_hook(hook)
    network(audible_batch(setting, SMALL, 0, 4)[0])
    _, expected = np.linalg.slogdet(kernel)
    assert measure(setting, Job(SMALL, "nwot", 0)).score == pytest.approx(expected, rel=1e-9)


def test_swap_counts_patterns_and_not_units():
    before = torch.tensor([[[1.0, -1, 2], [3, 4, -5]], [[1.0, 1, 2], [-1, 7, -2]]])  # of the crops: 11 01 11, 10 11 00
    assert proxies.patterns(before).tolist() == [0, 1, 2, 3]
    assert proxies.patterns(before[:, :1]).tolist() == [2, 3]
    assert len(proxies.patterns(torch.ones(3, 4, 5))) == 1


def test_swap_tells_the_last_of_the_most_crops_apart():
    before = -torch.ones(proxies.MOST_CROPS, 1, 2)
    before[-1, 0, 1] = 1.0
    assert proxies.patterns(before).tolist() == [0, 2 ** (proxies.MOST_CROPS - 1)]


def test_side_by_side_swap_as_published(setting):
    """SWAP: signs of all units side by side as (crops, units), transposed, torch.unique along the units."""
    network = build(SMALL, setting.signal, derive("weights", SMALL.hash, "swap", 0)).train()
    units = []
    for module in network.modules():
        if isinstance(module, nn.LeakyReLU):
            module.register_forward_hook(lambda module, inputs, output: units.append(output.flatten(1)))
    mixture = audible_batch(setting, SMALL, 0, 8)[0]
    network(mixture)
    expected = torch.unique(torch.sign(torch.cat(units, 1)).T, dim=0).size(0)
    assert measure(setting, Job(SMALL, "swap", 0)).score == expected
    assert 200 < expected <= 2**8


def test_synflow_of_a_chain():
    # R = a b c T for T ones, and every layer passes all of it on.
    chain = Chain(1.5, 0.5, 2.0)
    weights = {name: layer.weight for name, layer in convolutions(chain)}
    flows = synaptic_flows(weights, chain(signal(1, 1, 1, 1)).sum())
    assert list(flows.values()) == pytest.approx([1.5 * 0.5 * 2.0 * 4] * 3, rel=1e-12)


@pytest.mark.parametrize("options", [{"skips": ()}, {"skips": (), "output": "direct", "output_kernel": 3}])
def test_synflow_is_conserved_from_layer_to_layer(setting, options):
    """What flows through a layer that everything must pass is the same for all of them (Tanaka et al., theorem 1).

    Without skips only the mixture goes around the layers, straight into the output convolution.
    """
    architecture = changed(**options)
    network = build(architecture, setting.signal, 3).double().train()
    make_positive(network)
    layers = dict(convolutions(network))
    with torch.no_grad():
        network.output.weight[:, -1] = 0
    ones = torch.ones(1, 1, 64, dtype=torch.float64)
    output = network.output(network.features(ones)).sum()
    flows = synaptic_flows({name: layer.weight for name, layer in layers.items()}, output)
    assert set(flows) == set(layers)
    assert list(flows.values()) == pytest.approx([output.item()] * len(flows), rel=1e-9)


def test_side_by_side_synflow_as_published(setting):
    """zero-cost-nas: weights of the state dict made absolute, ones in, sum(out).backward(), |w * w.grad|."""
    network = build(SMALL, setting.signal, derive("weights", SMALL.hash, "synflow", 0)).double()
    network.load_state_dict({name: tensor.abs() for name, tensor in network.state_dict().items()})
    mixture = torch.ones(1, 1, 256, dtype=torch.float64)
    functional.conv1d(network.features(mixture), network.output.weight, network.output.bias).sum().backward()
    layers = [module for module in network.modules() if isinstance(module, nn.Conv1d)]
    expected = math.log(sum((layer.weight * layer.weight.grad).abs().sum().item() for layer in layers))
    assert measure(setting, Job(SMALL, "synflow", 0)).score == pytest.approx(expected, rel=1e-9)


def test_synflow_of_difference_output_is_not_the_mixture(setting):
    """Its estimates add up to the mixture, so that through the head no synapse would seem to carry anything."""
    network = build(SMALL, setting.signal, 0).train()
    weights = {name: layer.weight for name, layer in convolutions(network)}
    through_head = synaptic_flows(weights, network(torch.ones(1, 1, 64)).sum())
    assert sum(through_head.values()) < 1e-3
    assert measure(setting, Job(SMALL, "synflow", 0)).score > 0


def test_synflow_takes_normalisation_out(setting):
    network = build(changed(normalisation="group"), setting.signal, 0)
    assert any(isinstance(module, NORMALISATIONS) for module in network.modules())
    make_positive(network)
    assert not any(isinstance(module, NORMALISATIONS) for module in network.modules())
    assert all((layer.weight >= 0).all() for _, layer in convolutions(network))


@pytest.mark.parametrize(
    ("name", "activation"), [("nwot", "tanh"), ("nwot", "snake"), ("swap", "snake"), ("synflow", "tanh")]
)
def test_what_would_mean_nothing_is_refused_by_name(setting, name, activation):
    made = measure(setting, Job(changed(activation=activation), name, 0))
    assert made.state == "failed"
    assert made.reason.startswith(f"refused for activation {activation}: ")
