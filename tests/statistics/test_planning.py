import numpy as np
import pytest
from tables import make_table

from randsearch.base.errors import UserError
from randsearch.statistics import analyse, compare, plan
from randsearch.statistics.correlations import correlations
from randsearch.statistics.interval import Draws
from randsearch.statistics.planning import FEWEST_TO_PLAN, foreseen_width, needed
from randsearch.table.tidy import means


@pytest.mark.parametrize(
    ("rho", "architectures"), [(0.0, 40), (0.5, 120), (0.8, 40), (0.8, 14), (0.95, 14), (0.95, 40)]
)
def test_the_foreseen_width_is_that_of_the_bootstrap(rho, architectures):
    rng = np.random.default_rng(architectures)
    pearson = 2 * np.sin(np.pi * rho / 6)
    widths = []
    for _ in range(60):
        x, other = rng.normal(size=(2, architectures))
        draws = Draws.of(architectures, 400, rng)
        y = pearson * x + np.sqrt(1 - pearson**2) * other
        found = draws.bca(correlations(x, y, draws.counts, weighted=0).spearman)
        widths.append(found.high - found.low)
    assert foreseen_width(rho, architectures) == pytest.approx(np.mean(widths), rel=0.15)


@pytest.mark.parametrize("rho", [-0.3, 0.0, 0.7, 1.0])
def test_needed_is_the_fewest_that_reach_the_width(rho):
    for width in (0.05, 0.2, 1.0):
        number = needed(rho, width)
        assert foreseen_width(rho, number) <= width
        assert number == FEWEST_TO_PLAN or foreseen_width(rho, number - 1) > width


def test_a_plan_counts_seeds_and_hours():
    table = make_table(20, seeds=(0, 1), seed_noise=1.0, proxies={"fixed_decoder": 1.0})
    table["seconds"] = np.where(table["measure"] == "trained", 3000.0, 550.0)
    table["validation_seconds"], table["data_seconds"] = 40.0, 5.0
    found = plan(table, analyse(table, resamples=200), "fixed_decoder", 0.2)
    assert [option.seeds for option in found.options] == [2, 3, 4]
    rhos = [option.rho for option in found.options]
    assert rhos == sorted(rhos)
    numbers = [option.architectures for option in found.options]
    assert numbers == sorted(numbers, reverse=True)
    first = found.options[0]
    assert first.more == first.architectures - 20
    assert first.hours == pytest.approx((3000 + 550 + 2 * 45) * first.more * 2 / 3600)
    assert first.low <= first.architectures <= first.high
    text = "\n".join(found.sentences())
    assert f"2 seeds: {first.architectures:,} architectures" in text
    assert "hours of one worker" in text


def test_a_plan_from_one_seed_says_that_it_knows_nothing_of_others():
    table = make_table(12)
    found = plan(table, analyse(table, resamples=100), "fixed_decoder", 0.3)
    assert [option.seeds for option in found.options] == [1]
    assert "cannot be told from one seed" in found.sentences()[-1]


def test_a_plan_keeps_the_proxys_further_seeds_and_pays_for_them():
    table = make_table(20, seeds=(0, 1, 2), seed_noise=1.0, proxies={"fixed_decoder": 1.0})
    table = table[(table["measure"] != "trained") | (table["seed"] < 2)].assign(validation_seconds=0.0, data_seconds=0)
    table["seconds"] = np.where(table["measure"] == "trained", 3000.0, 600.0)
    analysis = analyse(table, resamples=100)
    found = plan(table, analysis, "fixed_decoder", 0.2)
    first, _, last = found.options
    assert [(option.seeds, option.proxy_seeds) for option in found.options] == [(2, 3), (3, 3), (4, 4)]
    assert first.rho == pytest.approx(analysis.rows["spearman"].iloc[0])
    assert first.hours == pytest.approx((2 * 3000 + 3 * 600) * first.more / 3600)
    assert last.hours == pytest.approx((4 * 3600 * last.architectures - (2 * 3000 + 3 * 600) * 20) / 3600)
    assert "at 2 seeds of training and 3 of the proxy give" in found.sentences()[0]


@pytest.mark.parametrize(("proxy", "width", "message"), [("early", 2.5, "between 0 and 2"), ("zen", 0.2, "zen has no")])
def test_a_plan_of_nothing_is_refused(proxy, width, message):
    table = make_table(8)
    with pytest.raises(UserError, match=message):
        plan(table, analyse(table, resamples=50), proxy, width)


def test_a_plan_from_few_architectures_is_refused():
    table = make_table(9)
    with pytest.raises(UserError, match="9 architectures with both scores tell too little"):
        plan(table, analyse(table, resamples=50), "fixed_decoder", 0.2)


def test_studies_are_compared_on_the_architectures_of_both():
    first, second = make_table(20), make_table(14, rng_seed=0, proxies={"early": 0.7}, failed=[(3, "early")])
    found = compare(first, second, resamples=200)
    assert (found.sizes, found.matched) == ((20, 14), 14)
    by_measure = {transfer.measure: transfer for transfer in found.transfers}
    assert set(by_measure) == {"trained", "early"}
    assert by_measure["early"].n == 13
    pair = means(first)["early"].to_frame("a").join(means(second)["early"].rename("b"), how="inner").dropna()
    assert by_measure["early"].spearman.point == pytest.approx(pair.corr(method="spearman").iloc[0, 1])
    text = "\n".join(found.sentences())
    assert "14 architectures are in both studies (of 20 and 14)" in text
    assert "same initial weights" in text
    assert "biased: only some" in "\n".join(compare(first, second, resamples=50, bias="only some").sentences())


def test_other_seeds_share_no_weights_and_few_architectures_say_little():
    first, second = make_table(3), make_table(3, seeds=(5,))
    found = compare(first, second, resamples=50)
    assert not any(transfer.shared_seeds for transfer in found.transfers)
    assert np.isnan(found.transfers[0].spearman.low)
    assert "too few to say" in "\n".join(compare(make_table(2), make_table(2), resamples=50).sentences())


def test_studies_without_anything_in_common_are_refused():
    second = make_table(5)
    second["architecture"] = "x" + second["architecture"]
    with pytest.raises(UserError, match="no architecture in common"):
        compare(make_table(5), second)
    with pytest.raises(UserError, match="no measure in common"):
        compare(make_table(5), make_table(5, proxies={}).assign(measure="other"))
