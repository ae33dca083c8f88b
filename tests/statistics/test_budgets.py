"""Scores at smaller budgets: exactly those of a run that had been stopped there."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from tables import make_table

from randsearch.plots import quality_cost
from randsearch.statistics import agreement
from randsearch.statistics.budgets import at_budgets, base, budgets
from randsearch.table.tidy import measure_names, read_measurements, scores

CURVES = [[[10, 1.0], [20, 3.0], [30, 2.0]], [[10, 2.0], [20, 1.0], [30, 4.0]], [[10, 0.0], [20, 0.5], [25, 0.7]]]


def table_with_curves(measure: str = "fixed_decoder") -> pd.DataFrame:
    table = make_table(3, proxies={measure: 1.0})
    rows = table["measure"] == measure
    table.loc[rows, "curve"] = [json.dumps(curve) for curve in CURVES]
    table.loc[rows, "steps"] = [curve[-1][0] for curve in CURVES]
    table.loc[rows, "score"] = [max(value for _, value in curve) for curve in CURVES]
    return table


def test_each_budget_has_the_best_up_to_it_and_its_share_of_the_cost():
    table = table_with_curves()
    found = at_budgets(table)
    # 25 is the third run's full budget, 30 the others': neither is a smaller budget of all.
    assert measure_names(found) == ["trained", "fixed_decoder", "fixed_decoder@10", "fixed_decoder@20"]
    pd.testing.assert_frame_equal(found.iloc[: len(table)], table)
    assert scores(found, "fixed_decoder@10")[0].tolist() == [1.0, 2.0, 0.0]
    assert scores(found, "fixed_decoder@20")[0].tolist() == [3.0, 2.0, 0.5]
    full, part = (found[found["measure"] == name] for name in ("fixed_decoder", "fixed_decoder@20"))
    share = 20 / full["steps"].to_numpy()
    for column in ("seconds", "multiply_adds", "validation_seconds", "data_seconds"):
        np.testing.assert_allclose(part[column], full[column] * share)
    assert part["steps"].tolist() == [20] * 3
    assert json.loads(part["curve"].iloc[0]) == CURVES[0][:2]


def test_a_running_sum_counts_where_it_stands():
    found = at_budgets(table_with_curves("sotl"))
    assert scores(found, "sotl@20")[0].tolist() == [3.0, 1.0, 0.5]


def test_what_failed_failed_at_every_budget():
    table = table_with_curves()
    row = table.index[table["measure"] == "fixed_decoder"][1]
    table.loc[row, ["score", "state", "reason", "curve"]] = [np.nan, "failed", "diverged", "[]"]
    found = at_budgets(table)
    failed = found[found["state"] == "failed"]
    assert failed["measure"].tolist() == ["fixed_decoder", "fixed_decoder@10", "fixed_decoder@20"]
    assert set(failed["reason"]) == {"diverged"}
    assert scores(found, "fixed_decoder@10")[0].isna().tolist() == [False, True, False]


def test_neither_the_target_nor_measures_without_a_curve_have_budgets():
    table = make_table(4)
    assert {base(measure) for measure in measure_names(at_budgets(table)) if "@" in measure} == {
        *("fixed_decoder", "fixed_encoder", "early")
    }
    assert budgets(table[table["measure"] == "params"]) == []


@pytest.mark.parametrize(
    ("measure", "expected"), [("early@50", "early"), ("early", "early"), ("my@home:f", "my@home:f"), ("@5", "@5")]
)
def test_the_measure_of_a_budget(measure, expected):
    assert base(measure) == expected


def test_a_line_leads_to_each_proxy_through_its_budgets():
    table = table_with_curves()
    result = agreement(table, resamples=20)
    (axes,) = quality_cost(table, result).axes
    (line,) = [line for line in axes.lines if line.get_marker() == "."]
    finer = agreement(at_budgets(table), resamples=20).set_index("proxy")
    names = ["fixed_decoder@10", "fixed_decoder@20", "fixed_decoder"]
    np.testing.assert_allclose(line.get_ydata(), finer.loc[names, "spearman"])
    np.testing.assert_allclose(line.get_xdata(), finer.loc[names, "relative_cost"], rtol=0.15)


def test_the_command_prints_each_budget_and_writes_them(run_cli, finished_study):
    answer = run_cli("analyse", finished_study.name, "--budgets", "--results", finished_study.parent)
    assert answer.code == 0, answer.err
    rows = pd.read_csv(finished_study / "budgets.csv")
    stopped = [name for name in rows["proxy"] if "@" in name]
    assert {base(name) for name in stopped} == set(rows["proxy"]) - set(stopped)
    assert "fixed_decoder@2" in stopped
    assert all(name in answer.out for name in rows["proxy"])
    table = read_measurements(finished_study / "measurements.csv")
    curve = json.loads(table.loc[table["measure"] == "fixed_decoder", "curve"].iloc[0])
    assert scores(at_budgets(table), "fixed_decoder@2").iloc[0, 0] == dict(map(tuple, curve))[2]
    # What there is without budgets stays as it was.
    assert not pd.read_csv(finished_study / "agreement.csv")["proxy"].str.contains("@").any()


def test_a_run_whose_rate_decayed_has_no_budget_but_its_own():
    constant = pd.DataFrame({"state": ["complete"], "steps": [4], "curve": ["[[2, 1.0], [4, 2.0]]"]})
    assert budgets(constant) == budgets(constant.assign(schedule="constant")) == [2]
    assert budgets(constant.assign(schedule="cosine")) == []
