import itertools

import numpy as np
import pytest
from scipy import stats
from tables import make_table

from randsearch.statistics import analyse, verdict
from randsearch.statistics.ceiling import between_all_seeds, between_seeds, noise_ceiling, spearman_brown
from randsearch.statistics.interval import Draws

WHOLE = np.ones((1, 4000), dtype=np.uint8)


@pytest.mark.parametrize("noise", [0.3, 1.0])
@pytest.mark.parametrize("seeds", [2, 4])
def test_spearman_brown_and_the_ceiling_are_those_of_a_simulation(noise, seeds):
    rng = np.random.default_rng(seeds)
    quality = rng.normal(size=4000)
    scores, fresh = quality[:, None] + noise * rng.normal(size=(2, 4000, seeds))
    one = between_seeds(scores, WHOLE)
    of_means = stats.spearmanr(scores.mean(axis=1), fresh.mean(axis=1)).statistic
    assert spearman_brown(one, seeds)[0] == pytest.approx(of_means, abs=0.025)
    # The perfect proxy is the quality itself.
    reached = stats.spearmanr(quality, scores.mean(axis=1)).statistic
    assert np.sqrt(spearman_brown(one, seeds))[0] == pytest.approx(reached, abs=0.02)


def test_spearman_brown_by_hand():
    assert spearman_brown(np.array(0.5), 2) == pytest.approx(2 / 3)
    assert spearman_brown(np.array(0.5), 0.5) == pytest.approx(1 / 3)
    assert np.isnan(spearman_brown(np.array([-0.1, 0.0]), 3)).all()


def reliability(scores):
    draws = Draws.of(len(scores), 50, np.random.default_rng(0))
    return between_all_seeds(scores, draws)[0].point


def test_between_seeds_is_the_mean_over_pairs():
    scores = np.random.default_rng(0).normal(size=(11, 3))
    expected = np.mean([stats.spearmanr(a, b).statistic for a, b in itertools.combinations(scores.T, 2)])
    assert reliability(scores) == pytest.approx(expected)
    scores[4, 1] = np.nan
    rest = np.delete(scores, 4, axis=0)
    assert reliability(scores) == pytest.approx(reliability(rest))
    assert np.isnan(reliability(scores[:, :1]))


def test_one_seed_has_no_ceiling_and_says_so():
    found = analyse(make_table(12), resamples=60)
    assert found.ceiling.seeds == 1
    assert np.isnan(found.ceiling.ceiling.point)
    assert found.rows[["ceiling", "over_ceiling", "reliability"]].isna().to_numpy().all()
    assert "is unknown: trained was measured at one seed" in verdict(found).correlation


def test_rows_are_held_against_the_ceiling():
    found = analyse(make_table(30, seeds=(0, 1, 2), seed_noise=0.8), resamples=300)
    row = found.rows.set_index("proxy").loc["fixed_decoder"]
    assert row["ceiling"] == pytest.approx(np.sqrt(spearman_brown(np.array(found.ceiling.reliability.point), 3)))
    assert row["over_ceiling"] == pytest.approx(row["spearman"] / row["ceiling"])
    assert row["over_ceiling_low"] < row["over_ceiling"] < row["over_ceiling_high"]
    assert row["kendall_between_seeds"] == found.ceiling.kendall_between_seeds.point
    assert 0.3 < row["kendall_between_seeds"] < row["ceiling"] < 1
    assert f"a perfect proxy could reach about {row['ceiling']:.2f}, and fixed_decoder" in verdict(found).correlation


def test_training_that_does_not_agree_with_itself_has_no_ceiling():
    scores = np.array([[1, 6], [2, 5], [3, 4], [4, 3], [5, 2], [6, 1.0]])
    found, _ = noise_ceiling(scores, Draws.of(6, 50, np.random.default_rng(0)))
    assert found.reliability.point == -1
    assert np.isnan([found.ceiling.point, found.ceiling.low]).all()


def test_a_reliability_of_rounding_gives_no_ratio():
    rng = np.random.default_rng(3)
    scores = rng.normal(size=(16, 2))
    found, ratio = noise_ceiling(scores, Draws.of(16, 200, rng))
    assert found.reliability.low < 0.1
    assert ratio is None
    assert np.isnan(spearman_brown(np.array(1e-16), 2))


def test_with_unequal_seeds_the_harmonic_mean_counts():
    rng = np.random.default_rng(4)
    quality = rng.normal(size=(400, 1))
    scores = quality + 1.5 * rng.normal(size=(400, 6))
    scores[100:, 2:] = np.nan
    full = scores.copy()
    found, _ = noise_ceiling(scores, Draws.of(400, 50, rng))
    measured = (~np.isnan(full)).sum(axis=1)
    reached = stats.spearmanr(quality[:, 0], np.nanmean(full, axis=1)).statistic
    assert found.ceiling.point == pytest.approx(reached, abs=0.06)
    assert found.ceiling.point == pytest.approx(
        np.sqrt(spearman_brown(np.array(found.reliability.point), 1 / np.mean(1 / measured)))
    )
