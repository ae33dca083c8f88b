"""What must be true of the one training loop: what is fixed stays, the best is kept, and all of it repeats."""

from __future__ import annotations

import copy
import functools
import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from randsearch.data import Crops, open_dataset
from randsearch.data.metrics import score, sdr
from randsearch.models.architecture import Architecture
from randsearch.models.build import build
from randsearch.models.frozen import fix_half
from randsearch.models.sizing import Signal
from randsearch.models.wave_unet import WaveUNet
from randsearch.training import loop
from randsearch.training.loop import DivergedError, Trained, Validation, evaluate, squared_error, take_step, train
from randsearch.training.recipe import Recipe
from randsearch.training.schedules import Schedule, schedule

ARCHITECTURE = Architecture(levels=2, first_filters=3, filter_increment=1, encoder_kernel=5, decoder_kernel=3)
RECIPE = Recipe(learning_rate=5e-3, batch=2, segment=256, validate_every=3)
CPU = torch.device("cpu")
CONSTANT = schedule("constant", 1)


@pytest.fixture(scope="module")
def dataset(tiny_corpus):
    return open_dataset(f"musdbhq:{tiny_corpus}")


@pytest.fixture
def crops(dataset) -> Crops:
    return Crops(dataset.train, RECIPE.batch, RECIPE.segment, RECIPE.segment, seed=5)


class Script:
    """A validation that answers what it is told to, and keeps the weights that it saw."""

    def __init__(self, *answers: float) -> None:
        self.answers = list(answers)
        self.seen: list[dict[str, torch.Tensor]] = []

    def __call__(self, network: WaveUNet) -> Validation:
        self.seen.append(copy.deepcopy(network.state_dict()))
        answer = self.answers[len(self.seen) - 1]
        return Validation(answer, -answer)


def network(seed: int = 1) -> WaveUNet:
    torch.set_num_threads(1)
    return build(ARCHITECTURE, Signal(), seed)


def run(
    crops: Crops,
    script: Script,
    steps: int,
    *,
    seed: int = 1,
    recipe: Recipe = RECIPE,
    by: Schedule = CONSTANT,
) -> Trained:
    return train(network(seed), crops, script, recipe=recipe, schedule=by, steps=steps, device=CPU)


def equal(first: dict[str, torch.Tensor], second: dict[str, torch.Tensor]) -> bool:
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


@pytest.mark.parametrize("half", ["encoder", "decoder", "none"])
def test_a_fixed_half_is_bit_identical_and_everything_else_has_trained(crops, half):
    fixed = network()
    before = copy.deepcopy(fixed.state_dict())
    fix_half(fixed, half)
    trained = train(fixed, crops, Script(0.0), recipe=RECIPE, schedule=CONSTANT, steps=2, device=CPU)
    still = {name for name, tensor in fixed.state_dict().items() if torch.equal(tensor, before[name])}
    assert still == {name for name in before if name.startswith(f"{half}.")}
    assert equal(trained.best_weights, fixed.state_dict())


@pytest.mark.parametrize(("steps", "expected"), [(1, [1]), (2, [2]), (3, [3]), (6, [3, 6]), (7, [3, 6, 7])])
def test_validation_comes_every_k_steps_and_at_the_end(crops, steps, expected):
    trained = run(crops, Script(1.0, 2.0, 3.0), steps)
    assert [step for step, _ in trained.curve] == expected
    assert len(trained.losses) == len(expected)


@pytest.mark.parametrize(
    ("answers", "best"),
    [
        ((1.0, 3.0, 2.0), 1),
        ((3.0, 2.0, 1.0), 0),
        ((1.0, 2.0, 3.0), 2),
        ((-math.inf, -5.0, -7.0), 1),
        ((2.0, 2.0, 1.0), 0),
    ],
)
def test_the_best_weights_are_those_of_the_best_step(crops, answers, best):
    script = Script(*answers)
    trained = run(crops, script, 9)
    assert trained.curve == tuple(zip((3, 6, 9), answers, strict=True))
    assert trained.score == answers[best]
    assert [equal(trained.best_weights, weights) for weights in script.seen] == [i == best for i in range(3)]


def test_losses_are_the_mean_squared_errors_between_validations(crops):
    standing = replace(RECIPE, learning_rate=1e-30)  # too small a step to change any weight
    trained = run(crops, Script(0.0, 0.0), 5, recipe=standing)
    errors = []
    for step in range(5):
        mixture, sources = crops.batch_at(step)
        with torch.no_grad():
            estimates = network().train()(torch.from_numpy(mixture)).numpy()
        errors.append(np.mean([np.mean((estimates[:, i] - sources[:, i]) ** 2) for i in range(sources.shape[1])]))
    np.testing.assert_allclose(trained.losses, [np.mean(errors[:3]), np.mean(errors[3:])], rtol=1e-5)


def test_errors_of_supervised_outputs_are_summed_and_divided_by_the_levels():
    estimates, sources = torch.randn(3, 2, 2, 1, 12), torch.randn(2, 2, 1, 8)
    errors = [(each[..., 2:-2] - sources).square().mean() for each in estimates]
    assert torch.allclose(squared_error(estimates, sources, 8), sum(errors) / 8)
    assert torch.allclose(squared_error(estimates[:1], sources, 8), errors[0])


def test_training_repeats_to_the_bit_and_depends_on_both_seeds(crops, dataset):
    first, again = run(crops, Script(0.0), 3), run(crops, Script(0.0), 3)
    assert first.losses == again.losses
    assert equal(first.best_weights, again.best_weights)
    assert run(crops, Script(0.0), 3, seed=2).losses != first.losses
    assert run(replace(crops, seed=6), Script(0.0), 3).losses != first.losses


def test_training_learns(dataset, crops):
    def validate(current: WaveUNet) -> Validation:
        return evaluate(current, dataset.validation, dataset.sample_rate, CPU)

    recipe = replace(RECIPE, validate_every=10)
    trained = train(network(), crops, validate, recipe=recipe, schedule=CONSTANT, steps=60, device=CPU)
    assert trained.losses[-1] < 0.5 * trained.losses[0]
    assert trained.curve[-1][1] > trained.curve[0][1] + 1


def test_times_are_told_apart(crops):
    trained = run(crops, Script(0.0), 2)
    assert min(trained.seconds, trained.validation_seconds, trained.data_seconds) > 0


class NotNumbers(Crops):
    def batch_at(self, index):
        mixture, sources = super().batch_at(index)
        return (mixture * np.float32(np.nan) if index == 3 else mixture), sources


def test_a_loss_that_is_no_number_is_divergence(crops):
    poisoned = NotNumbers(crops.tracks, crops.batch, crops.input_length, crops.output_length, crops.seed)
    with pytest.raises(DivergedError, match="diverged: the training loss is nan by step 6"):
        run(poisoned, Script(0.0, 0.0, 0.0), 9)


def test_a_score_that_is_no_number_is_divergence(crops):
    with pytest.raises(DivergedError, match="not a number at step 6"):
        run(crops, Script(0.0, math.nan), 9)


def test_evaluation_is_the_score_of_what_the_network_makes_of_whole_tracks(dataset):
    current = network().eval()
    tracks = dataset.validation + dataset.train[:1]
    found, errors = [], []
    for track in tracks:
        references = track.sources(0, track.length)
        assert track.length % 2**ARCHITECTURE.levels == 0  # hence no padding here
        with torch.no_grad():
            estimates = current(torch.from_numpy(references.sum(axis=0))[None])[0].numpy()
        found.append(sdr(references, estimates, dataset.sample_rate))
        errors.append(np.square(references - estimates).ravel())
    made = evaluate(current, tracks, dataset.sample_rate, CPU)
    assert made.score == pytest.approx(score(found), abs=1e-6)
    assert made.loss == pytest.approx(np.mean(np.concatenate(errors)), rel=1e-5)


def test_the_rate_of_each_step_is_the_schedule_s(crops, monkeypatch):
    rates = []

    def noted(network, optimiser, *arguments, **options):
        rates.append([group["lr"] for group in optimiser.param_groups])
        return take_step(network, optimiser, *arguments, **options)

    monkeypatch.setattr(loop, "take_step", noted)
    cosine = schedule("cosine", 5)
    run(crops, Script(0.0, 0.0), 5, by=cosine)
    assert rates == [[5e-3 * cosine.rate(step)] * 2 for step in range(5)]


def test_patience_ends_a_training_and_stages_change_the_batch_and_take_up_the_best(crops, monkeypatch):
    sizes = []

    def noted(network, optimiser, mixture, *arguments, **options):
        sizes.append(len(mixture))
        return take_step(network, optimiser, mixture, *arguments, **options)

    monkeypatch.setattr(loop, "take_step", noted)
    script = Script(1.0, 0.5, 0.7, 0.6, 0.5, 0.4)
    trained = run(crops, script, 300, by=schedule("jnet", 300, patience=1))
    # Losses 2, 2.5 | 2.3, 2.4 | 2.5, 2.6: each stage ends with the first that is no better.
    assert sizes == [2] * 6 + [4] * 12
    assert trained.steps == 18
    assert [step for step, _ in trained.validation_losses] == [3, 6, 9, 12, 15, 18]
    assert equal(trained.best_weights, script.seen[0])
    standing = run(crops, Script(1.0, 0.5, 0.7), 9, by=schedule("plateau", 9, patience=1))
    assert standing.steps == 9


def test_a_stage_that_begins_from_the_best_weights_averages_from_there_on(crops):
    script = Script(1.0, 0.5, 0.7, 0.6)
    still = replace(RECIPE, ema=0.9, learning_rate=1e-30)
    with pytest.MonkeyPatch.context() as patch:
        made = network()

        # The first validation finds the network as made, the second one weights that are worse.
        def doubled(*arguments, **options):
            answer = take_step(*arguments, **options)
            if len(script.seen) == 1:
                with torch.no_grad():
                    for weight in made.parameters():
                        weight.mul_(2)
            return answer

        patch.setattr(loop, "take_step", doubled)
        by = schedule("jnet", 300, patience=1)
        train(made, crops, script, recipe=replace(still, validate_every=1), schedule=by, steps=3, device=CPU)
    assert not equal(script.seen[1], script.seen[0])
    for name, first in script.seen[0].items():
        torch.testing.assert_close(script.seen[2][name], first)


def test_a_clipped_gradient_has_that_norm_and_decay_takes_kernels_alone(crops):
    made, before = network().train(), network().state_dict()
    mixture, sources = (torch.from_numpy(array) for array in crops.batch_at(0))
    take_step(made, torch.optim.SGD(made.parameters(), lr=0.0), mixture, sources, 1, clip=1e-3)
    norm = torch.stack([weight.grad.norm() for weight in made.parameters()]).norm()
    assert float(norm) == pytest.approx(1e-3, rel=1e-3)
    # A gradient of nothing but noise: Adam moves each weight by the rate at most, and decay shrinks kernels.
    decayed = replace(RECIPE, learning_rate=1e-9, weight_decay=0.5)
    optimiser = loop._optimiser(made, replace(decayed, learning_rate=0.1), CPU)
    for weight in made.parameters():
        weight.grad = torch.zeros_like(weight)
    optimiser.step()
    for name, weight in made.named_parameters():
        kept = 0.95 if weight.dim() > 1 else 1.0
        torch.testing.assert_close(weight.detach(), kept * before[name])


def test_the_average_is_what_is_validated_and_kept(crops):
    recipe, script = replace(RECIPE, ema=0.5, validate_every=1), Script(0.0, 1.0)
    weights = []
    made = network()
    kept = loop.take_step

    def noted(*arguments, **options):
        answer = kept(*arguments, **options)
        weights.append(copy.deepcopy(made.state_dict()))
        return answer

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loop, "take_step", noted)
        trained = train(made, crops, script, recipe=recipe, schedule=CONSTANT, steps=2, device=CPU)
    initial = network().state_dict()
    for name, first in initial.items():
        after_one = torch.lerp(first, weights[0][name], 1 - 1 / 10)
        torch.testing.assert_close(script.seen[0][name], after_one)
        torch.testing.assert_close(trained.best_weights[name], torch.lerp(after_one, weights[1][name], 1 - 2 / 11))
    assert equal(made.state_dict(), weights[1]), "training goes on with the weights themselves"


@pytest.mark.parametrize("changed", [{"precision": "bf16"}, {"compiled": True}])
def test_other_arithmetic_learns_alike(crops, changed, monkeypatch):
    # What the compiler makes takes too long for a test; that the pass can be traced is what may break.
    monkeypatch.setattr(torch, "compile", functools.partial(torch.compile, backend="eager"))
    usual, other = run(crops, Script(0.0), 3), run(crops, Script(0.0), 3, recipe=replace(RECIPE, **changed))
    assert other.losses == pytest.approx(usual.losses, rel=0.05)
    assert all(tensor.dtype == usual.best_weights[name].dtype for name, tensor in other.best_weights.items())
