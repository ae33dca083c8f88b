"""What persists of a finish: options that add up, curves and results that come back as they were."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import pytest

from randsearch.base.errors import UserError
from randsearch.base.files import Place
from randsearch.base.layout import EVENTS_FILE
from randsearch.statistics.interval import Interval
from randsearch.study.config import StudyConfig
from randsearch.study.finish_config import FinishConfig
from randsearch.study.finish_words import certainty, closing, gain, standing
from randsearch.study.finishes import (
    Finished,
    Result,
    Validated,
    read_curve,
    read_finish,
    read_finished,
    read_result,
    write_curve,
    write_finish,
)

STUDY = StudyConfig(space={}, data="synthetic:3", batch=4, threads=7, steps=50, schedule="constant")
FOUND = {"networks": ("0123456789ab-0",), "parts": (100,), "steps": 100, "data_digest": "d", "threads": 2}


def options(**asked: object) -> FinishConfig:
    given = {**FOUND, **asked}
    return FinishConfig.create({**FinishConfig.as_study(STUDY.model_dump(), given), **given}, "options")


def test_what_is_not_asked_for_is_as_the_study_has_it():
    found = options()
    assert (found.data, found.batch, found.learning_rate, found.augment) == ("synthetic:3", 4, 3e-3, ("gains",))
    assert (found.steps, found.schedule, found.threads, found.patience) == (100, "cosine", 2, None)
    jnet = options(schedule="jnet")
    assert (jnet.learning_rate, jnet.batch, jnet.patience) == (1e-4, 16, 20)
    assert options(schedule="jnet", batch=3, patience=1).batch == 3
    assert options(augment=["none"]).augment == options(augment="none").augment == ()
    assert options(augment="signs, gains,signs").augment == ("signs", "gains")
    assert (options(clip="none").clip, options(clip="0.5").clip) == (None, 0.5)
    with pytest.raises(UserError, match="clip: input should be greater than 0"):
        options(clip="0")


def test_steps_and_networks_add_up_and_nothing_else_may_differ():
    before = options()
    more = before.continued_by(options(steps=300, parts=(300,), networks=("0123456789ab-0", "0123456789ac-1")), "x")
    assert (more.steps, more.parts) == (300, (100, 300))
    assert more.networks == ("0123456789ab-0", "0123456789ac-1")
    assert more.continued_by(options(), "x") == more  # fewer steps than it has change nothing
    for name, value in {"schedule": "jnet", "batch": 5, "from_scratch": True, "threads": 1}.items():
        with pytest.raises(UserError, match=f"the finish x exists with another {name}") as mistake:
            before.continued_by(before.model_copy(update={name: value}), "x")
        assert f"--{name.replace('_', '-')}" in str(mistake.value)
    with pytest.raises(UserError, match="another content of its data"):
        before.continued_by(options(data_digest="other"), "x")


CURVE = (
    Validated(0, 50, 1 / 3, 0.1, 0.25, 1e-3, 4, 1.7e9),
    Validated(0, 100, 2 / 3, 0.125, 0.2, 1e-5, 4, 1.7e9 + 1 / 3),
)
RESULT = Result(1, 100, "steps", "", 1.5, 0.5, Interval(0.25, 0.125, 0.375), Interval(-0.5), 14)


def test_curves_and_results_come_back_to_the_last_bit(tmp_path):
    place = Place(tmp_path)
    assert read_curve(place, tmp_path) == ()
    assert read_result(place, tmp_path) is None
    write_curve(place, tmp_path, CURVE)
    assert read_curve(place, tmp_path) == CURVE
    found = Result.of(RESULT.to_json().encode())
    assert found.over_searched == RESULT.over_searched
    assert found.over_gain.point == -0.5
    assert math.isnan(found.over_gain.low)
    (tmp_path / "curve.csv").write_text("part,step\n0,x\n")
    with pytest.raises(UserError, match="cannot be read as the curve of a training"):
        read_curve(place, tmp_path)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"score": math.nan}, "the score at step 100 is nan"),
        ({"score": math.inf}, "the score at step 100 is inf"),
        ({"step": 50}, "its steps do not rise"),
        ({"step": -2}, "its steps do not rise"),
        ({"step": 10**20}, "its steps do not rise"),
        ({"part": -1}, "its parts do not follow"),
    ],
)
def test_a_curve_that_no_training_has_is_refused(tmp_path, wrong, said):
    write_curve(Place(tmp_path), tmp_path, (CURVE[0], replace(CURVE[1], **wrong)))
    with pytest.raises(UserError, match=f"cannot be read as the curve of a training .{said}"):
        read_curve(Place(tmp_path), tmp_path)


@pytest.mark.parametrize(
    "wrong",
    [
        *({"over_searched": [1]}, {"over_gain": "abc"}, {"over_gain": {"point": "1"}}, {"over_gain": {"at": 1}}),
        *({"over_gain": {"point": math.inf}}, {"over_gain": {"point": 10**400}}, {"reason": 5}, {"ended": ["x"]}),
        *({"tracks": None}, {"steps": 1.5}, {"steps": -1}, {"parts": True}, {"seconds": math.inf}, {"more": 1}),
    ],
    ids=str,
)
def test_a_result_with_a_field_that_is_none_is_refused(tmp_path, wrong):
    (tmp_path / "result.json").write_text(json.dumps({**json.loads(RESULT.to_json()), **wrong}))
    with pytest.raises(UserError, match="cannot be read as the result of a training"):
        read_result(Place(tmp_path), tmp_path)


def test_options_come_back_and_torn_ones_are_refused(tmp_path):
    folder = tmp_path / "study"
    with pytest.raises(UserError, match="study has no finish long: `randsearch finish study --as long` makes it"):
        read_finish(folder, "long")
    write_finish(folder, "long", options())
    assert read_finish(folder, "long") == options()
    assert [(each.finish, each.state, each.steps) for each in read_finished(folder)] == [("long", "unfinished", 0)]
    path = folder / "finishes" / "long" / "config.yaml"
    path.write_text(path.read_text().replace("end: true", ""))
    with pytest.raises(UserError, match=r"is torn or damaged .* and train anew"):
        read_finish(folder, "long")


def finished(tmp_path, **changed: object) -> Finished:
    known = Finished("long", "0123456789ab", 0, tmp_path, 100, CURVE, RESULT, "finished")
    return replace(known, **changed)


def test_what_is_said_begins_with_the_figure_and_then_says_how_sure(tmp_path):
    home = tmp_path / "results" / "first" / "finishes" / "long" / "0123456789ab-0"
    assert list(closing(tmp_path / "results" / "first", [finished(home)]))[3].endswith("; curves: curve.csv")
    (home / EVENTS_FILE).parent.mkdir(parents=True)
    (home / EVENTS_FILE).touch()
    lines = list(closing(tmp_path / "results" / "first", [finished(home)]))
    assert lines[0] == (
        "0123456789ab-0: 0.67 dB on the study's validation excerpts: 0.25 dB [0.12, 0.38] above the searched network "
        "(0.50 dB) and 0.50 dB below the best constant gain"
    )
    assert "95% intervals over 14 validation tracks" in lines[1]
    assert "tensorboard --logdir" in lines[3]
    assert "randsearch evaluate first --finish long --results" in lines[4]
    few = finished(tmp_path, result=replace(RESULT, tracks=1))
    assert certainty(few) == "no intervals: 1 validation track, and fewer than 5 carry none"
    below = replace(RESULT, over_searched=Interval(-0.25, -0.5, 0.125))
    assert "0.25 dB [-0.12, 0.50] below the searched network" in gain(finished(tmp_path, result=below))
    assert gain(finished(tmp_path, result=None)) == ""


def test_a_network_s_row_says_how_far_it_is(tmp_path):
    assert standing(finished(tmp_path)) == ("long", "0123456789ab-0", "100 of 100", "0.67", "finished")
    waiting = finished(tmp_path, curve=(), result=None, state="unfinished")
    assert standing(waiting) == ("long", "0123456789ab-0", "0 of 100", "-", "unfinished")
    idle = finished(tmp_path, result=replace(RESULT, ended="patience"), planned=900)
    assert standing(idle)[2:] == ("100 of 900", "0.67", "finished early: patience ran out")
