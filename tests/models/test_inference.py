"""Separation in chunks is separation in one pass."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from random_networks import SIGNALS, architectures, scatter
from torch import Tensor
from torch.nn import functional

from randsearch.models import inference
from randsearch.models.architecture import Architecture
from randsearch.models.build import build
from randsearch.models.inference import separate
from randsearch.models.layers import lengths
from randsearch.models.sizing import Signal
from randsearch.models.wave_unet import WaveUNet


def _one_pass(network: WaveUNet, mixture: Tensor) -> Tensor:
    architecture, time = network.architecture, mixture.shape[-1]
    if architecture.context:
        size = lengths(architecture, time)
        border = (size.input - size.output) // 2
        padded = functional.pad(mixture, (border, size.input - border - time))
    else:
        padded = functional.pad(mixture, (0, -time % 2**architecture.levels))
    with torch.no_grad():
        estimates: Tensor = network.eval()(padded.unsqueeze(0))
    return estimates[0, ..., :time]


@given(architectures(), SIGNALS, st.integers(1, 400), st.sampled_from([1, 16, 37, 64, 1000]))
@settings(max_examples=70, deadline=None)
def test_chunks_leave_no_seams(architecture: Architecture, signal: Signal, time: int, chunk: int) -> None:
    if architecture.normalisation == "group":
        architecture = architecture.model_copy(update={"normalisation": "batch"})
    network = scatter(build(architecture, signal, 0)).double().train()
    mixture = torch.randn(signal.channels, time, dtype=torch.float64)
    estimates = separate(network, mixture, chunk)
    assert network.training
    assert estimates.shape == (signal.sources, signal.channels, time)
    assert not estimates.requires_grad
    assert torch.allclose(estimates, _one_pass(network, mixture), atol=1e-9, rtol=1e-9)


@pytest.mark.parametrize("context", [False, True])
def test_single_precision(context: bool) -> None:
    network = build(Architecture(levels=4, first_filters=8, context=context), Signal(), 0)
    mixture = torch.randn(1, 3001)
    assert torch.allclose(separate(network, mixture, 256), _one_pass(network, mixture), atol=1e-6)


@pytest.mark.parametrize("context", [False, True])
def test_chunks_bound_what_is_computed_at_a_time(context: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    architecture = Architecture(levels=3, first_filters=2, encoder_kernel=5, context=context)
    network = build(architecture, Signal(), 0)
    seen: list[int] = []
    kept = inference.estimate_all

    def watched(network: WaveUNet, mixture: torch.Tensor) -> torch.Tensor:
        seen.append(mixture.shape[-1])
        return kept(network, mixture)

    monkeypatch.setattr(inference, "estimate_all", watched)
    separate(network, torch.randn(1, 20_000), 512)
    assert len(seen) == 40
    assert max(seen) < 512 + 300
