"""Questions 5 and 6: how much of what a proxy lacks is noise between seeds, and do rankings hold on other data?

**The share of noise.** Were scores free of noise, Spearman's rho would be rho / sqrt(r s), where r is the Spearman of
training between two of its seeds and s that of the proxy (Spearman 1904's correction for attenuation, for ranks near
enough). A proxy lacks 1 - rho of perfect agreement, of which that much less is lacking without noise. With r alone it
is the noise of training that is taken away. All are computed in the same draws of networks; r comes from those networks
that were drawn beforehand for further training seeds, and is the mean over pairs of seeds, each weighted by how many
networks have both.
"""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
from bench.proxies import CONTROL, SEEDS, TARGET
from bench.reference.answers import Answers
from bench.reference.published import HALVES, VOTES, Study

from randsearch.statistics import compare
from randsearch.statistics.ceiling import CLEARLY_RELIABLE, between_seeds
from randsearch.statistics.correlations import Counts, Floats
from randsearch.statistics.partial import partial_spearman
from randsearch.statistics.proxy_rows import Board
from randsearch.statistics.scores import Scores
from randsearch.statistics.votes import with_votes
from randsearch.table.tidy import means

JUDGED = (*HALVES, CONTROL, *VOTES)
ELSEWHERE = "trained_on_popvoice"
"""What training on the first corpus is called where it is a proxy for training on another."""
FEWEST = 8
"""With fewer networks of several training seeds no share of noise is told."""


def answer_5(study: Study) -> Answers:
    """Reliability of training and of proxies, the ceiling, and the share of noise in what proxies lack."""
    answers, n = Answers(), len(study.whole)
    board = Board.of(study.at(SEEDS[0], JUDGED), TARGET, study.resamples, 0)
    counts, truth = board.draws.counts, board.truth.mean
    answers.add("5.seeds", study.trainings.shape[1])
    answers.add("5.complete", int(study.trainings.notna().all(axis=1).sum()))
    drawn = len(study.drawn) if study.trainings.shape[1] > 1 else 0
    answers.add("5.drawn", drawn)
    if drawn < FEWEST:
        return answers
    training = _training(study, counts)
    reliable = board.draws.bca(training)
    answers.add("5.training.reliability", reliable, drawn)
    answers.add("5.ceiling", board.draws.bca(_root(training)), drawn)
    for name in (each for each in JUDGED if each in board.proxies):
        rho = partial_spearman(board.proxies[name].mean, truth, [], counts)
        own = between_seeds(Scores.of(study.finer, name).seeds, counts)
        answers.add(f"5.{name}.spearman", board.draws.bca(rho), n)
        answers.add(f"5.{name}.reliability", board.draws.bca(own), n)
        if reliable.low > CLEARLY_RELIABLE and answers[f"5.{name}.spearman"].low > 0:
            answers.add(f"5.{name}.training_noise", board.draws.bca(_share(rho, training)), n)
            answers.add(f"5.{name}.noise", board.draws.bca(_share(rho, training * own)), n)
    return answers


def _training(study: Study, counts: Counts) -> Floats:
    """Spearman of training between two of its seeds, the mean over pairs of these, in every draw of networks."""
    found, weights = [], []
    for pair in map(list, itertools.combinations(study.trainings.columns, 2)):
        sample = np.isin(np.array(study.whole), study.drawn_for(pair))
        if sample.sum() >= FEWEST:
            found.append(between_seeds(study.trainings[pair].to_numpy()[sample], counts[:, sample]))
            weights.append(int(sample.sum()))
    return np.average(found, axis=0, weights=weights)


def _root(values: Floats) -> Floats:
    """The square root; NaN of what is not above 0."""
    return np.sqrt(np.where(values > 0, values, np.nan))


def _share(rho: Floats, reliability: Floats) -> Floats:
    """How much of 1 - rho is gone without noise, from 0 to 1."""
    free = np.minimum(rho / _root(reliability), 1.0)
    return np.divide(free - rho, 1 - rho, out=np.full_like(rho, np.nan), where=rho < 1)


def side_by_side(study: Study, other: Study) -> pd.DataFrame:
    """The other study's table at one seed, with training in the first as one more proxy of it."""
    table = other.at(SEEDS[0], [*VOTES, CONTROL, "macs"])
    own = study.finer[(study.finer["measure"] == TARGET) & study.finer["architecture"].isin(other.whole)]
    own = own.assign(measure=ELSEWHERE)
    table = table[table["architecture"].isin(own["architecture"])]
    return pd.concat([table, own], ignore_index=True)


def answer_6(study: Study, other: Study) -> Answers:
    """Whether training and the recommended proxies rank alike on both corpora, and what predicts the other corpus."""
    answers = Answers()
    votes = [vote for vote in other.votes if vote in study.votes]
    common = sorted(set(study.whole) & set(other.whole))
    answers.add("6.networks", len(common))
    if len(common) < FEWEST:
        return answers
    tables = []
    for each in (study, other):
        table = each.table[each.table["architecture"].isin(common)]
        table = table[(table["measure"] != TARGET) | (table["seed"] == each.seed)]
        tables.append(with_votes(table.reset_index(drop=True), votes))
    found = compare(*tables, resamples=study.resamples)
    if any(each.measure == TARGET and each.shared_seeds for each in found.transfers):
        answers.add("6.shared_seeds", 1)
    for each in found.transfers:
        if each.measure in (TARGET, *votes, *HALVES, CONTROL, "zen"):
            answers.add(f"6.transfer.{each.measure}", each.spearman, each.n)
    joint = side_by_side(study, other)
    rows = study.agreement(joint)
    for name in (ELSEWHERE, *votes, CONTROL, "macs"):
        if name in rows.index:
            answers.row(f"6.{name}.spearman", rows.loc[name], "spearman", int(rows.loc[name, "n"]))
    differ = study.comparer(joint)
    for vote in votes:
        less = differ.difference(ELSEWHERE, vote)
        answers.add(f"6.{ELSEWHERE}.less.{vote}", less.spearman, less.n)
    gap = means(joint)[[ELSEWHERE, TARGET]].dropna()
    answers.add("6.median_db.popvoice", float(gap[ELSEWHERE].median()))
    answers.add("6.median_db.synthetic", float(gap[TARGET].median()))
    return answers
