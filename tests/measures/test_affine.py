"""Affine: only scales, shifts and the output convolution train, and at first they change nothing."""

from __future__ import annotations

import pytest
import torch
from test_catalogue import KINDS, SMALL

from randsearch.measures import MEASURES, Job, measure
from randsearch.measures.affine import leave_affine
from randsearch.measures.run import Run
from randsearch.models.architecture import Architecture
from randsearch.models.build import build
from randsearch.models.channels_last import estimate_all
from randsearch.models.sizing import Signal, lengths

TINY = Architecture(levels=1, first_filters=2, filter_increment=1, encoder_kernel=3, decoder_kernel=3)


@pytest.mark.parametrize("kind", KINDS)
def test_scales_and_shifts_change_nothing_at_first_and_all_train(kind):
    architecture = Architecture(**SMALL, **KINDS[kind])
    network, twin = (build(architecture, Signal(), 0) for _ in range(2))
    leave_affine(network)
    mixture = torch.randn(2, 1, lengths(architecture, 64).input)
    torch.testing.assert_close(network.forward_all(mixture), twin.forward_all(mixture))
    torch.testing.assert_close(estimate_all(network, mixture), twin.forward_all(mixture))
    estimate_all(network, mixture)[:, :, 0].sum().backward()
    trains = {name for name, weight in network.named_parameters() if weight.requires_grad}
    assert not {name for name in trains if network.get_parameter(name).grad is None}
    convolutions = {f"{layer.name}.{what}" for layer in network.layers for what in ("weight", "bias")
                    if layer.kind == "convolution" and layer.part != "output"}  # fmt: skip
    assert not trains & convolutions
    channels = sum(layer.out_channels for layer in network.layers if layer.activation)
    counted = [weight for name, weight in network.named_parameters() if name.endswith((".scale", ".shift"))]
    assert sum(weight.numel() for weight in counted) == (2 * channels if architecture.normalisation == "none" else 0)


def test_an_affine_convolution_by_hand():
    network, twin = (build(TINY, Signal(), 0) for _ in range(2))
    leave_affine(network)
    with torch.no_grad():
        added = network.get_submodule("encoder_activation.0.0")
        added.scale.copy_(torch.tensor([2.0, -0.5]))
        added.shift.copy_(torch.tensor([0.1, 0.2]))
        folded = twin.get_submodule("encoder.0")
        folded.weight.mul_(torch.tensor([2.0, -0.5]).view(2, 1, 1))
        folded.bias.copy_(torch.tensor([0.1, 0.2]))
    mixture = torch.randn(2, 1, 64)
    torch.testing.assert_close(network(mixture), twin(mixture))


def test_convolutions_stay_to_the_bit_and_it_costs_what_it_says(setting, monkeypatch):
    # As in test_measures: of an example a forward pass takes 12288 multiply-adds, weight gradients of the output 768,
    # input gradients of bottleneck, decoder and output 2304, 7680 and 512.
    seen = []
    kept = Run.train

    def train(self, network, validate):
        before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
        trained = kept(self, network, validate)
        seen.append({name for name, tensor in network.state_dict().items() if torch.equal(tensor, before[name])})
        return trained

    monkeypatch.setattr(Run, "train", train)
    made = measure(setting, Job(TINY, "affine", 0))
    assert seen == [{f"{part}.{what}" for part in ("encoder.0", "bottleneck", "decoder.0") for what in
                     ("weight", "bias")}]  # fmt: skip
    step = 2 * (12288 + 768 + 2304 + 7680 + 512)
    assert made.multiply_adds == MEASURES["affine"].cost(setting, TINY) == 5 * step
    assert made.score == max(value for _, value in made.curve)
    assert made.baseline == 1.25
