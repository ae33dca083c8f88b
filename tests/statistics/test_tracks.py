"""How far one separation is above another: the difference of the scores, and an interval over whole tracks."""

from __future__ import annotations

import math

import numpy as np
import pytest

from randsearch.data.metrics import score
from randsearch.statistics.tracks import gain_over


def tracks(number: int, seed: int = 0) -> list[np.ndarray]:
    random = np.random.default_rng(seed)
    return [random.normal(3 * random.standard_normal(), 1, size=(2, 4 + number)) for number in range(number)]


def test_the_point_is_the_difference_of_the_scores():
    first, second = tracks(8, 1), tracks(8, 2)
    assert gain_over(first, second, 50).point == pytest.approx(score(first) - score(second))


def test_what_tracks_share_cancels():
    """All tracks gain between 0.9 and 1.1 dB, however far they lie apart."""
    hard = tracks(12)
    random = np.random.default_rng(3)
    found = gain_over([track + random.uniform(0.9, 1.1) for track in hard], hard, 300)
    assert 0.9 < found.low < found.point < found.high < 1.1
    other = gain_over(tracks(12, 5), hard, 300)
    assert other.high - other.low > 1


def test_too_few_tracks_have_no_interval_and_silent_ones_do_not_count():
    silent = np.empty((2, 0))
    first, second = [*tracks(4, 1), silent], [*tracks(4, 2), silent]
    found = gain_over(first, second)
    assert found.point == pytest.approx(score(first) - score(second))
    assert math.isnan(found.low)
    assert math.isnan(found.high)
    assert not math.isnan(gain_over([*first, *tracks(1, 6)], [*second, *tracks(1, 7)]).low)
