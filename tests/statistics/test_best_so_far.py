import itertools

import numpy as np
import pandas as pd
import pytest
from scipy.special import gammaln
from tables import make_table

from randsearch.statistics import analyse, verdict
from randsearch.statistics.best_so_far import best_of, make_best_so_far
from randsearch.statistics.proxy_rows import Board
from randsearch.table.tidy import ENSEMBLE


def small(trained, proxy=(0.0, 0.0, 0.0, 0.0)):
    """Four architectures: 100 s of training each, and a proxy of 10 s; None as a trained score is no training."""
    table = make_table(4, proxies={"fixed_decoder": 1.0})
    own = table["measure"] == "trained"
    table["seconds"] = np.where(own, 100.0, 10.0)
    table.loc[own, "score"], table.loc[~own, "score"] = [np.nan if score is None else score for score in trained], proxy
    return table[table["score"].notna()].reset_index(drop=True)


def lines(table, chooser=None, bias=None):
    """(trained, seconds, best) of the study's line, and of random search's."""
    found = make_best_so_far(Board.of(table, "trained", 1, 0), table, chooser, bias)
    return [
        list(found.loc[found["line"] == line, ["trained", "seconds", "best"]].itertuples(index=False, name=None))
        for line in ("search", "random")
    ]


def random_of(table, **how):
    return lines(table, **how)[1]


@pytest.mark.parametrize("n", [1, 4, 7])
def test_the_best_of_a_draw_is_that_of_all_subsets(n):
    scores = np.sort(np.random.default_rng(n).normal(size=n).round(1))[::-1]
    for drawn in range(1, n + 1):
        best = np.array([max(subset) for subset in itertools.combinations(scores, drawn)])
        found = best_of(scores, drawn)
        assert found.point == pytest.approx(best.mean(), abs=1e-12)
        low, high = np.quantile(best, [0.025, 0.975], method="inverted_cdf")
        assert (found.low, found.high) == (low, high)


@pytest.mark.parametrize("drawn", [1, 40, 5000, 9999, 10_000])
def test_the_best_of_ten_thousand_is_that_of_order_statistics(drawn):
    rising, i = np.sort(np.random.default_rng(0).normal(size=10_000)), np.arange(1, 10_001)

    def log_choose(n, k):
        with np.errstate(invalid="ignore"):
            return np.where(n >= k, gammaln(n + 1) - gammaln(k + 1) - gammaln(np.maximum(n - k, 0) + 1), -np.inf)

    chances = np.exp(log_choose(i - 1, drawn - 1) - log_choose(np.array(10_000), drawn))
    at_most = np.exp(log_choose(i, drawn) - log_choose(np.array(10_000), drawn))
    found = best_of(rising[::-1], drawn)
    assert found.point == pytest.approx(chances @ rising, rel=1e-7)
    assert [found.low, found.high] == [rising[np.argmax(at_most >= share - 1e-9)] for share in (0.025, 0.975)]


def test_a_study_that_trains_all_is_one_draw_behind_its_proxies():
    own, random = lines(small([5.0, 4.0, 7.0, 6.0]))
    # The second is what it had at half of its 440 s.
    assert own[1:] == [(1, 140.0, 5.0), (3, 340.0, 7.0), (4, 440.0, 7.0)]
    assert own[0][:2] == (0, 40.0)
    assert np.isnan(own[0][2])
    assert [row[:2] for row in random] == [(1, 100.0), (2, 200.0), (3, 300.0), (4, 400.0)]
    assert [row[2] for row in random] == pytest.approx([5.5, 38 / 6, 6.75, 7.0])


def test_what_a_proxy_chose_is_trained_best_first_and_is_no_random_draw():
    table = small([5.0, None, 7.0, 6.0], proxy=[1.0, 0.0, 2.0, 3.0])
    assert lines(table, chooser="fixed_decoder")[0][1:] == [(1, 140.0, 6.0), (2, 240.0, 7.0), (3, 340.0, 7.0)]
    assert random_of(table) == []
    assert random_of(small([5.0, 4.0, 7.0, 6.0]))
    assert random_of(small([5.0, 4.0, 7.0, 6.0]), bias="sampled by TPE") == []


def test_rungs_come_before_what_is_trained_to_the_end():
    table = small([5.0, 4.0, 7.0, 6.0], proxy=[4.0, 3.0, 2.0, 1.0])
    rows = table.index[table["measure"] == "trained"]
    table.loc[rows[:2], "state"], table.loc[rows[:2], "score"] = "pruned", np.nan
    table.loc[rows[:2], "steps"], table.loc[rows[:2], "seconds"] = [50, 100], [12.5, 25.0]
    table.loc[rows, "curve"] = ["[[50, 1.0]]", "[[50, 2.0], [100, 2.0]]", "[[100, 3.0], [400, 7.0]]", "[[100, 4.0]]"]
    own, random = lines(table, chooser="fixed_decoder")
    # 40 s of proxies; 37.5 s of those stopped and 2 x 25 s up to step 100 of the others' 400; then 75 s each, the best
    # at step 100 first.
    assert own[1:] == [(1, 202.5, 6.0), (2, 277.5, 7.0)]
    assert own[0][:2] == (0, 40.0)
    assert random == []


def test_failed_trainings_cost_both():
    table = small([5.0, 4.0, 7.0, 6.0])
    table.loc[table["score"] == 4.0, ["state", "score"]] = ["failed", np.nan]
    own, random = lines(table)
    assert own[-1] == (3, 440.0, 7.0)
    assert random[-1] == (3, pytest.approx(400.0), 7.0)


def test_a_score_is_the_mean_over_seeds_once_all_are_trained():
    table = small([5.0, 4.0, 7.0, 6.0])
    again = table[table["measure"] == "trained"].assign(seed=1, score=[5.0, 8.0, 7.0, 6.0])
    both = pd.concat([table, again], ignore_index=True)
    assert lines(both)[0][-1] == (4, 840.0, 7.0)
    assert lines(both)[0][2] == (2, 440.0, 6.0)


def test_an_ensemble_took_no_time_and_unknown_seconds_give_no_line():
    table = small([5.0, 4.0, 7.0, 6.0])
    combined = table[table["measure"] != "trained"].assign(measure=f"{ENSEMBLE}ridge")
    assert lines(pd.concat([table, combined], ignore_index=True))[0][1:] == lines(table)[0][1:]
    table.loc[5, "seconds"] = np.nan
    assert lines(table) == [[], []]
    assert verdict(analyse(table, resamples=50)).search == ""


def test_lines_of_many_architectures_stay_short():
    own, random = lines(make_table(2000, proxies={"fixed_decoder": 1.0}))
    assert len(own) < 40
    assert len(random) < 50


def test_the_verdict_says_what_was_found_and_what_random_search_finds():
    table = small([5.0, 4.0, 7.0, 6.0])
    assert verdict(analyse(table, resamples=50)).search == (
        "The best of 4 trained has 7.00 dB, found after 5.7 min; all took 7.3 min of compute, of which proxies 40 s. "
        "With 50% of that compute the best of 1 trained was 5.00 dB; random search is expected to have 6.33 dB [5.00, "
        "7.00], the best of 2 of these 4."
    )
    table.loc[table["measure"] != "trained", "seconds"] = 1000.0
    assert "With 50% of that compute nothing was trained; random" in verdict(analyse(table, resamples=50)).search
    assert verdict(analyse(small([5.0, None, 7.0, 6.0]), resamples=50)).search.endswith(
        "cannot be told here, for not all architectures of a random sample were trained to the end."
    )
