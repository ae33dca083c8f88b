"""Stronger fixed halves: what is fixed stays, levels are kept, draws are averaged, and each costs what it says."""

from __future__ import annotations

from dataclasses import replace
from statistics import fmean

import pytest
import torch
from torch import nn

from randsearch.measures import MEASURES, Job, UnmeasurableError, costs, halves, measure
from randsearch.measures.calibration import calibrate, layers_of_half, level, redraw
from randsearch.measures.readout import Batches
from randsearch.measures.run import Run
from randsearch.measures.several import Several, put_in_turn, with_each
from randsearch.models.architecture import Architecture
from randsearch.models.build import build
from randsearch.models.frozen import fix_half
from randsearch.models.initialisation import LEAKY_GAIN
from randsearch.models.sizing import Signal

SMALL = Architecture(levels=1, first_filters=2, filter_increment=1, encoder_kernel=3, decoder_kernel=3)
DEEP = Architecture(levels=3, first_filters=6, filter_increment=2, encoder_kernel=5, decoder_kernel=3)
KINDS = ["calibrated", "he", "delta", "shared", "averaged", "solved"]
HALVES = ["decoder", "encoder"]

each_half = pytest.mark.parametrize("half", HALVES)
each_kind = pytest.mark.parametrize("kind", KINDS)


def changed(architecture: Architecture, **options: object) -> Architecture:
    return Architecture(**architecture.model_dump() | options)


@each_half
@each_kind
def test_the_random_half_stays_to_the_bit_and_the_rest_trains(setting, monkeypatch, half, kind):
    seen = []
    kept = Run.train

    def train(self, network, validate):
        before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
        trained = kept(self, network, validate)
        seen.append({name: torch.equal(before[name], now) for name, now in network.state_dict().items()})
        return trained

    monkeypatch.setattr(Run, "train", train)
    made = measure(setting, Job(SMALL, f"fixed_{half}_{kind}", 2))
    assert made.reason == ""
    assert len(seen) == (3 if kind == "averaged" else 1)
    for stayed in seen:
        assert stayed == {name: name.startswith(f"{half}.") for name in stayed}


def test_none_shares_its_weights_and_crops_with_another(setting):
    names = ["fixed_decoder", "fixed_encoder", *(f"fixed_{half}_{kind}" for half in HALVES for kind in KINDS)]
    curves = [measure(setting, Job(SMALL, name, 0)).curve for name in names]
    assert len({curve[0][1] for curve in curves}) == len(names)


@each_half
@each_kind
def test_it_costs_what_it_says_and_keeps_nothing(setting, half, kind):
    # Multiply-adds of an example as in test_measures: a forward pass 12288, a step 27392 or 28160. There are 2 crops in
    # a batch and 5 steps, validated behind the second, the fourth and the last.
    step, forward = 2 * {"decoder": 27392, "encoder": 28160}[half], 2 * 12288
    expected = {"calibrated": 5 * step + forward, "averaged": 3 * 2 * step, "solved": 5 * step + 3 * 8 * forward}
    made = measure(setting, Job(SMALL, f"fixed_{half}_{kind}", 0))
    assert made.multiply_adds == MEASURES[made.measure].cost(setting, SMALL) == expected.get(kind, 5 * step)
    assert made.steps == (6 if kind == "averaged" else 5)
    assert made.score == max(value for _, value in made.curve)
    assert made.curve[-1][0] == made.validation_losses[-1][0] == made.steps
    assert made.baseline == 1.25
    assert min(made.seconds, made.validation_seconds, made.data_seconds) > 0
    assert not setting.home(SMALL, made.measure, 0).exists()


def levels_seen(network: nn.Module, half: str, mixture: torch.Tensor) -> list[tuple[float, float]]:
    """The level in front of each convolution of a half and behind its activation."""
    found: dict[str, list[float]] = {}
    for layer in layers_of_half(network, half):
        pair = found.setdefault(layer.name, [])
        behind = network.get_submodule(layer.activation or layer.name)
        network.get_submodule(layer.name).register_forward_hook(lambda _, seen, __, to=pair: to.append(level(seen[0])))
        behind.register_forward_hook(lambda _, __, out, to=pair: to.append(level(out)))
    with torch.no_grad():
        network.features(mixture)
    return [(before, behind) for before, behind in found.values()]


@pytest.mark.parametrize(
    "options",
    [
        *({"activation": name} for name in ("leaky_relu", "relu", "gelu", "tanh", "snake")),
        {"initialisation": "he"},
        {"separable": True},
        {"multires": True},
        {"context": True, "decimation": "strided"},
    ],
    ids=str,
)
@each_half
def test_calibrated_layers_keep_the_level_of_what_they_see(options, half):
    architecture = changed(DEEP, **options)
    network, twin = (build(architecture, Signal(), 0) for _ in range(2))
    mixture = 0.1 * torch.randn(4, 1, 600 if not architecture.context else 629)
    kept = {layer.name for layer in layers_of_half(network, half)}
    ran = []
    network.bottleneck.register_forward_hook(lambda *_: ran.append(1))
    calibrate(network, half, mixture)
    assert len(ran) == 1
    for before, behind in levels_seen(network, half, mixture):
        assert behind == pytest.approx(before, rel=1e-3)
    for name, tensor in network.state_dict().items():
        scaled, drawn = tensor, twin.state_dict()[name]
        if name.rpartition(".")[0] not in kept:
            assert torch.equal(scaled, drawn)
    # The very filters that were drawn, each layer by a factor.
    for layer in layers_of_half(network, half):
        ratio = network.get_submodule(layer.name).weight / twin.get_submodule(layer.name).weight
        assert ratio.min().item() == pytest.approx(ratio.max().item(), rel=1e-4)
        assert ratio.min() > 0


def test_without_calibration_a_deep_half_loses_the_signal():
    network = build(changed(DEEP, levels=6), Signal(), 0)
    mixture = 0.1 * torch.randn(4, 1, 1024)
    assert levels_seen(network, "encoder", mixture)[-1][1] < 0.01
    again = build(changed(DEEP, levels=6), Signal(), 0)
    calibrate(again, "encoder", mixture)
    assert levels_seen(again, "encoder", mixture)[-1][1] == pytest.approx(0.1, rel=0.1)


@pytest.mark.parametrize("normalisation", ["batch", "group"])
def test_what_is_normalised_keeps_the_level_itself(normalisation):
    network = build(changed(DEEP, normalisation=normalisation), Signal(), 0)
    mixture = 0.1 * torch.randn(4, 1, 256)
    calibrate(network, "encoder", mixture)
    pairs = []
    for layer in layers_of_half(network, "encoder"):
        convolution = network.get_submodule(layer.name)
        convolution.register_forward_hook(lambda _, seen, out: pairs.append((level(seen[0]), level(out))))
    network.features(mixture)
    assert len(pairs) == 3
    for before, behind in pairs:
        assert behind == pytest.approx(before, rel=1e-3)


def test_silence_scales_nothing_and_a_level_out_of_reach_is_refused():
    network, twin = (build(DEEP, Signal(), 0) for _ in range(2))
    calibrate(network, "encoder", torch.zeros(2, 1, 256))
    assert all(torch.equal(tensor, twin.state_dict()[name]) for name, tensor in network.state_dict().items())
    saturated = build(changed(DEEP, activation="tanh"), Signal(), 0)
    with pytest.raises(UnmeasurableError, match=r"^refused: no weights of encoder\.0 give"):
        calibrate(saturated, "encoder", torch.full((2, 1, 256), 3.0))


@each_half
@pytest.mark.parametrize("way", ["he", "delta_orthogonal"])
def test_a_half_is_drawn_in_another_way_and_nothing_else_is(half, way):
    network, twin = (build(DEEP, Signal(), 0) for _ in range(2))
    redraw(network, half, way, 5)
    drawn = {f"{layer.name}.weight" for layer in layers_of_half(network, half)}
    assert len(drawn) == 3
    for name, tensor in network.state_dict().items():
        assert torch.equal(tensor, twin.state_dict()[name]) == (name not in drawn)
    for name in drawn:
        weight = network.get_parameter(name).detach()
        if way == "he":
            bound = LEAKY_GAIN * (3 / weight[0].numel()) ** 0.5
            assert 0.85 * bound < weight.abs().max() <= bound
        else:
            middle = weight.shape[-1] // 2
            assert weight[..., middle].norm() == pytest.approx(weight.norm().item())


@each_half
def test_draws_share_what_trains_each_with_its_part_of_the_batch(half):
    network = build(DEEP, Signal(), 0)
    put_in_turn(network, half, [1, 2])
    mixture = torch.randn(6, 1, 64)
    plain = []
    for seed in (None, 1, 2):
        alone = build(DEEP, Signal(), 0)
        if seed is not None:
            redraw(alone, half, "glorot", seed)
        plain.append(alone)
    parts = torch.cat([each(part) for each, part in zip(plain, mixture.chunk(3), strict=True)])
    torch.testing.assert_close(network(mixture), parts)
    for number in with_each(network, 3):
        torch.testing.assert_close(network(mixture), plain[number](mixture))
    torch.testing.assert_close(network(mixture), parts)
    # Fewer crops than draws, as where memory is short.
    torch.testing.assert_close(network(mixture[:2]), torch.cat([plain[n](mixture[n : n + 1]) for n in range(2)]))
    draws = [module.draws for module in network.modules() if isinstance(module, Several)]
    assert [len(each) for each in draws] == [3, 3, 3]


@each_half
def test_a_shared_half_scores_the_mean_over_its_draws(setting, monkeypatch, half):
    found = []
    kept = Run.score
    monkeypatch.setattr(Run, "score", lambda *given: found.append(kept(*given)) or found[-1])
    wide = replace(setting, recipe=replace(setting.recipe, batch=3))
    made = measure(wide, Job(SMALL, f"fixed_{half}_shared", 0))
    scores = [each.score for each in found]
    assert len(set(scores)) == 9
    expected = [fmean(scores[first : first + 3]) for first in (0, 3, 6)]
    assert [value for _, value in made.curve] == pytest.approx(expected)


@pytest.mark.parametrize("name", ["fixed_decoder_averaged", "early_averaged"])
def test_short_trainings_are_averaged_at_the_cost_of_one(setting, name):
    longer = replace(setting, proxy_steps=11)
    made = measure(longer, Job(SMALL, name, 4))
    curves = []
    for draw in range(3):
        run = Run(name, 4, longer, SMALL, 4, draw)
        network = run.network()
        fix_half(network, MEASURES[name].fixes)
        curves.append(run.train(network, run.score).curve)
    assert len({curve[0][1] for curve in curves}) == 3
    expected = [(3 * step, fmean(curve[place][1] for curve in curves)) for place, step in enumerate((2, 4))]
    assert list(made.curve) == [(step, pytest.approx(value)) for step, value in expected]
    assert (made.steps, made.score) == (12, max(value for _, value in made.curve))
    assert costs.steps_each(replace(setting, proxy_steps=1)) == 1


@each_half
def test_the_output_is_solved_for_the_score_alone(setting, half):
    architecture = changed(DEEP, output="residual")
    run = Run(f"fixed_{half}_solved", 5, setting, architecture, 0)
    network = run.network()
    batches = Batches(setting, architecture, 0, costs.SOLVED_BATCHES)
    mixture, sources = next(iter(batches))
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}

    def error() -> float:
        with torch.no_grad():
            return (network(mixture) - sources).square().mean().item()

    unsolved = error()
    with halves.output_solved(network, batches, 0):
        assert not network.training
        assert error() < 0.9 * unsolved
    assert network.training
    assert network.architecture == architecture
    assert all(torch.equal(tensor, before[name]) for name, tensor in network.state_dict().items())
    made = measure(setting, Job(architecture, run.measure, 0))
    fix_half(network, half)
    assert made.curve != run.train(network, run.score).curve
