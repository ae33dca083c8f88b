"""What must be true of a study's configuration: checked at the door, saved whole, extended and never changed."""

from __future__ import annotations

import pytest

from randsearch.base.errors import UserError
from randsearch.base.seeds import LARGEST
from randsearch.study.config import StudyConfig
from randsearch.study.config_file import load_options
from randsearch.study.options import extendable
from randsearch.study.rules import RULES

SPACE = {"parameters": {"levels": {"int": [1, 2]}}}

# Another valid value for every option that may not differ when a study is continued.
OTHER = {
    "study": "other",
    "space": {"parameters": {"levels": {"int": [1, 3]}}},
    "data": "synthetic:1",
    "data_digest": "beef",
    "task": "multi",
    "sources": ("piano", "violin"),
    "missing_stems": "silence",
    "sample_rate": 8000,
    "channels": 2,
    "upmix_mono": True,
    "sampler": "tpe",
    "proxy": "early",
    "control": "none",
    "steps": 7,
    "proxy_steps": 7,
    "seed": 7,
    "batch": 7,
    "segment": 777,
    "proxy_batch": 7,
    "learning_rate": 0.007,
    "validate_every": 7,
    "validation": 7,
    "device": "cuda:0",
    "threads": 7,
    "storage": "sqlite:///other.db",
    "batches_of": "other",
    "schedule": "cosine",
    "proxy_schedule": "cosine",
    "weight_decay": 0.07,
    "clip": 7.0,
    "ema": 0.7,
    "augment": ("signs",),
    "precision": "bf16",
    "compiled": True,
    "rules": RULES - 1,
}


def config(**options: object) -> StudyConfig:
    return StudyConfig.create({"space": SPACE, **options}, "options")


def test_every_option_is_either_extendable_or_refused():
    assert set(StudyConfig.model_fields) == extendable(StudyConfig).keys() | set(OTHER)


@pytest.mark.parametrize("name", OTHER)
def test_another_value_is_refused_by_name(name):
    with pytest.raises(UserError) as refusal:
        config().continued_by(config(**{name: OTHER[name]}))
    named = {"data_digest": "content of its data", "rules": "set of rules"}.get(name, name)
    assert f"another {named}" in str(refusal.value)
    if name not in ("space", "data_digest"):
        assert f"{getattr(config(), name)!r} there" in str(refusal.value)
        assert f"{OTHER[name]!r} here" in str(refusal.value)


@pytest.mark.parametrize("name", ["data", "task", "sources", "sample_rate", "channels", "upmix_mono"])
def test_an_option_that_changes_the_digest_is_named_itself(name):
    with pytest.raises(UserError, match=f"another {name} "):
        config(data_digest="cafe").continued_by(config(**{name: OTHER[name]}, data_digest="beef"))


def test_more_of_everything_adds_up():
    before = config(trials=4, measures=["params", "macs"], seeds=[1, 0], train="top:3")
    asked = config(trials=9, measures=["early", "params"], seeds=[2, 1], train="all")
    expected = config(trials=9, measures=["params", "macs", "early"], seeds=[1, 0, 2], train="all")
    assert before.continued_by(asked) == expected


@pytest.mark.parametrize(("before", "asked", "joined"), [([1], [0, 1], (1, 0)), ([1], None, None), (None, [1], None)])
def test_seeds_of_training_add_up_and_none_stands_for_all(before, asked, joined):
    assert config(train_seeds=before).continued_by(config(train_seeds=asked)).train_seeds == joined


def test_less_takes_nothing_away():
    before = config(trials=9, measures=["params", "macs"], seeds=[0, 1], train="top:3")
    assert before.continued_by(config(trials=4, measures=["macs"], seeds=[1], train="none")) == before


@pytest.mark.parametrize(
    ("less", "more"), [("none", "top:1"), ("top:2", "top:10"), ("top:1000", "halving"), ("asha", "all")]
)
def test_training_grows_in_both_directions_to_the_larger(less, more):
    assert config(train=less).continued_by(config(train=more)).train == more
    assert config(train=more).continued_by(config(train=less)).train == more


def test_saved_and_read_it_is_the_same(tmp_path):
    before = config(**OTHER, trials=3, measures=["macs"], seeds=[3, 1], train="top:2")
    before.save(tmp_path / "config.yaml")
    assert StudyConfig.create(load_options(tmp_path / "config.yaml", StudyConfig), "file") == before
    assert [file.name for file in tmp_path.iterdir()] == ["config.yaml"]


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"trails": 3}, "trails is not a known option"),
        ({"trials": 0}, "trials"),
        ({"trials": "many"}, "'many'"),
        ({"task": "drums"}, "task"),
        ({"sources": ["vocals"]}, "2 to 16 sources can be separated, and 1 are named"),
        ({"sources": [f"s{number}" for number in range(17)]}, "and 17 are named"),
        ({"sources": "piano, ../up"}, r"a source cannot be called '../up': use up to 40 letters"),
        ({"sources": "piano,x=a/b,-c"}, "a source cannot be called '-c'"),
        ({"sources": "piano,Piano"}, "two sources are called piano, capitals aside"),
        ({"sources": "piano,Mixture"}, "no source can be called Mixture, as the sum of all sources is"),
        ({"sources": "piano,keys=organ+piano"}, "the stem piano is named twice, and the sources would not add up"),
        ({"sources": "piano,keys="}, "the source keys lacks the name of a stem: write keys=STEM+STEM"),
        ({"channels": 3}, "channels"),
        ({"sample_rate": 10}, "sample_rate"),
        ({"sampler": "best"}, "sampler"),
        ({"train": "top:0"}, "train"),
        ({"train": "some"}, "'some'"),
        ({"seeds": []}, "seeds"),
        ({"seed": -1}, "seed: a seed is a whole number from 0 to 2^63 - 1 (got -1)"),
        ({"seed": 2**63}, "seed: a seed is a whole number from 0 to 2^63 - 1 (got 9223372036854775808)"),
        ({"seeds": [0, -1]}, "seeds.1: a seed is a whole number from 0 to 2^63 - 1 (got -1)"),
        ({"seeds": ["9223372036854775808"]}, "seeds.0: a seed is a whole number from 0 to 2^63 - 1 (got '92233720"),
        ({"train_seeds": [2**63]}, "train_seeds.0: a seed is a whole number from 0 to 2^63 - 1"),
        ({"seeds": list(range(1001))}, "seeds: tuple should have at most 1000 items"),
        ({"seeds": ["x" * 10**6]}, "'xxx"),
        ({"seeds": ["x"] * 1000}, "and 995 more"),
        ({"seeds": ["one"]}, "'one'"),
        ({"proxy": "trained"}, "proxy"),
        ({"learning_rate": 0}, "learning_rate"),
        ({"segment": 1}, "segment"),
        ({"study": "../elsewhere"}, "study"),
        ({"study": ""}, "study"),
        ({"device": "tpu"}, "device"),
    ],
)
def test_impossible_options_are_named(options, named):
    with pytest.raises(UserError, match="options: ") as refusal:
        config(**options)
    assert named in str(refusal.value)
    assert "\n" not in str(refusal.value)
    assert len(str(refusal.value)) < 1000


def test_the_largest_seed_is_one():
    assert config(seed=LARGEST, seeds=[LARGEST], train_seeds=[0]).seeds == (2**63 - 1,)


def test_the_primary_proxy_and_its_control_are_always_measured():
    asked = config(proxy="fixed_encoder", measures=["trained", "params", "early", "params"])
    assert asked.all_measures == ("fixed_encoder", "early", "params")


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"sampler": "tpe"}, "tpe"),
        ({"sampler": "nsga2"}, "nsga2"),
        ({"train": "top:4"}, "best 4 by fixed_decoder"),
        ({"train": "halving", "rung": "macs"}, "the lowest being macs"),
    ],
)
def test_what_narrows_the_range_of_scores_is_a_bias(options, named):
    assert named in config(**options).bias


@pytest.mark.parametrize(("before", "asked"), [("halving", "asha"), ("asha", "halving")])
def test_halving_and_asha_go_on_with_each_other_as_they_are_asked_for(before, asked):
    found = config(train=before, rung="macs").continued_by(config(train=asked, rung="params", reduction=4))
    assert (found.train, found.rung, found.reduction) == (asked, "params", 4)


@pytest.mark.parametrize("train", ["all", "none"])
def test_random_architectures_all_trained_alike_are_no_bias(train):
    assert config(train=train).bias is None


@pytest.mark.parametrize(
    ("content", "named"),
    [
        (b"trials: [1", "not valid YAML"),
        (b"\xff\xfe\xfa", "not UTF-8 text"),
        (b"- trials", "mapping"),
        (b"", "mapping"),
    ],
)
def test_files_that_are_no_configuration(tmp_path, content, named):
    path = tmp_path / "study.yaml"
    path.write_bytes(content)
    with pytest.raises(UserError, match=named) as refusal:
        load_options(path, StudyConfig)
    assert str(path) in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_a_missing_configuration(tmp_path):
    with pytest.raises(UserError, match=r"gone\.yaml"):
        load_options(tmp_path / "gone.yaml", StudyConfig)


def test_what_is_done_to_crops_depends_on_the_task_unless_it_is_said():
    assert config().augment == ("gains",)
    assert config(task="denoise").augment == ()
    assert config(augment=["none"]).augment == config(augment="none").augment == ()
    assert config(augment="signs,gains").augment == ("signs", "gains")
    assert config(task="denoise", augment=["signs"]).augment == ("signs",)
    assert config(task="denoise", sources=["piano", "violin"]).augment == ("gains",)  # which stand in its place
    assert config(task="denoise", sources=["piano", "violin"], augment=["remix"]).augment == ("remix",)
    assert config(channels=2, augment=["swap", "remix", "swap"]).augment == ("swap", "remix")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"task": "denoise", "augment": ["remix", "signs"]}, "remix would change how loud the noise is"),
        ({"augment": ["swap"]}, "swap exchanges the channels of stereo, and this is mono"),
        ({"augment": ["echo"]}, "'gains', 'remix', 'swap' or 'signs'"),
        ({"augment": [["x"]]}, "'gains', 'remix', 'swap' or 'signs'"),
        ({"augment": 3}, "augment: input should be a valid tuple"),
        ({"augment": None}, "augment: input should be a valid tuple"),
        ({"augment": ["none", "gains"]}, "'gains', 'remix', 'swap' or 'signs'"),
        ({"schedule": "jnet"}, "'constant' or 'cosine'"),
    ],
)
def test_what_makes_no_sense_is_refused(options, said):
    with pytest.raises(UserError, match=said):
        config(**options)


def test_a_study_of_the_first_rules_had_gains_whatever_its_task():
    assert config(task="denoise", augment=["gains"], rules=1).augment == ("gains",)
