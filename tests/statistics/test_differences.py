import numpy as np
import pytest
from scipy import stats
from tables import make_table

from randsearch.statistics import analyse
from randsearch.statistics.differences import best_trivial, wanted_pairs
from randsearch.table.tidy import means


def differences(found):
    return {(difference.proxy, difference.other): difference for difference in found.differences}


def test_pairs_are_those_that_matter():
    points = {"params": 0.2, "macs": 0.6, "receptive_field": np.nan, "fixed_decoder": 0.9}
    assert best_trivial(points) == "macs"
    assert best_trivial({"params": np.nan}) is None
    assert wanted_pairs(["params", "fixed_decoder", "fixed_encoder"], {}) == [("fixed_decoder", "fixed_encoder")]
    pairs = wanted_pairs(["params", "macs", "early", "fixed_decoder"], points)
    assert pairs == [
        *(("params", "macs"), ("params", "early"), ("macs", "early")),
        *(("early", "macs"), ("fixed_decoder", "macs"), ("fixed_decoder", "early")),
    ]


def test_a_difference_is_paired_on_the_architectures_of_both():
    table = make_table(16, failed=[(2, "early"), (5, "fixed_decoder")])
    found = differences(analyse(table, resamples=300))[("fixed_decoder", "early")]
    both = means(table)[["fixed_decoder", "early", "trained"]].dropna()
    rho = [stats.spearmanr(both[name], both["trained"]).statistic for name in ("fixed_decoder", "early")]
    assert found.n == 14
    assert found.spearman.point == pytest.approx(rho[0] - rho[1])
    assert found.spearman.low < found.spearman.point < found.spearman.high


def test_a_difference_of_what_is_alike_is_zero_and_narrower_than_its_parts():
    table = make_table(40, proxies={"fixed_decoder": 0.6, "early": 0.6})
    early = table["measure"] == "early"
    table.loc[early, "score"] = table.loc[table["measure"] == "fixed_decoder", "score"].to_numpy()
    table.loc[early, "score"] += 0.02 * np.random.default_rng(0).normal(size=40)
    found = analyse(table, resamples=400)
    difference = differences(found)[("fixed_decoder", "early")].spearman
    row = found.rows.set_index("proxy").loc["early"]
    assert difference.low <= 0 <= difference.high
    assert difference.high - difference.low < 0.3 * (row["spearman_high"] - row["spearman_low"])


def test_gaps_are_mean_differences_of_scores():
    table = make_table(20, failed=[(1, "fixed_encoder")])
    gaps = {(gap.measure, gap.other): gap for gap in analyse(table, resamples=400).gaps}
    both = means(table)[["fixed_decoder", "fixed_encoder"]].dropna()
    gap = gaps[("fixed_decoder", "fixed_encoder")]
    ahead = both["fixed_decoder"] - both["fixed_encoder"]
    assert (gap.n, gap.ahead) == (19, int((ahead > 0).sum()))
    assert gap.mean.point == pytest.approx(ahead.mean(), abs=1e-5)
    assert gap.mean.low < ahead.mean() < gap.mean.high
    kept = gaps[("fixed_decoder", "trained")].gain_kept
    wide = means(table)
    assert kept.point == pytest.approx((wide["fixed_decoder"].mean() - 3.1) / (wide["trained"].mean() - 3.1), abs=1e-4)
