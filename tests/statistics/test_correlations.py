import hypothesis.extra.numpy as hnp
import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings
from scipy import stats

from randsearch.statistics.best_only import spearman_among_best
from randsearch.statistics.correlations import correlations, net_concordance, running_sum
from randsearch.statistics.interval import Draws, resample_counts
from randsearch.statistics.partial import partial_spearman
from randsearch.statistics.permutation import doubled_ranks


def scipy_correlations(x, y):
    if len(set(x)) < 2 or len(set(y)) < 2:
        return [np.nan] * 4
    return [f(x, y).statistic for f in (stats.spearmanr, stats.kendalltau, stats.pearsonr, stats.weightedtau)]


def as_rows(found):
    return np.stack([found.spearman, found.kendall, found.pearson, found.weighted_tau], axis=1)


@pytest.mark.parametrize("levels", [3, 1000])
def test_coefficients_of_resamples_equal_scipy_on_the_drawn_arrays(levels, monkeypatch):
    rng = np.random.default_rng(levels)
    x = rng.integers(levels, size=13).astype(float)
    y = x + rng.integers(levels, size=13)
    monkeypatch.setattr("randsearch.statistics.correlations._ONE_CORE", 13**2 * 700)  # more than one block
    counts = resample_counts(13, 1500, rng)
    found = as_rows(correlations(x, y, counts))
    for i in [*range(40), *range(1460, 1500)]:
        drawn = np.repeat(np.arange(13), counts[i].astype(int))
        np.testing.assert_allclose(found[i], scipy_correlations(x[drawn], y[drawn]), atol=1e-9)


TIED = hnp.arrays(float, 7, elements=st.sampled_from([-2.5, 0.0, 1.0, 1e6]))


@settings(max_examples=80)
@given(TIED, TIED)
def test_coefficients_and_ranks_equal_scipy_with_any_ties(x, y):
    np.testing.assert_allclose(as_rows(correlations(x, y))[0], scipy_correlations(x, y), atol=1e-9)
    np.testing.assert_array_equal(doubled_ranks(x), 2 * stats.rankdata(x) - len(x) - 1)


def test_coefficients_of_huge_and_tiny_scores():
    x = np.array([1e200, 3e200, 2e200, 9e200])
    y = np.array([1.0, 3.0, 2.0, 9.0])
    np.testing.assert_allclose(as_rows(correlations(x, y * 1e-200)), 1.0)


def test_a_resample_larger_than_its_members_is_no_mistake():
    # Seen from two of three members, a resample of three may hold more than two.
    counts = np.array([[2, 1], [3, 0]], dtype=np.uint8)
    found = correlations([1.0, 2.0], [5.0, 6.0], counts)
    assert found.spearman[0] == pytest.approx(1)
    assert np.isnan([found.spearman[1], found.kendall[1], found.pearson[1], found.weighted_tau[1]]).all()


def test_weighted_tau_of_the_first_resamples_only():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(2, 9))
    counts = resample_counts(9, 50, rng)
    found = correlations(x, y, counts, weighted=1)
    assert 1 <= len(found.weighted_tau) <= len(found.spearman) == 50
    np.testing.assert_array_equal(
        found.weighted_tau, correlations(x, y, counts).weighted_tau[: len(found.weighted_tau)]
    )


def test_running_sum_is_that_of_numpy():
    rows = np.arange(12.0).reshape(4, 3)
    np.testing.assert_array_equal(running_sum(rows), np.cumsum(rows, axis=0))
    assert rows[1, 0] == 3


def drawn_partial(x, y, given):
    ranks = [stats.rankdata(values) for values in (x, y)]
    design = np.column_stack([np.ones(len(x)), *(stats.rankdata(values) for values in given)])
    left = [rank - design @ np.linalg.lstsq(design, rank, rcond=None)[0] for rank in ranks]
    return stats.pearsonr(*left).statistic


@pytest.mark.parametrize("controls", [1, 2])
def test_partial_correlation_is_that_of_regression_residuals(controls):
    rng = np.random.default_rng(controls)
    x, y, *given_values = rng.integers(12, size=(2 + controls, 20)).astype(float)
    draws = Draws.of(20, 30, rng)
    found = partial_spearman(x, y, given_values, draws.counts)
    for row, counts in enumerate(draws.counts):
        drawn = np.repeat(np.arange(20), counts)
        expected = drawn_partial(x[drawn], y[drawn], [values[drawn] for values in given_values])
        assert found[row] == pytest.approx(expected, abs=1e-6)


def test_nothing_is_left_of_a_proxy_that_its_controls_explain():
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=(2, 12))
    whole = np.ones((1, 12), dtype=np.uint8)
    assert np.isnan(partial_spearman(x, y, [np.exp(x)], whole)[0])
    # A control that says the same again changes nothing.
    once, twice = (partial_spearman(x, y, [x + y] * times, whole)[0] for times in (1, 2))
    assert once == pytest.approx(twice)


@pytest.mark.parametrize("levels", [4, 1000])
def test_agreement_among_the_best_is_that_of_the_best_drawn(levels):
    rng = np.random.default_rng(levels)
    x, y = rng.integers(levels, size=(2, 16)).astype(float)
    counts = resample_counts(16, 60, rng)
    found = spearman_among_best(x, y, counts, 8)
    for row, count in enumerate(counts):
        drawn = np.repeat(np.arange(16), count)
        best = drawn[y[drawn] >= np.sort(y[drawn])[-8]]
        usable = len(set(best)) >= 3 and np.ptp(x[best]) > 0 and np.ptp(y[best]) > 0
        expected = stats.spearmanr(x[best], y[best]).statistic if usable else np.nan
        assert found[row] == pytest.approx(expected, abs=1e-6, nan_ok=True)


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 9)), min_size=1, max_size=70))
def test_net_concordance_is_what_all_pairs_say(pairs):
    x, y = np.array(pairs, dtype=float).T
    signs = np.sign(x[:, None] - x) * np.sign(y[:, None] - y)
    assert net_concordance(x, y).tolist() == signs.sum(axis=1).tolist()


def test_many_architectures_have_the_coefficients_of_scipy():
    rng = np.random.default_rng(0)
    x = rng.normal(size=2500).round(1)
    y = (x + rng.normal(size=2500)).round(1)
    found = as_rows(correlations(x, y, np.ones((2, 2500), dtype=np.uint8)))
    np.testing.assert_allclose(found[0], scipy_correlations(x, y), rtol=1e-12)
    np.testing.assert_allclose(found[1, :3], found[0, :3])
    constant = as_rows(correlations(np.ones(2500), y))
    assert np.isnan(constant).all()


def test_kendall_of_many_is_expanded_to_the_deviation_that_its_resamples_have(monkeypatch):
    rng = np.random.default_rng(1)
    x = rng.normal(size=600).round(1)
    y = x + rng.normal(size=600)
    counts = resample_counts(600, 800, rng)
    exact = correlations(x, y, counts, weighted=0).kendall
    monkeypatch.setattr("randsearch.statistics.correlations.PAIRS_UP_TO", 500)
    expanded = correlations(x, y, counts, weighted=0).kendall
    assert np.corrcoef(exact, expanded)[0, 1] > 0.99
    assert expanded.std() == pytest.approx(exact.std(), rel=0.02)
