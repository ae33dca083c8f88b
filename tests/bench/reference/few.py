"""Question 8: what studies of 16 and of 24 networks would have concluded, held against the whole grid.

Each draws networks of the grid without replacement and concludes by the plain rule: a proxy ranks as training does, or
against it, where the 95% interval of its Spearman excludes 0, and better or worse than `early` where that of the paired
difference does. It is wrong where it concludes otherwise than the whole grid does by the same rule: it misses what is
there, or claims what is not.
"""

from __future__ import annotations

import numpy as np
from bench.proxies import CONTROL, SEEDS
from bench.reference.answers import Answers
from bench.reference.budget import spearman, usable
from bench.reference.published import VOTES, Study
from bench.reference.wording import sign
from scipy.stats import binomtest

from randsearch.statistics.interval import LEVEL, Draws, Interval
from randsearch.statistics.partial import partial_spearman

SIZES, SUBSETS, RESAMPLES = (16, 24), 1_000, 1_000
PROXIES = ("fixed_decoder", VOTES[0])
QUESTIONS = ("ranks", "less_early")


def share(count: int, of: int) -> Interval:
    """A share with Wilson's interval."""
    found = binomtest(count, of).proportion_ci(LEVEL, method="wilson")
    return Interval(count / of, float(found.low), float(found.high))


def answer_8(study: Study, subsets: int = SUBSETS) -> Answers:
    """How often subsets conclude what, and how often that is wrong.

    Args:
        study: the whole grid.
        subsets: how many are drawn of each size.
    """
    answers, known, n = Answers(), study.known(SEEDS[0]), len(study.whole)
    names = usable(known, list(PROXIES))
    if len(usable(known, [CONTROL])) == 0:
        return answers
    scores = np.stack([known.scores(name) for name in (CONTROL, *names)])
    whole: dict[tuple[str, str], Interval] = {}
    control = spearman(known, CONTROL)
    for name in names:
        own = spearman(known, name)
        whole[name, "ranks"] = known.board.draws.bca(own)
        whole[name, "less_early"] = known.board.draws.bca(own - control)
    for (name, question), interval in whole.items():
        answers.add(f"8.whole.{name}.{question}", interval, n)
    answers.add("8.subsets", subsets)
    for size in (each for each in SIZES if 2 * each <= n):
        found = _concluded(scores, known.truth, names, size, subsets)
        for (name, question), intervals in found.items():
            true, front = sign(whole[name, question]), f"8.{size}.{name}.{question}."
            said = np.array([sign(each) for each in intervals])
            points = np.sign([each.point for each in intervals])
            answers.add(f"{front}missed", share(int(((said == 0) & (true != 0)).sum()), subsets), subsets)
            answers.add(f"{front}false", share(int(((said != 0) & (said != true)).sum()), subsets), subsets)
            answers.add(f"{front}wrong", share(int((said != true).sum()), subsets), subsets)
            if true:
                answers.add(f"{front}sign_right", share(int((points == true).sum()), subsets), subsets)
    return answers


def _concluded(
    scores: np.ndarray, truth: np.ndarray, names: list[str], size: int, subsets: int
) -> dict[tuple[str, str], list[Interval]]:
    """The intervals of every subset; scores are (`early` and then the names, networks)."""
    rng = np.random.default_rng([size, 8])
    found: dict[tuple[str, str], list[Interval]] = {(name, each): [] for name in names for each in QUESTIONS}
    for _ in range(subsets):
        chosen = rng.choice(len(truth), size, replace=False)
        draws = Draws.of(size, RESAMPLES, rng)
        control, *own = (partial_spearman(row[chosen], truth[chosen], [], draws.counts) for row in scores)
        for name, values in zip(names, own, strict=True):
            found[name, "ranks"].append(draws.bca(values))
            found[name, "less_early"].append(draws.bca(values - control))
    return found
