"""Questions 1 and 2: does a score with a fixed half rank as training does, and which half should be fixed?"""

from __future__ import annotations

import numpy as np
import pandas as pd
from bench.proxies import CONTROL, SEEDS, SIZES, TARGET
from bench.reference.answers import Answers
from bench.reference.published import HALVES, VOTES, Study, median_of

from randsearch.statistics.differences import score_gap
from randsearch.statistics.scores import Scores

SHOWN = (*HALVES, CONTROL, *SIZES)


def quarter(study: Study) -> pd.DataFrame:
    """Agreement within the best quarter, judged by seeds that did not choose it where there are such."""
    table = study.at(SEEDS[0], SHOWN)
    table = table[table["architecture"].isin(study.best)]
    if study.unseen:
        judged = study.table[study.table["architecture"].isin(study.best) & study.table["seed"].isin(study.unseen)]
        table = pd.concat([table[table["measure"] != TARGET], judged[judged["measure"] == TARGET]])
    return study.agreement(table)


def of_equal_cost(study: Study) -> Answers:
    """Spearman of the halves among networks of nearly equal multiply-adds, beside what is recommended and `early`.

    Args:
        study: B.
    """
    answers, others = Answers(), (CONTROL, VOTES[0])
    table = study.at(SEEDS[0], [*HALVES, *others])
    rows, compare = study.agreement(table), study.comparer(table)
    answers.add("1.B.networks", len(study.whole))
    for name in (*HALVES, *others):
        answers.row(f"1.B.{name}.spearman", rows.loc[name], "spearman", len(study.whole))
    for half in HALVES:
        for other in others:
            answers.add(f"1.B.{half}.less.{other}", compare.difference(half, other).spearman, len(study.whole))
    return answers


def answer_1(study: Study, equal: Study | None = None) -> Answers:
    """Spearman of the halves overall, given the sizes, and within the best quarter; and where all cost the same.

    Args:
        study: A.
        equal: B.
    """
    answers, n = Answers(), len(study.whole)
    table = study.at(SEEDS[0], SHOWN)
    rows, within = study.agreement(table), quarter(study)
    both = study.agreement(study.finer[study.finer["measure"].isin([*SHOWN, TARGET])])
    for name in (each for each in SHOWN if each in rows.index):
        answers.row(f"1.{name}.spearman", rows.loc[name], "spearman", n)
        answers.row(f"1.{name}.given_sizes", rows.loc[name], "partial", n)
        answers.row(f"1.{name}.best_quarter", within.loc[name], "spearman", len(study.best))
        answers.row(f"1.{name}.both_seeds", both.loc[name], "spearman", n)
    answers.add("1.best_quarter.networks", len(study.best))
    answers.add("1.best_quarter.unseen_seeds", len(study.unseen))
    compare = study.comparer(table)
    for half in HALVES:
        for other in ("macs", CONTROL):
            answers.add(f"1.{half}.less.{other}", compare.difference(half, other).spearman, n)
    if equal is not None:
        answers.update(of_equal_cost(equal))
    return answers


def answer_2(study: Study, whole: pd.DataFrame) -> Answers:
    """The halves against each other, and how near they come to training.

    Args:
        study: A.
        whole: of halves that were trained as long as whole networks; see `whole_halves`.
    """
    answers, table = Answers(), study.at(SEEDS[0], (*HALVES, CONTROL))
    decoder, encoder = HALVES
    difference = study.comparer(table).difference(decoder, encoder)
    answers.add("2.decoder_less_encoder.spearman", difference.spearman, difference.n)
    baseline = float(table.loc[table["measure"] == TARGET, "baseline"].median())
    answers.add("2.baseline_db", baseline)
    known = {name: Scores.of(table, name) for name in (*HALVES, CONTROL, TARGET)}
    for one, other in (HALVES, (decoder, TARGET), (encoder, TARGET), (decoder, CONTROL)):
        gap = score_gap(known[one], known[other], baseline, study.resamples, 0)
        answers.add(f"2.{one}.less.{other}.db", gap.mean, gap.n)
        answers.add(f"2.{one}.less.{other}.ahead", gap.ahead, gap.n)
        if other == TARGET:
            answers.add(f"2.{one}.gain_kept", gap.gain_kept, gap.n)
    for name in (*HALVES, CONTROL, TARGET):
        answers.add(f"2.{name}.steps", median_of(table, name, "steps"))
        answers.add(f"2.{name}.median_db", float(np.median(known[name].mean[known[name].scored])))
    if len(whole):
        answers.update(_as_long(study, whole, baseline))
    return answers


def _as_long(study: Study, table: pd.DataFrame, baseline: float) -> Answers:
    """How near to training, and in which order, with a half fixed for as many steps as the whole is trained."""
    answers, rows = Answers(), study.agreement(table)
    known = {name: Scores.of(table, name) for name in (*HALVES, TARGET)}
    answers.add("2.whole.networks", table["architecture"].nunique())
    for half in HALVES:
        gap = score_gap(known[half], known[TARGET], baseline, study.resamples, 0)
        answers.add(f"2.whole.{half}.steps", median_of(table, half, "steps"))
        answers.row(f"2.whole.{half}.spearman", rows.loc[half], "spearman", int(rows.loc[half, "n"]))
        answers.add(f"2.whole.{half}.less.trained.db", gap.mean, gap.n)
        answers.add(f"2.whole.{half}.gain_kept", gap.gain_kept, gap.n)
    return answers
