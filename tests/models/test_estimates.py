"""The fast forward pass is the network's own, in double precision, for every option and in every gradient."""

from itertools import product

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from random_networks import SIGNALS, architectures

from randsearch.models import channels_last
from randsearch.models.architecture import Architecture
from randsearch.models.build import build
from randsearch.models.channels_last import estimate_all
from randsearch.models.frozen import fix_half
from randsearch.models.layers import Signal, lengths

BASE = {"levels": 3, "first_filters": 6, "filter_increment": 2, "encoder_kernel": 9, "decoder_kernel": 5}
OPTIONS = [
    {},
    *({"decimation": kind} for kind in ("blur", "strided")),
    {"upsampling": "learned"},
    *({"output": kind} for kind in ("difference", "residual")),
    {"output_activation": "linear"},
    *({"activation": kind} for kind in ("relu", "gelu", "tanh", "snake")),
    *({"skips": kept} for kept in ((), (1,))),
    *({"normalisation": kind} for kind in ("batch", "group")),
    {"separable": True},
    {"multires": True},
    *({"res_path": kind} for kind in ("trainable", "fixed")),
    {"nested": True, "deep_supervision": True},
    {"nested": True, "skips": ()},
    {"dilation": 2},
    {"fixed_encoder_levels": "all", "remove_random": True},
    {"fixed_decoder_levels": "all", "skips": (1,), "remove_random": True},
    {"fixed_decoder_levels": (1,), "normalisation": "group"},
    *({"decoder_kernel": taps, "output_kernel": taps} for taps in (1, 3, 15)),
    {"encoder_kernel": 1},
]


def check(architecture: Architecture, signal: Signal, half: str, segment: int, *, training: bool = True) -> None:
    """Compares outputs, gradients, and what batch normalisation remembers."""
    torch.manual_seed(0)
    mixture = torch.randn(2, signal.channels, lengths(architecture, segment).input, dtype=torch.float64)
    found = []
    for estimate in (lambda network: network.forward_all(mixture), lambda network: estimate_all(network, mixture)):
        network = build(architecture, signal, 1).double().train(training)
        fix_half(network, half)
        estimates = estimate(network)
        torch.manual_seed(1)
        estimates.backward(torch.randn(estimates.shape, dtype=torch.float64))
        gradients = {name: p.grad for name, p in network.named_parameters() if p.grad is not None}
        found.append((estimates, gradients, dict(network.named_buffers())))
    (expected, theirs, their_buffers), (mine, gradients, buffers) = found
    torch.testing.assert_close(mine, expected)
    assert gradients.keys() == theirs.keys()
    torch.testing.assert_close(gradients, theirs, rtol=1e-7, atol=1e-9)
    torch.testing.assert_close(buffers, their_buffers)


@pytest.mark.parametrize("context", [False, True])
@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_every_option_has_the_same_output_and_gradients(options, context, monkeypatch):
    for folded_from in (1, channels_last.FOLDED_FROM):
        monkeypatch.setattr(channels_last, "FOLDED_FROM", folded_from)
        for segment in (512, 500):  # The second is no multiple of 2^levels.
            for half in ("none", "encoder", "decoder"):
                check(Architecture(**BASE | options, context=context), Signal(), half, segment)


@pytest.mark.parametrize("normalisation", ["none", "group", "batch"])
@pytest.mark.parametrize("context", [False, True])
def test_options_have_the_same_output_and_gradients_in_each_others_company(normalisation, context, monkeypatch):
    monkeypatch.setattr(channels_last, "FOLDED_FROM", 1)
    small = {"levels": 2, "first_filters": 4, "filter_increment": 1, "encoder_kernel": 5, "decoder_kernel": 3}
    fixed = {**small, "context": context, "normalisation": normalisation}
    for skips, is_learned, multires in product([(), (0,), (1,)], [False, True], [False, True]):
        options = {"skips": skips, "upsampling": "learned" if is_learned else "linear", "multires": multires}
        # In half of the companies, so that it meets each of the others in every state.
        res_path = "trainable" if skips and is_learned == multires else "none"
        check(Architecture(**fixed, **options, res_path=res_path), Signal(), "none", 16)


def test_evaluation_mode_clips_alike():
    check(
        Architecture(**BASE, output="difference", output_activation="linear"), Signal(3, 2), "none", 64, training=False
    )


@given(architecture=architectures(), signal=SIGNALS, half=st.sampled_from(["none", "encoder", "decoder"]))
@settings(max_examples=40)
def test_any_company_of_options_has_the_same_output_and_gradients(architecture, signal, half):
    check(architecture, signal, half, 64)
