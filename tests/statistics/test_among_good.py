import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import ndcg_score
from tables import make_table

from randsearch.statistics import agreement
from randsearch.statistics.among_good import best_of, ndcg, precision
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
