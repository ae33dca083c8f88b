"""What networks are scored on: short enough to afford, the same for all, and where there is something to hear."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from randsearch.data import Track
from randsearch.training.validation import SHORTEST, affordable_seconds, take_excerpts

RATE = 1000


def make_track(path, audible: list[bool]) -> Track:
    """A track of a voice and an accompaniment, the voice silent where told."""
    random = np.random.default_rng(0)
    stems = random.uniform(-0.5, 0.5, (2, 1, len(audible) * RATE + 345)).astype(np.float32)
    for second, heard in enumerate(audible):
        if not heard:
            stems[1, :, second * RATE : (second + 1) * RATE] = 0
    np.save(path, stems)
    return Track(path.stem, path, 0, stems.shape[-1], RATE, 1, ((0,), (1,)))


def test_an_excerpt_lies_where_most_seconds_count(tmp_path):
    track = make_track(tmp_path / "a.npy", [False] * 4 + [True, False, True, True, False, True] + [False] * 3)
    (excerpt,) = take_excerpts([track], 4)
    assert (excerpt.start, excerpt.stop) == (4 * RATE, 8 * RATE)
    later = replace(track, start=2 * RATE)
    (moved,) = take_excerpts([later], 3)
    assert (moved.start, moved.stop) == (4 * RATE, 7 * RATE)


def test_whole_tracks_where_that_is_wanted_or_affordable(tmp_path):
    tracks = [make_track(tmp_path / f"{name}.npy", [True] * 5) for name in "ab"]
    assert take_excerpts(tracks, None) == tuple(tracks)
    assert take_excerpts(tracks, 10) == tuple(tracks)
    assert take_excerpts(tracks, 9) != tuple(tracks)


@given(numbers=st.lists(st.integers(1, 40), min_size=1, max_size=9), seconds=st.integers(1, 200))
def test_excerpts_are_as_long_as_asked_and_in_order(tmp_path_factory, numbers, seconds):
    folder = tmp_path_factory.mktemp("tracks")
    tracks = [make_track(folder / f"{i}.npy", [True] * number) for i, number in enumerate(numbers)]
    found = take_excerpts(tracks, seconds)
    names = [track.name for track in tracks]
    positions = [names.index(excerpt.name) for excerpt in found]
    assert positions == sorted(set(positions))
    total = sum(excerpt.length for excerpt in found) / RATE
    assert total <= max(seconds, SHORTEST) + 1 or found == tuple(tracks)
    for excerpt in found:
        track = tracks[names.index(excerpt.name)]
        assert track.start <= excerpt.start < excerpt.stop <= track.stop


@pytest.mark.parametrize(("proxy_steps", "validate_every"), [(100, 50), (40, 20), (30, 50), (1000, 100), (90, 50)])
def test_validation_of_a_proxy_costs_its_share_of_multiply_adds(proxy_steps, validate_every):
    seconds = affordable_seconds(
        proxy_steps=proxy_steps, validate_every=validate_every, batch=8, segment=8192, sample_rate=8000
    )
    validations = -(-proxy_steps // validate_every)
    forward = validations * seconds
    cheapest = 3 * 0.6 * proxy_steps * 8 * 8192 / 8000
    assert 0.1 * cheapest < forward < 0.13 * cheapest


def test_a_tiny_proxy_is_still_scored_on_something():
    assert affordable_seconds(proxy_steps=1, validate_every=1, batch=1, segment=64, sample_rate=44100) == SHORTEST
