"""Linearised networks: least squares on the Jacobian that automatic differentiation finds, within a bound."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from test_readout import changed, stream

from randsearch.measures import MEASURES, Job, UnmeasurableError, measure
from randsearch.measures import linearised as room
from randsearch.measures.readout import settle, solve_output
from randsearch.measures.rewiring import tangent
from randsearch.models.build import build
from randsearch.models.channels_last import estimate_all
from randsearch.models.resampling import crop
from randsearch.models.sizing import Signal

CASES = {
    "one source": {},
    "two sources": {"output": "direct"},
    "residual, taps": {"output": "residual", "output_kernel": 3},
    "context": {"context": True, "output_kernel": 3},
    "separable, tanh": {"separable": True, "activation": "tanh"},
    "batch, gelu": {"normalisation": "batch", "activation": "gelu"},
    "nested, snake": {"nested": True, "activation": "snake"},
}


def parts_of(network, count=4):
    batches = [(mixture.double(), sources.double()) for mixture, sources in stream(network, count)]
    settle(network, batches)
    return batches, *(torch.cat(part) for part in zip(*batches, strict=True))


def unclipped(network):
    """In evaluation mode, but for the clipping of what it puts out."""
    network.eval().training = True
    return network


@pytest.mark.parametrize("taps", [1, 3])
@pytest.mark.parametrize("case", CASES)
def test_it_is_least_squares_on_the_jacobian(monkeypatch, case, taps):
    monkeypatch.setattr("randsearch.measures.ridge.STRENGTHS", (0.0,))
    architecture = changed(output_activation="linear", **CASES[case], levels=1)
    network, twin = (build(architecture, Signal(), 0).double() for _ in range(2))
    whole = tangent(network.layers, 10_000)
    taps = min(taps, whole.last.kernel)
    bound = whole.parameters - (whole.last.kernel - taps) * whole.last.in_channels * whole.last.out_channels
    chosen = tangent(network.layers, bound)
    assert (chosen.taps, chosen.parameters) == (taps, bound)
    assert taps == 1 or tangent(network.layers, bound - 1).taps == taps - 2
    batches, mixture, sources = parts_of(network)
    settle(twin, batches)
    names = [f"{layer}.{kind}" for layer in (chosen.last.name, "output") for kind in ("weight", "bias")]
    weights = {name: twin.get_parameter(name).detach() for name in names}

    def predicted(moved):
        return crop(torch.func.functional_call(unclipped(twin), moved, (mixture,)), 64)

    jacobians = torch.func.jacrev(predicted)(weights)
    kernel = jacobians[names[0]]
    jacobians[names[0]] = kernel[..., (kernel.shape[-1] - taps) // 2 :][..., :taps]
    # By estimates of all sources: those that follow from others would count twice, so they are left out.
    kept = slice(0, 1 if architecture.output == "difference" else 2)
    columns = [jacobians[name][:, kept].flatten(4) for name in names]
    rows = torch.cat(columns, dim=-1).flatten(0, 3).detach().numpy()
    assert rows.shape[1] == chosen.parameters
    wanted = (sources - predicted(weights))[:, kept].detach().flatten().numpy()
    stacked = np.hstack([rows, np.ones((len(rows), 1))])
    fitted = stacked @ np.linalg.lstsq(stacked, wanted, rcond=1e-9)[0]

    room.linearise(network, chosen, batches, seed=0)
    with torch.no_grad():
        found = crop(unclipped(network)(mixture), 64) - predicted(weights)
    np.testing.assert_allclose(found[:, kept].flatten(), fitted, atol=1e-6)


def test_both_ways_of_running_it_agree_and_it_does_no_worse_than_a_readout():
    architecture = changed(output_activation="linear")
    network, other = (build(architecture, Signal(), 0).double() for _ in range(2))
    batches, mixture, sources = parts_of(network, 8)
    settle(other, batches)
    room.linearise(network, room.choose(network), batches, seed=0)
    solve_output(other, batches, seed=0)
    with torch.inference_mode():
        torch.testing.assert_close(estimate_all(network, mixture), network.forward_all(mixture))
        errors = [(each.train()(mixture) - sources).square().mean().item() for each in (network, other)]
    assert errors[0] < 0.95 * errors[1]


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"normalisation": "group"}, "refused for normalisation group: its statistics tie all samples together"),
        ({"multires": True}, "refused: the last decoder level is no single convolution"),
        ({"first_filters": 40}, "refused: the last decoder level is .* within 1536 parameters"),
    ],
)
def test_what_cannot_be_linearised_is_refused_before_memory_is_taken(options, sentence):
    with pytest.raises(UnmeasurableError, match=sentence):
        room.choose(build(changed(**options), Signal(), 0))


def test_it_scores_and_costs_what_it_says(setting):
    made = measure(setting, Job(changed(), "linearised", 0))
    assert made.reason == ""
    # 4 x (5 + 4) x 3 weights and 4 biases, (4 + 1) weights and a bias; 2 crops of 256 moments in each of 16 batches.
    size = 108 + 4 + 5 + 1
    forward = 2 * 256 * (1 * 3 * 4 + 4 * 3 * 5 / 2 + 5 * 3 * 6 / 4 + (6 + 5) * 3 * 5 / 2 + (5 + 4) * 3 * 4 + 5)
    expected = 16 * forward + 16 * 512 * size**2 / 2 + 2 * 4.5 * size**3
    assert made.multiply_adds == MEASURES["linearised"].cost(setting, changed()) == pytest.approx(expected)
    assert made.score > 0
    assert min(made.seconds, made.validation_seconds, made.data_seconds) > 0
