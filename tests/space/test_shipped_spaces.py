"""What the search spaces that come with randsearch promise: a question, a count, networks that fit."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from randsearch.models.architecture import Architecture
from randsearch.models.sizing import Signal
from randsearch.space import BoundSpace, SearchSpace
from randsearch.space.shipped import shipped


@dataclass(frozen=True)
class Scale:
    """What a space is meant for."""

    sample_rate: int
    segment: int
    number: int
    exact: bool = True


SCALES = {
    "small.yaml": Scale(8000, 8192, 42_476),
    "tricks.yaml": Scale(8000, 8192, 2**8 * 3**4),
    "jnet.yaml": Scale(22_050, 16_384, 16_102_272),
    "wave-u-net.yaml": Scale(22_050, 16_384, 1_059_609_600),
    "reference.yaml": Scale(8000, 4096, 216),
    "equal-cost.yaml": Scale(8000, 4096, 12_441_600, exact=False),
}


def bind(name: str) -> BoundSpace:
    scale = SCALES[name]
    return SearchSpace.load(shipped(name)).bind(Signal(2, 1), scale.sample_rate, scale.segment)


def test_every_space_is_known_here():
    assert {path.name for path in shipped("small.yaml").parent.glob("*.yaml")} == set(SCALES)


# To enumerate small.yaml takes seconds; the last test here does it.
@pytest.mark.parametrize("name", [name for name in SCALES if name != "small.yaml"])
def test_spaces_open_with_a_question_and_count_as_far_as_they_can(name):
    comment = [line for line in shipped(name).read_text().splitlines() if line.startswith("#")]
    assert any("?" in line for line in comment)
    assert SearchSpace.load(shipped(name)).description
    assert (bind(name).count().number, bind(name).count().exact) == (SCALES[name].number, SCALES[name].exact)


@pytest.mark.parametrize("name", SCALES)
def test_every_value_of_every_parameter_comes_up(name):
    bound = bind(name)
    drawn = [bound.draw(0, index).architecture.to_row() for index in range(200)]
    for parameter in bound.parameters:
        if parameter.name in ("skips", "first_filters"):
            continue
        assert {str(row[parameter.name]) for row in drawn} == {str(value) for value in parameter.possible()}


def test_the_space_of_jnet_holds_its_networks_and_their_controls():
    bound = bind("jnet.yaml")
    for options in (
        {"fixed_decoder_levels": "all"},
        {"fixed_encoder_levels": "all", "remove_random": True},
        {"first_filters": 16, "filter_increment": 16, "nested": True, "deep_supervision": True},
        {"multires": True, "res_path": "fixed"},
        {"output": "residual", "output_activation": "linear", "upsampling": "learned"},
    ):
        bound.locate(Architecture(levels=10, context=True, **({"fixed_decoder_levels": "none"} | options)))


@pytest.mark.parametrize("name", ["wave-u-net.yaml", "reference.yaml"])
def test_an_architecture_is_found_where_it_was_drawn(name):
    bound = bind(name)
    for index in range(40):
        drawn = bound.draw(0, index)
        assert bound.locate(drawn.architecture) == drawn


def test_the_baseline_of_the_tricks_has_none_of_them():
    baseline = next(bind("tricks.yaml").grid()).architecture
    tuned = {"levels", "first_filters", "filter_increment", "encoder_kernel", "output"}
    assert set(baseline.model_dump(exclude_defaults=True)) == tuned


def test_small_space_is_small():
    bound = bind("small.yaml")
    assert bound.count().number == SCALES["small.yaml"].number
    extremes = bound.extremes()
    assert extremes.exact
    assert bound.sizes(extremes.largest)["params"] <= 1e5
    assert all(bound.sizes(bound.draw(0, index).architecture)["macs"] <= 1e8 for index in range(100))
