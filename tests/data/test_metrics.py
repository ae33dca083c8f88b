"""The score, against computations written without a line of the package."""

from __future__ import annotations

import math
import statistics

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from randsearch.data import metrics

RATE = 20


def noise(sources: int = 2, channels: int = 2, seconds: float = 3.4, seed: int = 0) -> np.ndarray:
    random = np.random.default_rng(seed)
    levels = random.uniform(0.1, 0.5, (sources, channels, 1))
    return (levels * random.standard_normal((sources, channels, int(seconds * RATE)))).astype(np.float32)


def by_hand(references: np.ndarray, estimates: np.ndarray) -> list[list[float]]:
    """SDR of each source over channels and seconds, sample by sample."""
    found: list[list[float]] = [[] for _ in references]
    for channel in range(references.shape[1]):
        for second in range(references.shape[2] // RATE):
            window = range(second * RATE, (second + 1) * RATE)
            powers = [sum(float(source[channel, t]) ** 2 for t in window) / RATE for source in references]
            if min(powers) <= 1e-6:
                continue
            for source, estimate, power, row in zip(references, estimates, powers, found, strict=True):
                error = sum((float(source[channel, t]) - float(estimate[channel, t])) ** 2 for t in window)
                row.append(10 * math.log10(power * RATE / error))
    return found


def test_sdr_by_hand():
    references = noise()
    references[1, 0, RATE : 2 * RATE] = 1e-4  # -80 dBFS: this second of this channel counts for no source
    estimates = references + 0.1 * noise(seed=1)
    expected = by_hand(references, estimates)
    assert len(expected[0]) == 5
    np.testing.assert_allclose(metrics.sdr(references, estimates, RATE), expected, rtol=1e-6)


@given(st.floats(-20, 60))
def test_an_error_of_known_size_has_its_sdr(decibels):
    references = noise().astype(np.float64)
    estimates = references * (1 - 10 ** (-decibels / 20))
    np.testing.assert_allclose(metrics.sdr(references, estimates, RATE), decibels, atol=1e-6)


def test_a_perfect_estimate_is_infinite():
    assert np.isposinf(metrics.sdr(noise(), noise(), RATE)).all()


@pytest.mark.parametrize(("level", "counts"), [(-59.9, True), (-60.1, False)])
def test_a_second_counts_above_60_dbfs(level, counts):
    references = np.full((2, 1, RATE), 0.5)
    references[1] = 10 ** (level / 20)
    assert metrics.sdr(references, references + 0.01, RATE).shape == (2, counts)


def test_score_is_the_mean_of_medians_over_the_seconds_of_all_tracks():
    tracks = [np.array([[1.0, 9.0], [0.0, 2.0]]), np.array([[2.0], [30.0]]), np.array([[3.0, 4.0], [1.0, 8.0]])]
    medians = [statistics.median([1, 9, 2, 3, 4]), statistics.median([0, 2, 30, 1, 8])]
    assert metrics.score(tracks) == statistics.mean(medians) == 2.5


def test_second_moments_are_the_sums_of_products():
    references = noise().astype(np.float64)
    mixture = references.sum(axis=0)
    expected = [
        [
            [
                float(a[c, s * RATE : (s + 1) * RATE] @ b[c, s * RATE : (s + 1) * RATE])
                for c in range(2)
                for s in range(3)
            ]
            for a, b in pairs
        ]
        for pairs in (
            [(source, source) for source in references],
            [(source, mixture) for source in references],
            [(mixture, mixture)] * 2,
        )
    ]
    np.testing.assert_allclose(metrics.second_moments(references, RATE), expected, rtol=1e-9)


@pytest.mark.parametrize("gain", [0.0, 0.35, 1.0, 2.0])
def test_gain_sdr_is_the_sdr_of_the_scaled_mixture(gain):
    references = noise().astype(np.float64)
    scaled = np.broadcast_to(gain * references.sum(axis=0), references.shape)
    moments = metrics.second_moments(references, RATE)
    np.testing.assert_allclose(
        metrics.gain_sdr(moments, np.full(2, gain)), metrics.sdr(references, scaled, RATE), rtol=1e-9
    )


@pytest.mark.parametrize("seed", range(5))
def test_best_gains_by_brute_force(seed):
    references = noise(sources=3, seconds=7, seed=seed).astype(np.float64)
    mixture = references.sum(axis=0)
    found = metrics.best_gains(metrics.second_moments(references, RATE))
    for number, gain in enumerate(found):
        reached = {
            step / 200: statistics.median(
                by_hand(references, np.broadcast_to(step / 200 * mixture, references.shape))[number]
            )
            for step in range(0, 401, 5)
        }
        best = statistics.median(by_hand(references, np.broadcast_to(gain * mixture, references.shape))[number])
        assert best >= max(reached.values()) - 1e-9


def test_best_gain_of_one_second_is_its_projection():
    references = noise(channels=1, seconds=1).astype(np.float64)
    mixture = references.sum(axis=0)[0]
    projections = [float(source[0] @ mixture / (mixture @ mixture)) for source in references]
    found = metrics.best_gains(metrics.second_moments(references, RATE))
    np.testing.assert_allclose(found, projections, atol=0.0026)
