"""What must be true of the measures: their costs, streams and files, and that what fails in one is data."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from safetensors import safe_open
from safetensors.torch import load_file
from threadpoolctl import threadpool_info

from randsearch.base.errors import UserError
from randsearch.base.seeds import derive
from randsearch.data import Track, metrics
from randsearch.measures import MEASURES, Job, Measure, Outcome, measure
from randsearch.measures.baseline import constant_gain_score
from randsearch.measures.costs import early_steps, proxy_cost
from randsearch.models.architecture import Architecture
from randsearch.models.build import build
from randsearch.training.loop import DivergedError, evaluate

SMALL = Architecture(levels=1, first_filters=2, filter_increment=1, encoder_kernel=3, decoder_kernel=3)
LINEAR = SMALL.model_copy(update={"output_activation": "linear", "activation": "relu"})
TRAINING = ["trained", "fixed_decoder", "fixed_encoder", "early"]


def test_the_registry():
    assert [name for name, entry in MEASURES.items() if entry.trains] == TRAINING
    assert [name for name, entry in MEASURES.items() if not entry.seeded] == ["params", "macs", "receptive_field"]
    for name, entry in MEASURES.items():
        assert entry.fixes == (name.split("_")[1] if name.startswith("fixed_") else "none")


@pytest.mark.parametrize(("half", "step"), [("none", 35072), ("decoder", 27392), ("encoder", 28160)])
def test_early_takes_as_many_steps_as_the_proxy_pays_for(setting, half, step):
    # Multiply-adds of an example, 256 samples long, counted on paper:
    #   forward            encoder 1*3*2*256 = 1536, bottleneck 2*3*3*128 = 2304, decoder (3+2)*3*2*256 = 7680,
    #                      output (2+1)*1*1*256 = 768, together 12288; weight gradients cost the same again
    #   input gradients    bottleneck 2304, decoder 7680, output 2*256 = 512; none towards the mixture
    #   full step          12288 + 12288 + 2304 + 7680 + 512 = 35072
    #   fixed decoder      35072 less its weight gradients, 7680
    #   fixed encoder      35072 less its weight gradients, 1536, and less the input gradients that lead only to it:
    #                      2304 of the bottleneck, 2*3*2*256 = 3072 of the decoder's skip
    matched = replace(setting, matched=(partial(proxy_cost, half=half),))
    assert early_steps(replace(matched, proxy_steps=1000), SMALL) == round(1000 * step / 35072)
    assert early_steps(replace(matched, proxy_steps=1), SMALL) == 1
    assert MEASURES["early"].cost(replace(matched, proxy_steps=1000), SMALL) == pytest.approx(1000 * 2 * step, rel=1e-3)


def test_early_is_matched_to_the_primary_proxy(setting):
    def steps(*parts: str) -> int:
        matched = tuple(MEASURES[part].cost for part in parts)
        return measure(replace(setting, proxy_steps=20, matched=matched), Job(SMALL, "early", 0)).steps

    assert [steps("sotl"), steps("fixed_encoder"), steps("fixed_decoder"), steps()] == [20, 16, 16, 20]
    # Batches of twice the crops: two forward passes on one are 4/3 of a step, four gradients 8 steps.
    assert [steps("params", "zen"), steps("jacob_cov", "zen", "zico"), steps("readout")] == [1, 11, 32]


@pytest.mark.parametrize("name", TRAINING)
def test_what_a_training_records(setting, name):
    made = measure(setting, Job(SMALL, name, 3))
    steps = {"trained": 6, "early": 4}.get(name, 5)
    assert (made.state, made.reason, made.key) == ("complete", "", (SMALL.hash, name, 3))
    assert made.steps == steps
    assert [step for step, _ in made.curve] == sorted({*range(2, steps + 1, 2), steps})
    assert made.score == max(value for _, value in made.curve)
    assert made.baseline == 1.25
    assert made.multiply_adds == MEASURES[name].cost(setting, SMALL) > 0
    assert min(made.seconds, made.validation_seconds, made.data_seconds) > 0
    assert (made.threads, made.device) == (1, "cpu")


@pytest.mark.parametrize("name", TRAINING)
def test_the_weights_saved_are_those_that_scored(setting, name):
    made = measure(setting, Job(SMALL, name, 0))
    file = setting.home(SMALL, name, 0) / "weights.safetensors"
    network = build(SMALL, setting.signal, 0)
    network.load_state_dict(load_file(file))
    data = setting.dataset
    assert evaluate(network, data.validation, data.sample_rate, torch.device("cpu")).score == made.score
    with safe_open(file, "pt") as opened:
        assert Architecture.create(json.loads(opened.metadata()["architecture"])) == SMALL


@pytest.mark.parametrize("half", ["decoder", "encoder"])
def test_a_proxy_keeps_its_half_at_its_own_initial_weights(setting, half):
    measure(setting, Job(SMALL, f"fixed_{half}", 2))
    saved = load_file(setting.home(SMALL, f"fixed_{half}", 2) / "weights.safetensors")
    initial = build(SMALL, setting.signal, derive("weights", SMALL.hash, f"fixed_{half}", 2)).state_dict()
    assert {name for name in saved if torch.equal(saved[name], initial[name])} == {
        name for name in saved if name.startswith(f"{half}.")
    }


def test_three_excerpts_at_most_of_each_source(setting):
    data = replace(setting.dataset, validation=setting.dataset.train)
    assert len(data.validation) == 4
    measure(replace(setting, dataset=data), Job(SMALL, "early", 0))
    files = sorted(setting.home(SMALL, "early", 0).glob("*.flac"))
    expected = [f"excerpt-{number}-{source}.flac" for number in (1, 2, 3) for source in ("accompaniment", "vocals")]
    assert [file.name for file in files] == expected
    for file in files:
        audio, rate = soundfile.read(file)
        assert rate == data.sample_rate
        assert len(audio) == data.validation[0].length
        assert np.abs(audio).max() > 0


def test_measurements_repeat_to_the_bit_and_differ_between_seeds_and_measures(setting):
    curves = {}
    for name in TRAINING:
        for seed in (0, 1):
            curves[name, seed] = measure(setting, Job(SMALL, name, seed)).curve
            assert measure(setting, Job(SMALL, name, seed)).curve == curves[name, seed]
    beginnings = [curve[0] for curve in curves.values()]
    assert len(set(beginnings)) == len(beginnings)


def test_sizes_are_those_of_the_network_itself(setting):
    network = build(SMALL, setting.signal, 0)
    made = []
    for module in network.modules():
        if isinstance(module, torch.nn.Conv1d):
            module.register_forward_hook(
                lambda conv, _, out: made.append(out.numel() * conv.in_channels * conv.kernel_size[0])
            )
    network(torch.zeros(1, 1, 256))
    params, macs = (measure(setting, Job(SMALL, name, 0)) for name in ("params", "macs"))
    assert params.score == sum(tensor.numel() for tensor in network.parameters())
    assert macs.score == sum(made) * setting.dataset.sample_rate / 256
    assert (params.baseline, params.steps, params.curve) == (None, 0, ())
    assert not setting.folder.exists()


def test_the_baseline_by_brute_force(setting):
    data = setting.dataset

    def seconds(tracks, gain):
        audio = [track.sources(0, track.length).astype(np.float64) for track in tracks]
        return [metrics.sdr(a, np.broadcast_to(gain * a.sum(axis=0), a.shape), data.sample_rate) for a in audio]

    gains = np.linspace(0, 2, 401)
    medians = np.array([np.median(np.concatenate(seconds(data.train, gain), axis=1), axis=1) for gain in gains])
    on_validation = [
        np.median(np.concatenate(seconds(data.validation, gains[best]), axis=1)[source])
        for source, best in enumerate(medians.argmax(axis=0))
    ]
    found = constant_gain_score(data.train, data.validation, data.source_names)
    assert found == pytest.approx(np.mean(on_validation), abs=1e-4)


@pytest.mark.parametrize(("role", "named"), [("train", "training tracks"), ("validation", "validation tracks")])
def test_data_without_a_second_to_score_are_refused(setting, role, named):
    roles = {"train": setting.dataset.train, "validation": setting.dataset.validation}
    short = tuple(replace(track, stop=track.start + 999) for track in roles[role])
    with pytest.raises(UserError, match=f"the {named} .*{short[0].name}.* have no whole second"):
        constant_gain_score(**roles | {role: short}, sources=setting.dataset.source_names)


NOISE = np.random.default_rng(0).uniform(-0.2, 0.2, (2, 1, 3000)).astype(np.float32)
CONSTANT = np.full((1, 3000), 0.25, dtype=np.float32)
SILENCE = np.zeros_like(CONSTANT)


def as_track(folder: Path, *sources: np.ndarray) -> Track:
    """A track of three seconds, with a stem a source."""
    np.save(folder / "audio.npy", np.stack(sources))
    return Track("odd one", folder / "audio.npy", 0, 3000, 1000, 1, tuple((stem,) for stem in range(len(sources))))


@pytest.mark.parametrize(
    ("sources", "sentence"),
    [
        ([NOISE[0], SILENCE], "^song is silent .* in all {} tracks .odd one.*: use tracks with every source"),
        ([SILENCE, SILENCE], "^band and song are silent .* in all {} tracks .odd one."),
        ([NOISE[0], NOISE[0]], "^in the {} tracks .odd one. band and song are nothing but the mixture at a constant"),
        ([NOISE[0], 0.3 * NOISE[0]], "^in the {} tracks .odd one. band and song are nothing but the mixture"),
        ([CONSTANT, CONSTANT], "^in the {} tracks .odd one. band and song are nothing but the mixture"),
        ([NOISE[0], np.int16(32768 * NOISE[0]) / np.float32(40000)], "band and song are nothing but the mixture"),
        ([NOISE[0], -NOISE[0]], "^the sources of the {} tracks .odd one. cancel each other out"),
    ],
    ids=["one silent", "all silent", "identical", "scaled", "constant", "scaled in 16 bits", "opposite"],
)
@pytest.mark.parametrize(("role", "named"), [("train", "training"), ("validation", "validation")])
def test_data_with_nothing_to_separate_are_refused(tmp_path, tmp_path_factory, role, named, sources, sentence):
    healthy = as_track(tmp_path_factory.mktemp("healthy"), *NOISE)
    roles = {"train": (healthy,), "validation": (healthy,), role: (as_track(tmp_path, *sources),)}
    with pytest.raises(UserError, match=sentence.format(named)):
        constant_gain_score(**roles, sources=("band", "song"))


def test_a_source_as_faint_as_counts_is_none_of_those(tmp_path):
    """Full scale beside -59 dBFS: nobody would listen to that, but it can be separated."""
    faint = NOISE[1] * np.float32(10 ** (-59 / 20) / np.sqrt(np.mean(NOISE[1] ** 2)))
    track = as_track(tmp_path, np.sign(NOISE[0]), faint)
    assert 25 < constant_gain_score((track,), (track,), ("band", "song")) < 35


def broken(error: BaseException) -> Measure:
    def run(setting, architecture, seed):
        raise error

    return Measure(run, needs="", source="")


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (RuntimeError("no such thing"), "RuntimeError: no such thing"),
        (ZeroDivisionError("by zero"), "ZeroDivisionError: by zero"),
        (DivergedError("diverged: at step 3"), "diverged: at step 3"),
        (MemoryError(), "out of memory on cpu"),
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate"), "out of memory on cpu"),
    ],
)
def test_a_failure_is_data_with_its_reason(setting, monkeypatch, error, reason):
    monkeypatch.setitem(MEASURES, "broken", broken(error))
    made = measure(replace(setting, threads=2), Job(SMALL, "broken", 4))
    assert (made.state, made.score, made.reason) == ("failed", None, reason)
    assert (made.key, made.threads) == ((SMALL.hash, "broken", 4), 2)


def test_an_error_of_a_measure_leaves_its_traceback(setting, monkeypatch):
    monkeypatch.setitem(MEASURES, "broken", broken(RuntimeError("no such thing")))
    measure(setting, Job(SMALL, "broken", 0))
    text = (setting.home(SMALL, "broken", 0) / "error.txt").read_text()
    assert "Traceback" in text
    assert "no such thing" in text


def test_an_allocation_that_cannot_be_is_out_of_memory(setting, monkeypatch):
    def run(setting, architecture, seed):
        torch.empty(2**50)

    monkeypatch.setitem(MEASURES, "greedy", Measure(run, needs="", source=""))
    assert measure(setting, Job(SMALL, "greedy", 0)).reason == "out of memory on cpu"


@pytest.mark.parametrize("score", [math.inf, -math.inf, math.nan])
def test_a_score_that_is_not_finite_is_a_failure(setting, monkeypatch, score):
    monkeypatch.setitem(MEASURES, "odd", Measure(lambda *_: Outcome(score), needs="", source=""))
    made = measure(setting, Job(SMALL, "odd", 0))
    assert (made.state, made.score, made.reason) == ("failed", None, f"the score is not finite ({score})")


def test_a_training_that_diverges(setting):
    wild = replace(setting, recipe=replace(setting.recipe, learning_rate=1e30))
    made = measure(wild, Job(LINEAR, "trained", 0))
    assert (made.state, made.score) == ("failed", None)
    assert made.reason.startswith("diverged: the training loss is ")
    assert not (setting.home(LINEAR, "trained", 0) / "weights.safetensors").exists()


def test_a_folder_that_cannot_be_written_stops_the_search(setting, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="is no folder") as refusal:
        measure(replace(setting, folder=tmp_path / "file"), Job(SMALL, "early", 0))
    assert str(tmp_path / "file") in str(refusal.value)


def test_weights_that_cannot_be_written_stop_the_search(setting):
    (setting.home(SMALL, "early", 0) / "weights.safetensors").mkdir(parents=True)
    with pytest.raises(UserError, match="mend that and run the same command again"):
        measure(setting, Job(SMALL, "early", 0))


def test_a_full_disk_stops_the_search(setting, monkeypatch):
    def full(folder, before, beyond, name):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("randsearch.base.files._rename", full)
    with pytest.raises(UserError, match="No space left on device; mend that and run the same command again"):
        measure(setting, Job(SMALL, "early", 0))


@pytest.mark.parametrize("threads", [1, 2])
def test_linear_algebra_keeps_to_the_threads_of_its_worker(setting, threads):
    measure(replace(setting, threads=threads), Job(SMALL, "params", 0))
    used = {pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"}
    assert max(used) <= threads
    assert torch.get_num_threads() == threads
