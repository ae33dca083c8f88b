import json

import hypothesis
import hypothesis.strategies as st
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from rich.console import Console
from scipy import stats
from tables import make_table

from randsearch.base.errors import UserError
from randsearch.statistics import (
    COLUMNS,
    agreement,
    analyse,
    format_agreement,
    headline,
    notes,
    verdict,
    write_agreement,
)
from randsearch.statistics import settings as settings_of
from randsearch.statistics.interval import Draws, bca_interval
from randsearch.statistics.output import without_nan
from randsearch.statistics.permutation import holm
from randsearch.table.tidy import means, scores

FORMER = (
    *("proxy", "n", "failed", "spearman", "spearman_low", "spearman_high", "kendall", "kendall_low", "kendall_high"),
    *("pearson", "p_value", "top3_overlap", "regret_db", "relative_cost"),
)


def scipy_correlations(x, y):
    if len(set(x)) < 2 or len(set(y)) < 2:
        return [np.nan] * 4
    return [f(x, y).statistic for f in (stats.spearmanr, stats.kendalltau, stats.pearsonr, stats.weightedtau)]


def by_proxy(result):
    return result.set_index("proxy")


def looked_up(wide, table):
    return [wide.at[a, m] for a, m in zip(table["architecture"], table["measure"], strict=True)]


def printed(result, width=80):
    console = Console(width=width, record=True, file=open("/dev/null", "w"))  # noqa: PTH123, SIM115
    console.print(format_agreement(result))
    return console.export_text()


def test_rows_equal_scipy_and_a_naive_bootstrap():
    table = make_table(15, failed=[(3, "early")])
    result = agreement(table, resamples=120, seed=7)
    assert tuple(result.columns) == COLUMNS
    assert COLUMNS[: len(FORMER)] == FORMER
    assert result["spearman"].is_monotonic_decreasing
    counts = Draws.of(15, 120, np.random.default_rng(7)).counts.astype(int)
    wide = means(table)
    for proxy, row in by_proxy(result).iterrows():
        names = ["spearman", "kendall", "pearson", "weighted_tau"]
        both = wide[["trained", proxy]].dropna().to_numpy()
        np.testing.assert_allclose(row[names].tolist(), scipy_correlations(*both.T))
        draws = [wide[["trained", proxy]].iloc[np.repeat(np.arange(15), c)].dropna().to_numpy() for c in counts]
        naive = np.array([scipy_correlations(*draw.T) for draw in draws])
        scored = wide[proxy].notna().to_numpy()
        for i, name in enumerate(names):
            without_one, resampled = naive[1:16, i][scored], naive[16:, i]
            expected = bca_interval(naive[0, i], resampled, without_one)
            ends = np.quantile(resampled, [0.025, 0.975]) if name == "kendall" else [expected.low, expected.high]
            np.testing.assert_allclose(row[[f"{name}_low", f"{name}_high"]].tolist(), ends)
    assert by_proxy(result).loc["early", ["n", "failed"]].tolist() == [14, 1]
    np.testing.assert_allclose(result["p_holm"], holm(result["p_value"]))


def test_a_row_does_not_depend_on_which_other_proxies_there_are():
    table = make_table(12, seeds=(0, 1, 2), seed_noise=0.3)
    alone = agreement(table[table["measure"].isin(["trained", "early"])], resamples=200)
    together = by_proxy(agreement(table, resamples=200)).loc["early"]
    # The correction for the number of proxies is the one thing that does.
    pd.testing.assert_series_equal(
        alone.set_index("proxy").loc["early"].drop(["p_holm", "partial", "partial_low", "partial_high"]),
        together.drop(["p_holm", "partial", "partial_low", "partial_high"]),
    )


@pytest.mark.parametrize("seeds", [1, 2, 3])
def test_seeds_are_averaged_and_go_with_their_architecture(seeds):
    table = make_table(20, seeds=range(seeds), seed_noise=1.0)
    result = by_proxy(agreement(table, resamples=200))
    x, y = (scores(table, measure).mean(axis=1) for measure in ("early", "trained"))
    assert result.loc["early", "spearman"] == pytest.approx(stats.spearmanr(x, y).statistic)
    # The means as if they were single scores: the same intervals, for architectures alone are drawn.
    averaged = table[table["seed"] == 0].copy()
    averaged["score"] = looked_up(means(table), averaged)
    columns = ["spearman_low", "spearman_high", "kendall_low", "pearson_high"]
    np.testing.assert_allclose(by_proxy(agreement(averaged, resamples=200))[columns], result[columns])
    said = " ".join(notes(agreement(table, resamples=50)))
    assert ("one seed of trained: no noise ceiling" if seeds == 1 else f"means over {seeds} seeds") in said


def test_seeds_without_noise_change_no_interval():
    once, thrice = make_table(12), make_table(12, seeds=(0, 1, 2))
    thrice = thrice.assign(score=looked_up(means(once), thrice))
    columns = ["spearman", "spearman_low", "spearman_high", "kendall_low", "pearson_high", "regret_db"]
    a, b = (agreement(table, resamples=400)[columns] for table in (once, thrice))
    np.testing.assert_allclose(a, b)


def choice_table(proxy, trained):
    """Scores by hand of one proxy; None is a failure."""
    rows = [
        {"architecture": str(i), "measure": m, "seed": 0, "score": np.nan if s is None else s}
        for m, column in (("trained", trained), ("p", proxy))
        for i, s in enumerate(column)
    ]
    table = pd.DataFrame(rows)
    table["state"] = np.where(table["score"].isna(), "failed", "complete")
    return table.assign(seconds=np.where(table["measure"] == "p", 2.0, 10.0))


@pytest.mark.parametrize(
    ("proxy", "regret", "overlap"),
    [
        ([5, 4, 3, 2, 1], 0.0, 1.0),
        ([1, 5, 3, 2, 4], 1.0, 2 / 3),
        ([5, 5, 5, 1, 1], (0 + 1 + 3) / 3, 1.0),
        ([4, 4, 4, 4, 1], (0 + 1 + 3 + 6) / 4, 3 / 4),
        ([None, 4, 3, 2, 1], 1.0, 2 / 3),  # the best cannot be chosen where the proxy failed on it
    ],
)
def test_regret_and_overlap_are_expectations_over_ties(proxy, regret, overlap):
    row = agreement(choice_table(proxy, [10, 9, 7, 4, 0]), resamples=50).iloc[0]
    assert row["regret_db"] == pytest.approx(regret)
    assert row["top3_overlap"] == pytest.approx(overlap)
    assert row["relative_cost"] == pytest.approx(0.2)


def test_cost_is_the_seconds_of_all_seeds():
    table = choice_table([1, 2, 3], [1, 2, 3])
    again = table[table["measure"] == "p"].assign(seed=1, seconds=4.0)
    row = agreement(pd.concat([table, again]), resamples=50).iloc[0]
    assert row["relative_cost"] == pytest.approx((2 + 4) / 10)


@pytest.mark.parametrize("n", [0, 1, 2])
def test_fewer_than_three_architectures_give_no_coefficient(n):
    table = make_table(3)
    lost = table["architecture"].isin(table["architecture"].unique()[n:]) & (table["measure"] == "early")
    table.loc[lost, "score"] = np.nan
    table.loc[lost, "state"] = "failed"
    row = by_proxy(agreement(table, resamples=50)).loc["early"]
    assert row[["n", "failed"]].tolist() == [n, 3 - n]
    unknown = row[["spearman", "kendall_low", "pearson", "p_value", "top3_overlap", "regret_db"]]
    assert unknown.isna().all()
    assert "Too few" in headline(agreement(table, resamples=50), "early", "none")


@pytest.mark.parametrize("n", [3, 4])
def test_three_or_four_architectures_give_coefficients_without_interval(n):
    result = agreement(make_table(n), resamples=50)
    assert result["spearman"].notna().all()
    assert result[["spearman_low", "kendall_high", "pearson_low"]].isna().to_numpy().all()
    assert "too little for an interval" in headline(result)


def test_constant_scores_give_no_coefficient_and_come_last():
    table = make_table(8)
    table.loc[table["measure"] == "fixed_decoder", "score"] = 3.0
    result = agreement(table, resamples=50)
    row = result.iloc[-1]
    assert row["proxy"] == "fixed_decoder"
    assert row[["spearman", "kendall", "pearson", "p_value", "spearman_low"]].isna().all()
    assert row["regret_db"] > 0
    assert "the same score" in headline(result)


def test_a_score_that_is_nearly_constant_has_no_interval():
    result = agreement(choice_table([1, 0, 0, 0, 0, 0], range(6)), resamples=500)
    assert np.isfinite(result["spearman"].iloc[0])
    assert np.isnan(result["spearman_low"].iloc[0])


def test_a_table_without_the_target_is_refused():
    with pytest.raises(UserError, match="no measurement of 'museval'"):
        agreement(make_table(4), target="museval")


def test_no_resamples_are_refused():
    with pytest.raises(UserError, match="resamples should be at least 1, not 0"):
        agreement(make_table(4), resamples=0)


def test_a_table_without_proxies_gives_no_rows(tmp_path):
    result = agreement(make_table(4, proxies={}))
    assert len(result) == 0
    write_agreement(result, tmp_path)
    assert "Agreement with trained" in printed(result)
    assert "was not measured" in headline(result)


def test_written_files_hold_every_number_and_the_settings(tmp_path):
    result = agreement(make_table(4, failed=[(0, "early")]), resamples=50, seed=3, bias="sampled by TPE")
    write_agreement(result, tmp_path)
    read = pd.read_csv(tmp_path / "agreement.csv")
    pd.testing.assert_frame_equal(read, result, check_dtype=False)
    assert "verdict" not in json.loads((tmp_path / "agreement.json").read_text())
    document = json.loads((tmp_path / "agreement.json").read_text())
    assert document["settings"]["seed"] == 3
    assert document["settings"]["resamples"] == 50
    assert document["notes"][0] == "biased: sampled by TPE"
    assert [row["proxy"] for row in document["rows"]] == result["proxy"].tolist()
    assert document["rows"][0]["spearman_low"] is None
    assert document["rows"][0]["spearman"] == result["spearman"].iloc[0]


def test_bias_is_told_wherever_the_result_is_shown():
    result = agreement(make_table(6), resamples=50, bias="sampled by TPE")
    assert result["biased"].all()
    assert settings_of(result).bias == "sampled by TPE"
    for text in (printed(result), headline(result), " ".join(notes(result))):
        assert "biased: sampled by TPE" in text
    plain = agreement(make_table(6), resamples=50)
    assert not plain["biased"].any()
    assert "biased" not in printed(plain) + headline(plain)


def test_a_printed_row_fits_into_80_columns():
    result = agreement(make_table(24), resamples=200)
    line = next(line for line in printed(result).splitlines() if "fixed_decoder" in line)
    row = by_proxy(result).loc["fixed_decoder"]
    interval = f"{row['spearman']:.2f} [{row['spearman_low']:.2f}, {row['spearman_high']:.2f}]"
    assert interval in line
    assert "…" not in printed(result)


def test_headline_is_as_cautious_as_the_interval():
    strong = headline(agreement(make_table(24), resamples=200))
    assert "better than chance on 24 architectures" in strong
    assert "early, the equal-cost control, has" in strong
    weak = headline(agreement(make_table(24, proxies={"fixed_decoder": 50.0}), resamples=200))
    assert "cannot be told from a proxy without any agreement" in weak
    table = make_table(24)
    table.loc[table["measure"] == "fixed_decoder", "score"] *= -1
    assert "ranks against trained" in headline(agreement(table, resamples=200))


def test_written_files_of_an_analysis_hold_all_of_it(tmp_path):
    found = analyse(make_table(9, seeds=(0, 1), seed_noise=0.5), resamples=60, bias="sampled by TPE")
    write_agreement(found, tmp_path)
    document = json.loads((tmp_path / "agreement.json").read_text())
    assert set(document) == {
        *("settings", "notes", "rows", "verdict", "ceiling", "differences", "gaps", "effects", "curves", "budgets"),
        *("best_so_far", "claims"),
    }
    assert all(document.values())
    assert document["verdict"]["bias"] == "Biased: sampled by TPE."
    assert document["ceiling"]["reliability"]["point"] == found.ceiling.reliability.point
    assert len(document["curves"]) == len(found.curves)
    assert len(document["differences"]) == len(found.differences)
    pd.testing.assert_frame_equal(
        agreement(make_table(9, seeds=(0, 1), seed_noise=0.5), resamples=60), found.rows.assign(biased=False)
    )


@pytest.mark.parametrize("architectures", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("seeds", [1, 3])
def test_few_architectures_give_an_analysis_with_what_they_can_carry(architectures, seeds, tmp_path):
    table = make_table(architectures, seeds=range(seeds), seed_noise=0.3, failed=[(0, "early")])
    found = analyse(table, resamples=60)
    write_agreement(found, tmp_path)
    text = " ".join(verdict(found).sentences())
    assert "nan" not in text
    if architectures < 5:
        ends = [name for name in COLUMNS if name.endswith(("_low", "_high"))]
        assert found.rows[ends].isna().to_numpy().all()
        assert "better than chance" not in text
        assert found.effects == ()
    if architectures < 3:
        assert found.curves.empty
        assert "Too few architectures" in text


def test_perfect_agreement_has_no_interval_and_is_called_so():
    table = choice_table([1, 2, 3, 4, 5, 6], [1, 2, 3, 4, 5, 6])
    result = agreement(table, resamples=50)
    assert result["spearman"].iloc[0] == 1
    assert np.isnan(result["spearman_low"].iloc[0])
    assert "ranks exactly as trained on 6 architectures" in headline(result, "p")


def test_all_proxies_may_have_failed():
    table = choice_table([None] * 6, range(6)).assign(baseline=np.nan, steps=5)
    found = analyse(table, resamples=50)
    assert found.rows[["n", "failed"]].iloc[0].tolist() == [0, 6]
    assert "Too few architectures (0)" in verdict(found, "p").correlation


def test_a_target_that_was_trained_nowhere_gives_rows_without_numbers():
    table = choice_table([1, 2, 3], [None] * 3).assign(baseline=np.nan, steps=5)
    found = analyse(table, resamples=50)
    assert found.rows["n"].tolist() == [0]
    assert found.rows["spearman"].isna().all()


CELL = st.one_of(st.sampled_from([0.0, 1.0, 1.5, 4.0]), st.floats(-50, 50, width=16), st.none())


@hypothesis.settings(max_examples=60)
@hypothesis.example(pairs=[(0.0, 0.0)] * 5 + [(None, 0.0)] * 4, reverse=False)  # some resamples hold no scored one
@given(st.lists(st.tuples(CELL, CELL), min_size=1, max_size=12), st.booleans())
def test_ties_gaps_and_failures_give_numbers_of_their_own_pairs_or_none(pairs, reverse):
    proxy, target = map(list, zip(*pairs, strict=True))
    table = choice_table(proxy, target).assign(baseline=np.nan, steps=5)
    if reverse:
        table = table.iloc[::-1]
    found = analyse(table, resamples=40)
    row = found.rows.iloc[0]
    both = [(a, b) for a, b in pairs if a is not None and b is not None]
    assert row["n"] == len(both)
    assert row["failed"] == sum(a is None for a in proxy)
    x, y = (np.array(side) for side in zip(*both, strict=True)) if both else ([], [])
    if len(both) < 3 or len(set(x)) < 2 or len(set(y)) < 2:
        assert np.isnan(row["spearman"])
    else:
        assert row["spearman"] == pytest.approx(stats.spearmanr(x, y).statistic, abs=1e-6)
        assert row["kendall"] == pytest.approx(stats.kendalltau(x, y).statistic, abs=1e-6)
        assert 0 < row["p_value"] <= row["p_holm"] <= 1
    for name in ("spearman", "kendall", "pearson", "weighted_tau"):
        low, high = row[f"{name}_low"], row[f"{name}_high"]
        assert np.isnan(low) == np.isnan(high)
        assert np.isnan(low) or (len(both) >= 5 and -1 - 1e-6 <= low <= high <= 1 + 1e-6)
    assert "nan" not in " ".join(verdict(found, "p").sentences())
    json.dumps(without_nan(found.to_dict()), allow_nan=False)
