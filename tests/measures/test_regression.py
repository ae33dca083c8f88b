"""Synthetic regression: what its batches hold, and that it learns."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from randsearch.data.synthetic import make_song
from randsearch.measures import MEASURES, Job, measure
from randsearch.measures import regression as proxies
from randsearch.models.architecture import Architecture
from randsearch.models.sizing import Signal

SMALL = Architecture(levels=2, first_filters=4, filter_increment=1, encoder_kernel=3, decoder_kernel=3)


def batch(setting, architecture=SMALL, numbers=proxies.HEARD, seed=0, index=0):
    return proxies.synthetic_batch(setting, architecture, numbers, seed, index)


def test_sources_add_up_to_stems_and_the_voice_comes_last():
    stems = np.arange(16, dtype=np.float32).reshape(8, 2)
    for sources in range(1, 9):
        found = proxies.grouped(stems, sources)
        assert found.shape == (sources, 2)
        np.testing.assert_allclose(found.sum(axis=0), stems[: max(sources, 4)].sum(axis=0))
    assert proxies.grouped(stems, 2)[1].tolist() == stems[3].tolist()
    np.testing.assert_array_equal(proxies.grouped(stems, 8), stems)


@pytest.mark.parametrize(("sources", "channels"), [(2, 1), (4, 2), (5, 1)])
def test_batches_have_the_signal_of_the_study(setting, sources, channels):
    mixture, wanted = batch(replace(setting, signal=Signal(sources=sources, channels=channels)))
    assert wanted.shape == (2, sources, channels, 256)
    torch.testing.assert_close(wanted.sum(dim=1), mixture)
    assert not torch.equal(wanted[:, 0], wanted[:, 1])


def test_batches_are_the_same_for_all_architectures_and_differ_between_seeds_and_steps(setting):
    mixture, wanted = batch(setting)
    longer, same = batch(setting, SMALL.model_copy(update={"context": True}))
    assert torch.equal(same, wanted)
    margin = (longer.shape[-1] - mixture.shape[-1]) // 2
    assert torch.equal(longer[..., margin : margin + mixture.shape[-1]], mixture)
    for other in ({"seed": 1}, {"index": 1}, {"numbers": proxies.LEARNT}):
        assert not torch.equal(batch(setting, **other)[0], mixture)
    assert not torch.equal(batch(replace(setting, study="other"))[0], mixture)


def test_crops_are_those_of_the_songs(setting, monkeypatch):
    monkeypatch.setattr(proxies, "GAINS", (1.0, 1.0))
    _, wanted = batch(setting, numbers=range(4, 5))
    voice = make_song(0, 4)["vocals"].astype(np.float32)
    for crop in wanted[:, 1, 0].numpy():
        places = np.flatnonzero(voice == crop[0])
        assert any(np.array_equal(np.roll(voice, -place)[: len(crop)], crop) for place in places)


def test_the_score_is_minus_the_error_on_songs_not_learnt(setting, monkeypatch):
    """Without a step of training it is that of the random network; with more it is better."""
    monkeypatch.setattr(proxies, "REGRESSION_TESTS", 3)
    scores = []
    for steps in (0, 40):
        monkeypatch.setattr(proxies, "REGRESSION_STEPS", steps)
        made = measure(setting, Job(SMALL, "synthetic_regression", 0))
        assert made.steps == steps
        scores.append(made.score)
    assert scores[0] < scores[1] < 0
    tested = [batch(setting, index=index) for index in range(proxies.REGRESSION_TESTS)]
    network = proxies.fresh_network("synthetic_regression", setting, SMALL, 0).eval()
    errors = [(network(mixture) - wanted).square().mean().item() for mixture, wanted in tested]
    assert scores[0] == pytest.approx(-np.mean(errors), rel=1e-5)


def test_it_costs_what_its_steps_and_its_test_cost(setting):
    step = MEASURES["trained"].cost(setting, SMALL) / setting.steps
    assert MEASURES["synthetic_regression"].cost(setting, SMALL) == pytest.approx(step * (30 + 8 / 3))
