"""Gradient proxies: closed forms on linear chains, published formulas computed another way, and invariances."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from chains import Chain, signal
from torch import nn
from torch.nn import functional

from randsearch.base.seeds import derive
from randsearch.measures import MEASURES, Job, UnmeasurableError, measure
from randsearch.measures import gradients as proxies
from randsearch.measures.probing import audible_batch, convolutions
from randsearch.models.architecture import Architecture
from randsearch.models.build import build

A, B, X = 1.5, -0.5, (1.0, -2.0, 3.0)
ENERGY = sum(x * x for x in X)
SMALL = Architecture(levels=2, first_filters=4, filter_increment=1, encoder_kernel=3, decoder_kernel=3)


@pytest.fixture
def chain() -> Chain:
    return Chain(A, B)


# L = (a b)^2 E / 2, so dL/da = a b^2 E and dL/db = a^2 b E.
def test_norms_of_weights_and_gradients(chain):
    assert proxies.norms(chain.weights) == abs(A) + abs(B)
    found = proxies.gradients(chain.half_square(signal(*X)), chain.weights)
    assert proxies.norms(found) == pytest.approx(abs(A * B**2 * ENERGY) + abs(A**2 * B * ENERGY), rel=1e-12)


def test_norms_of_a_matrix_is_that_of_its_elements():
    assert proxies.norms([torch.tensor([[3.0, 0.0], [0.0, 4.0]]), torch.tensor([12.0, 5.0])]) == 5 + 13


def test_snip(chain):
    # |a dL/da| = |b dL/db| = a^2 b^2 E.
    found = proxies.saliency(chain.weights, chain.half_square(signal(*X)))
    assert found == pytest.approx(2 * A**2 * B**2 * ENERGY, rel=1e-12)


def test_grasp(chain):
    # H = E [[b^2, 2ab], [2ab, a^2]], g = E [a b^2, a^2 b]: w H g = E^2 (3 a^2 b^4 ... ) written out below.
    hessian = ENERGY * np.array([[B * B, 2 * A * B], [2 * A * B, A * A]])
    gradient = ENERGY * np.array([A * B * B, A * A * B])
    found = proxies.gradient_flow(chain.weights, chain.half_square(signal(*X)))
    assert found == pytest.approx(-np.array([A, B]) @ hessian @ gradient, rel=1e-12)


def test_grasp_against_finite_differences(chain):
    # -w H g is minus the change of |g|^2 / 2 as the weights grow along themselves.
    def half(scale):
        weights = Chain(A * scale, B * scale)
        return proxies.norms([torch.cat(proxies.gradients(weights.half_square(signal(*X)), weights.weights))]) ** 2 / 2

    found = proxies.gradient_flow(chain.weights, chain.half_square(signal(*X)))
    assert found == pytest.approx(-(half(1 + 1e-5) - half(1 - 1e-5)) / 2e-5, rel=1e-6)


def test_grasp_of_a_loss_without_curvature_is_zero():
    line = Chain(2.0)
    assert proxies.gradient_flow(line.weights, line(signal(*X)).sum()) == 0


def test_fisher(chain):
    # Outputs a x and a b x; their products with dL/da, summed over time, are both a^2 b^2 E (for one example).
    found = proxies.fisher_information(list(chain.layers), lambda: chain.half_square(signal(*X)))
    assert found == pytest.approx(0.5 * 2 * (A**2 * B**2 * ENERGY) ** 2, rel=1e-12)


def test_fisher_takes_the_mean_over_the_batch_of_squares(chain):
    batch = torch.cat([signal(1.0), signal(3.0)])
    each = [A**2 * B**2 * x**2 / 2 for x in (1.0, 3.0)]  # the loss is a mean of two
    found = proxies.fisher_information(list(chain.layers), lambda: chain.half_square(batch))
    assert found == pytest.approx(0.5 * 2 * (each[0] ** 2 + each[1] ** 2) / 2, rel=1e-12)
    assert not any(layer._forward_hooks for layer in chain.layers)


def test_zico_of_gradients_made_by_hand():
    # Means of |g| are 2, 2 and 3, deviations 1, 2 and 0: the last weight does not vary and is left out.
    layers = [torch.tensor([[1.0, 2.0, 3.0], [3.0, -2.0, 3.0]]), torch.tensor([[[5.0]], [[1.0]], [[0.0]]])]
    deviation = math.sqrt((9 + 1 + 4) / 3)
    assert proxies.inverse_deviation(layers) == pytest.approx(math.log(2 / 1 + 2 / 2) + math.log(2 / deviation))
    assert proxies.inverse_deviation([7 * gradient for gradient in layers]) == pytest.approx(
        proxies.inverse_deviation(layers)
    )


@pytest.mark.parametrize("stacked", [torch.ones(1, 3), torch.ones(4, 3), torch.zeros(4, 3)])
def test_zico_skips_a_layer_whose_gradient_does_not_vary(stacked):
    other = torch.tensor([[1.0], [3.0]])
    assert proxies.inverse_deviation([stacked, other]) == pytest.approx(math.log(2 / 1))
    with pytest.raises(UnmeasurableError, match="no gradient of any layer varies between batches"):
        proxies.inverse_deviation([stacked, stacked])


def test_zico_refuses_what_is_not_finite():
    with pytest.raises(UnmeasurableError, match="not finite"):
        proxies.inverse_deviation([torch.tensor([[1.0], [3.0]]), torch.tensor([[1.0], [math.inf]])])


def fresh(setting, name, seed=0):
    network = build(SMALL, setting.signal, derive("weights", SMALL.hash, name, seed)).train()
    return network, [layer for _, layer in convolutions(network)]


def loss_of(network, batch):
    return functional.mse_loss(network(batch[0]), batch[1])


def test_side_by_side_snip_and_grad_norm_as_published(setting):
    """zero-cost-nas (2101.08134): backward(), then |w * w.grad| and w.grad.norm() over the layers."""
    for name, of_layer in (
        ("snip", lambda layer: (layer.weight * layer.weight.grad).abs().sum()),
        ("grad_norm", lambda layer: layer.weight.grad.norm()),
    ):
        network, layers = fresh(setting, name)
        loss_of(network, audible_batch(setting, SMALL, 0, 4)).backward()
        expected = sum(of_layer(layer).item() for layer in layers)
        assert measure(setting, Job(SMALL, name, 0)).score == pytest.approx(math.log(expected), rel=1e-6)


def test_side_by_side_fisher_as_in_the_paper_and_not_as_published(setting):
    """zero-cost-nas: 0.5 mean (sum a g)^2 of a channel, by hooks; then it repeats that for every weight and sums."""
    network, layers = fresh(setting, "fisher")
    found = {}

    def hook(module, inputs, output):
        output.register_hook(lambda g, a=output: found.update({module: ((a * g).sum(dim=2) ** 2).mean(0).mul(0.5)}))

    for layer in layers:
        layer.register_forward_hook(hook)
    loss_of(network, audible_batch(setting, SMALL, 0, 4)).backward()
    assert set(found) == set(layers)
    score = measure(setting, Job(SMALL, "fisher", 0)).score
    assert score == pytest.approx(math.log(sum(channels.sum().item() for channels in found.values())), rel=1e-6)
    broadcast = sum(channels.sum().item() * layer.weight[0].numel() for layer, channels in found.items())
    assert math.log(broadcast) - score > math.log(3)  # each channel has more than three weights


def test_side_by_side_zico_as_published(setting):
    """ZiCo's own loop: gradients of each batch as numpy arrays, std over batches, zeros left out, log of sums."""
    network, layers = fresh(setting, "zico")
    mixture, sources = audible_batch(setting, SMALL, 0, 16)
    stacked = []
    for i in range(4):
        network.zero_grad()
        loss_of(network, (mixture[4 * i : 4 * i + 4], sources[4 * i : 4 * i + 4])).backward()
        stacked.append([layer.weight.grad.numpy().astype(np.float64).ravel() for layer in layers])
    expected = 0.0
    for layer in zip(*stacked, strict=True):
        deviation = np.std(np.array(layer), axis=0)
        varies = np.nonzero(deviation)[0]
        expected += np.log(np.sum(np.mean(np.abs(np.array(layer)), axis=0)[varies] / deviation[varies]))
    assert measure(setting, Job(SMALL, "zico", 0)).score == pytest.approx(expected, rel=1e-5)


def test_side_by_side_grasp_as_published(setting):
    """zero-cost-nas: the gradient once without and once with a graph, z = sum(g * gf), backward, -w * w.grad."""
    network, layers = fresh(setting, "grasp")
    batch = audible_batch(setting, SMALL, 0, 4)
    weights = [layer.weight for layer in layers]
    plain = torch.autograd.grad(loss_of(network, batch), weights)
    graphed = torch.autograd.grad(loss_of(network, batch), weights, create_graph=True)
    sum((g.data * f).sum() for g, f in zip(plain, graphed, strict=True)).backward()
    expected = sum((-w.data * w.grad).sum().item() for w in weights)
    assert measure(setting, Job(SMALL, "grasp", 0)).score == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("name", ["grad_norm", "snip", "grasp", "fisher"])
def test_the_order_of_the_batch_changes_nothing(setting, name):
    network, layers = fresh(setting, name)
    mixture, sources = (part.double() for part in audible_batch(setting, SMALL, 0, 4))
    network.double()
    weights = [layer.weight for layer in layers]

    def value(order):
        batch = mixture[order], sources[order]
        if name == "fisher":
            return proxies.fisher_information(layers, lambda: loss_of(network, batch))
        loss = loss_of(network, batch)
        if name == "grad_norm":
            return proxies.norms(proxies.gradients(loss, weights))
        return {"snip": proxies.saliency, "grasp": proxies.gradient_flow}[name](weights, loss)

    assert value([2, 0, 3, 1]) == pytest.approx(value([0, 1, 2, 3]), rel=1e-9)


@pytest.mark.parametrize(("name", "power"), [("grad_norm", 1), ("snip", 1), ("fisher", 2), ("zico", 0)])
def test_a_scaled_loss_adds_the_same_to_every_score(setting, monkeypatch, name, power):
    before = measure(setting, Job(SMALL, name, 0)).score
    kept = proxies.squared_error
    monkeypatch.setattr(proxies, "squared_error", lambda *arguments: 8 * kept(*arguments))
    assert measure(setting, Job(SMALL, name, 0)).score == pytest.approx(before + power * math.log(8), abs=1e-5)


def test_fixed_levels_have_no_gradient_but_have_a_norm(setting):
    fixed = Architecture(**SMALL.model_dump() | {"fixed_decoder_levels": (0,)})
    network = build(fixed, setting.signal, derive("weights", fixed.hash, "l2_norm", 0))
    names = {name for name, _ in convolutions(network)}
    assert {name for name, _ in convolutions(network, trained_only=False)} - names == {"decoder.0"}
    expected = sum(layer.weight.norm().item() for layer in network.modules() if isinstance(layer, nn.Conv1d))
    assert measure(setting, Job(fixed, "l2_norm", 0)).score == pytest.approx(expected, rel=1e-6)
    assert measure(setting, Job(fixed, "snip", 0)).state == "complete"


def test_a_network_without_gradient_is_a_failure_with_a_reason(setting, monkeypatch):
    kept = proxies.squared_error
    monkeypatch.setattr(proxies, "squared_error", lambda *arguments: 0 * kept(*arguments))
    for name, reason in (
        ("snip", "the saliency of the weights is 0.0, which has no logarithm"),
        ("grad_norm", "the norm of the gradient is 0.0, which has no logarithm"),
        ("fisher", "the Fisher information is 0.0, which has no logarithm"),
        ("zico", "no gradient of any layer varies between batches"),
    ):
        made = measure(setting, Job(SMALL, name, 0))
        assert (made.state, made.score, made.reason) == ("failed", None, reason)


def test_crops_are_the_same_for_all_architectures_and_audible(setting):
    wide = SMALL.model_copy(update={"first_filters": 7})
    context = SMALL.model_copy(update={"context": True})
    mixture, sources = audible_batch(setting, SMALL, 0, 4)
    assert torch.equal(mixture, audible_batch(setting, wide, 0, 4)[0])
    longer, same = audible_batch(setting, context, 0, 4)
    assert torch.equal(same, sources)
    margin = (longer.shape[-1] - mixture.shape[-1]) // 2
    assert torch.equal(longer[..., margin : margin + mixture.shape[-1]], mixture)
    torch.testing.assert_close(sources.sum(dim=1), mixture)
    assert (sources.square().mean(dim=(2, 3)) > 1e-6).all()
    assert not torch.equal(mixture, audible_batch(setting, SMALL, 1, 4)[0])
    other = replace(setting, study="other")
    assert not torch.equal(mixture, audible_batch(other, SMALL, 0, 4)[0])


def test_data_without_audible_crops_are_a_failure_with_a_reason(setting, monkeypatch):
    kept = setting.dataset.train[0].__class__.sources
    monkeypatch.setattr(setting.dataset.train[0].__class__, "sources", lambda *a: kept(*a) * np.float32(1e-5))
    made = measure(setting, Job(SMALL, "snip", 0))
    assert made.reason == "of 400 training crops only 0 have every source above -60 dBFS, and 4 are needed"


def test_costs_are_multiply_adds_of_the_steps_that_the_catalogue_names(setting):
    made = measure(setting, Job(SMALL, "snip", 0))
    step = MEASURES["trained"].cost(setting, SMALL) / setting.steps
    assert made.multiply_adds == step * 4 / 2  # one step on 4 crops, where training takes 2
    assert (made.steps, made.curve) == (0, ())
    assert min(made.seconds, made.data_seconds) > 0
