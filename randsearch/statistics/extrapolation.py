"""Curves carried on to the end of a full training: `early^trained` is what `early` would reach, at the cost of `early`.

A curve is fitted by a power law in steps, `score(t) = limit - b t^-a`. All curves of a measure share the exponent a,
and each has its own b, drawn towards their mean by as much as the curves' scatter about their fits makes it uncertain
(empirical Bayes). For each exponent on a grid the rest is least squares in closed form (variable projection), so that
the whole is linear in the number of validations. No trained score is used.
"""

import json
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from randsearch.statistics.budgets import FALLING, constant
from randsearch.table.tidy import EXTRAPOLATED, measure_names

FEWEST_POINTS = 4
"""Of a curve: three numbers are fitted."""
EXPONENTS = np.geomspace(0.1, 2.0, 60)
"""Those that are tried. A smaller one would be a logarithm, which has no limit."""

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Extrapolated:
    """A table with its curves carried on.

    Attributes:
        table: with a measure `NAME^TARGET` behind for each that has curves.
        untold: which measures have curves that are too short, in a sentence; None if none has.
    """

    table: pd.DataFrame
    untold: str | None


def extrapolated(table: pd.DataFrame, *, target: str = "trained") -> Extrapolated:
    """Adds what each shorter run would have reached at the steps of the target's longest.

    Left out are the target itself, running sums (`sotl`), and measures that annealed their rate, for whose curves the
    end of the schedule is the end.

    Args:
        table: measurements.
        target: the measure whose steps are to be reached.
    """
    complete = table[table["state"] == "complete"]
    end = (
        int(complete.loc[complete["measure"] == target, "steps"].max()) if (complete["measure"] == target).any() else 0
    )
    added, short = [], []
    for measure in measure_names(table):
        rows = complete[(complete["measure"] == measure) & (complete["steps"] < end)]
        if measure in (target, *FALLING) or rows.empty or not constant(rows):
            continue
        curves = [np.array(json.loads(str(cell) or "[]"), dtype=float).reshape(-1, 2) for cell in rows["curve"]]
        if max(map(len, curves)) == 0:
            continue
        if min(map(len, curves)) < FEWEST_POINTS:
            short.append(measure)
            continue
        score = reached(curves, end)
        failed = table[(table["measure"] == measure) & (table["state"] != "complete")]
        for part in (rows.assign(score=score), failed):
            added.append(part.assign(measure=f"{measure}{EXTRAPOLATED}{target}", curve="[]"))
    untold = (
        f"Not extrapolated, for some of their curves have fewer than {FEWEST_POINTS} validations: {', '.join(short)} "
        "(--validate-every)."
    )
    return Extrapolated(pd.concat([table, *added], ignore_index=True), untold if short else None)


def reached(curves: list[Floats], step: int) -> Floats:
    """The best score that each curve would have had by a later step.

    What is added to the best so far is never negative, and never more than the curve's slope b times what is left of
    the power law, which is bounded for every exponent tried: noise, whose best hardly rises, stays where it is.

    Args:
        curves: steps and scores, (validations, 2) each, at least 3 validations and of different steps.
        step: beyond the last of all curves.

    Returns:
        (curves,).
    """
    owner = np.repeat(np.arange(len(curves)), [len(curve) for curve in curves])
    steps = np.concatenate([curve[:, 0] for curve in curves])
    best = np.concatenate([np.maximum.accumulate(curve[:, 1]) for curve in curves])
    last = np.array([curve[-1, 0] for curve in curves])
    highest = np.array([curve[:, 1].max() for curve in curves])
    counts = np.bincount(owner)

    def summed(values: Floats) -> Floats:
        return np.bincount(owner, weights=values).astype(np.float64)

    def centred(values: Floats) -> Floats:
        less: Floats = values - (summed(values) / counts)[owner]
        return less

    # Scores less their mean: each curve's limit is projected out.
    y = centred(best)
    lost = np.inf
    slopes: Floats = np.zeros(len(curves))
    spread: Floats = np.ones(len(curves))
    exponent = float(EXPONENTS[0])
    for tried in EXPONENTS.tolist():
        x = centred((steps / last[owner]) ** -tried)
        wide = summed(x * x)
        steep = -summed(x * y) / wide
        squared = float(((y + steep[owner] * x) ** 2).sum())
        if squared < lost:
            lost, slopes, spread, exponent = squared, steep, wide, tried
    uncertain = lost / (counts - 2).sum() / spread
    # What the slopes differ by beyond their uncertainty is the architectures' own.
    own = max(0.0, float(slopes.var(ddof=1) - uncertain.mean())) if len(slopes) > 1 else 0.0
    trust = own / np.maximum(own + uncertain, np.finfo(float).tiny)
    drawn = trust * slopes + (1 - trust) * slopes.mean()
    found: Floats = highest + np.maximum(drawn, 0.0) * (1 - (step / last) ** -exponent)
    return found
