"""What must be true before a search starts: what it says that measures cost, and what early is matched to."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from randsearch.base.errors import UserError
from randsearch.measures import MEASURES, find
from randsearch.measures.catalogue import named
from randsearch.measures.costs import early_steps, step_cost
from randsearch.models.architecture import Architecture
from randsearch.running.control import check_votes, cost_lines, matched_costs, told_before, with_control
from randsearch.space import SearchSpace
from randsearch.study.config import StudyConfig

SMALL = Architecture(levels=1, first_filters=2, filter_increment=1, encoder_kernel=3, decoder_kernel=3)


@pytest.fixture
def config(tiny_options):
    space = SearchSpace.load(Path(str(tiny_options["space"]))).to_dict()

    def made(**options: object) -> StudyConfig:
        return StudyConfig.create({"space": space, "sample_rate": 1000, "segment": 256, **options}, "options")

    return made


@pytest.mark.parametrize(
    ("proxy", "control", "steps"),
    [
        # The batches of proxies are four times those of training; proxies that train do so for 20 steps.
        ("sotl", "cost", 20),
        ("fixed_decoder", "cost", 16),
        ("zico", "cost", 16),
        ("vote:params+jacob_cov+synflow+zen", "cost", 6),  # 8/3 + 1/2 + 8/3
        ("vote:params+zico+fixed_decoder", "cost", 32),
        ("nwot", "cost", 1),
        ("synflow", "none", 20),  # one crop, half a step
        ("params", "none", 20),
        ("vote:params+macs", "none", 20),
        ("early", "none", 20),
        ("vote:params+early", "none", 20),
        ("example_measure:loudness", "none", 20),
    ],
)
def test_early_takes_the_steps_that_the_primary_proxy_buys(config, setting, proxy, control, steps):
    setting = replace(setting, proxy_batch=8, proxy_steps=20)
    found = with_control(config(proxy=proxy), setting, chosen=False)
    assert found.control == control
    assert ("early" in found.all_measures) == (control == "cost" or "early" in found.primary)
    assert early_steps(replace(setting, matched=matched_costs(found)), SMALL) == steps


def test_who_names_early_has_it_whatever_it_costs(config, setting):
    found = with_control(config(proxy="params", measures=["early", "macs"]), setting, chosen=True)
    assert (found.control, found.all_measures) == ("none", ("params", "early", "macs"))


@pytest.mark.parametrize("proxy", ["fixed_decoder", "fixed_encoder", "params", "zico", "early"])
def test_studies_of_former_versions_go_on_with_the_steps_that_they_began_with(config, setting, proxy):
    former = config(proxy=proxy, control="proxy_steps")
    setting = replace(setting, proxy_steps=1000)
    ratio = step_cost(setting, SMALL, find(proxy).fixes) / step_cost(setting, SMALL, "none")
    assert early_steps(replace(setting, matched=matched_costs(former)), SMALL) == max(1, round(1000 * ratio))


def test_halves_are_matched_as_they_always_were(config, setting):
    space = SearchSpace.load(Path(str(Path(__file__).parents[2] / "search_spaces" / "small.yaml")))
    bound = space.bind(setting.signal, 8000, 2048)
    setting = replace(setting, recipe=replace(setting.recipe, segment=2048))
    for proxy, half in (("fixed_decoder", "decoder"), ("fixed_encoder", "encoder")):
        matched = replace(setting, proxy_steps=100, matched=matched_costs(config(proxy=proxy)))
        for index in range(40):
            network = bound.draw(0, index).architecture
            ratio = step_cost(setting, network, half) / step_cost(setting, network, "none")
            assert early_steps(matched, network) == max(1, round(100 * ratio))


def test_groups_stand_for_their_measures():
    cheap, short, halves = named(["cheap"]), named(["short"]), named(["halves"])
    assert set(cheap) | set(short) | set(halves) | {"trained"} == set(MEASURES)
    assert {"affine", "early_averaged", "fixed_encoder_solved"} <= set(halves)
    assert {"params", "zen", "zico"} <= set(cheap)
    assert {"early", "fixed_decoder", "sotl_e", "readout"} <= set(short)
    assert sorted(named(["all"])) == sorted((*cheap, *short))
    assert named(["zen", "cheap", "here:loudness", "zen"])[:2] == ("zen", cheap[0])
    assert named(["here:loudness", "vote:a+b"]) == ("here:loudness", "vote:a+b")
    assert not any(MEASURES[name].trains for name in cheap)


def test_no_measure_of_the_cheap_group_costs_what_a_short_training_does(config, setting):
    setting = replace(setting, proxy_batch=16, proxy_steps=100, recipe=replace(setting.recipe, batch=8))
    short = MEASURES["fixed_decoder"].cost(setting, SMALL)
    assert {name for name in named(["cheap"]) if MEASURES[name].cost(setting, SMALL) > short / 5} == set()


def test_what_each_group_costs_is_said_in_shares_of_a_training(config, setting):
    setting = replace(setting, proxy_batch=2, proxy_steps=2, steps=100)
    asked = config(proxy="vote:zen+params", measures=["sotl", "here:loudness"], control="none")
    assert list(cost_lines(asked, setting)) == [
        "what one measurement costs, in multiply-adds of a whole training:",
        "  cheap, together 0.67%: zen 0.67%, params nothing",
        "  short, together 2%: sotl 2%",
        "  not known: here:loudness",
        "  vote:zen+params, the sum of its parts: 0.67%",
        "no equal-cost control: vote:zen+params costs less than one step of training",
    ]
    asked = config(proxy="zico", measures=[])
    controlled = list(cost_lines(asked, replace(setting, matched=matched_costs(asked))))
    assert controlled[1:] == ["  cheap, together 4%: zico 4%", "  short, together 4%: early 4%"]


def test_costs_are_said_before_a_whole_group_is_measured_else_only_that_there_is_no_control(config, setting):
    setting = replace(setting, proxy_batch=2, proxy_steps=2, steps=100)
    few = config(proxy="vote:zen+params", measures=["sotl"], control="none")
    assert told_before(few, setting) == [list(cost_lines(few, setting))[-1]]
    many = config(proxy="zen", measures=named(["cheap"]), control="none")
    assert told_before(many, setting) == list(cost_lines(many, setting))
    assert told_before(many, setting)[1].startswith("  cheap, together ")
    assert max(map(len, told_before(many, setting))) <= 100


@pytest.mark.parametrize("options", [{}, {"proxy": "params", "train": "asha", "rung": "vote:params+fixed_decoder"}])
def test_nothing_is_trained_to_be_told_apart_by_an_adaptive_sampler(config, options):
    dear = {"proxy": "vote:params+fixed_decoder", **options}
    check_votes(config(**dear))
    check_votes(config(proxy="vote:params+zen+here:loudness", sampler="tpe"))
    with pytest.raises(UserError, match=r"vote:params\+fixed_decoder: tpe is told the places among 64 other .* fixed_"):
        check_votes(config(**dear, sampler="tpe"))
