import functools
import itertools
import json

import numpy as np
import pandas as pd
import pytest
from matplotlib.text import Text
from tables import MANY_PROXIES, PROXIES, make_curves, make_data, make_effects, make_segments, make_table

from randsearch.base.errors import UserError
from randsearch.plots import (
    PLOTS,
    NotEnoughDataError,
    best_so_far,
    bump_chart,
    claim3,
    effects,
    learning_curves,
    matrix,
    quality_cost,
    rank_rank,
    regret_recall,
    save_plots,
    seeds,
    segments,
    style,
)
from randsearch.plots import found_by_seconds as by_seconds
from randsearch.plots.finish_curves import COLUMNS, finish_curves
from randsearch.plots.quality_cost import pareto, spread
from randsearch.statistics import agreement, analyse, effects_frame, format_interval
from randsearch.statistics.analysis import Named
from randsearch.table.tidy import means, scores

TABLES = {
    "small": {"architectures": 6, "seeds": (0, 1), "seed_noise": 0.1},
    "8": {"architectures": 8, "seeds": (0, 1), "seed_noise": 0.2, "failed": [(0, "early")]},
    "24": {
        **{"architectures": 24, "proxies": MANY_PROXIES},
        **{"seeds": (0, 1), "seed_noise": 0.2, "failed": [(0, "early")]},
    },
}


@functools.cache
def found(name, bias):
    """A table, its agreement, and made-up numbers for what plots need beside them; to be looked at alone."""
    table = make_table(**TABLES[name])
    return table, agreement(table, resamples=50, bias=bias), make_data(table)


def drawn(kind, name, bias=None):
    """A plot of one of the tables."""
    table, result, data = found(name, bias)
    return PLOTS[kind](table, result, *([data[kind]] if kind in data else []))


def texts(figure):
    return [text.get_text() for text in figure.findobj(lambda artist: hasattr(artist, "get_text"))]


def drawn_texts(figure):
    """The texts of a figure with their boxes in pixels; matplotlib also keeps labels of ticks that are out of view."""
    figure.draw_without_rendering()
    unseen = set()
    for axes in figure.axes:
        for axis in (axes.xaxis, axes.yaxis):
            low, high = sorted(axis.get_view_interval())
            for tick in [*axis.get_major_ticks(), *axis.get_minor_ticks()]:
                if not low <= tick.get_loc() <= high:
                    unseen |= {tick.label1, tick.label2}
    found = figure.findobj(Text)
    seen = [text for text in found if text.get_text().strip() and text.get_visible() and text not in unseen]
    # Text's own method: that of an annotation also covers its leader line.
    return [(text.get_text(), Text.get_window_extent(text)) for text in seen]


def overlaps(shown):
    """Pairs of drawn texts whose boxes overlap by more than a pixel."""
    boxes = [(text, box.padded(-1)) for text, box in shown]
    return [(a, b) for (a, one), (b, other) in itertools.combinations(boxes, 2) if one.overlaps(other)]


def outside(figure, shown):
    """The drawn texts that are not wholly inside the figure."""
    edge = figure.bbox.padded(1)
    return [text for text, box in shown if not (edge.contains(*box.min) and edge.contains(*box.max))]


@pytest.mark.parametrize("kind", PLOTS)
@pytest.mark.parametrize("name", ["8", "24"])
def test_no_text_overlaps_or_leaves_the_figure(kind, name):
    figure = drawn(kind, name, bias="sampled by TPE, " * 12)
    shown = drawn_texts(figure)
    assert outside(figure, shown) == []
    assert overlaps(shown) == []


@pytest.mark.parametrize("networks", [1, 4])
def test_curves_of_what_was_trained_on_have_a_line_a_network_and_no_text_overlaps(networks):
    rows = [
        (f"a rather long name: 0123456789a{network}-0", step > 500, step, network + step / 500, network - 1.0, -2.0)
        for network in range(networks)
        for step in range(50, 1001, 50)
    ]
    figure = finish_curves(pd.DataFrame(rows, columns=list(COLUMNS)))
    assert sum(len(line.get_xdata()) == 20 for line in figure.axes[0].lines) == networks
    shown = drawn_texts(figure)
    assert outside(figure, shown) == []
    assert overlaps(shown) == []
    with pytest.raises(NotEnoughDataError):
        finish_curves(pd.DataFrame(columns=list(COLUMNS)))


def test_an_overlap_would_be_found():
    figure = bump_chart(make_table(8))
    first, second = figure.axes[0].texts[:2]
    second.set_position(first.get_position())
    assert (first.get_text(), second.get_text()) in overlaps(drawn_texts(figure))
    first.set_x(-0.6)
    figure.set_layout_engine("none")
    assert outside(figure, drawn_texts(figure)) == [first.get_text()]


def test_rank_rank_has_a_panel_a_proxy_with_its_interval_in_the_title():
    table = make_table(10, proxies=MANY_PROXIES)
    result = agreement(table, resamples=100)
    figure = rank_rank(table, result)
    assert len(figure.axes) == 15
    for axes, row in zip(figure.axes, result.to_dict(orient="records"), strict=True):
        name, rho = axes.get_title().split("\n")
        assert name == style.label(row["proxy"])
        assert rho.endswith(format_interval(row["spearman"], row["spearman_low"], row["spearman_high"]))
    best = means(table)["trained"].argmax()
    points = figure.axes[0].collections[0].get_offsets()
    assert points[best][0] == 1


def test_rank_rank_draws_chosen_proxies_only():
    figure = rank_rank(make_table(6), proxies=["early"])
    assert [axes.get_title().split("\n")[0] for axes in figure.axes] == ["early"]


def test_bump_chart_has_a_line_an_architecture_from_its_trained_rank():
    table = make_table(9, failed=[(4, "early")])
    (axes,) = bump_chart(table).axes
    lines = [line for line in axes.lines if len(line.get_xdata()) == 4]
    assert sorted(line.get_ydata()[0] for line in lines) == list(range(1, 9))
    ranks = means(table).dropna()["fixed_encoder"].rank(ascending=False)
    assert sorted(line.get_ydata()[2] for line in lines) == sorted(ranks)
    assert [label.get_text() for label in axes.get_xticklabels()] == [
        *("trained", "fixed decoder", "fixed encoder", "early"),
    ]
    assert "architectures left out for lack of a score: 1" in texts(bump_chart(table))


def test_quality_cost_shows_each_proxy_once_at_its_place():
    table = make_table(12)
    result = agreement(table, resamples=100)
    (axes,) = quality_cost(table, result).axes
    points = [line for line in axes.lines if line.get_marker() == "o"]
    (front,) = (line for line in axes.lines if line.get_drawstyle() == "steps-post")
    assert front.get_ydata()[-1] == result["spearman"].max()
    assert axes.get_xscale() == "log"
    assert [line.get_ydata()[0] for line in points] == result["spearman"].tolist()
    np.testing.assert_allclose([line.get_xdata()[0] for line in points], result["relative_cost"], rtol=0.15)
    assert [text.get_text() for text in axes.texts] == [style.label(proxy) for proxy in result["proxy"]]


def test_quality_cost_numbers_many_proxies_in_the_panel_and_beside_it():
    table = make_table(12, proxies=MANY_PROXIES)
    result = agreement(table, resamples=100)
    (axes,) = quality_cost(table, result).axes
    written = [text.get_text() for text in axes.texts]
    for number, proxy in enumerate(result["proxy"], start=1):
        assert written.count(str(number)) == 2
        assert style.label(proxy) in written


def test_quality_cost_places_what_took_no_time():
    table = make_table(6)
    table.loc[table["measure"] == "params", "seconds"] = 0.0
    (axes,) = quality_cost(table).axes
    assert "parameters" in [text.get_text() for text in axes.texts]
    assert all(np.isfinite(line.get_xdata()).all() for line in axes.lines)


def test_spread_keeps_order_gap_and_range_and_moves_nothing_that_fits():
    fits = np.array([0.9, 0.5, 0.1])
    np.testing.assert_allclose(spread(fits, 0.2, 0.0, 1.0), fits)
    rng = np.random.default_rng(0)
    for size in (1, 2, 7, 40):
        crowded = np.sort(rng.uniform(0.8, 1.0, size))[::-1]
        moved = spread(crowded, 0.1, 0.0, 1.0)
        gap = min(0.1, 1 / max(size - 1, 1))
        assert (-np.diff(moved) >= gap - 1e-9).all()
        assert moved.max() <= 1 + 1e-9
        assert moved.min() >= -1e-9


def test_claim3_counts_and_shows_medians_and_the_constant_gain():
    table = make_table(12, failed=[(2, "fixed_encoder")])
    figure = claim3(table)
    scores = means(table)[["trained", "fixed_decoder", "fixed_encoder"]].dropna()
    ahead = (scores["fixed_decoder"] > scores["fixed_encoder"]).sum()
    assert figure.get_suptitle() == f"Fixed decoder above fixed encoder in {ahead} of 11 architectures"
    shown = texts(figure)
    assert all(f"{median:.1f} dB" in shown for median in scores.median())
    assert "best constant\ngain" in shown
    assert any(np.allclose(line.get_ydata(), 3.1) for line in figure.axes[0].lines)


@pytest.mark.parametrize("kind", PLOTS)
def test_bias_is_told_in_every_plot(kind):
    biased = drawn(kind, "small", bias="only the top 3 were trained")
    assert "biased: only the top 3 were trained" in " ".join(" ".join(texts(biased)).split())
    assert "biased" not in " ".join(texts(drawn(kind, "small")))


@pytest.mark.parametrize("kind", PLOTS)
def test_too_little_data_is_said(kind):
    table = make_table(5, proxies={"early": 1.0}) if kind == "claim3" else make_table(1)
    with pytest.raises(NotEnoughDataError, match=f"{kind} needs"):
        PLOTS[kind](table, agreement(table, resamples=50))


def test_saving_gives_the_same_bytes_twice_and_tells_what_it_skipped(tmp_path):
    table = make_table(6, proxies={"fixed_decoder": 0.5})
    skipped = []
    first = save_plots(table, tmp_path / "a", on_skip=skipped.append)
    made = ["rank_rank", "bump_chart", "quality_cost", "learning_curves", "matrix"]
    second = save_plots(table, tmp_path / "b", made)
    assert [path.name for path in first] == [f"{kind}.{suffix}" for kind in made for suffix in ("png", "svg")]
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in second]
    assert first[0].read_bytes().startswith(b"\x89PNG")
    assert "claim3 needs the measure fixed_encoder, which the table does not hold." in skipped
    assert [reason.split()[0] for reason in skipped] == [
        *("regret_recall", "best_so_far", "claim3", "segments", "seeds", "effects"),
    ]
    assert sorted(path.name for path in (tmp_path / "a").iterdir()) == sorted(path.name for path in first)


def test_an_unknown_plot_is_refused(tmp_path):
    with pytest.raises(UserError, match="There is no plot 'pie'; choose from rank_rank"):
        save_plots(make_table(4), tmp_path, ["pie"])


def test_the_pareto_front_is_what_no_other_beats():
    cost, quality = np.array([1.0, 2.0, 2.0, 3.0, 4.0]), np.array([0.3, 0.2, 0.5, 0.5, 0.9])
    assert pareto(cost, quality).tolist() == [0, 2, 4]


def test_matrix_shows_every_pair_once():
    table = make_table(9, failed=[(0, "early")])
    figure = matrix(table, agreement(table, resamples=50))
    (picture,) = figure.axes[0].images
    expected = means(table)[["trained", "early"]].dropna().rank().corr().iloc[0, 1]
    names = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert picture.get_array()[names.index("early"), 0] == pytest.approx(expected)
    assert picture.get_array().count() == 10


def test_regret_recall_draws_the_curve_its_band_and_chance():
    table = make_table(6)
    curves = make_curves(table)
    figure = regret_recall(table, agreement(table, resamples=50), curves)
    own = curves[curves["proxy"] == "fixed_decoder"]
    lines = [line.get_ydata() for line in figure.axes[0].lines]
    assert any(np.array_equal(line, own["regret_db"]) for line in lines)
    assert any(np.array_equal(line, own["random_regret_db"]) for line in lines)
    assert figure.axes[0].collections[0].get_datalim(figure.axes[0].transData).y1 == own["regret_db_high"].max()


def test_the_primary_proxy_comes_first_where_not_all_are_shown():
    table = make_table(6, proxies={**PROXIES, "zen": 1.0})
    found = analyse(table, resamples=50, named=Named("zen"))
    (axes,) = bump_chart(table, found.rows).axes
    assert [label.get_text() for label in axes.get_xticklabels()][:3] == ["trained", "zen", "fixed decoder"]
    panels = regret_recall(table, found.rows, found.curves).axes
    assert [axes.get_title() for axes in panels][:4] == ["zen", "fixed decoder", "fixed encoder", "early"]
    titles = [axes.get_title() for axes in effects(table, found.rows, effects_frame(found.effects)).axes]
    assert ["zen" in title for title in titles] == [True, False, False]


def test_the_long_name_of_a_vote_stands_in_lines():
    assert style.label("vote:params+jacob_cov+synflow+zen") == "vote:params+jacob_cov+synflow+zen"
    assert style.heading("vote:params+jacob_cov+synflow+zen") == "vote:params+jacob_cov+\nsynflow+zen"
    assert style.heading("fixed_decoder") == "fixed decoder"


def test_best_so_far_draws_both_lines_and_says_where_random_search_has_none():
    table = make_table(6)
    lines = make_data(table)["best_so_far"]
    (axes,) = best_so_far(table, result := agreement(table, resamples=50), lines).axes
    random, own, _ = (line.get_ydata() for line in axes.lines)
    np.testing.assert_array_equal(random, lines.loc[lines["line"] == "random", "best"])
    np.testing.assert_array_equal(own, lines.loc[lines["line"] == "search", "best"])
    assert axes.get_xlabel() == "minutes of compute"
    alone = best_so_far(table, result, lines[lines["line"] == "search"])
    assert len(alone.axes[0].lines) == 2
    assert "no line of random search: not all architectures of a random sample" in " ".join(
        " ".join(texts(alone)).split()
    )


def test_learning_curves_show_every_measurement_and_the_median():
    table = make_table(5, failed=[(1, "fixed_encoder")])
    first, _, third = learning_curves(table).axes
    ends = sorted(line.get_ydata()[-1] for line in first.lines if len(line.get_xdata()) == 4)
    assert len(ends) == 6
    assert f"median at the end {np.median(ends):.1f} dB" in first.get_title()
    assert sum(len(line.get_xdata()) == 4 for line in third.lines) == 5


def test_a_proxy_s_curve_is_compared_with_what_trained_at_the_same_rates():
    table = make_table(5)
    lasts = {}
    for schedule in ("constant", "cosine"):
        under = table.assign(schedule=np.where(table["measure"] == "trained", schedule, "constant"))
        dotted = learning_curves(under).axes[1].lines[-2]
        lasts[schedule] = dotted.get_ydata()[-1]
    for schedule, measure in (("constant", "trained"), ("cosine", "early")):
        curves = [dict(json.loads(cell)) for cell in table[table["measure"] == measure]["curve"]]
        assert lasts[schedule] == pytest.approx(np.median([curve[100] for curve in curves]))


def test_seeds_tells_their_spread_from_that_of_architectures():
    table = make_table(7, seeds=(0, 1, 2), seed_noise=0.3)
    axes = seeds(table).axes[0]
    wide = scores(table, "trained")
    within = np.sqrt(wide.var(axis=1, ddof=1).mean())
    assert f"SD over seeds {within:.2f},\nover architectures {wide.mean(axis=1).std():.2f} dB" in axes.get_title()


def test_segments_pools_the_finite_ones_by_source():
    table = make_table(5)
    figure = segments(table, data=make_segments("abc"))
    assert [axes.get_title() for axes in figure.axes] == ["accompaniment", "vocals"]
    assert figure.get_suptitle() == "Validation segments of abc"
    assert any("of 1194 segments lie beyond the panel" in text for text in texts(figure))


def test_effects_marks_what_is_sure():
    table, data = make_table(6), make_effects(4)
    figure = effects(table, data=data)
    for axes, proxy in zip(figure.axes, ("fixed_decoder", "fixed_encoder"), strict=True):
        (stars,) = (line for line in axes.lines if line.get_marker() == "*")
        assert len(stars.get_xdata()) == data[data["proxy"] == proxy]["sure"].sum()


def test_found_by_seconds_names_each_line_once_and_no_name_hides_another():
    rows = [
        (name, 40.0 * i, level + i, level + i - 0.2, level + i + 0.2)
        for name, level in (("random", 3.0), ("proxy:vote:early+macs+params+zen", 3.01), ("halving", 3.02))
        for i in range(6)
    ]
    figure = by_seconds.found_by_seconds(pd.DataFrame(rows, columns=list(by_seconds.COLUMNS)), "a note")
    shown = drawn_texts(figure)
    written = [text for text, _ in shown]
    for name in ("random", "proxy:vote:early+macs+params+zen", "halving"):
        assert written.count(name) == 1
    assert overlaps(shown) == []
    assert outside(figure, shown) == []
    assert "minutes of compute" in written
    assert any(text.endswith("a note") for text in written)
    with pytest.raises(NotEnoughDataError):
        by_seconds.found_by_seconds(pd.DataFrame(columns=list(by_seconds.COLUMNS)))
