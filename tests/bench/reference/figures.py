"""One figure a question: those that the package draws of any study where they fit, and two of their own."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from bench.proxies import CONTROL, SEEDS, TARGET
from bench.reference.answers import Answers
from bench.reference.budget import BUDGETS, points_of, spearman, usable
from bench.reference.few import PROXIES, SIZES
from bench.reference.noise import ELSEWHERE, side_by_side
from bench.reference.published import HALVES, VOTES, Study

from randsearch.plots import claim3, rank_rank, regret_recall, seeds, style
from randsearch.plots.found_by_seconds import found_by_seconds
from randsearch.plots.quality_cost import spread
from randsearch.statistics import agreement, settings
from randsearch.statistics.analysis import Named
from randsearch.statistics.curves import make_curves
from randsearch.statistics.proxy_rows import Board

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

IN_TABLE_ALONE = "proxy:fixed_decoder"
"""The strategy that the figure leaves out, for the colours of the others to be told apart."""
_FREE = 2e-4
"""Where what costs nothing stands on an axis of shares."""


def ranks(study: Study) -> Figure:
    """Rank by each half, and by what they are held against, over rank by training."""
    return rank_rank(study.at(SEEDS[0], [*HALVES, CONTROL, "macs"]), proxies=[*HALVES, CONTROL, "macs"])


def halves(study: Study) -> Figure:
    """Scores of the networks trained, with a fixed decoder, and with a fixed encoder."""
    return claim3(study.at(SEEDS[0], HALVES))


def budgets(studies: dict[str, Study]) -> Figure:
    """Spearman against cost, a panel a study."""
    shown = [studies[key] for key in ("A", "B") if key in studies]
    with style.styled():
        figure = style.new_figure(0.6 + 5.0 * len(shown), 4.4)
        grid = figure.subplots(1, len(shown), squeeze=False, sharey=True)[0]
        for axes, study in zip(grid, shown, strict=True):
            axes.set_title(f"study {study.key}, {len(study.whole)} networks")
            _costs(axes, study)
        grid[0].set_ylabel("Spearman with training, 95% interval")
        figure.suptitle("What each share of a training buys")
        style.footnote(figure, "multiply-adds of one seed; lines: smaller budgets of the same run; dotted: 1%, 5%, 20%")
    return figure


def _costs(axes: Axes, study: Study) -> None:
    """One panel of `budgets`: what trains as a line, all else as a point, with names beside it."""
    known = study.known(SEEDS[0])
    axes.set(xscale="log", xlim=(_FREE / 2, 1.0), ylim=(-0.45, 1.02))
    axes.axhline(0, color=style.GREY, linewidth=0.8)
    for budget in list(BUDGETS.values())[1:]:
        axes.axvline(budget, color=style.GREY, linewidth=0.8, linestyle=":")
    ends = {name: spearman(known, name) for name in usable(known, [*VOTES, "macs", CONTROL, *HALVES])}
    names = sorted(ends, key=lambda name: -float(ends[name][0]))
    heights = spread(np.array([ends[name][0] for name in names]), 0.075, -0.4, 1.0)
    for place, (name, height) in enumerate(zip(names, heights, strict=True)):
        line = [name] if name in VOTES else usable(known, points_of(known, name))
        # Equal costs side by side, so that intervals do not hide each other.
        cost = [max(known.costs[each], _FREE) * 1.05 ** (place - len(names) / 2) for each in line]
        found, rho = known.board.draws.bca(ends[name]), [float(spearman(known, each)[0]) for each in line]
        paint = style.PURPLE if name == VOTES[0] else style.colour(name, 1)
        axes.plot(cost, rho, ".-", color=paint, linewidth=1.0, markersize=4)
        axes.plot([cost[-1]] * 2, [found.low, found.high], color=paint, linewidth=1.6, alpha=0.55)
        axes.plot(cost[-1], rho[-1], "o", color=paint, markersize=7, markeredgecolor="white")
        axes.annotate(
            style.heading(name).replace("\n", ""),
            (cost[-1], rho[-1]),
            xytext=(1.02, height),
            textcoords=axes.get_yaxis_transform(),
            arrowprops={"arrowstyle": "-", "color": paint, "linewidth": 0.6, "alpha": 0.5, "shrinkB": 5},
            **{"va": "center", "color": paint, "fontsize": 8},
        )
    axes.set_xlabel("cost, a share of one training")
    axes.grid(visible=True, axis="y")


def regret(study: Study) -> Figure:
    """Regret and recall against how many are trained."""
    names = [VOTES[0], "macs", *HALVES, CONTROL]
    table = study.at(SEEDS[0], names)
    board = Board.of(table, TARGET, study.resamples, 0)
    curves, _ = make_curves(board)
    rows = agreement(table)
    rows.attrs["settings"] = replace(settings(rows), named=Named(primary=VOTES[0]))
    return regret_recall(table, rows, curves[curves["proxy"] != "macs"])


def noise(study: Study) -> Figure:
    """Scores at every seed of the networks that were drawn for further seeds."""
    table = study.table[study.table["architecture"].isin(study.drawn)]
    return seeds(table[table["measure"].isin([TARGET, *HALVES, CONTROL])].reset_index(drop=True))


def transfer(study: Study, other: Study) -> Figure:
    """Rank by training on one corpus, and by the votes, over rank by training on the other."""
    table = side_by_side(study, other)
    proxies = [ELSEWHERE, *(vote for vote in VOTES if vote in set(table["measure"])), "macs"]
    return rank_rank(table, proxies=[name for name in proxies if name in set(table["measure"])])


def search(curves: pd.DataFrame) -> Figure:
    """What each strategy had found against seconds."""
    return found_by_seconds(curves[curves["strategy"] != IN_TABLE_ALONE], f"{IN_TABLE_ALONE} stands in the table alone")


def few(answers: Answers) -> Figure:
    """How often small studies are wrong."""
    cases = [
        (name, question, size)
        for question in ("ranks", "less_early")
        for name in PROXIES
        for size in SIZES
        if f"8.{size}.{name}.{question}.wrong" in answers
    ]
    what = {"ranks": "ranks as training?", "less_early": f"against {CONTROL}?"}
    with style.styled():
        figure = style.new_figure(7.2, 0.9 + 0.34 * len(cases))
        axes = figure.add_subplot()
        for place, (name, question, size) in enumerate(cases):
            front, left = f"8.{size}.{name}.{question}.", 0.0
            for kind, paint in (("missed", style.ORANGE), ("false", style.VERMILION)):
                width = answers[front + kind].point
                axes.barh(place, width, left=left, color=paint, height=0.7)
                left += width
            whole = answers[front + "wrong"]
            axes.plot([whole.low, whole.high], [place, place], color=style.INK, linewidth=1.2)
        labels = [f"{style.label(name)}: {what[question]} {size} networks" for name, question, size in cases]
        axes.set_yticks(np.arange(len(cases)), labels)
        axes.invert_yaxis()
        axes.set_xlim(0, 1)
        axes.set_xlabel("share of studies that are wrong")
        axes.grid(visible=True, axis="x")
        figure.suptitle("How often small studies are wrong")
        style.footnote(figure, "orange: misses what is there; red: claims what is not; black: 95% interval")
    return figure
