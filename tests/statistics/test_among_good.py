import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import ndcg_score
from tables import make_table

from randsearch.statistics import agreement
from randsearch.statistics.among_good import best_of, ndcg, precision
from randsearch.statistics.ceiling import spearman_brown
from randsearch.statistics.interval import resample_counts


def drawn(values, counts):
    return np.repeat(values, counts)


@pytest.mark.parametrize("levels", [4, 1000])
def test_of_resamples_they_are_those_of_the_drawn_arrays(levels):
    rng = np.random.default_rng(levels)
    x, y = rng.integers(levels, size=23).astype(float), rng.integers(levels, size=23).astype(float)
    counts = resample_counts(23, 40, rng)
    gained, good = ndcg(x, y, counts), precision(x, y, counts)
    for row, times in enumerate(counts):
        a, b = drawn(x, times), drawn(y, times)
        assert gained[row] == pytest.approx(ndcg_score([b - b.min()], [a], k=10), rel=1e-5)
        best = b >= np.sort(b)[-best_of(0.25, len(b))]
        # Of ties any order is as likely: each of them is among the first 10 as often.
        share = [np.clip(10 - (a > each).sum(), 0, (a == each).sum()) / (a == each).sum() for each in a]
        assert good[row] == pytest.approx((best * share).sum() / 10, rel=1e-5)


def test_bounds():
    y = np.arange(40.0)
    whole = np.ones((1, 40), dtype=np.uint8)
    assert (ndcg(y, y, whole)[0], precision(y, y, whole)[0]) == (pytest.approx(1), 1)
    assert precision(-y, y, whole)[0] == 0
    assert np.isnan(ndcg(y, np.ones(40), whole)[0])
    assert [best_of(0.25, n) for n in (4, 5, 40)] == [1, 2, 10]
    assert best_of(0.1, 30) == 3


def test_rows_hold_them_with_intervals_and_what_a_proxy_agrees_with_itself():
    table = make_table(40, proxies={"good": 1.5, "noise": 60.0}, seeds=(0, 1))
    rng = np.random.default_rng(0)
    for name, scale in (("good", 1.0), ("noise", 80.0)):
        own = table["measure"] == name
        table.loc[own, "score"] += rng.normal(scale=scale, size=own.sum())
    rows = agreement(table, resamples=200).set_index("proxy")
    good, noise = rows.loc["good"], rows.loc["noise"]
    for column in ("top_quarter", "ndcg_10", "precision_10", "recall_10", "reliability"):
        assert good[f"{column}_low"] <= good[column] <= good[f"{column}_high"]
        assert noise[column] < good[column]
    for column in ("regret_3", "regret_10"):
        assert 0 <= good[f"{column}_low"] <= good[column] <= noise[column]
    assert good["bound"] > 0.7
    assert noise["bound"] < good["bound"]
    wide = table[table["measure"] == "noise"].pivot(index="architecture", columns="seed", values="score")
    assert noise["reliability"] == pytest.approx(stats.spearmanr(wide[0], wide[1]).statistic)
    few = agreement(make_table(9), resamples=50).iloc[0]
    assert few[["top_tenth", "ndcg_10", "recall_10", "reliability", "bound"]].isna().all()


def test_bound_is_unknown_of_a_constant_and_0_of_what_or_against_what_is_noise():
    rng = np.random.default_rng(5)
    table = make_table(40, proxies={"good": 0.5, "constant": 0.0, "opposed": 1.0}, seeds=(0, 1))
    for name in ("good", "opposed"):
        own = table["measure"] == name
        table.loc[own, "score"] += rng.normal(scale=0.5, size=own.sum())
    table.loc[table["measure"] == "constant", "score"] = 1.0
    opposed = (table["measure"] == "opposed") & (table["seed"] == 1)
    table.loc[opposed, "score"] *= -1
    bounds = agreement(table, resamples=50).set_index("proxy")["bound"]
    assert np.isnan(bounds["constant"])
    assert bounds["opposed"] == 0 < bounds["good"]
    table.loc[(table["measure"] == "trained") & (table["seed"] == 1), "score"] *= -1
    assert agreement(table, resamples=50).set_index("proxy")["bound"]["good"] == 0


def test_bound_counts_the_seeds_that_did_not_fail():
    rng = np.random.default_rng(6)
    table = make_table(40, proxies={"ragged": 0.5}, seeds=(0, 1, 2))
    own = table["measure"] == "ragged"
    table.loc[own, "score"] += rng.normal(size=own.sum())
    whole = agreement(table, resamples=50).iloc[0]
    lost = own & (table["seed"] == 2) & (table["architecture"].rank(method="dense") % 2 == 0)
    table.loc[lost, ["score", "state"]] = [np.nan, "failed"]
    row = agreement(table, resamples=50).iloc[0]
    assert row["bound"] / whole["ceiling"] == pytest.approx(
        np.sqrt(spearman_brown(np.array(row["reliability"]), 1 / np.mean([1 / 2, 1 / 3])))
    )


def test_precision_is_of_no_use_where_a_quarter_is_fewer_than_10():
    assert np.isnan(agreement(make_table(36), resamples=50)["precision_10"].iloc[0])
    assert not np.isnan(agreement(make_table(37), resamples=50)["precision_10"].iloc[0])
