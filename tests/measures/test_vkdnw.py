"""VKDNW: the Fisher information in closed form and by backward differentiation, and its published spread."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from chains import Chain, signal

from randsearch.base.seeds import derive
from randsearch.measures import MEASURES, Job, UnmeasurableError, measure
from randsearch.measures import vkdnw as proxies
from randsearch.measures.costs import VKDNW_CROPS
from randsearch.measures.probing import audible_batch, convolutions
from randsearch.models.architecture import Architecture
from randsearch.models.build import build

SMALL = Architecture(levels=2, first_filters=4, filter_increment=1, encoder_kernel=3, decoder_kernel=3)


def test_the_fisher_information_of_a_chain():
    # y = a b x, so that dy/da = b x and dy/db = a x.
    found = proxies.fisher_matrix(Chain(1.5, -0.5), signal(1, -2, 3), torch.Generator())
    np.testing.assert_allclose(found, 14 * np.array([[0.25, -0.75], [-0.75, 2.25]]))


def test_the_fisher_information_is_that_of_backward_differentiation(setting):
    """Its trace, over samples of the output one by one, with the same weights chosen."""
    network = build(SMALL, setting.signal, 0).double().train()
    mixture = audible_batch(setting, SMALL, 0, 1)[0].double()[..., :32]
    found = proxies.fisher_matrix(network, mixture, torch.Generator().manual_seed(3))
    generator, chosen = torch.Generator().manual_seed(3), []
    for _, layer in convolutions(network):
        chosen.append(torch.randperm(layer.weight.numel(), generator=generator)[: proxies.VKDNW_WEIGHTS])
    weights, rows = [layer.weight for _, layer in convolutions(network)], []
    for value in network(mixture).flatten():
        gradients = torch.autograd.grad(value, weights, retain_graph=True)
        rows.append(torch.cat([g.flatten()[places] for g, places in zip(gradients, chosen, strict=True)]))
    jacobian = torch.stack(rows).numpy()
    np.testing.assert_allclose(found, jacobian.T @ jacobian, rtol=1e-6, atol=1e-9)


def test_equal_eigenvalues_spread_most():
    assert proxies.spread(np.eye(20)) == pytest.approx(np.log(9))
    assert proxies.spread(np.diag(np.arange(1.0, 21))) < np.log(9)
    assert proxies.spread(7 * np.diag(np.arange(20.0))) == pytest.approx(proxies.spread(np.diag(np.arange(20.0))))
    with pytest.raises(UnmeasurableError, match="too few weights"):
        proxies.spread(np.diag([1.0] + [0.0] * 19))


def test_side_by_side_vkdnw_as_published(setting):
    """VKDNW: singular values, torch.quantile at 0.1 to 0.9, their shares, the sum of -p log(p + 1e-10)."""
    network = build(SMALL, setting.signal, derive("weights", SMALL.hash, "vkdnw", 0)).train()
    generator = torch.Generator().manual_seed(derive("weights of", SMALL.hash, "vkdnw", 0))
    mixture = audible_batch(setting, SMALL, 0, 4)[0][:VKDNW_CROPS]
    fisher = torch.from_numpy(proxies.fisher_matrix(network, mixture, generator))
    quantiles = torch.quantile(torch.linalg.svdvals(fisher), torch.arange(0.1, 1.0, 0.1).double())
    shares = quantiles / quantiles.sum()
    expected = -(shares * torch.log(shares + 1e-10)).sum().item()
    assert measure(setting, Job(SMALL, "vkdnw", 0)).score == pytest.approx(expected, rel=1e-5)


def test_side_outputs_are_not_the_networks(setting):
    deep = Architecture(**SMALL.model_dump() | {"nested": True, "deep_supervision": True})
    network = build(deep, setting.signal, 0).train()
    fisher = proxies.fisher_matrix(network, audible_batch(setting, deep, 0, 1)[0], torch.Generator())
    assert any(name.startswith("auxiliary.") for name, _ in convolutions(network))
    assert (fisher.diagonal() > 0).all()


def test_it_costs_two_forward_passes_a_weight_at_most(setting):
    step = MEASURES["trained"].cost(setting, SMALL) / setting.steps / setting.recipe.batch
    assert MEASURES["vkdnw"].cost(setting, SMALL) == pytest.approx(step * 6 * 8 * VKDNW_CROPS * 2 / 3)
