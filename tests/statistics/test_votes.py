import numpy as np
import pytest
from tables import make_table

from randsearch.base.errors import UserError
from randsearch.statistics import analyse
from randsearch.statistics.votes import with_votes
from randsearch.table.tidy import means, scores
from randsearch.table.votes import parts_of

NAMES = ("params", "early")


def test_a_vote_is_the_mean_of_places_and_costs_the_sum():
    table = make_table(4, proxies={"params": 1.0, "early": 1.0})
    table.loc[table["measure"] == "params", "score"] = [1, 2, 3, 3]
    table.loc[table["measure"] == "early", "score"] = [9, 5, 7, 8]
    voted = with_votes(table, ["params+early"])
    vote = voted[voted["measure"] == "vote:params+early"]
    assert vote["score"].tolist() == pytest.approx(
        [(0 + 1) / 2, (1 / 3 + 0) / 2, (5 / 6 + 1 / 3) / 2, (5 / 6 + 2 / 3) / 2]
    )
    parts = table[table["measure"].isin(NAMES)].groupby("architecture", sort=False)["seconds"].sum()
    assert vote["seconds"].tolist() == parts.tolist()
    assert len(voted) == len(table) + 4
    assert with_votes(voted, ["vote:params+early"]) is voted


def test_a_vote_has_the_seeds_of_its_parts_and_fails_where_one_did():
    table = make_table(6, proxies={"early": 1.0, "params": 1.0}, seeds=(0, 3), failed=[(1, "early")])
    table = table[(table["measure"] != "params") | (table["seed"] == 0)]
    voted = with_votes(table, ["early+params"])
    own = voted[voted["measure"] == "vote:early+params"]
    assert scores(voted, "vote:early+params").columns.tolist() == [0, 3]
    lost = own[own["state"] == "failed"]
    failures = table[(table["measure"] == "early") & (table["state"] == "failed")]
    assert lost[["architecture", "seed"]].to_numpy().tolist() == failures[["architecture", "seed"]].to_numpy().tolist()
    assert set(lost["reason"]) == {"a part of the vote failed"}
    assert lost["score"].isna().all()
    # What was measured once is paid once, though it votes at both seeds.
    spent = table[~table["architecture"].isin(lost["architecture"]) & table["measure"].isin(NAMES)]["seconds"].sum()
    assert own["seconds"].sum() == pytest.approx(spent)


def test_what_a_part_did_not_measure_is_no_failure_of_a_vote():
    table = make_table(6, proxies={"early": 1.0, "params": 1.0}, seeds=(7,), failed=[(1, "early")])
    names = table["architecture"].unique()
    table = table[(table["measure"] != "params") | ~table["architecture"].isin(names[1:3])]
    own = with_votes(table, ["early+params"]).query("measure == 'vote:early+params'")
    assert own["architecture"].tolist() == [names[0], *names[3:]]
    assert set(own["state"]) == {"complete"}
    assert set(own["seed"]) == {7}


def test_what_adds_up_to_the_same_is_tied():
    table = make_table(12, proxies={"a": 1.0, "b": 1.0, "c": 1.0})
    ranks = means(table)[["a", "b", "c"]].rank().sum(axis=1)
    voted = means(with_votes(table, ["a+b+c", "c+b+a"]))
    assert [name for name in voted if "+" in name] == ["vote:a+b+c"]
    assert voted["vote:a+b+c"].nunique() == ranks.nunique() < 12
    assert (voted["vote:a+b+c"].rank() == ranks.rank()).all()


def test_parts_without_a_common_seed_are_refused():
    table = make_table(5, proxies={"a": 1.0, "b": 1.0}, seeds=range(4))
    apart = table[(table["measure"] == "a") == (table["seed"] < 2)]
    with pytest.raises(UserError, match=r"vote:a\+b: its parts have no seed in common"):
        with_votes(apart, ["a+b"])


def test_it_is_compared_as_proxies_are_and_better_than_parts_that_err_independently():
    voted = with_votes(make_table(60, proxies={"a": 1.5, "b": 1.5, "c": 1.5}), ["a+b+c"])
    found = analyse(voted, resamples=100).rows.set_index("proxy")["spearman"]
    assert found["vote:a+b+c"] > found[["a", "b", "c"]].max()
    assert analyse(voted, resamples=50).best_so_far["seconds"].iloc[0] == pytest.approx(
        analyse(voted[voted["measure"] != "vote:a+b+c"], resamples=50).best_so_far["seconds"].iloc[0]
    )


@pytest.mark.parametrize(
    ("vote", "said"),
    [
        ("params", "a vote needs two proxies or more"),
        ("params+", "a vote needs two proxies or more"),
        ("params+params", "params is named twice"),
        ("params+zen", "there is no proxy zen in the table: choose from params, early"),
        ("params+trained", "there is no proxy trained in the table"),
        ("params+ensemble_ridge", "ensemble_ridge learned from trained: choose from params, early"),
    ],
)
def test_what_is_no_vote_is_said(vote, said):
    with pytest.raises(UserError, match=said):
        with_votes(make_table(4, proxies={"params": 1.0, "early": 1.0}), [vote])


def test_a_constant_part_says_nothing():
    table = make_table(9, proxies={"params": 1.0, "early": 1.0})
    table.loc[table["measure"] == "params", "score"] = 5.0
    found = means(with_votes(table, ["params+early"]))
    assert (np.argsort(found["vote:params+early"]) == np.argsort(found["early"])).all()
    assert parts_of("vote:a + b") == ("a", "b")
