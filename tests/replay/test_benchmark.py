"""What must be true of a benchmark that is looked up."""

from __future__ import annotations

import subprocess
import sys
from shutil import copytree

import numpy as np
import pytest
from replay.made import EARLY, FAILED, STEPS, study

import randsearch as rs
from randsearch.base.errors import UserError
from randsearch.replay import benchmark
from randsearch.statistics.budgets import at_budgets
from randsearch.table.tidy import read_measurements, scores, seconds, write_measurements


def test_the_shipped_one_is_loaded_and_replayed_without_torch():
    code = (
        "import sys, randsearch as rs\n"
        "b = rs.benchmark('popvoice-8k')\n"
        "found = b.simulate('halving:macs', seconds=500, repetitions=2)\n"
        "assert found.at(500).min() > 5\n"
        "assert 'torch' not in sys.modules and 'matplotlib' not in sys.modules\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_it_holds_what_the_study_does(made):
    assert len(made.architectures) == 36
    assert made.measures == ["early", "macs", "zen", "trained"]
    assert made.space.to_dict()["parameters"].keys() == made.config.space["parameters"].keys()
    assert [made.bound.locate(each).architecture.hash for each in made.architectures.values()] == [*made.architectures]
    assert str(made).splitlines() == [
        "made: 36 architectures, 36 of them trained, 18 at several seeds; 4 measures",
        "what was found is judged by training seeds 1 and 2, never seen; 18 without these by a fitted line",
    ]


def test_queries_answer_with_the_table(made):
    wide, cost = scores(made.table, "trained"), seconds(made.table, "trained")
    for place, (name, architecture) in enumerate(made.architectures.items()):
        if place == FAILED:
            continue
        assert tuple(made.query(name, "trained", seed=0)) == (wide.loc[name, 0], cost.loc[name, 0])
        score, spent = made.query(architecture, "trained")
        assert score == pytest.approx(wide.loc[name].mean())
        assert spent == pytest.approx(cost.loc[name].mean())


def test_a_failure_is_answered_with_its_reason(made):
    answer = made.query([*made.architectures][FAILED], "trained")
    assert (answer.score, answer.seconds, answer.reason) == (None, 3.0, "diverged")


def test_a_step_of_a_curve_is_the_score_of_a_smaller_budget(made):
    smaller = at_budgets(made.table)
    wide, cost = scores(smaller, "early@2"), seconds(smaller, "early@2")
    for name in made.architectures:
        assert made.query(name, "early", step=2).score == pytest.approx(wide.loc[name].mean())
        assert made.query(name, "early", 1, 2).seconds == pytest.approx(cost.loc[name, 1]) == pytest.approx(4 / 3)
        assert made.query(name, "early", step=EARLY) == made.query(name, "early")


def test_a_curve_that_was_annealed_is_a_training_s_own_alone(tmp_path):
    annealed = benchmark(study(tmp_path / "annealed", proxy_schedule="cosine"))
    name = next(iter(annealed.architectures))
    with pytest.raises(UserError, match="a rate that decays"):
        annealed.query(name, "early", step=1)
    assert annealed.query(name, "trained", seed=0, step=STEPS // 2).seconds == pytest.approx(5.0)


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (("nobody", "zen"), "no measurement of zen of the architecture 'nobody'"),
        (("", "dogs"), "no measure 'dogs': choose from early, macs, zen, trained"),
        (("", "zen", 5), "at seed 0, 1, not at 5"),
        (("", "macs", 0, 2), "has no curve"),
        (("", "early", 0, 99), "a curve from step 1 to 3"),
    ],
)
def test_what_it_does_not_hold_is_said(made, asked, said):
    name, *rest = asked
    with pytest.raises(UserError, match=said):
        made.query(name or next(iter(made.architectures)), *rest)


def test_there_is_none_of_another_name(tmp_path):
    with pytest.raises(UserError, match=r"there is no benchmark .*: name popvoice-8k, or a folder"):
        rs.benchmark(tmp_path / "nothing")


def test_seconds_that_are_missing_are_refused(made_folder, tmp_path):
    copytree(made_folder, tmp_path / "copy")
    table = read_measurements(tmp_path / "copy" / "measurements.csv")
    table.loc[3, "seconds"] = np.nan
    write_measurements(table, tmp_path / "copy" / "measurements.csv")
    with pytest.raises(UserError, match=r"the seconds of .* are missing"):
        benchmark(tmp_path / "copy")
