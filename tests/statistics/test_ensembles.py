"""Ensembles: no architecture predicts itself, what is useful is found, and nothing is made of noise."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.stats import spearmanr
from tables import make_table

from randsearch.statistics import agreement
from randsearch.statistics import ensembles as room
from randsearch.statistics.ensembles import ensemble, sentences, with_ensemble, write_ensemble
from randsearch.table.tidy import means, measure_names, scores, write_measurements

NAMES = ["ensemble_ridge", "ensemble_trees"]
COMPLEMENTS = {"a": 1.0, "b": 1.0, "c": 1.0, "noise": 30.0}


@pytest.fixture(autouse=True)
def _few_trees(monkeypatch):
    monkeypatch.setattr(room, "TREES", 12)


def rho(table: pd.DataFrame, found: room.Ensemble, name: str) -> float:
    truth = means(table)["trained"]
    return float(spearmanr(found.scores[name], truth.loc[found.scores.index]).statistic)


def test_it_is_better_than_each_of_proxies_that_err_independently():
    gains = []
    for seed in range(4):
        table = make_table(40, proxies=COMPLEMENTS, rng_seed=seed)
        found = ensemble(table)
        alone = max(abs(means(table)[name].corr(means(table)["trained"], "spearman")) for name in COMPLEMENTS)
        gains.append(rho(table, found, "ensemble_ridge") - alone)
    assert np.mean(gains) > 0.02


def test_of_noise_it_makes_nothing_in_either_direction():
    # Leaving out one's own target would correlate predictions negatively if they held the others' mean.
    found = []
    for seed in range(8):
        table = make_table(14, proxies={"noise": 50.0, "more": 50.0}, rng_seed=seed)
        combined = ensemble(table)
        found.append([rho(table, combined, name) for name in NAMES])
    assert (np.abs(np.mean(found, axis=0)) < 0.3).all(), found


def test_no_architecture_predicts_itself():
    """Whatever one architecture's trained score is, its own prediction stays the same."""
    table = make_table(12)
    before = ensemble(table).scores
    for place in (0, 7):
        name = before.index[place]
        other = table.copy()
        own = (other["architecture"] == name) & (other["measure"] == "trained")
        other.loc[own, "score"] += 100.0
        after = ensemble(other).scores
        if room.FOLDS >= 12:
            pd.testing.assert_series_equal(after.loc[name], before.loc[name])
        else:
            fold = next(fold for fold in room._folds(12, 0) if place in fold)
            pd.testing.assert_frame_equal(after.iloc[fold], before.iloc[fold])
        assert not np.allclose(after.drop(index=name), before.drop(index=name))


def test_it_depends_on_ranks_alone_among_what_it_is_fitted_on():
    table = make_table(20, proxies={"params": 0.5})
    stretched = table.copy()
    rows = stretched["measure"] == "params"
    # A monotone change of all scores; those left out are ranked by interpolation, which it may move a little.
    stretched.loc[rows, "score"] = np.log(stretched.loc[rows, "score"])
    first, second = ensemble(table).scores, ensemble(stretched).scores
    assert spearmanr(first["ensemble_ridge"], second["ensemble_ridge"]).statistic > 0.95


def test_it_tells_which_proxies_it_uses():
    table = make_table(40, proxies={"good": 0.3, "noise": 30.0})
    found = ensemble(table)
    assert list(found.importance.columns) == [*NAMES, "ridge_coefficient"]
    for column in found.importance:
        assert found.importance.loc["good", column] > 5 * abs(found.importance.loc["noise", column])
    assert sentences(found)[0].startswith("ensemble_ridge uses good (")


def test_a_proxy_that_failed_has_the_median_rank():
    ranks = room._Ranks(np.array([[1.0], [2.0], [5.0], [np.nan]]))
    found = ranks(np.array([[1.0], [2.0], [5.0], [np.nan], [3.5], [-9.0]]))[:, 0]
    top = 2 / 3 * 3**0.5
    np.testing.assert_allclose(found, [-top, 0, top, 0, top / 2, -top], atol=1e-12)
    table = make_table(14, failed=[(3, "early"), (4, "early")])
    assert not ensemble(table).scores.isna().any(axis=None)


def test_the_same_table_and_seed_give_the_same_ensemble():
    table = make_table(15)
    first, second, other = ensemble(table), ensemble(table), ensemble(table, seed=1)
    pd.testing.assert_frame_equal(first.scores, second.scores)
    pd.testing.assert_frame_equal(first.importance, second.importance)
    assert not first.scores.equals(other.scores)


@pytest.mark.parametrize(
    "table",
    [
        make_table(9),
        make_table(12, failed=[(i, "trained") for i in range(3)]),
        make_table(12, proxies={}),
        make_table(12).query("measure != 'trained'"),
    ],
)
def test_there_is_none_where_it_would_have_too_little(table):
    assert ensemble(table) is None
    pd.testing.assert_frame_equal(with_ensemble(table, None), table)


def test_it_stands_in_the_table_and_the_agreement_as_proxies_do(tmp_path):
    table = make_table(14, seeds=(0, 1), seed_noise=0.1, failed=[(2, "trained")])
    found = ensemble(table)
    wide = with_ensemble(table, found)
    assert measure_names(wide) == [*measure_names(table), *NAMES]
    pd.testing.assert_series_equal(
        scores(wide, "ensemble_ridge")[0].dropna(), found.scores["ensemble_ridge"], check_names=False
    )
    rows = wide[wide["measure"] == "ensemble_trees"]
    assert len(rows) == 13
    others = table[(table["measure"] != "trained") & (table["architecture"] == rows["architecture"].iloc[0])]
    assert rows["seconds"].iloc[0] == pytest.approx(others["seconds"].sum())
    write_measurements(wide, tmp_path / "measurements.csv")
    result = agreement(wide, resamples=50).set_index("proxy")
    assert result.loc[NAMES, "n"].tolist() == [13, 13]
    assert result.loc["ensemble_ridge", "spearman"] == pytest.approx(rho(table, found, "ensemble_ridge"))


def test_importance_is_written(tmp_path):
    found = ensemble(make_table(12))
    write_ensemble(found, tmp_path)
    read = pd.read_csv(tmp_path / "ensemble.csv", index_col="proxy")
    assert set(read.index) == set(found.importance.index)
    assert read["ensemble_ridge"].is_monotonic_decreasing


def test_options_tell_what_proxies_do_not_and_no_architecture_predicts_itself_by_them():
    table = make_table(40, proxies={"noise": 30.0})
    rows = table["measure"] == "trained"
    table.loc[rows, "score"] += 3.0 * (table.loc[rows, "skips"] == "101") + 2.0 * table.loc[rows, "levels"]
    found = ensemble(table, options=True)
    assert list(found.scores) == [*NAMES, room.OPTIONS]
    pd.testing.assert_frame_equal(found.scores[NAMES], ensemble(table).scores)
    assert rho(table, found, room.OPTIONS) > 0.8 > 0.4 > rho(table, found, "ensemble_ridge")
    assert len(sentences(found)) == 2
    seconds = with_ensemble(table, found).groupby("measure")["seconds"].sum()
    assert seconds[room.OPTIONS] == pytest.approx(seconds["noise"])
    other = table.copy()
    place = int(room._folds(40, 0)[0][0])
    other.loc[rows & (other["architecture"] == found.scores.index[place]), "score"] += 100.0
    assert ensemble(other, options=True).scores[room.OPTIONS].iloc[place] == found.scores[room.OPTIONS].iloc[place]


def test_options_that_do_not_differ_or_only_name_architectures_are_left_out():
    table = make_table(24).drop(columns=["levels", "filters", "skips", "gated"])
    table = table.assign(same=1, name=[f"net {name}" for name in table["architecture"]])
    assert list(ensemble(table, options=True).scores) == NAMES


def test_many_architectures_are_predicted_from_some_of_the_others(monkeypatch):
    table = make_table(60, proxies={"good": 0.3, "noise": 30.0})
    monkeypatch.setattr(room, "_ROWS", 1)
    monkeypatch.setattr(room, "MOST_FITTED", 60)
    whole = ensemble(table)
    monkeypatch.setattr(room, "MOST_FITTED", 20)
    monkeypatch.setattr(room, "MOST_TRIED", 3)
    part = ensemble(table)
    assert [len(fold.seen) for fold in room._dealt(np.zeros((60, 1)), np.arange(60.0), 0)] == [20] * room.FOLDS
    assert not part.scores.isna().any(axis=None)
    assert not part.scores.equals(whole.scores)
    assert rho(table, part, "ensemble_ridge") > 0.85
    assert part.importance.loc["good", "ensemble_trees"] > 5 * abs(part.importance.loc["noise", "ensemble_trees"])
