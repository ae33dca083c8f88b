"""The votes of a study: the ranks of its table, and a form that is one number of one architecture and never changes.

A rank is known once all are measured, and is another as soon as one more is. Wherever all are there (`--train top:K`,
halving, the analysis) the ranks count. Optuna is told a value of each architecture by itself, and so is who promotes
without waiting: the mean place of its parts among their scores of a sample of architectures, which is measured first
and stored with the study.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from randsearch.statistics.votes import common_seeds, summed_ranks, with_votes
from randsearch.study.config import StudyConfig
from randsearch.table.measurement import Key, finite
from randsearch.table.tidy import measure_names
from randsearch.table.votes import parts_of

SAMPLE = 64
"""Architectures that a place is told among; in the middle of all it errs by a sixteenth, towards the ends by less."""


def voted(config: StudyConfig, table: pd.DataFrame) -> pd.DataFrame:
    """A study's table with the votes among its proxies, those of which every part has been measured.

    Args:
        config: the study's configuration.
        table: its measurements.

    Raises:
        UserError: the parts of a vote have no seed in common.
    """
    known = set(measure_names(table))
    return with_votes(table, [vote for vote in config.votes if known.issuperset(parts_of(vote))])


def vote_scores(vote: str, measured: Mapping[Key, float | None]) -> dict[str, float]:
    """The mean over seeds of a vote, of the architectures that have one.

    Args:
        vote: its name.
        measured: score of each measurement of its parts; None where it failed.
    """
    parts, names = parts_of(vote), list(dict.fromkeys(name for name, _, _ in measured))
    own = [sorted({seed for _, measure, seed in measured if measure == part}) for part in parts]
    if not all(own):
        return {}
    columns = []
    for seed in common_seeds(vote, own):
        keys = [(part, seed if len(seeds) > 1 else seeds[0]) for part, seeds in zip(parts, own, strict=True)]
        found = [[measured.get((name, *key)) for key in keys] for name in names]
        columns.append(summed_ranks(np.array(found, dtype=float)))
    votes = np.stack(columns, axis=1)
    known = ~np.isnan(votes)
    means = np.nansum(votes, axis=1) / np.maximum(known.sum(axis=1), 1)
    return {name: float(means[i]) for i, name in enumerate(names) if known[i].any()}


@dataclass(frozen=True)
class Standing:
    """What the parts of a vote scored in a sample of architectures.

    Attributes:
        scores: of each part, ascending; those that failed are left out.
    """

    scores: Mapping[str, tuple[float, ...]]

    @classmethod
    def of(cls, scores: Mapping[str, Iterable[float]]) -> Standing:
        """The standing among these scores of each part, in any order."""
        return cls({part: tuple(sorted(map(float, found))) for part, found in scores.items()})

    @classmethod
    def stored(cls, value: Any, vote: str) -> Standing:
        """The standing that an attribute of a study holds.

        Args:
            value: of the attribute.
            vote: whose parts it is about.

        Raises:
            ValueError: it holds something else; TypeError and KeyError say the same.
        """
        return cls.of({part: [finite(score) for score in value[part]] for part in parts_of(vote)})

    def to_attribute(self) -> dict[str, list[float]]:
        """The same as an attribute of a study."""
        return {part: list(found) for part, found in self.scores.items()}

    def value(self, scores: Mapping[str, float]) -> float:
        """The mean place of an architecture, between 0 (last) and 1; rises with the score of every part.

        Args:
            scores: of the architecture, by part.
        """
        return float(np.mean([_place(scores[part], found) for part, found in self.scores.items()]))


def _place(score: float, among: tuple[float, ...]) -> float:
    """The share of scores that are lower, in between them linear; beyond them it goes on rising, ever more slowly.

    So an architecture that is better than the whole sample is still told from one that is better still.
    """
    if not among:
        return 0.5
    values, counts = np.unique(among, return_counts=True)
    places = (np.cumsum(counts) - counts / 2) / len(among)
    lowest, highest = float(values[0]), float(values[-1])
    beyond = max(lowest - score, score - highest, 0.0) / ((highest - lowest) or 1.0)
    outside = 1 - 1 / (1 + beyond)
    if score < lowest:
        return float(places[0] * (1 - outside))
    return float(np.interp(score, values, places) + (1 - places[-1]) * outside)
