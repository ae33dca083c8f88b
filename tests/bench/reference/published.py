"""The published studies as tables, and the parts of them that the questions are asked of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd
from bench.proxies import COMPARED, CONTROL, RECOMMENDED, RESAMPLES, SEEDS, TARGET, Known, at

from randsearch.statistics import agreement
from randsearch.statistics.among_good import QUARTER, best_of
from randsearch.statistics.budgets import at_budgets, base
from randsearch.statistics.differences import Comparer
from randsearch.statistics.proxy_rows import Board
from randsearch.statistics.votes import with_votes
from randsearch.study.candidates import bind_space
from randsearch.study.folders import load_config
from randsearch.table.published import read_published
from randsearch.table.tidy import measure_names, scores
from randsearch.table.votes import VOTE, measured_for

STUDIES = {"A": "popvoice-8k", "B": "equal-cost", "C": "synthetic"}
"""What the issue calls each study, and its folder."""
WHOLE_HALVES = "whole-halves"
"""Networks of A with a half fixed, for as many steps as A trains whole ones; a supplement to A, nothing by itself."""
TIMED = "timed"
"""Networks of A measured once more with nothing else running, for their seconds; a supplement to A, too."""
HALVES = ("fixed_decoder", "fixed_encoder")
VOTES = tuple(dict.fromkeys(RECOMMENDED.values()))
"""The recommended votes, the cheapest first."""
FEWEST = 16
"""With fewer trained networks no question is asked of a study."""
LARGEST_GRID = 10_000
"""A space of more points is no grid that a study means to complete."""


@dataclass(frozen=True)
class Study:
    """One published study.

    Attributes:
        key: what it is called.
        table: all measurements.
        resamples: of the networks, for intervals.
        grid: how many networks its space holds; None if it is too large to be a grid.
    """

    key: str
    table: pd.DataFrame
    resamples: int = RESAMPLES
    grid: int | None = None

    @cached_property
    def whole(self) -> tuple[str, ...]:
        """The networks that are trained at the first seed and have a score of all that the questions compare."""
        measured = measure_names(self.table)
        if not self.votes or TARGET not in measured:
            return ()
        wanted = {TARGET, *(name for name in (*HALVES, CONTROL) if name in measured)}
        wanted.update(part for vote in self.votes for part in measured_for(vote))
        # A measure that needs no seed has one, every other one that counts has all.
        complete = pd.DataFrame(
            {
                name: scores(self.table, name).iloc[:, : 1 if name == TARGET else len(SEEDS)].notna().all(axis=1)
                for name in sorted(wanted)
            }
        )
        return tuple(complete.index[complete.all(axis=1)])

    @cached_property
    def votes(self) -> list[str]:
        """The recommended votes that the study measured all parts of."""
        return [vote for vote in VOTES if set(measured_for(vote)) <= set(measure_names(self.table))]

    @cached_property
    def finer(self) -> pd.DataFrame:
        """The measurements of `whole`, trained at the first seed alone, with smaller budgets and the votes."""
        kept = self.table[self.table["architecture"].isin(self.whole)]
        kept = kept[(kept["measure"] != TARGET) | (kept["seed"] == self.seed)]
        parts = set(measure_names(kept))
        votes = [vote for vote in dict.fromkeys(COMPARED.values()) if set(measured_for(vote)) <= parts]
        return with_votes(at_budgets(kept.reset_index(drop=True)), votes)

    @property
    def seed(self) -> int:
        """The first seed of training."""
        return int(self.table.loc[self.table["measure"] == TARGET, "seed"].min())

    def at(self, seed: int, names: Sequence[str] | None = None) -> pd.DataFrame:
        """Every proxy at one seed, or some of them, beside training at its first.

        Args:
            seed: of the proxies; those that need none are as they are.
            names: of the proxies; all if left out, smaller budgets and votes among them.
        """
        table = self.finer
        if names is not None:
            table = table[table["measure"].isin([*names, TARGET])]
        several = table.groupby("measure")["seed"].transform("nunique") > 1
        kept = ~several | (table["seed"] == seed) | (table["measure"] == TARGET)
        return table[kept].reset_index(drop=True)

    def known(self, seed: int) -> Known:
        """The scores and costs of every proxy at one seed."""
        return self._known[SEEDS.index(seed)]

    @cached_property
    def _known(self) -> list[Known]:
        return [at(self.finer, seed, self.resamples) for seed in SEEDS]

    def agreement(self, table: pd.DataFrame) -> pd.DataFrame:
        """The rows of a part of the study, by proxy."""
        return agreement(table.reset_index(drop=True), resamples=self.resamples).set_index("proxy")

    def comparer(self, table: pd.DataFrame) -> Comparer:
        """What compares two proxies of a part of the study."""
        board = Board.of(table, TARGET, self.resamples, 0)
        return Comparer(board.proxies, board.truth, board.draws)

    @cached_property
    def singles(self) -> list[str]:
        """The proxies that are neither votes nor smaller budgets."""
        names = measure_names(self.finer)
        return [name for name in names if name != TARGET and not name.startswith(VOTE) and base(name) == name]

    @cached_property
    def trainings(self) -> pd.DataFrame:
        """Trained scores, networks of `whole` x seeds."""
        return scores(self.table, TARGET).loc[list(self.whole)]

    @cached_property
    def best(self) -> list[str]:
        """The best quarter by the first seed of training."""
        falling = self.trainings[self.seed].sort_values(ascending=False, kind="stable")
        return list(falling.index[: best_of(QUARTER, len(falling))])

    @cached_property
    def drawn(self) -> list[str]:
        """Networks that were drawn at random for a second training seed."""
        return self.drawn_for(self.trainings.columns[:2])

    def drawn_for(self, seeds: Sequence[int]) -> list[str]:
        """Networks with some training seeds that are a random sample of all.

        The best quarter by the first seed has further seeds because it is the best, all others because they were drawn
        beforehand. So of the best as large a share is taken, by their hashes, as of the others there is.

        Args:
            seeds: which all of them are to have.
        """
        complete = self.trainings[list(seeds)].notna().all(axis=1)
        good = self.trainings.index.isin(self.best)
        of_best = sorted(self.trainings.index[complete & good])
        others = list(self.trainings.index[complete & ~good])
        share = len(others) / max(1, int((~good).sum()))
        return of_best[: round(share * int(good.sum()))] + others

    @cached_property
    def unseen(self) -> list[int]:
        """Training seeds after the first that all of the best quarter have."""
        known = self.trainings.loc[self.best].notna().all(axis=0)
        return [int(seed) for seed in self.trainings.columns[known] if seed != self.seed]


def read(folder: Path, resamples: int = RESAMPLES) -> dict[str, Study]:
    """The studies that are published in a folder and have at least `FEWEST` complete networks, by what they are called.

    Args:
        folder: with a folder for each study.
        resamples: of the networks, for intervals.
    """
    found = {}
    for key, name in STUDIES.items():
        packed = folder / name / "measurements.csv.gz"
        if not packed.exists():
            continue
        space = bind_space(load_config(folder / name))
        grid = space.count().number if space.points <= LARGEST_GRID else None
        study = Study(key, read_published(packed), resamples, grid)
        if len(study.whole) >= FEWEST:
            found[key] = study
    return found


def whole_halves(folder: Path, study: Study) -> pd.DataFrame:
    """Fixed halves that were trained as long as whole networks, at one seed, beside those of A trained whole.

    Args:
        folder: with a folder for each study.
        study: A.

    Returns:
        a table of measurements; empty if they are not published, or of fewer than `FEWEST` networks.
    """
    packed = folder / WHOLE_HALVES / "measurements.csv.gz"
    if not packed.exists():
        return study.table.iloc[:0]
    table = read_published(packed)
    halves = table[table["measure"].isin(HALVES) & (table["seed"] == SEEDS[0]) & (table["state"] == "complete")]
    done = halves.groupby("architecture")["measure"].nunique() == len(HALVES)
    both = set(done.index[done]) & set(study.whole)
    if len(both) < FEWEST:
        return study.table.iloc[:0]
    own = study.at(SEEDS[0], HALVES)
    joined = pd.concat([halves, own[own["measure"] == TARGET]], ignore_index=True)
    return joined[joined["architecture"].isin(both)].reset_index(drop=True)


def median_of(table: pd.DataFrame, measure: str, column: str) -> float:
    """The median of a column over the complete measurements of a measure."""
    own = table[(table["measure"] == measure) & (table["state"] == "complete")]
    return float(np.median(own[column])) if len(own) else float("nan")
