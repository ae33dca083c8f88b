"""The measurements of a table as a replay looks them up, and how each network is judged.

What a strategy sees of a measure is its first seed. What it found is judged by the training seeds behind the first,
which nothing that chooses has seen: the best of many scores of one seed is too good, for part of what made it the best
is noise of that seed. A network that was trained at the first seed alone is judged by the straight line of the unseen
mean on the seen score. Whichever networks were trained again because their seen score was good do not tilt that line,
for to choose by what a line is drawn on does not bias it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import pandas as pd

from randsearch.base.errors import UserError, quoted
from randsearch.models.architecture import Architecture
from randsearch.statistics.budgets import CONSTANT, FALLING
from randsearch.statistics.interval import FEWEST_FOR_COEFFICIENT
from randsearch.table.measurement import Measurement
from randsearch.table.tidy import measure_names, parameters

TRAINED = "trained"


@dataclass(frozen=True)
class Judgement:
    """By what a network is judged that a strategy found.

    Attributes:
        scores: of every network that can be trained, by hash; NaN where its training failed and nothing is known.
        again: how many have training seeds that no strategy sees.
        seeds: those.
        fitted: whether a line fitted on them judges the others; if not, what was seen does.
    """

    scores: Mapping[str, float]
    again: int
    seeds: tuple[int, ...]
    fitted: bool

    def sentence(self) -> str:
        """The same in words."""
        others = len(self.scores) - self.again
        if not self.fitted:
            return "what was found is judged by the score that was seen, too good by noise: few have a second seed"
        named = " and ".join(map(str, self.seeds)) if len(self.seeds) < 3 else ", ".join(map(str, self.seeds))
        line = f"; {others} without these by a fitted line" if others else ""
        return f"what was found is judged by training seed{'s' * (len(self.seeds) > 1)} {named}, never seen{line}"


class Records:
    """The measurements of a table.

    Args:
        table: of measurements.
        name: of the benchmark, for errors.

    Attributes:
        name: of the benchmark.
        measures: all that the table holds, in its order.
        architectures: by hash, in the order of the table.
    """

    def __init__(self, table: pd.DataFrame, name: str) -> None:
        self._table = table
        self.name = name
        self._known: dict[str, dict[str, dict[int, Measurement]]] = {}
        self.measures = measure_names(table)
        first, options = table.drop_duplicates("architecture"), parameters(table)
        self.architectures = {
            str(row["architecture"]): Architecture.create({option: row[option] for option in options}, name)
            for row in first.to_dict(orient="records")
        }

    def of(self, measure: str, architecture: str) -> Mapping[int, Measurement]:
        """The measurements of one measure of one architecture, by ascending seed.

        Raises:
            UserError: the table has no such measure, or no such measurement.
        """
        found = self._of(measure).get(architecture)
        if found is None:
            raise UserError(f"{self.name} has no measurement of {measure} of the architecture {quoted(architecture)}.")
        return found

    def at(self, measure: str, architecture: str, seed: int) -> Measurement:
        """The measurement of one measure of one architecture at one seed.

        Raises:
            UserError: there is none.
        """
        found = self.of(measure, architecture)
        if seed not in found:
            at = ", ".join(map(str, found))
            raise UserError(f"{self.name} has {measure} of {architecture} at seed {at}, not at {seed}.")
        return found[seed]

    def seed(self, measure: str) -> int:
        """The first seed of a measure, which strategies see."""
        return min(seed for found in self._of(measure).values() for seed in found)

    @cached_property
    def trainable(self) -> tuple[str, ...]:
        """The architectures that were trained to the end at the first seed, or failed to be."""
        return self.trained(self.seed(TRAINED))

    def trained(self, seed: int) -> tuple[str, ...]:
        """The architectures that were trained to the end at a seed, or failed to be."""
        found = ((name, seeds.get(seed)) for name, seeds in self._of(TRAINED).items())
        return tuple(name for name, training in found if training is not None and training.state != "pruned")

    @cached_property
    def baseline(self) -> float:
        """Score of the best constant gain: what there is before anything was trained."""
        return float(self._table.loc[self._table["measure"] == TRAINED, "baseline"].median())

    @cached_property
    def judgement(self) -> Judgement:
        """By what each network is judged."""
        seed, seen, unseen, seeds = self.seed(TRAINED), dict[str, float](), dict[str, float](), set[int]()
        for name in self.trainable:
            scores = {at: each.score for at, each in self.of(TRAINED, name).items() if each.score is not None}
            seen[name] = scores.pop(seed, math.nan)
            if scores:
                unseen[name] = float(np.mean(list(scores.values())))
                seeds |= scores.keys()
        pairs = np.array([(seen[name], score) for name, score in unseen.items() if not math.isnan(seen[name])])
        if len(pairs) < FEWEST_FOR_COEFFICIENT or not np.ptp(pairs[:, 0]) > 0:
            return Judgement(seen, 0, (), fitted=False)
        slope, offset = np.polyfit(pairs[:, 0], pairs[:, 1], 1)
        judged = {name: unseen.get(name, float(offset + slope * score)) for name, score in seen.items()}
        return Judgement(judged, len(unseen), tuple(sorted(seeds)), fitted=True)

    def _of(self, measure: str) -> dict[str, dict[int, Measurement]]:
        if measure not in self.measures:
            raise UserError(f"{self.name} has no measure {quoted(measure)}: choose from {', '.join(self.measures)}.")
        if measure not in self._known:
            rows = self._table[self._table["measure"] == measure].sort_values("seed", kind="stable")
            found: dict[str, dict[int, Measurement]] = {name: {} for name in self.architectures}
            for row in rows.to_dict(orient="records"):
                cells = {str(column): cell for column, cell in row.items()}
                each = Measurement.from_row(cells, self.architectures[str(row["architecture"])])
                found[str(row["architecture"])][each.seed] = each
            self._known[measure] = {name: seeds for name, seeds in found.items() if seeds}
        return self._known[measure]


def stopped(measurement: Measurement, step: int) -> Measurement:
    """A measurement as it would have been, had it been stopped at a step: pruned, with its curve up to there.

    Args:
        measurement: of something that trained for more steps.
        step: at which it stops; seconds are in proportion.
    """
    share = step / measurement.steps
    return replace(
        measurement,
        state="pruned",
        score=None,
        reason=f"stopped at step {step} of {measurement.steps}",
        steps=step,
        seconds=measurement.seconds * share,
        multiply_adds=measurement.multiply_adds * share,
        validation_seconds=measurement.validation_seconds * share,
        data_seconds=measurement.data_seconds * share,
        curve=tuple(point for point in measurement.curve if point[0] <= step),
        validation_losses=tuple(point for point in measurement.validation_losses if point[0] <= step),
    )


def score_of(measurement: Measurement) -> float | None:
    """The score of a measurement; of one that was stopped, the best of its curve, as that of a whole training is."""
    if measurement.state != "pruned" or not measurement.curve:
        return measurement.score
    scores = [score for _, score in measurement.curve]
    return scores[-1] if measurement.measure in FALLING else max(scores)


def at_step(measurement: Measurement, step: int) -> Measurement:
    """A measurement at a step of its curve, where that says what a run of so many steps would have given.

    Args:
        measurement: whole, or failed on the way.
        step: from 1 to its own steps.

    Raises:
        UserError: it has no curve, its learning rate decayed, or there was no validation by then.
    """
    what = f"{measurement.measure} of {measurement.architecture.hash}"
    if not measurement.curve:
        raise UserError(f"{what} has no curve: ask for it without a step.")
    if measurement.measure != TRAINED and measurement.schedule not in CONSTANT:
        raise UserError(
            f"{what} was trained at a rate that decays ({measurement.schedule}), so that its curve says nothing of "
            "smaller budgets: ask for it without a step."
        )
    first = measurement.curve[0][0]
    if not first <= step <= measurement.steps:
        raise UserError(
            f"{what} has a curve from step {first} to {measurement.steps}: ask for a step of these, not for {step}."
        )
    return measurement if step == measurement.steps else stopped(measurement, step)
