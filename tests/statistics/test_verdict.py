import textwrap

import numpy as np
import pytest
from tables import make_table

from randsearch.statistics import Interval, analyse, headline, notes, verdict
from randsearch.statistics.analysis import Named
from randsearch.statistics.ensembles import ensemble, with_ensemble
from randsearch.statistics.verdict import more_needed


def said(table, **options):
    return verdict(analyse(table, resamples=300, **options))


def fits(found):
    """At most ten lines of 100 characters, no sentence over two of them."""
    heights = [len(textwrap.wrap(line, 100)) for line in found.lines]
    return max(heights) <= 2 and sum(heights) <= 10


def test_a_strong_proxy_is_called_so():
    found = said(make_table(80, proxies={"fixed_decoder": 0.3, "params": 50.0, "fixed_encoder": 3.0}))
    assert found.opening.startswith("fixed_decoder ranks like training: Spearman 0.")
    assert found.opening.endswith("p <0.001, 80 architectures.")
    assert found.lines[0] == found.opening
    assert found.correlation.startswith(found.opening)
    text = " ".join(found.lines)
    assert "It ranks better than size alone (Spearman +" in text
    assert "Among networks of equal size it tells which trains better" in text
    assert "Among the best quarter by training, too, it ranks like training (Spearman 0." in text
    assert "fixed_decoder scores higher than fixed_encoder" in found.modes
    assert "Their agreement with trained differs" in found.modes
    assert found.bias == ""
    assert next(question for question, _ in found.parts()).endswith("(J-Net's first claim)?")
    assert fits(found)


def test_early_is_a_control_only_where_it_costs_what_the_primary_proxy_does():
    table = make_table(24, proxies={"params": 0.3, "early": 0.7})
    matched = analyse(table, resamples=100, named=Named("params"))
    cheaper = analyse(table, resamples=100, named=Named("params", "params costs less than one step of training"))
    assert "the equal-cost control" in headline(matched.rows, "params")
    assert "a short training of equal cost" in " ".join(verdict(matched, "params").sentences())
    assert notes(matched.rows)[-1] == "early: normal training for what params costs"
    assert "equal" not in headline(cheaper.rows, "params")
    assert "equal cost" not in " ".join(verdict(cheaper, "params").sentences())
    assert "no equal-cost control: params costs less than one step of training" in notes(cheaper.rows)
    assert [found.control.other for found in cheaper.claims] == ["", ""]
    assert matched.rows["spearman"].tolist() == cheaper.rows["spearman"].tolist()


def test_a_weak_proxy_is_not_called_good_and_nothing_more_is_asked_of_it():
    found = said(make_table(30, proxies={"fixed_decoder": 30.0, "early": 30.0, "params": 20.0}))
    assert found.opening.startswith("No evidence that fixed_decoder ranks like training: Spearman ")
    text = " ".join(found.lines)
    assert "size alone" not in text
    assert "equal cost" not in text
    assert "none of 3 proxies is shown to rank like it" in text
    assert "more architectures" in found.more or "out of reach" in found.more
    assert fits(found)


@pytest.mark.parametrize("sign", [1, -1])
def test_a_distance_to_training_is_told_in_its_direction(sign):
    table = make_table(20, proxies={"fixed_decoder": 0.3})
    own = table["measure"] == "fixed_decoder"
    table.loc[own, "score"] = (
        table.loc[table["measure"] == "trained", "score"].to_numpy() + sign * 0.45 + 0.001 * np.arange(20)
    )
    text = said(table).modes
    assert "dB [" in text
    assert ("above trained" if sign > 0 else "below trained") in text
    assert "-0.4" not in text


def test_different_budgets_of_steps_are_told():
    table = make_table(12)
    table.loc[table["measure"] == "trained", "steps"] = 4000
    assert "that is after 400 steps against 4,000" in said(table).modes


def test_luck_among_many_proxies_is_told():
    proxies = {"fixed_decoder": 2.3} | {f"p{i}": 40.0 for i in range(30)}
    for seed in range(30):
        found = analyse(make_table(24, proxies=proxies, rng_seed=seed), resamples=60)
        row = found.rows.set_index("proxy").loc["fixed_decoder"]
        if row["p_value"] < 0.05 <= row["p_holm"]:
            assert "so that this may be luck" in verdict(found).correlation
            return
    pytest.fail("no seed gave a p that the correction lifts above its level")


def test_bias_comes_first_and_an_absent_proxy_is_replaced_by_the_best():
    found = said(make_table(10, proxies={"early": 0.1, "params": 9.0}), bias="sampled by TPE")
    assert found.sentences()[0] == "Biased: sampled by TPE."
    assert found.opening.startswith("early ranks like training: Spearman ")
    assert "corrected for 2 proxies" in found.opening
    assert "fixed_decoder, named beforehand, was not measured: early is the best of 2." in found.lines
    assert found.modes == ""
    assert "J-Net" not in " ".join(question for question, _ in found.parts())
    assert said(make_table(6, proxies={})).correlation == "No proxy was measured beside trained."


def test_what_trusting_the_proxy_lost_is_that_of_the_curve():
    found = analyse(make_table(24), resamples=200)
    first = found.curves[found.curves["proxy"] == "early"].iloc[0]
    text = verdict(found, "early").loss
    assert f"would have lost {first['regret_db']:.2f} dB [" in text
    assert f"chance loses {first['random_regret_db']:.2f} dB" in text


def test_a_choice_that_chance_beats_is_not_called_best():
    table = make_table(24, proxies={"fixed_decoder": 0.5})
    table.loc[table["measure"] == "fixed_decoder", "score"] *= -1
    found = said(table)
    assert "no proxy would have done better than chance" in found.budget
    assert "lost least" not in found.budget


def test_an_ensemble_is_no_choice_for_a_budget():
    table = make_table(24, proxies={"fixed_decoder": 2.0})
    found = analyse(with_ensemble(table, ensemble(table)), resamples=100)
    assert set(found.budgets["proxy"]) == {"fixed_decoder"}
    assert set(found.curves["proxy"]) == {"fixed_decoder", "random"}


def test_budgets_that_chance_may_match_are_not_praised():
    found = said(make_table(24, proxies={"fixed_decoder": 40.0}))
    assert "in another study of this size it may lose as much as chance" in found.budget


@pytest.mark.parametrize(
    ("interval", "more"),
    [
        (Interval(0.2, -0.2, 0.5), 60),  # the half-width must shrink from 0.4 to 0.2: four times the 20
        (Interval(-0.2, -0.5, 0.2), 60),
        (Interval(0.5, 0.1, 0.7), 0),
        (Interval(0.0, -0.2, 0.2), None),
        (Interval(0.5), None),
    ],
)
def test_how_many_more_architectures_would_tell(interval, more):
    assert more_needed(interval, 20) == more
