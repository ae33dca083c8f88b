"""What must be true of a replay: the clock, what counts as found, how it is judged, and how strategies compare."""

from __future__ import annotations

import math
from contextlib import suppress

import numpy as np
import pytest
from replay.made import AGAIN, FAILED, SECONDS, STEPS

from randsearch.base.errors import UserError
from randsearch.replay import World, compare
from randsearch.replay.records import TRAINED
from randsearch.replay.world import SpentError
from randsearch.table.tidy import scores


def world(made, limit=math.inf):
    rng = np.random.default_rng(0)
    return World(made.records, made.config, made.bound, tuple(made.architectures), rng=rng, limit=limit)


def test_each_measurement_is_paid_once(made):
    there = world(made)
    first = there.architectures[0]
    assert there.measure(first, "macs") == 0.0
    assert there.seconds == 0.0
    zen = there.measure(first, "zen")
    assert there.measure(first.hash, "zen") == zen == made.query(first, "zen", seed=0).score
    assert there.seconds == 0.5


def test_a_training_that_goes_on_costs_its_further_steps_alone(made):
    there = world(made)
    first, whole = there.architectures[0], made.query(there.architectures[0], TRAINED, seed=0).score
    assert there.train(first, steps=3) == pytest.approx(whole - 3 * (1 - 3 / STEPS))
    assert there.seconds == pytest.approx(SECONDS / 4)
    there.train(first, steps=2)
    assert there.seconds == pytest.approx(SECONDS / 4)
    assert there.train(first) == whole
    assert there.seconds == pytest.approx(SECONDS)
    assert there.train(first, steps=STEPS + 5) == whole


def test_what_is_not_paid_in_full_is_not_seen_and_ends_even_who_catches_all(made):
    there = world(made, limit=SECONDS)
    one, two = there.architectures[:2]
    there.measure(two, "zen")
    with pytest.raises(SpentError), suppress(Exception):
        there.train(one)
    assert there.seconds == 0.5
    assert there.found == []
    with pytest.raises(SpentError):
        there.measure(one, "macs")


def test_what_was_found_is_the_best_that_ended_and_the_best_that_was_stopped_before_any_did(made):
    there = world(made)
    score = {each: made.query(each, TRAINED, seed=0).score or -9 for each in there.architectures}
    good, better = sorted(there.architectures, key=score.__getitem__)[-2:]
    bad = min((each for each in there.architectures if score[each] > 0), key=score.__getitem__)
    there.train(good, steps=6)
    there.train(bad, steps=6)
    there.train(bad)
    there.train(better, steps=11)
    there.train(good)
    assert [each.architecture for each in there.found] == [good.hash, bad.hash, good.hash]
    assert [each.seen for each in there.found][1:] == [score[bad], score[good]]
    assert there.train(there.architectures[FAILED]) is None


def test_other_networks_are_hidden(made):
    names = tuple(made.architectures)
    there = World(made.records, made.config, made.bound, names[:3], rng=np.random.default_rng(0))
    with pytest.raises(UserError, match="not among the networks of this repetition"):
        there.measure(names[3], "zen")
    with pytest.raises(UserError, match="a training takes 1 step or more"):
        there.train(names[0], steps=0)


def test_what_was_found_is_judged_by_unseen_seeds_and_by_a_line_where_there_are_none(made):
    wide, judged = scores(made.table, TRAINED), made.records.judgement.scores
    unseen = wide[[1, 2]].mean(axis=1)
    again = unseen.notna()
    assert again.sum() == AGAIN
    both = again & wide[0].notna()
    slope, offset = np.polyfit(wide.loc[both, 0], unseen[both], 1)
    for name in wide.index:
        expected = unseen[name] if again[name] else offset + slope * wide.loc[name, 0]
        assert judged[name] == pytest.approx(expected, nan_ok=True)
    found = made.simulate("random", seconds=60, repetitions=5, networks=10).frame
    assert (found.loc[found["architecture"] == "", "judged"] == 3.0).all()
    later = found[found["architecture"] != ""]
    assert later["judged"].tolist() == [judged[name] for name in later["architecture"]]
    assert later["seen"].tolist() == [wide.loc[name, 0] for name in later["architecture"]]


def test_random_search_is_what_it_is_by_hand(made):
    seen = []

    def spied(there):
        seen.append([each.hash for each in there.architectures])
        for each in there.architectures:
            there.train(each)

    found = made.simulate(spied, seconds=80, repetitions=4, networks=9, seed=5)
    assert found.strategy == "spied"
    assert found.frame.equals(made.simulate("random", seconds=80, repetitions=4, networks=9, seed=5).frame)
    assert len({frozenset(names) for names in seen}) == 4
    for repetition, names in enumerate(seen):
        spent, best, rows = 0.0, -math.inf, [(0.0, "")]
        for name in names:
            answer = made.query(name, TRAINED, seed=0)
            spent += answer.seconds
            if spent > 80:
                break
            if answer.score is not None and answer.score > best:
                best = answer.score
                rows.append((spent, name))
        own = found.frame[found.frame["repetition"] == repetition]
        assert list(zip(own["seconds"], own["architecture"], strict=True)) == rows


def test_curves_are_of_what_was_found_by_then(made):
    found = made.simulate("random", seconds=100, repetitions=30, networks=12)
    for moment in (0.0, 33.3, 100.0):
        own = [rows.loc[rows["seconds"] <= moment, "judged"].iloc[-1] for _, rows in found.frame.groupby("repetition")]
        assert found.at(moment).tolist() == own
        row = found.curve([moment]).iloc[0]
        assert row["judged"] == pytest.approx(np.mean(own))
        assert [row["low"], row["high"]] == pytest.approx(np.quantile(own, [0.025, 0.975]).tolist())
        assert row["mean_high"] - row["mean_low"] == pytest.approx(2 * 1.959964 * np.std(own, ddof=1) / 30**0.5)
    whole = found.curve()
    assert found.reaches(whole["judged"].iloc[-1]) <= 100
    assert math.isnan(found.reaches(99.0))
    with pytest.raises(UserError, match="from 0 to 100 seconds"):
        found.at(101)


def test_strategies_are_compared_within_the_same_networks(made):
    how = {"seconds": 60.0, "repetitions": 40, "networks": 12}
    one, two = made.simulate("proxy:zen", **how), made.simulate("random", **how)
    difference = one.at(60) - two.at(60)
    found = compare(one, two, 60)
    assert found.mean.point == pytest.approx(difference.mean())
    assert found.mean.low < found.mean.point < found.mean.high
    assert found.middle.low == pytest.approx(np.quantile(difference, 0.025))
    assert found.won == np.mean(difference > 0)
    assert compare(one, one, 60).tied == 1.0
    assert found.mean.point > 0
    with pytest.raises(UserError, match="not replayed on the same networks, for their seed differ"):
        compare(one, made.simulate("random", seed=1, **how), 60)


@pytest.mark.parametrize("wrong", [{"seconds": 0}, {"seconds": math.inf}, {"repetitions": 0}, {"networks": -1}])
def test_impossible_numbers_are_refused(made, wrong):
    with pytest.raises(UserError, match=f"{next(iter(wrong))} of a replay must be more than 0"):
        made.simulate("random", **{"seconds": 10.0, **wrong})
