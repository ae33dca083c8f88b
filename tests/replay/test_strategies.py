"""What must be true of the strategies that are known by name: they choose as the search does."""

from __future__ import annotations

import math
from contextlib import suppress

import numpy as np
import pytest
from replay.made import STEPS

from randsearch.base.errors import UserError
from randsearch.replay import World
from randsearch.replay.records import TRAINED
from randsearch.replay.strategies import named
from randsearch.replay.world import SpentError
from randsearch.space import Count
from randsearch.study.rungs import budgets
from randsearch.study.votes import vote_scores


class Spied(World):
    """A world that remembers what was trained, and until when."""

    def trained(self, architecture, until=None):
        found = super().trained(architecture, until)
        self.log.append((found.architecture.hash, found.steps, self.seconds))
        return found


def run(made, name, networks=24, limit=math.inf):
    names = tuple(np.random.default_rng(1).permutation([*made.architectures])[:networks].tolist())
    there = Spied(made.records, made.config, made.bound, names, rng=np.random.default_rng(2), limit=limit)
    there.log = []
    with suppress(SpentError):
        named(name, made, networks)(there)
    return names, there


def test_a_proxy_trains_its_best_first_and_pays_for_all_before(made):
    names, there = run(made, "proxy:zen")
    zen = {name: made.query(name, "zen", seed=0).score for name in names}
    assert [name for name, _, _ in there.log] == sorted(names, key=lambda name: -zen[name])
    first = there.log[0]
    assert first[2] == pytest.approx(0.5 * len(names) + made.query(first[0], TRAINED, seed=0).seconds)


def test_a_vote_chooses_by_the_ranks_of_its_parts(made):
    names, there = run(made, "proxy:vote:macs+zen")
    keys = [(name, part, 0) for name in names for part in ("macs", "zen")]
    votes = vote_scores("vote:macs+zen", {key: made.query(*key).score for key in keys})
    trained = [votes[name] for name, _, _ in there.log]
    assert trained == sorted(trained, reverse=True)
    assert len(trained) == len(names)


@pytest.mark.parametrize(("strategy", "lowest"), [("halving", "early"), ("halving:zen", "zen")])
def test_halving_climbs_rung_by_rung(made, strategy, lowest):
    names, there = run(made, strategy)
    scores = {name: made.query(name, lowest, seed=0).score for name in names}
    expected = []
    for budget in budgets(STEPS, 1, 2, len(names)):
        best = sorted(scores, key=lambda name: -scores[name])[: len(scores) // 2]
        expected.append((budget, set(best)))
        answers = {name: made.query(name, TRAINED, seed=0) for name in best}
        scores = {
            name: made.query(name, TRAINED, 0, budget).score for name, each in answers.items() if each.score is not None
        }
    assert [budget for budget, _ in expected] == [2, 3, 6, 12]
    for budget, best in expected:
        reached = {name for name, steps, _ in there.log if steps == budget or made.query(name, TRAINED, 0).reason}
        assert reached & best == best
        assert {name for name, steps, _ in there.log if steps >= budget} <= best | reached
    assert len([steps for _, steps, _ in there.log if steps == STEPS]) == 1


def test_tpe_trains_visible_networks_once_each_and_the_same_again(made):
    names, there = run(made, "tpe", limit=200)
    trained = [name for name, _, _ in there.log]
    assert set(trained) <= set(names)
    assert len(set(trained)) == len(trained) >= 5
    assert run(made, "tpe", limit=200)[1].log == there.log


def test_tpe_is_refused_where_next_to_nothing_of_its_space_is_known(made, monkeypatch):
    class Wide:
        def count(self):
            return Count(10_000, True)

    monkeypatch.setitem(made.__dict__, "bound", Wide())
    with pytest.raises(UserError, match="tpe proposes any network of a space of 10,000, of which made has trained 36"):
        made.simulate("tpe", seconds=10)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("greedy", "no strategy 'greedy': choose from random, tpe, halving, proxy:MEASURE"),
        ("proxy", "needs the measure by which it goes, such as proxy:macs"),
        ("random:zen", "random goes by no measure"),
        ("proxy:dogs", "no measure 'dogs': choose from early"),
        ("proxy:vote:zen", "a vote needs two proxies or more"),
        ("halving:trained", "something cheaper than trained"),
    ],
)
def test_what_is_no_strategy_is_said(made, name, said):
    with pytest.raises(UserError, match=said):
        made.simulate(name, seconds=10)
