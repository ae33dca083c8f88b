import itertools

import numpy as np
import pytest
from scipy import stats

from randsearch.statistics.permutation import PERMUTATIONS, holm, permutation_p, permutation_ps


@pytest.mark.parametrize("n", [3, 5, 6])
@pytest.mark.parametrize("tied", [False, True])
def test_p_is_exact_for_few_architectures(n, tied):
    rng = np.random.default_rng(n)
    x, y = rng.normal(size=n), rng.normal(size=n)
    if tied:
        x[0] = x[1]
        y[1] = y[2]
    observed = abs(stats.spearmanr(x, y).statistic)
    every = [abs(stats.spearmanr(x, p).statistic) for p in itertools.permutations(y)]
    assert permutation_p(x, y) == pytest.approx(np.mean([rho >= observed - 1e-12 for rho in every]))


def test_p_of_many_architectures_is_near_that_of_scipy():
    rng = np.random.default_rng(4)
    x = rng.normal(size=40)
    y = 0.3 * x + rng.normal(size=40)
    found = permutation_p(x, y)
    assert 0.01 < found < 0.9
    assert found == pytest.approx(stats.spearmanr(x, y).pvalue, abs=0.015)
    assert permutation_p(x, x) == 1 / (PERMUTATIONS + 1)
    assert np.isnan(permutation_p(x, np.ones(40)))


def test_proxies_share_permutations_and_each_has_the_p_of_its_own():
    rng = np.random.default_rng(5)
    proxies, y = rng.normal(size=(3, 25)), rng.normal(size=25)
    together = permutation_ps(proxies, y, seed=2)
    assert together.tolist() == [permutation_p(x, y, seed=2) for x in proxies]


def test_p_keeps_its_level():
    rng = np.random.default_rng(6)
    p = np.concatenate(
        [permutation_ps(rng.normal(size=(20, 12)), rng.normal(size=12), permutations=199) for _ in range(40)]
    )
    assert 0.02 < np.mean(p <= 0.05) < 0.08


def test_holm_by_hand():
    # Sorted: 0.01 x 4, 0.02 x 3, 0.03 x 2, 0.5 x 1; none below the one before; NaN is no test.
    found = holm([0.03, np.nan, 0.01, 0.5, 0.02])
    np.testing.assert_allclose(found, [0.06, np.nan, 0.04, 0.5, 0.06])
    np.testing.assert_allclose(holm([0.9, 0.8]), [1.0, 1.0])
    assert np.isnan(holm([np.nan])).all()
    assert len(holm([])) == 0


def test_the_normal_limit_is_what_permutations_of_many_give(monkeypatch):
    rng = np.random.default_rng(5)
    y = rng.normal(size=1500).round(1)
    proxies = np.stack([y * 0.05 + rng.normal(size=1500).round(1), rng.normal(size=1500), np.ones(1500)])
    drawn = permutation_ps(proxies, y, permutations=1999)
    monkeypatch.setattr("randsearch.statistics.permutation.DRAWN_UP_TO", 1000)
    np.testing.assert_allclose(permutation_ps(proxies, y), drawn, atol=0.03)
