"""What must be true of failures: each is recorded with its reason, or stops the search in one sentence."""

from __future__ import annotations

import itertools
import time
from dataclasses import replace
from types import SimpleNamespace

import pandas as pd
import pytest
import torch
from tiny import without_times

from randsearch.data import track
from randsearch.measures import MEASURES, Job, Setting, measure
from randsearch.measures.contract import Measure
from randsearch.models.architecture import Architecture
from randsearch.models.build import build
from randsearch.models.channels_last import estimate_all
from randsearch.models.sizing import Signal
from randsearch.running import executors
from randsearch.running.executors import LocalProcesses
from randsearch.training import loop, precision
from randsearch.training.loop import DivergedError, take_step

SMALL = Architecture(levels=1, first_filters=2)


class Slow(Architecture):
    """An architecture that takes its time."""

    seconds: float = 60.0

    def filters(self, level: int) -> int:
        time.sleep(self.seconds)
        return super().filters(level)


@pytest.fixture
def setting(setting) -> Setting:
    return replace(setting, recipe=replace(setting.recipe, batch=4, validate_every=1), steps=3)


@pytest.mark.parametrize(
    ("losses", "reason"),
    [
        ([1.0, float("nan")], "diverged: the training loss is nan by step 2"),
        ([1.0, 0.1, 1.5], "diverged: the training loss rose from 0.1 to 1.5 by step 3"),
    ],
)
def test_divergence(setting, monkeypatch, losses, reason):
    coming = iter(losses)
    monkeypatch.setattr(loop, "take_step", lambda *_, **__: (torch.tensor(next(coming)), 1))
    made = measure(setting, Job(SMALL, "trained", 0))
    assert (made.state, made.reason) == ("failed", reason)


def test_a_loss_that_rises_to_no_more_than_it_began_with_goes_on(setting, monkeypatch):
    coming = iter([1.0, 0.05, 0.9])
    monkeypatch.setattr(loop, "take_step", lambda *_, **__: (torch.tensor(next(coming)), 1))
    assert measure(setting, Job(SMALL, "trained", 0)).state == "complete"
    assert issubclass(DivergedError, Exception)


def step(largest: int) -> tuple[float, int, list[torch.Tensor]]:
    """Loss, parts and gradients of a step on a machine whose memory holds so many crops."""

    def scarce(network, mixture):
        if len(mixture) > largest:
            raise torch.OutOfMemoryError("no room")
        return estimate_all(network, mixture)

    random = torch.Generator().manual_seed(0)
    network = build(SMALL, Signal(), 0).train()
    optimiser = torch.optim.SGD(network.parameters(), lr=0.0)
    sources = torch.randn(4, 2, 1, 256, generator=random)
    loss, parts = take_step(network, optimiser, sources.sum(1), sources, 1, estimate=scarce)
    return float(loss), parts, [weight.grad for weight in network.parameters()]


@pytest.mark.parametrize(("largest", "expected"), [(2, 2), (1, 4)])
def test_where_memory_is_short_gradients_add_up(largest, expected):
    loss, _, gradients = step(4)
    scarce_loss, parts, scarce = step(largest)
    assert parts == expected
    assert scarce_loss == pytest.approx(loss, rel=1e-5)
    for one, other in zip(gradients, scarce, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-6)


def test_where_not_even_one_crop_fits_it_is_recorded(setting, monkeypatch):
    def full(*_):
        raise torch.OutOfMemoryError("no room")

    monkeypatch.setattr(precision, "estimate_all", full)
    made = measure(setting, Job(SMALL, "trained", 0))
    assert (made.state, made.reason) == ("failed", "out of memory on cpu")


def test_a_job_that_takes_too_long_fails_and_the_next_one_runs(setting):
    slow, healthy = Job(Slow(levels=1, first_filters=3), "params", 0), Job(SMALL, "params", 0)
    with LocalProcesses(setting, 1, time_limit=3.0) as executor:
        executor.submit(slow)
        executor.submit(healthy)
        made = executor.finished()
        while len(made) < 2:
            made += executor.finished()
    assert (made[0].key, made[0].reason) == (slow.key, "it took longer than the time limit of 3 s")
    assert made[1] == measure(setting, healthy)


@pytest.mark.long
def test_a_clock_that_is_set_forward_is_no_time_limit(setting, monkeypatch):
    """As where a laptop wakes up."""
    looks = itertools.count()
    clock = SimpleNamespace(time=lambda: time.time() + (7200 if next(looks) else 0), sleep=time.sleep)
    monkeypatch.setattr("pebble.pool.process.time", clock)
    slow = Job(Slow(levels=1, first_filters=2, seconds=1.0), "params", 0)
    with LocalProcesses(setting, 1, time_limit=600.0) as executor:
        executor.submit(slow)
        (made,) = executor.finished()
    assert made.score == measure(setting, Job(SMALL, "params", 0)).score
    assert next(looks) > 2


def test_jobs_are_spread_over_the_devices(setting):
    jobs = [Job(Architecture(levels=1, first_filters=width), "params", 0) for width in (2, 3, 4)]
    with LocalProcesses(setting, 2, devices=("cpu", "cpu:0")) as executor:
        for job in jobs:
            executor.submit(job)
        made = []
        while len(made) < len(jobs):
            made += executor.finished()
    assert {each.device for each in made} == {"cpu", "cpu:0"}


@pytest.fixture
def search(run_cli, tiny_search, tmp_path):
    def run(*more: str, **options):
        return run_cli(*tiny_search(tmp_path, **options), *more)

    return run


def test_a_study_in_which_more_than_a_third_fails_stops_with_a_diagnosis(search, tmp_path, monkeypatch):
    def run(setting, architecture, seed):
        raise RuntimeError("never works")

    monkeypatch.setitem(MEASURES, "early", Measure(run, needs="", source="", trains=True))
    monkeypatch.setitem(MEASURES, "trained", Measure(run, needs="", source="", trains=True))
    stopped = search(trials=6)
    assert stopped.code == 1
    assert "measurements failed (" in stopped.err
    assert "x early: RuntimeError: never works" in stopped.err
    assert stopped.err.splitlines()[-1].startswith("randsearch: ")
    assert stopped.err.count("randsearch: ") == 1
    table = tmp_path / "tiny" / "measurements.csv"
    assert 9 <= len(pd.read_csv(table)) < 24
    assert search("--allow-failures", trials=6).code in (0, 1)  # nothing trained can be analysed
    assert len(pd.read_csv(table)) == 24


@pytest.fixture
def damaging(tmp_path, monkeypatch):
    """Cuts all cached tracks short before the measurements of these numbers; the cache is the test's own."""
    monkeypatch.setenv("RANDSEARCH_CACHE", str(tmp_path / "cache"))

    def damage(*numbers: int) -> None:
        done = []

        def damaging_measure(setting, job):
            done.append(job)
            if len(done) in numbers:
                track._memory_map.cache_clear()
                for each in setting.dataset.train:
                    each.path.write_bytes(each.path.read_bytes()[:50])
            return measure(setting, job)

        monkeypatch.setattr(executors, "measure", damaging_measure)

    return damage


def test_audio_that_is_damaged_late_is_decoded_again_and_the_search_goes_on(search, tmp_path, damaging, finished_study):
    damaging(3, 8)
    answer = search(trials=4, seeds=[0, 1])
    assert answer.code == 0
    assert answer.err.count("a track in the cache is damaged: decoding it again") == 2
    pd.testing.assert_frame_equal(
        without_times(tmp_path / "tiny" / "measurements.csv"), without_times(finished_study / "measurements.csv")
    )


def test_audio_that_is_damaged_again_and_again_stops_the_search_with_one_sentence(search, tmp_path, damaging):
    damaging(*range(3, 40))
    answer = search(trials=4, seeds=[0, 1])
    assert answer.code == 1
    said = next(line for line in answer.err.splitlines() if line.startswith("randsearch: "))
    assert said.startswith("randsearch: the cached track")
    assert 2 <= len(pd.read_csv(tmp_path / "tiny" / "measurements.csv")) < 40


@pytest.mark.parametrize(("keep", "kept"), [("all", {"trained", "early", "fixed_decoder"}), ("trained", {"trained"})])
def test_what_stays(search, tmp_path, keep, kept):
    assert search("--keep", keep).code == 0
    for pattern in ("weights.safetensors", "*.flac"):
        found = {path.parent.name.rpartition("-")[0] for path in (tmp_path / "tiny/measured").glob(f"*/*/{pattern}")}
        assert found == kept
    assert not [*tmp_path.rglob("checkpoint.*")]


def test_nothing_stays_but_scores(search, tmp_path):
    answer = search("--keep", "none")
    assert answer.code == 0
    assert not [*tmp_path.rglob("weights.safetensors")]
    assert " MB)" in answer.out
    assert not [*tmp_path.glob("tiny/measured/*/trained-0/*.flac")]
