import itertools

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings
from tables import make_table

from randsearch.statistics import analyse, choice
from randsearch.statistics.choice import top_shares
from randsearch.statistics.curves import RANDOM
from randsearch.statistics.interval import resample_counts


def test_top_shares_split_ties_and_never_choose_nan():
    shares = top_shares([5.0, 4.0, 4.0, 4.0, np.nan, 1.0], 3)
    np.testing.assert_allclose(shares, [1, 2 / 3, 2 / 3, 2 / 3, 0, 0])
    np.testing.assert_allclose(top_shares([1.0, np.nan], 3), [1, 0])


def every_choice(proxy, trained):
    """All equally likely sets of first choices, by going through every order of the ties."""
    scored = [i for i, value in enumerate(proxy) if not np.isnan(value)]
    for order in itertools.permutations(scored):
        ranked = sorted(order, key=lambda i: -proxy[i])
        yield list(ranked[:trained])


SCORE = st.sampled_from([0.0, 1.0, 2.5])


@settings(max_examples=60)
@given(st.lists(st.tuples(st.one_of(SCORE, st.just(np.nan)), SCORE), min_size=2, max_size=6), st.integers(1, 6))
def test_expectations_are_those_of_all_ways_to_break_ties(pairs, trained):
    proxy, truth = map(np.array, zip(*pairs, strict=True))
    scored = int((~np.isnan(proxy)).sum())
    if trained > scored:
        trained = max(scored, 1)
    if not scored:
        return
    chosen = list(every_choice(proxy, trained))
    regret = np.mean([truth.max() - truth[found].max() for found in chosen])
    assert choice.expected_regret(proxy, truth, trained) == pytest.approx(regret, abs=1e-12)
    top = min(2, len(truth))
    best = list(every_choice(truth, top))
    chances = [
        np.mean([i in found for found in chosen]) * np.mean([i in found for found in best]) for i in range(len(truth))
    ]
    assert choice.expected_recall(proxy, truth, trained, top) == pytest.approx(sum(chances) / top)


@pytest.mark.parametrize("n", [1, 4, 7])
def test_random_choice_is_the_mean_over_all_subsets(n):
    truth = np.random.default_rng(n).normal(size=n).round(1)
    for trained in range(1, n + 1):
        subsets = list(itertools.combinations(truth, trained))
        expected = np.mean([truth.max() - max(subset) for subset in subsets])
        assert choice.random_regret(truth, trained) == pytest.approx(expected, abs=1e-12)


def test_random_regret_of_a_thousand_does_not_overflow():
    truth = np.random.default_rng(0).normal(size=1000)
    regrets = [choice.random_regret(truth, trained) for trained in (1, 10, 500, 999, 1000)]
    assert regrets[0] == pytest.approx(truth.max() - truth.mean())
    assert np.all(np.diff(regrets) < 0)
    assert regrets[-1] == 0


def test_gain_of_resamples_equals_that_of_the_drawn_arrays():
    rng = np.random.default_rng(2)
    proxy, truth = rng.normal(size=(2, 14))
    proxy[[2, 5]] = np.nan
    counts = resample_counts(14, 80, rng)
    trained = np.array([1, 2, 3, 5, 9])
    found = choice.resampled_gain(proxy, truth, counts, trained, 0)
    for row, count in enumerate(counts):
        drawn = np.repeat(np.arange(14), count)
        scored = int((~np.isnan(proxy[drawn])).sum())
        for column, number in enumerate(trained):
            most = min(int(number), scored)
            regret = choice.expected_regret(proxy[drawn], truth[drawn], most)
            assert found.regret[row, column] == pytest.approx(regret, abs=1e-6)
            # Copies of one architecture: which of them is among the best is left to chance on both sides.
            expected = _recall_of_drawn(proxy, truth, drawn, int(number))
            assert found.recall[row, column] == pytest.approx(expected, abs=1e-6)


def _recall_of_drawn(proxy, truth, drawn, trained, top=3):
    scored = drawn[~np.isnan(proxy[drawn])]
    first = scored[np.argsort(-proxy[scored], kind="stable")][:trained]
    best = drawn[np.argsort(-truth[drawn], kind="stable")][:top]
    return sum(np.sum(best == one) * np.sum(first == one) / np.sum(drawn == one) for one in set(best.tolist())) / top


@pytest.mark.parametrize("n", [8, 100])
def test_ties_are_broken_anew_for_every_few_resamples(n):
    truth = np.arange(float(n))
    counts = np.ones((1000, n), dtype=np.uint8)
    found = choice.resampled_gain(np.zeros(n), truth, counts, np.array([1]), 0)
    spread = (n - 1) / np.sqrt(12)
    assert found.regret.mean() == pytest.approx(choice.random_regret(truth, 1), abs=4 * spread / np.sqrt(200))
    assert found.regret.std() == pytest.approx(spread, rel=0.25)


def test_grid_is_every_number_up_to_24_and_thins_out_beyond():
    assert choice.grid(24).tolist() == list(range(1, 25))
    grid = choice.grid(1000, (0, 333, 2000))
    assert {1, 2, 3, 333, 1000} <= set(grid.tolist())
    assert len(grid) <= 41


def test_curves_fall_to_zero_and_cost_what_they_cost():
    table = make_table(12, failed=[(0, "early")])
    table["seconds"] = np.where(table["measure"] == "trained", 100.0, 2.0)
    curves = analyse(table, resamples=200).curves
    own = curves[curves["proxy"] == "fixed_decoder"]
    assert own["trained"].tolist() == list(range(1, 13))
    assert own["seconds"].tolist() == [12 * 2 + 100 * m for m in range(1, 13)]
    assert own["regret_db"].is_monotonic_decreasing
    assert own["regret_db"].iloc[-1] == 0
    assert own["recall"].iloc[-1] == 1
    assert (own["regret_db_low"] <= own["regret_db_high"]).all()
    assert curves[curves["proxy"] == "early"]["trained"].max() == 11
    by_chance = curves[curves["proxy"] == RANDOM]
    assert by_chance["seconds"].tolist() == [100.0 * m for m in range(1, 13)]
    np.testing.assert_allclose(by_chance["regret_db"], own["random_regret_db"])


def test_a_budget_buys_what_is_left_after_the_proxy():
    table = make_table(20)
    table["seconds"] = np.where(table["measure"] == "trained", 100.0, np.where(table["measure"] == "params", 0.0, 20.0))
    budgets = analyse(table, resamples=200).budgets.set_index(["share", "proxy"])
    # A tenth of 20 x 100 s is 200 s; 20 scores at 20 s take more.
    assert budgets.loc[0.1].index.tolist() == ["params"]
    assert budgets.loc[(0.1, "params"), "trained"] == 2
    assert budgets.loc[(0.5, "early"), "trained"] == 6
    assert budgets.loc[0.5, "best_share"].sum() == pytest.approx(1)


def test_unknown_costs_leave_budgets_out():
    table = make_table(8).assign(seconds=np.nan)
    found = analyse(table, resamples=50)
    assert found.budgets.empty
    assert found.curves["seconds"].isna().all()
    assert found.rows["relative_cost"].isna().all()
