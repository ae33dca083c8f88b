"""Successive halving: at which steps trainings pause, and which of them go on.

The lowest rung is a measure, taken of every architecture. Of each rung the best part goes on to the next, which trains
for `reduction` times as many steps; the last is a whole training. `halving` closes a rung before the next begins
(Jamieson and Talwalkar, arXiv 1502.07943), `asha` promotes whenever it can (Li et al., arXiv 1810.05934). What is here
are values and functions of them; `randsearch.running.halving` hands out the jobs.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from randsearch.measures import find
from randsearch.study.votes import vote_scores
from randsearch.table.measurement import Key
from randsearch.table.votes import is_vote, measured_for

if TYPE_CHECKING:
    import pandas as pd

    from randsearch.study.config import StudyConfig

Curve = Sequence[tuple[int, float]]
"""(step, score) at every validation of a training."""


@dataclass(frozen=True)
class Training:
    """How far one training is.

    Attributes:
        curve: (step, score) so far.
        failed: whether it ended in a failure, so that it never goes on.
    """

    curve: Curve
    failed: bool = False

    @property
    def step(self) -> int:
        """Of its last validation; 0 before any."""
        return self.curve[-1][0] if self.curve else 0

    def reached(self, step: int) -> bool:
        """Whether it was validated at that step or later."""
        return self.step >= step

    def score_at(self, step: int) -> float | None:
        """The best of its curve up to a step, as the score of a whole training is; None if it never got there."""
        so_far = (score for at, score in self.curve if at <= step)
        return max(so_far, default=None) if self.reached(step) else None


Trainings = Mapping[tuple[str, int], Training]
"""Those that began, by (hash, seed)."""


@dataclass(frozen=True)
class Plan:
    """The rungs of a study.

    Attributes:
        lowest: the measure, or the vote of several, that decides who trains at all.
        budgets: steps at which trainings pause, ascending; the last are those of a whole training.
        reduction: one of so many goes on.
        takes: what the lowest rung takes of each architecture, as (measure, seed).
        seeds: of training; the mean over them decides.
    """

    lowest: str
    budgets: tuple[int, ...]
    reduction: int
    takes: tuple[tuple[str, int], ...]
    seeds: tuple[int, ...]

    def room(self, scored: int) -> int:
        """How many go on of a rung.

        Args:
            scored: how many of the rung have a score.
        """
        return max(1, scored // self.reduction)

    def training(self, state: str, score: float | None, curve: Curve) -> Training:
        """The training that a measurement is of; one that is complete reached its end, whatever its curve tells."""
        end = [] if state != "complete" or score is None else [(self.budgets[-1], score)]
        return Training((*curve, *end), failed=state == "failed")


def plan_of(config: StudyConfig) -> Plan:
    """The rungs that a study's configuration asks for."""
    return Plan(
        lowest=config.lowest_rung,
        budgets=budgets(config.steps, config.validate_every, config.reduction, config.trials),
        reduction=config.reduction,
        takes=tuple(
            (part, seed)
            for part in measured_for(config.lowest_rung)
            for seed in config.seeds_of(part, seeded=find(part).seeded)
        ),
        seeds=config.seeds_of("trained", seeded=find("trained").seeded),
    )


def budgets(steps: int, validate_every: int, reduction: int, architectures: int) -> tuple[int, ...]:
    """The steps at which trainings pause: those of a whole training, divided by the reduction again and again.

    They are multiples of the steps between two validations, so that a curve has the same points as without a pause.

    Args:
        steps: of a whole training.
        validate_every: steps between two validations; no rung is lower.
        reduction: by which each rung is lower than the next.
        architectures: how many there are; no more rungs than leave one of them for the last.

    Returns:
        ascending; at least the whole training.
    """
    found, share = [steps], reduction
    while steps >= share * validate_every and architectures >= share * reduction:
        found.append(round(steps / share / validate_every) * validate_every)
        share *= reduction
    return tuple(reversed(found))


def expected(plan: Plan, architectures: int) -> tuple[int, ...]:
    """How many architectures reach each budget if none fails and nothing was trained before."""
    counts, left = [], architectures
    for _ in plan.budgets:
        left = plan.room(left)
        counts.append(left)
    return tuple(counts)


def ranked(scores: Mapping[str, float]) -> list[str]:
    """Architectures by their score, the best first, those of equal score by their hash."""
    return sorted(scores, key=lambda name: (-scores[name], name))


def lowest_scores(plan: Plan, measured: Mapping[Key, float | None], architectures: Iterable[str]) -> dict[str, float]:
    """What the lowest rung makes of architectures.

    Args:
        plan: of the study.
        measured: score of each measurement; None where it failed.
        architectures: hashes.

    Returns:
        as `proxy_scores` has it.
    """
    return proxy_scores(plan.lowest, plan.takes, measured, architectures)


def proxy_scores(
    proxy: str,
    takes: Iterable[tuple[str, int]],
    measured: Mapping[Key, float | None],
    architectures: Iterable[str],
) -> dict[str, float]:
    """What a proxy makes of architectures: the mean over the seeds that have a score.

    A vote is the ranks among those that are asked for.

    Args:
        proxy: a measure, or a vote of several.
        takes: what it takes of each architecture, as (measure, seed).
        measured: score of each measurement; None where it failed.
        architectures: hashes.

    Returns:
        those of which all seeds are measured and any has a score, in the order in which they were asked for.
    """
    takes, whole = tuple(takes), dict[str, dict[Key, float | None]]()
    for name in architectures:
        keys = [(name, measure, seed) for measure, seed in takes]
        if all(key in measured for key in keys):
            whole[name] = {key: measured[key] for key in keys}
    if is_vote(proxy):
        return vote_scores(proxy, {key: score for each in whole.values() for key, score in each.items()})
    found = {}
    for name, each in whole.items():
        scores = [score for score in each.values() if score is not None]
        if scores:
            found[name] = sum(scores) / len(scores)
    return found


def best_first(
    proxy: str,
    takes: Iterable[tuple[str, int]],
    measured: Mapping[Key, float | None],
    architectures: Iterable[str],
) -> list[str]:
    """The order in which `--train top:K` takes architectures, of which it trains the first K.

    Args:
        proxy: by which they are chosen.
        takes: what it takes of each architecture, as (measure, seed).
        measured: score of each measurement; None where it failed.
        architectures: hashes.

    Returns:
        those that have a score, the best first, those of equal score in the order in which they were asked for.
    """
    scores = proxy_scores(proxy, takes, measured, architectures)
    return sorted(scores, key=lambda name: -scores[name])


def score_at(plan: Plan, trainings: Trainings, name: str, step: int) -> float | None:
    """The mean over training seeds of the scores that an architecture's trainings had at a step; None without any."""
    begun = (trainings.get((name, seed)) for seed in plan.seeds)
    scores = [score for each in begun if each is not None and (score := each.score_at(step)) is not None]
    return sum(scores) / len(scores) if scores else None


def lacking(plan: Plan, trainings: Trainings, name: str, step: int) -> list[int]:
    """The seeds at which an architecture's training is still to reach a step."""
    begun = {seed: trainings.get((name, seed)) for seed in plan.seeds}
    return [seed for seed, each in begun.items() if each is None or not (each.failed or each.reached(step))]


@dataclass(frozen=True)
class Rung:
    """The lowest rung that is still open.

    Attributes:
        number: from 1; the lowest of all, a measure, is 0.
        members: hashes of its architectures, the best so far first.
        missing: (hash, seed) of the trainings that are to reach its budget; empty if every rung is closed.
    """

    number: int
    members: tuple[str, ...]
    missing: tuple[tuple[str, int], ...]


def open_rung(plan: Plan, lowest: Mapping[str, float], trainings: Trainings) -> Rung:
    """What successive halving has to train next: who goes on follows from what is known, and from nothing else.

    Whatever went on before belongs to a rung beside its best, so that a study that is continued with more architectures
    takes nothing back.

    Args:
        plan: of the study.
        lowest: scores of the lowest rung.
        trainings: that began.
    """
    scores, members, before = dict(lowest), list[str](), 0
    for number, budget in enumerate(plan.budgets, start=1):
        went_on = {name for (name, _), each in trainings.items() if before == 0 or each.reached(before + 1)}
        best = ranked(scores)[: plan.room(len(scores))]
        members = [*best, *sorted(went_on - set(best))]
        missing = [(name, seed) for name in members for seed in lacking(plan, trainings, name, budget)]
        if missing:
            return Rung(number, tuple(members), tuple(missing))
        found = {name: score_at(plan, trainings, name, budget) for name in members}
        scores, before = {name: score for name, score in found.items() if score is not None}, budget
    return Rung(len(plan.budgets), tuple(members), ())


def trainings_of(plan: Plan, table: pd.DataFrame) -> dict[tuple[str, int], Training]:
    """The trainings of a table of measurements, however far they are.

    Args:
        plan: of the study.
        table: its measurements.
    """
    rows = table[table["measure"] == "trained"]
    cells = zip(*(rows[column].tolist() for column in ("architecture", "seed", "state", "score", "curve")), strict=True)
    return {
        (str(name), seed): plan.training(state, None if math.isnan(score) else score, json.loads(curve or "[]"))
        for name, seed, state, score, curve in cells
    }
