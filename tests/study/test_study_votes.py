"""What must be true of the votes of a study: ranks where all are known, else a number that rises with every part."""

from __future__ import annotations

import math

import numpy as np
import pytest
from tables import make_table

from randsearch.base.errors import UserError
from randsearch.statistics.votes import with_votes
from randsearch.study.config import StudyConfig
from randsearch.study.control import uncontrolled
from randsearch.study.votes import Standing, vote_scores, voted
from randsearch.table.tidy import means, measure_names


def config(**options: object) -> StudyConfig:
    return StudyConfig.create({"space": {}, **options}, "options")


def test_a_place_is_the_share_below_and_goes_on_rising_beyond_the_sample():
    standing = Standing.of({"params": [4, 1, 4, 2]})
    # 1, 2, 4, 4 stand in the middle of their steps: 1/8, 3/8, and 3/4 for the two.
    places = {1: 0.125, 1.5: 0.25, 2: 0.375, 3: 0.5625, 4: 0.75}
    # One third of the spread above the highest a quarter of what is left is gone, a whole spread below half.
    places |= {5: 0.75 + 0.25 / 4, -2: 0.125 / 2}
    assert {score: standing.value({"params": score}) for score in places} == pytest.approx(places)


@pytest.mark.parametrize(
    "sample", [[3.0], [1.0, 1.0], [-2.0, 0.5, 0.5, 7.0], list(np.random.default_rng(0).normal(size=64))]
)
def test_the_value_rises_with_every_part_and_stays_between_0_and_1(sample):
    standing = Standing.of({"zen": sample, "params": sample[::-1]})
    at = np.linspace(min(sample) - 50, max(sample) + 50, 300).tolist()
    for part in ("zen", "params"):
        values = [standing.value({"zen": 1.0, "params": 1.0, part: score}) for score in at]
        assert (np.diff(values) > 0).all()
        assert 0 < values[0] < values[-1] < 1


def test_the_value_is_the_mean_over_parts_and_one_that_always_fails_says_nothing():
    alone = [
        Standing.of({part: found}).value({part: score}) for part, found, score in (("a", [1, 2], 2), ("b", [0], -1))
    ]
    both = Standing.of({"a": [1, 2], "b": [0], "c": []})
    assert both.value({"a": 2, "b": -1, "c": 9}) == pytest.approx((alone[0] + alone[1] + 0.5) / 3)


def test_what_is_stored_is_read_back_and_what_it_is_not_is_refused():
    standing = Standing.of({"params": [3, 1], "zen": [0.5]})
    assert Standing.stored(standing.to_attribute(), "vote:params+zen") == standing
    for value in ({"params": [1.0]}, {"params": [1.0], "zen": [math.nan]}, {"params": 1, "zen": []}, "text"):
        with pytest.raises((ValueError, TypeError, KeyError)):
            Standing.stored(value, "vote:params+zen")


def test_ranks_are_those_of_the_analysis():
    table = make_table(9, proxies={"early": 1.0, "params": 1.0}, seeds=(0, 1), failed=[(3, "early")])
    keys = zip(table["architecture"], table["measure"], table["seed"], strict=True)
    measured = {key: None if math.isnan(score) else score for key, score in zip(keys, table["score"], strict=True)}
    expected = means(with_votes(table, ["params+early"]))["vote:params+early"].dropna()
    assert vote_scores("vote:params+early", measured) == expected.to_dict()
    assert len(expected) == 8
    assert vote_scores("vote:params+zen", measured) == {}


def test_a_table_has_the_votes_of_its_study_as_far_as_their_parts_are_measured():
    table = make_table(5, proxies={"early": 1.0, "params": 1.0})
    named = config(proxy="vote:params+early", measures=["vote:early+zen"], rung="vote:early+params")
    assert named.votes == ("vote:params+early", "vote:early+zen", "vote:early+params")
    assert [name for name in measure_names(voted(named, table)) if "+" in name] == ["vote:params+early"]
    assert voted(config(proxy="params"), table) is table


def test_the_parts_of_votes_are_measured_and_the_votes_are_not():
    votes = config(
        proxy="vote: zen+ params", measures=["macs", "vote:macs+nwot"], train="halving", rung="vote:zen+snip"
    )
    assert votes.proxy == "vote:zen+params"
    assert votes.all_measures == ("zen", "params", "early", "macs", "nwot", "snip")
    assert votes.model_copy(update={"control": "none"}).all_measures == ("zen", "params", "macs", "nwot", "snip")


@pytest.mark.parametrize("option", ["proxy", "rung", "measures"])
@pytest.mark.parametrize(
    ("vote", "said"),
    [
        ("vote:params", "a vote needs two proxies or more; write for instance vote:params"),
        ("vote:params+zen+params", "params is named twice"),
        ("vote:params+trained", "must be something cheaper than trained itself"),
    ],
)
def test_what_is_no_vote_is_refused_by_every_option_that_takes_one(option, vote, said):
    with pytest.raises(UserError, match=said):
        config(**{option: [vote] if option == "measures" else vote})


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"proxy": "fixed_decoder"}, None),
        ({"proxy": "fixed_decoder", "control": "proxy_steps"}, None),
        ({"proxy": "vote:params+zico"}, None),
        ({"proxy": "vote:params+zen", "control": "none"}, "vote:params+zen costs less than one step of training"),
        ({"proxy": "params", "control": "proxy_steps"}, "early trained for 100 steps, whatever params costs"),
        ({"proxy": "here:loudness", "control": "none"}, "what here:loudness costs is not known"),
        ({"proxy": "vote:params+here:loudness", "control": "none"}, "what here:loudness costs is not known"),
        ({"proxy": "early", "control": "none"}, "early is the primary proxy itself"),
        ({"proxy": "vote:params+early", "control": "none"}, "early is a part of vote:params+early"),
    ],
)
def test_early_is_called_a_control_only_where_it_costs_what_the_proxy_does(options, reason):
    assert uncontrolled(config(**options)) == reason
