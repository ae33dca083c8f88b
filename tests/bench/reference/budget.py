"""Questions 3 and 4: which proxy for which share of a training, and what training only its first choices loses.

Costs are multiply-adds of one seed as a share of those of one training. `early` of equal cost is the least point of its
curve that costs as much as the proxy that is held against it.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from bench.proxies import CONTROL, RECOMMENDED, SEEDS, SPLITS, Known, of_votes, recommended, unit
from bench.reference.answers import Answers
from bench.reference.published import HALVES, VOTES, Study
from scipy.stats import rankdata

from randsearch.measures.catalogue import MEASURES
from randsearch.statistics import choice
from randsearch.statistics.among_good import best_of
from randsearch.statistics.budgets import base
from randsearch.statistics.claims import better
from randsearch.statistics.interval import Interval, band, percentile_interval
from randsearch.statistics.partial import partial_spearman
from randsearch.statistics.permutation import holm

BUDGETS = {"nothing": 0.0, "1%": 0.01, "5%": 0.05, "20%": 0.2}
PLACES = dict(zip(BUDGETS, ("nothing trained", "1%", "5%", ""), strict=True))
"""The budgets as `RECOMMENDED` calls them."""
CHECKS = ("spearman_less_macs", "given_sizes", "given_sizes_less_early")
"""What has to be above 0 if a recommendation is to be confirmed."""
AS_MUCH = 0.05
"""Costs that differ by no more than such a share are equal: a vote of `early` costs a little more than `early`."""
TRAINED_SHARE = 0.05
CHOOSERS = (*VOTES, *HALVES, CONTROL, "macs")


def usable(known: Known, names: list[str]) -> list[str]:
    """The proxies that have a score of every network, and not the same of all."""
    found = (known.board.proxies.get(name) for name in names)
    return [
        each.name
        for each in found
        if each is not None and known.board.both(each).all() and np.ptp(known.scores(each.name)) > 0
    ]


def points_of(known: Known, name: str) -> list[str]:
    """A proxy at every smaller budget that its curve was read off at, and in full, by rising cost."""
    found = [each for each in known.board.proxies if base(each) == name]
    return sorted(found, key=lambda each: known.costs[each])


def within(known: Known, singles: list[str], budget: str) -> list[str]:
    """What a budget pays for: each proxy, or the largest part of its curve.

    Args:
        known: the scores and costs at one seed.
        singles: the proxies that are neither votes nor smaller budgets.
        budget: of `BUDGETS`; for "nothing" any proxy that trains nothing counts.
    """
    share, names = BUDGETS[budget], []
    for single in singles:
        if share == 0:
            names += [single] if single in MEASURES and MEASURES[single].group == "cheap" else []
        else:
            names += [each for each in points_of(known, single) if known.costs[each] <= share][-1:]
    return usable(known, names)


def early_for(known: Known, cost: float) -> str | None:
    """`early` of such a cost, or of the next that its curve holds; None if it was not measured for so much."""
    return next((each for each in points_of(known, CONTROL) if (1 + AS_MUCH) * known.costs[each] >= cost), None)


def spearman(known: Known, name: str) -> np.ndarray:
    """Of a proxy with training, in every draw."""
    return partial_spearman(known.scores(name), known.truth, [], known.board.draws.counts)


def held_out(known: Known, names: list[str]) -> Interval:
    """Choosing the best of some proxies on a random half of the networks: its Spearman on the other half."""
    ranks, truth = known.ranks(names), known.truth
    rng, alone, found = np.random.default_rng(0), [(index,) for index in range(len(names))], []
    for _ in range(SPLITS):
        half, rest = np.array_split(rng.permutation(len(truth)), 2)
        chosen = int(np.argmax(of_votes(ranks[:, half], truth[half], alone)))
        found.append(of_votes(ranks[:, rest], truth[rest], [(chosen,)])[0])
    return percentile_interval(float(np.mean(found)), np.array(found))


def confirmations(study: Study) -> Iterator[tuple[str, dict[str, float]]]:
    """The recommended votes of a study at each seed, and what confirms them."""
    for seed in SEEDS:
        rows = {str(row["proxy"]): row for row in recommended(study.known(seed), seed)}
        yield from ((f"seed{seed}.{name}", row) for name, row in rows.items())


def answer_3(study: Study) -> Answers:
    """Every budget, the recommendations, and who beats `early` at equal cost."""
    answers, known, n = Answers(), study.known(SEEDS[0]), len(study.whole)
    draws, front = known.board.draws, f"3.{study.key}."
    for name, row in confirmations(study):
        for column in ("spearman", *CHECKS, "spearman_less_early"):
            answers.row(f"{front}{name}.{column}", row, column, n)
        answers.add(f"{front}{name}.cost", row["cost"])
    left_out = set(study.singles) - set(usable(known, study.singles))
    answers.add(f"{front}left_out", len(left_out))
    truth_ranks = unit(rankdata(known.truth))
    for budget in BUDGETS:
        names = within(known, study.singles, budget)
        if not names:
            continue
        best = names[int(np.argmax(known.ranks(names) @ truth_ranks))]
        of = f"{front}{budget}."
        answers.add(f"{of}proxies", len(names))
        answers.add(f"{of}best.{best}.spearman", draws.bca(spearman(known, best)), n)
        answers.add(f"{of}best.{best}.cost", known.costs[best])
        answers.add(f"{of}held_out", held_out(known, names), n // 2)
        vote = RECOMMENDED.get(PLACES[budget], VOTES[-1])
        less = spearman(known, best) - spearman(known, vote)
        answers.add(f"{of}best.{best}.less.{vote}", draws.bca(less), n)
        p = better(known.scores(best), known.scores(vote), known.truth, 0).p
        answers.add(f"{of}best.{best}.p", min(1.0, p * len(names)))
    answers.update(_against_early(study, known))
    return answers


def _against_early(study: Study, known: Known) -> Answers:
    """Each proxy less `early` of equal cost, the recommended ones among them, p corrected for the number of others."""
    answers, found = Answers(), {}
    for name in usable(known, [*VOTES, *(single for single in study.singles if single != CONTROL)]):
        control = early_for(known, known.costs[name])
        if control is None:
            continue
        less = known.board.draws.bca(spearman(known, name) - spearman(known, control))
        found[name] = (less, better(known.scores(name), known.scores(control), known.truth, 0).p)
    others = [name for name in found if name not in VOTES]
    answers.add(f"3.{study.key}.others", len(others))
    corrected = dict(zip(others, holm([found[name][1] for name in others]), strict=True))
    for name, (less, p) in found.items():
        answers.add(f"3.{study.key}.equal_cost.{name}", less, len(study.whole))
        answers.add(f"3.{study.key}.equal_cost_p.{name}", corrected.get(name, p))
    return answers


def answer_4(study: Study) -> Answers:
    """Regret and recall of training the first 5% by each proxy, and by chance."""
    answers, known, n = Answers(), study.known(SEEDS[0]), len(study.whole)
    trained = best_of(TRAINED_SHARE, n)
    counts = known.board.draws.counts[known.board.draws.first :]
    answers.add("4.share", TRAINED_SHARE)
    answers.add("4.top", choice.TOP)
    answers.add("4.trained", trained, n)
    answers.add("4.random.regret_db", choice.random_regret(known.truth, trained), n)
    answers.add("4.random.recall", trained / n, n)
    gains = {}
    for name in usable(known, list(CHOOSERS)):
        own = known.scores(name)
        gain = choice.resampled_gain(own, known.truth, counts, np.array([trained]), 0)
        regret = choice.expected_regret(own, known.truth, trained)
        recall = choice.expected_recall(own, known.truth, trained)
        answers.add(f"4.{name}.regret_db", band(regret, gain.regret[:, 0]), n)
        answers.add(f"4.{name}.recall", band(recall, gain.recall[:, 0]), n)
        gains[name] = (regret, gain.regret[:, 0].astype(float))
    for name in gains:
        if name != "macs" and "macs" in gains:
            less = band(gains[name][0] - gains["macs"][0], gains[name][1] - gains["macs"][1])
            answers.add(f"4.{name}.less.macs.db", less, n)
    return answers
