"""Extrapolated curves: they find the limit of a power law, tell crossing curves apart, and do not explode on noise."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
from scipy.optimize import curve_fit
from scipy.stats import spearmanr
from tables import make_table

from randsearch.statistics import analyse
from randsearch.statistics.extrapolation import extrapolated, reached
from randsearch.table.tidy import measure_names, scores

STEPS = np.arange(50.0, 501.0, 50.0)


def power_laws(n: int, *, noise: float = 0.0, exponent: float = 0.5) -> tuple[list[np.ndarray], np.ndarray]:
    """Curves that cross, for what rises most from below ends highest, and their values at step 5,000."""
    rng = np.random.default_rng(0)
    slope = rng.uniform(5, 60, size=n)
    limit = 5 + 0.05 * slope + 0.3 * rng.normal(size=n)
    values = limit[:, None] - slope[:, None] * STEPS**-exponent
    curves = [np.column_stack([STEPS, value + noise * rng.normal(size=len(STEPS))]) for value in values]
    return curves, limit - slope * 5000.0**-exponent


def table_with(curves: list[np.ndarray]) -> pd.DataFrame:
    table = make_table(len(curves), proxies={"early": 1.0, "params": 1.0})
    early = table["measure"] == "early"
    table.loc[early, "curve"] = [json.dumps(curve.tolist()) for curve in curves]
    table.loc[early, "steps"] = [int(curve[-1, 0]) for curve in curves]
    table.loc[early, "score"] = [curve[:, 1].max() for curve in curves]
    table.loc[table["measure"] == "trained", "steps"] = 5000
    return table


def test_a_power_law_is_carried_on_to_its_value_as_by_scipy():
    curves, truth = power_laws(12)
    found = reached(curves, 5000)
    np.testing.assert_allclose(found, truth, atol=0.1)

    def law(t, limit, slope, exponent):
        return limit - slope * t**-exponent

    for curve, value in zip(curves[:3], found, strict=False):
        fitted, _ = curve_fit(law, *curve.T, p0=(5, 10, 0.4), maxfev=5000)
        assert abs(law(5000.0, *fitted) - value) < 0.1


def test_curves_that_cross_are_ranked_better_than_by_their_last_points():
    curves, truth = power_laws(30, noise=0.02)
    last = spearmanr([curve[-1, 1] for curve in curves], truth).statistic
    assert spearmanr(reached(curves, 5000), truth).statistic > max(last, 0) + 0.3


def test_noise_stays_where_it_is():
    rng = np.random.default_rng(0)
    curves = [np.column_stack([STEPS, rng.normal(size=len(STEPS))]) for _ in range(30)]
    highest = np.array([curve[:, 1].max() for curve in curves])
    found = reached(curves, 1_000_000)
    assert (found >= highest).all()
    assert (found < highest + 4).all()
    flat = np.column_stack([STEPS, np.zeros(len(STEPS))])
    assert reached([flat], 5000).tolist() == [0.0]


def test_curves_may_end_at_different_steps():
    curves, truth = power_laws(12)
    np.testing.assert_allclose(reached([curve[: 6 + i % 5] for i, curve in enumerate(curves)], 5000), truth, atol=0.1)


def test_it_stands_in_the_table_at_the_cost_of_its_curve_and_costs_nothing_twice():
    curves, _ = power_laws(12)
    table = table_with(curves)
    failed = (table["measure"] == "early") & (table["architecture"] == table["architecture"].iloc[0])
    table.loc[failed, ["score", "state", "reason", "curve"]] = [np.nan, "failed", "diverged", "[]"]
    found = extrapolated(table)
    assert found.untold is None
    assert measure_names(found.table) == [*measure_names(table), "early^trained"]
    np.testing.assert_allclose(scores(found.table, "early^trained")[0].dropna(), reached(curves[1:], 5000))
    own, new = (found.table[found.table["measure"] == name] for name in ("early", "early^trained"))
    assert sorted(new["seconds"]) == sorted(own["seconds"])
    assert (new["state"] == "failed").sum() == 1
    before, after = (analyse(each, resamples=20) for each in (table, found.table))
    pd.testing.assert_frame_equal(before.best_so_far, after.best_so_far)
    assert after.rows.set_index("proxy").loc["early^trained", "n"] == 11


def test_trained_scores_do_not_matter():
    table = table_with(power_laws(12)[0])
    other = table.copy()
    other.loc[other["measure"] == "trained", "score"] *= -1
    first, second = (scores(extrapolated(each).table, "early^trained") for each in (table, other))
    pd.testing.assert_frame_equal(first, second)


def test_short_and_annealed_curves_are_left_out():
    curves = [curve[:3] for curve in power_laws(12)[0]]
    found = extrapolated(table_with(curves))
    assert "early^trained" not in measure_names(found.table)
    assert found.untold is not None
    assert "fewer than 4 validations: early (--validate-every)" in found.untold
    annealed = table_with(power_laws(12)[0]).assign(schedule="cosine")
    assert measure_names(extrapolated(annealed).table) == measure_names(annealed)
