from statistics import NormalDist

import numpy as np
import pytest
from scipy import stats

from randsearch.statistics.correlations import correlations
from randsearch.statistics.interval import LARGE, Draws, bca_interval, percentile_interval, resample_counts

POPULATION = {
    "spearman": lambda r: 6 / np.pi * np.arcsin(r / 2),
    "kendall": lambda r: 2 / np.pi * np.arcsin(r),
    "pearson": lambda r: r,
}


def test_counts_are_uniform_draws_of_the_whole_size():
    counts = resample_counts(6, 20_000, np.random.default_rng(0))
    assert counts.shape == (20_000, 6)
    assert (counts.sum(axis=1) == 6).all()
    np.testing.assert_allclose(counts.mean(axis=0), 1.0, atol=0.03)
    np.testing.assert_allclose(counts.var(axis=0), 5 / 6, atol=0.04)


def test_interval_is_nan_when_a_tenth_of_the_resamples_is_undefined():
    resampled = np.linspace(0, 1, 100)
    resampled[:10] = np.nan
    interval = percentile_interval(0.5, resampled)
    assert (interval.low, interval.high) == pytest.approx(tuple(np.quantile(resampled[10:], [0.025, 0.975])))
    resampled[10] = np.nan
    assert np.isnan(percentile_interval(0.5, resampled).low)
    assert np.isnan(percentile_interval(np.nan, np.linspace(0, 1, 100)).high)


def test_no_resample_that_differs_gives_no_interval():
    for interval in (percentile_interval(1.0, np.ones(50)), bca_interval(1.0, np.ones(50), np.ones(9))):
        assert interval.point == 1
        assert np.isnan([interval.low, interval.high]).all()


def test_bca_is_that_of_scipy():
    rng = np.random.default_rng(3)
    values = rng.exponential(size=30)
    draws = Draws.of(30, 4000, rng)
    means = draws.counts @ values / draws.counts.sum(axis=1)
    found = draws.bca(means)
    expected = stats.bootstrap((values,), np.mean, n_resamples=20_000, method="BCa", rng=rng).confidence_interval
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), abs=0.02)
    assert found.low > draws.percentile(means).low  # an exponential is skewed to the right


def test_bca_without_bias_or_skew_is_the_percentile_interval():
    resampled = np.array([NormalDist(0.5, 0.1).inv_cdf((i + 0.5) / 999) for i in range(999)])
    expected = percentile_interval(0.5, resampled)
    found = bca_interval(0.5, resampled, 0.5 + np.array([-0.1, 0.1, -0.2, 0.2]))
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), abs=1e-3)


def test_draws_are_the_sample_then_all_but_one_then_resamples():
    draws = Draws.of(4, 7, np.random.default_rng(0))
    assert draws.counts.shape == (1 + 4 + 7, 4)
    assert (draws.counts[0] == 1).all()
    np.testing.assert_array_equal(draws.counts[1:5], 1 - np.eye(4))
    some = draws.among(np.array([True, False, True, True]), 5)
    assert some.counts.shape == (1 + 3 + 5, 3)
    np.testing.assert_array_equal(some.counts[1:4], 1 - np.eye(3))
    np.testing.assert_array_equal(some.counts[4:], draws.counts[5:10, [0, 2, 3]])


def covered(architectures, correlation, *, studies=500, resamples=600, seeds=1):
    """The share of 95% intervals that hold the coefficient of the population, of means over seeds."""
    rng = np.random.default_rng([architectures, int(100 * correlation), seeds])
    noise = np.sqrt(1 / correlation - 1) if seeds > 1 else 0.0
    hits = dict.fromkeys(POPULATION, 0)
    for _ in range(studies):
        if seeds > 1:
            # Two noisy views of one quality: the correlation of means over seeds is 1 / (1 + noise^2).
            quality = rng.normal(size=architectures)
            own = noise * np.sqrt(seeds) * rng.normal(size=(2, seeds, architectures))
            x, y = quality + own.mean(axis=1)
        else:
            x, other = rng.normal(size=(2, architectures))
            y = correlation * x + np.sqrt(1 - correlation**2) * other
        draws = Draws.of(architectures, resamples, rng)
        drawn = correlations(x, y, draws.counts, weighted=0)
        for name, kind in (("spearman", draws.bca), ("kendall", draws.percentile), ("pearson", draws.bca)):
            interval = kind(getattr(drawn, name))
            hits[name] += interval.low <= POPULATION[name](correlation) <= interval.high
    return {name: hit / studies for name, hit in hits.items()}


@pytest.mark.parametrize(("correlation", "seeds"), [(0.3, 1), (0.8, 1), (0.7, 3)])
def test_intervals_cover_the_population(correlation, seeds):
    for name, share in covered(30, correlation, seeds=seeds).items():
        assert 0.92 <= share <= 0.98, name


@pytest.mark.long
@pytest.mark.parametrize("architectures", [24, 50, 100])
@pytest.mark.parametrize("correlation", [0.0, 0.5, 0.8])
def test_intervals_cover_the_population_at_many_sizes(architectures, correlation):
    for name, share in covered(architectures, correlation, studies=2000, resamples=2000).items():
        assert 0.92 <= share <= 0.98, name


def test_where_both_are_had_normal_intervals_agree_with_the_bootstrap(monkeypatch):
    rng = np.random.default_rng(0)
    x = rng.normal(size=1800)
    y = x + rng.normal(size=1800)
    found = {}
    for large in (False, True):
        monkeypatch.setattr("randsearch.statistics.interval.LARGE", 1000 if large else LARGE)
        monkeypatch.setattr("randsearch.statistics.correlations.PAIRS_UP_TO", 1000 if large else LARGE)
        draws = Draws.of(1800, 1000, np.random.default_rng(1))
        assert (draws.large, len(draws.left_out), draws.resamples) == ((True, 0, 200) if large else (False, 500, 1000))
        drawn = correlations(x, y, draws.counts, weighted=0)
        intervals = draws.bca(drawn.spearman), draws.percentile(drawn.kendall), draws.bca(drawn.pearson)
        found[large] = np.array([(each.point, each.low, each.high) for each in intervals])
    widths = np.ptp(found[False], axis=1)
    assert (np.abs(found[True] - found[False]) < 0.12 * widths[:, None]).all()


def test_leaving_out_some_hardly_moves_an_interval():
    rng = np.random.default_rng(2)
    x = rng.lognormal(size=800)
    y = x + rng.lognormal(size=800)
    draws = Draws.of(800, 1000, rng)
    drawn = correlations(x, y, draws.counts, weighted=0).pearson
    every = correlations(x, y, 1 - np.eye(800, dtype=np.uint8), weighted=0).pearson
    assert len(draws.left_out) == 500
    some, all_of_them = draws.bca(drawn), bca_interval(float(drawn[0]), drawn[draws.first :], every)
    assert (some.low, some.high) == pytest.approx((all_of_them.low, all_of_them.high), abs=0.003)


def test_a_part_of_the_jackknife_accelerates_as_all_of_it():
    rng = np.random.default_rng(7)
    resampled, without_one = rng.normal(size=2000), np.tile(rng.exponential(size=25), 40)
    every = bca_interval(0.0, resampled, without_one)
    some = bca_interval(0.0, resampled, without_one[:25], members=1000)
    assert (some.low, some.high) == pytest.approx((every.low, every.high), abs=1e-12)
    assert bca_interval(0.0, resampled, without_one[:25]).high != pytest.approx(every.high, abs=1e-3)


def test_few_of_many_have_no_normal_interval():
    draws = Draws.of(3000, 100, np.random.default_rng(3))
    some = np.zeros(3000, dtype=bool)
    some[:40] = True
    few = draws.among(some)
    assert (few.large, few.members, few.resamples) == (False, 40, 100)
    x = np.arange(40.0)
    y = x + np.random.default_rng(4).normal(size=40) * 10
    interval = few.bca(correlations(x, y, few.counts).spearman)
    assert interval.low < interval.point < interval.high


STORED = np.array(
    [
        *[-0.43, -1.13, 0.67, -1.11, 2.01, 0.92, -0.36, 0.57, 1.61, 2.83, -0.92, 1.07],
        *[0.52, -0.28, 1.09, 0.51, 1.08, -0.53, -0.0, 0.39, 0.02, 0.02, -0.77, 0.13],
        *[-0.24, -1.19, 0.66, -0.41, 1.35, 1.62, -0.51, 0.63, 1.42, 3.73, -0.16, 1.08],
        *[0.08, 1.58, 1.63, -0.64, 1.08, -0.64, 0.72, 0.16, -0.72, 1.36, -2.76, -1.28],
    ]
).reshape(2, 24)
"""The scores of two sides."""


@pytest.mark.parametrize(
    ("name", "point", "low", "high"),
    [
        ("spearman", 0.6948009735851929, 0.3607597813755308, 0.8729233176065142),
        ("pearson", 0.7619272962214843, 0.5473001980215173, 0.9088873399756088),
        ("weighted_tau", 0.6762078319922009, 0.4085262944677163, 0.8729685085160725),
    ],
)
def test_bca_intervals_are_those_that_scipy_computed(name, point, low, high):
    # scipy 1.17's stats.bootstrap(STORED, paired=True, method="BCa", n_resamples=20_000, random_state=default_rng(1))
    x, y = STORED
    draws = Draws.of(24, 10_000, np.random.default_rng(2))
    found = draws.bca(getattr(correlations(x, y, draws.counts), name))
    assert found.point == pytest.approx(point, abs=1e-12)
    assert (found.low, found.high) == pytest.approx((low, high), abs=0.01)
