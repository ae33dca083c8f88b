import numpy as np
import pandas as pd
import pytest
from scipy import stats
from tables import make_table

from randsearch.statistics import EFFECT_COLUMNS, analyse, effects_frame, format_effects, write_effects
from randsearch.table.tidy import LEADING, TRAILING, means


def study(number: int, *, noise: float = 0.0) -> pd.DataFrame:
    """Networks whose training gains 2 dB from `skips`, and whose proxy sees only half of it."""
    random = np.random.default_rng(0)
    rows = []
    for index in range(number):
        skips, kernel = bool(random.integers(2)), int(random.choice([3, 5, 9]))
        for measure, gain in (("trained", 2.0), ("cheap", 1.0)):
            row = dict.fromkeys(LEADING + TRAILING, 0)
            row |= {"architecture": f"{index:012x}", "measure": measure, "state": "complete", "reason": ""}
            row |= {"score": 5.0 + gain * skips + noise * random.standard_normal(), "curve": "[]", "device": "cpu"}
            rows.append(row | {"levels": 3, "kernel": kernel, "skips": skips})
    return pd.DataFrame(rows)[[*LEADING, "levels", "kernel", "skips", *TRAILING]]


def by_name(table: pd.DataFrame, resamples: int = 500):
    return {(e.parameter, e.value): e for e in analyse(table, resamples=resamples).effects}


def test_effects_find_the_parameter_that_the_proxy_misjudges():
    rng = np.random.default_rng(77)
    table = make_table(80, proxies={"fixed_decoder": 0.2})
    deep = table["levels"] >= 5
    table.loc[deep & (table["measure"] == "fixed_decoder"), "score"] += 4
    table["noise"] = rng.normal(size=80)[table.groupby("architecture", sort=False).ngroup()]
    found = {(e.parameter, e.value): e for e in analyse(table, resamples=500).effects}
    levels = found[("levels", "")]
    assert levels.misjudged.point == pytest.approx(levels.by_proxy.point - levels.trained.point)
    assert levels.misjudged.low > 0
    assert levels.sure
    assert not found[("noise", "")].sure
    assert ("gated", "True") in found
    assert ("gated", "False") not in found
    assert {value for parameter, value in found if parameter == "skips"} == {f"{i:03b}" for i in range(8)}


def test_the_effect_of_having_a_value_is_a_difference_of_mean_places():
    table = make_table(20)
    found = next(e for e in analyse(table, resamples=50).effects if (e.proxy, e.parameter) == ("early", "gated"))
    wide = means(table)
    place = (stats.rankdata(wide["trained"]) - 1) / 19
    gated = table.drop_duplicates("architecture")["gated"].to_numpy()
    assert found.trained.point == pytest.approx(place[gated].mean() - place[~gated].mean(), abs=1e-6)


def test_the_effect_on_a_score_is_a_difference_of_means_in_its_unit():
    table = study(40)
    found = by_name(table)[("skips", "True")]
    assert found.trained_score.point == pytest.approx(2.0, abs=1e-5)
    assert found.proxy_score.point == pytest.approx(1.0, abs=1e-5)
    assert found.n == 40
    assert found.having == table.loc[table["measure"] == "trained", "skips"].sum()
    table.loc[table["measure"] == "cheap", "score"] = 1e7 + 1e-2 * table["score"]
    assert by_name(table)[("skips", "True")].proxy_score.point == pytest.approx(0.01, abs=1e-6)


def test_intervals_cover_what_is_there_and_what_is_not():
    found = by_name(study(200, noise=0.5))
    skips = found[("skips", "True")]
    assert 0 < skips.trained_score.low < 2 < skips.trained_score.high
    assert skips.proxy_score.high < skips.trained_score.low  # what the proxy misjudges shows
    kernel = found[("kernel", "")]
    assert kernel.trained_score.low < 0 < kernel.trained_score.high
    assert kernel.trained.low < 0 < kernel.trained.high


def test_parameters_that_do_not_vary_and_rare_values_are_left_out():
    table = study(40)
    assert set(by_name(table)) == {("kernel", ""), ("skips", "True")}
    rare = [f"{number:012x}" for number in range(2)]
    table["extra"] = np.where(table["architecture"].isin(rare), "rare", "common")
    assert ("extra", "rare") not in by_name(table)


def test_nothing_is_said_of_fewer_than_five():
    assert by_name(study(4)) == {}
    frame = effects_frame(())
    assert frame.empty
    assert tuple(frame.columns) == EFFECT_COLUMNS
    assert format_effects((), "trained", "cheap") is None


def test_effects_are_written_for_all_proxies_and_printed_for_one(tmp_path):
    found = analyse(make_table(20), resamples=50)
    write_effects(found.effects, tmp_path)
    read = pd.read_csv(tmp_path / "effects.csv", dtype={"value": str}, keep_default_na=False)
    assert tuple(read.columns) == EFFECT_COLUMNS
    assert set(read["proxy"]) == set(found.rows["proxy"])
    view = format_effects(found.effects, "trained", "early")
    assert [column.header for column in view.columns] == ["option", "value", "n", "trained", "early", ""]
    assert view.row_count == (read["proxy"] == "early").sum()
