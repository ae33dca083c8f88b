"""What must be true of checkpoints: a training that goes on from one is, to the bit, the one that never stopped."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from randsearch.base.files import Place
from randsearch.base.stopping import StoppedError, heeding
from randsearch.data import Crops, open_dataset
from randsearch.models.architecture import Architecture
from randsearch.models.build import build
from randsearch.models.sizing import Signal
from randsearch.models.wave_unet import WaveUNet
from randsearch.training.checkpoints import Checkpoint
from randsearch.training.loop import Trained, Validation, train
from randsearch.training.recipe import Recipe
from randsearch.training.schedules import schedule

# Batch normalisation has buffers, which a checkpoint must hold too.
ARCHITECTURE = Architecture(levels=2, first_filters=3, filter_increment=1, encoder_kernel=5, normalisation="batch")
RECIPE = Recipe(learning_rate=5e-3, batch=2, segment=256, validate_every=4, weight_decay=0.1, clip=0.5, ema=0.9)
STEPS = 14


class AfterSteps:
    """A flag that is set after so many steps."""

    def __init__(self, steps: int) -> None:
        self.left = steps

    def is_set(self) -> bool:
        self.left -= 1
        return self.left <= 0

    def set(self) -> None:
        self.left = 0


def loudness(network: WaveUNet) -> Validation:
    """A validation score that depends on every weight, and now and then falls."""
    value = float(torch.sin(50 * sum(weight.detach().abs().sum() for weight in network.parameters())))
    return Validation(value, -value)


@pytest.fixture(scope="module")
def crops(tiny_corpus) -> Crops:
    tracks = open_dataset(f"musdbhq:{tiny_corpus}").train
    return Crops(tracks, RECIPE.batch, RECIPE.segment, RECIPE.segment, seed=5)


def run(
    crops: Crops,
    checkpoint: Checkpoint | None,
    validate: Callable[[WaveUNet], Validation] = loudness,
) -> tuple[Trained, dict[str, torch.Tensor]]:
    torch.set_num_threads(1)
    network = build(ARCHITECTURE, Signal(), 1)
    cpu = torch.device("cpu")
    trained = train(
        network,
        crops,
        validate,
        recipe=RECIPE,
        schedule=schedule("cosine", STEPS),
        steps=STEPS,
        device=cpu,
        checkpoint=checkpoint,
    )
    return trained, network.state_dict()


@pytest.fixture(scope="module")
def whole(crops) -> tuple[Trained, dict[str, torch.Tensor]]:
    return run(crops, None)


def assert_same(one: tuple[Trained, dict[str, torch.Tensor]], other: tuple[Trained, dict[str, torch.Tensor]]) -> None:
    assert one[0].curve == other[0].curve
    assert one[0].losses == other[0].losses
    assert one[0].validation_losses == other[0].validation_losses
    for weights, others in ((one[0].best_weights, other[0].best_weights), (one[1], other[1])):
        assert weights.keys() == others.keys()
        assert all(torch.equal(weights[name], others[name]) for name in weights)


def stop_after(steps: int, crops: Crops, path: Path) -> None:
    with heeding(AfterSteps(steps)), pytest.raises(StoppedError):
        run(crops, Checkpoint(Place(path.parent), path, {"run": 1}))


@pytest.mark.parametrize("steps", range(1, STEPS))
def test_stopped_after_any_step_it_goes_on_bit_identically(crops, whole, tmp_path, steps):
    stop_after(steps, crops, tmp_path / "c.safetensors")
    assert_same(run(crops, Checkpoint(Place(tmp_path), tmp_path / "c.safetensors", {"run": 1})), whole)


def test_stopped_again_and_again(crops, whole, tmp_path):
    for _ in range(4):
        stop_after(3, crops, tmp_path / "c.safetensors")
    assert_same(run(crops, Checkpoint(Place(tmp_path), tmp_path / "c.safetensors", {"run": 1})), whole)


def test_killed_without_a_word_it_goes_on_from_the_last_one(crops, whole, tmp_path):
    def killed(network: WaveUNet) -> Validation:
        if killed.calls == 2:
            raise KeyboardInterrupt
        killed.calls += 1
        return loudness(network)

    killed.calls = 0
    with pytest.raises(KeyboardInterrupt):
        run(crops, Checkpoint(Place(tmp_path), tmp_path / "c.safetensors", {}, every=0), killed)
    validated = []
    assert_same(
        run(
            crops,
            Checkpoint(Place(tmp_path), tmp_path / "c.safetensors", {}),
            lambda n: validated.append(0) or loudness(n),
        ),
        whole,
    )
    assert len(validated) == 2  # at steps 12 and 14; those of 4 and 8 came from the checkpoint


@pytest.mark.parametrize("damage", [lambda content: content[: len(content) // 2], lambda _: b"", lambda c: c[::-1]])
def test_a_damaged_one_is_passed_over(crops, whole, tmp_path, damage):
    path = tmp_path / "c.safetensors"
    stop_after(5, crops, path)
    path.write_bytes(damage(path.read_bytes()))
    assert_same(run(crops, Checkpoint(Place(path.parent), path, {"run": 1})), whole)


def test_that_of_another_run_is_passed_over(crops, whole, tmp_path):
    stop_after(5, crops, tmp_path / "c.safetensors")
    assert_same(run(crops, Checkpoint(Place(tmp_path), tmp_path / "c.safetensors", {"run": 2})), whole)


def test_paused_and_gone_on_it_is_the_one_that_never_paused(crops, whole, tmp_path):
    def paused(until: int) -> Trained:
        return run(crops, Checkpoint(Place(tmp_path), tmp_path / "c.safetensors", {"run": 1}, until=until))[0]

    first = paused(4)
    assert (first.steps, first.curve) == (4, whole[0].curve[:1])
    assert paused(4).curve == first.curve, "a pause that is over already adds nothing"
    assert paused(12).curve == whole[0].curve[:3]
    assert_same(run(crops, Checkpoint(Place(tmp_path), tmp_path / "c.safetensors", {"run": 1})), whole)


def test_a_pause_between_validations_is_refused(crops, tmp_path):
    with pytest.raises(ValueError, match="a multiple of 4 steps and not at 6"):
        run(crops, Checkpoint(Place(tmp_path), tmp_path / "c.safetensors", {"run": 1}, until=6))
