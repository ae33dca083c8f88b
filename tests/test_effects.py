import numpy as np
import pandas as pd
import pytest

from randsearch.effects import COLUMNS, effects, format_effects
from randsearch.table import LEADING, TRAILING


def study(number: int, *, noise: float = 0.0) -> pd.DataFrame:
    """Networks whose training gains 2 dB from `skips`, and whose proxy sees only half of it."""
    random = np.random.default_rng(0)
    rows = []
    for index in range(number):
        skips, kernel = bool(random.integers(2)), int(random.choice([3, 5, 9]))
        for measure, gain in (("trained", 2.0), ("cheap", 1.0)):
            row = dict.fromkeys(LEADING + TRAILING, 0)
            row |= {
                "architecture": f"{index:012x}",
                "measure": measure,
                "state": "complete",
                "reason": "",
                "curve": "[]",
            }
            row |= {"score": 5.0 + gain * skips + noise * random.standard_normal(), "device": "cpu"}
            rows.append(row | {"levels": 3, "kernel": kernel, "skips": skips})
    return pd.DataFrame(rows)[[*LEADING, "levels", "kernel", "skips", *TRAILING]]


def test_an_effect_is_the_difference_of_means() -> None:
    table = study(40)
    row = effects(table, "cheap").set_index(["option", "value"]).loc[("skips", False)]
    assert row["trained"] == pytest.approx(-2.0)
    assert row["proxy"] == pytest.approx(-1.0)
    assert row["n"] == (~table[table.measure == "trained"]["skips"]).sum()


def test_intervals_cover_what_is_there_and_what_is_not() -> None:
    rows = effects(study(200, noise=0.5), "cheap").set_index(["option", "value"])
    skips = rows.loc[("skips", False)]
    assert skips["trained_low"] < -2.0 < skips["trained_high"] < 0
    assert skips["trained_high"] < skips["proxy_low"]  # what the proxy misjudges shows
    kernels = rows.loc["kernel"]
    assert (kernels["trained_low"] < 0).all()
    assert (kernels["trained_high"] > 0).all()


def test_options_that_do_not_vary_and_rare_values_are_left_out() -> None:
    found = effects(study(40), "cheap")
    assert set(found["option"]) == {"kernel", "skips"}
    assert list(found[found["option"] == "kernel"]["value"]) == [3, 5, 9]
    few = effects(study(4), "cheap")
    assert list(few.columns) == list(COLUMNS)
    assert few.empty


def test_nothing_is_said_without_scores_on_both_sides() -> None:
    table = study(20)
    assert effects(table[table.measure == "trained"], "cheap").empty


def test_the_printed_table_shows_both_sides_of_each_row() -> None:
    view = format_effects(effects(study(40), "cheap"), "cheap")
    assert [column.header for column in view.columns] == ["option", "value", "n", "trained", "cheap"]
    assert view.row_count == 4
