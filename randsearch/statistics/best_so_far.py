"""The best trained score for the seconds that a study spent, and what random search is expected to have for as many.

**What the search has.** A table does not know when what was measured, so that the order is that in which a search
works: every proxy of every architecture first, then the trainings. Seconds are those of measuring, summed over workers.

**What random search has.** k of the n architectures that were trained, drawn without replacement, for k times the mean
seconds of a training (the seconds of those that failed are shared among the n). The best of them is x_(i), the i-th
smallest, with probability C(i - 1, k - 1) / C(n, k), so that its expectation and its quantiles are exact and nothing is
resampled. They are of these n: the nearer k is to n, the nearer the best of k is to the best of these n, which another
sample would not have. Where the n are no random sample of the search space there is nothing to draw from.
"""

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from randsearch.statistics import choice
from randsearch.statistics.budgets import stopped_at
from randsearch.statistics.correlations import Floats
from randsearch.statistics.curves import RANDOM
from randsearch.statistics.interval import LEVEL, Interval
from randsearch.statistics.proxy_rows import Board
from randsearch.table.tidy import ENSEMBLE, EXTRAPOLATED
from randsearch.table.votes import VOTE

SEARCH = "search"
"""The name of what the study itself did among the lines."""
COMPARED_AT = 0.5
"""The share of a study's seconds at which it is compared with random search: chosen before any score is known."""
NO_RANDOM = "not all architectures of a random sample were trained to the end"
"""Why a study has no line of random search."""

COLUMNS = ("line", "trained", "seconds", "best", "best_low", "best_high")


def make_best_so_far(board: Board, table: pd.DataFrame, chooser: str | None, bias: str | None) -> pd.DataFrame:
    """The best trained score for the seconds spent, by the study and by random search.

    Trainings are taken in the order of candidates, or of the proxy that chose them, its best first. Where some were
    stopped early, all that was trained up to the last step at which one was stopped comes before any was trained to the
    end, seconds being in proportion to steps, and then the best by that step comes first. So it is where each rung is
    closed before the next begins; a search that does not wait may have found its best sooner. The score of an
    architecture is the mean over its seeds, and known once all of them are trained.

    Args:
        board: what was read from the table.
        table: measurements.
        chooser: the proxy whose best were trained, the best first; None if all were, in the order of candidates.
        bias: why the trained scores are no random sample; None if they are.

    Returns:
        rising in seconds, none where seconds are unknown or nothing has a score.

        - line: `SEARCH`, first before any training and then wherever the best rises, at `COMPARED_AT` of all seconds,
          and at the end; or `RANDOM`, at numbers of trained architectures that thin out. `RANDOM` is left out where
          there is a bias, an architecture without a training, or one that was stopped early.
        - trained: how many architectures have a trained score by then.
        - seconds: spent until then. Trainings that failed cost both lines theirs.
        - best: the best score, NaN before any; of `RANDOM`, expected, with the middle 95% of draws.
    """
    truth = board.truth
    own = table[table["measure"] == truth.name]
    names = table["measure"].str
    made = names.startswith((ENSEMBLE, VOTE)) | names.contains(EXTRAPOLATED, regex=False)
    others = ~made & (table["measure"] != truth.name)
    proxies, trainings = (float(rows["seconds"].sum(skipna=False)) for rows in (table[others], own))
    if math.isnan(proxies) or not trainings > 0 or not truth.scored.any():
        return pd.DataFrame(columns=list(COLUMNS))
    chosen = None if chooser is None else board.proxies.get(chooser)
    place: Floats = np.zeros(len(truth.mean)) if chosen is None else chosen.mean
    early, stopped = np.zeros(len(own)), own["state"] == "pruned"
    if stopped.any():
        last = int(own.loc[stopped, "steps"].max())
        early = np.where(stopped, 1.0, np.minimum(1.0, last / own["steps"].clip(lower=1)))
        place = _of_architectures(table, own, stopped_at(own, last)["score"], "mean")
    late = _of_architectures(table, own, own["seconds"] * (1 - early), "sum")
    order = np.argsort(-place, kind="stable")
    order = order[truth.attempted[order]]
    rows = list(_search(truth.mean[order], proxies, float(early @ own["seconds"]), late[order]))
    if bias is None and truth.attempted.all() and not stopped.any():
        rows += _random(truth.mean[truth.scored], trainings, rows[-1]["seconds"])
    return pd.DataFrame(rows, columns=list(COLUMNS)).drop_duplicates(ignore_index=True)


def after(rows: pd.DataFrame, seconds: float) -> dict[str, Any] | None:
    """The row of one line that holds once so many seconds are spent; None if there is none yet."""
    until = rows[rows["seconds"] <= seconds * (1 + 1e-9)]
    return None if until.empty else {str(name): value for name, value in until.iloc[-1].items()}


def best_of(falling: Floats, drawn: int) -> Interval:
    """The best of some scores drawn without replacement: its expectation and the middle 95% of draws, both exact.

    Args:
        falling: the scores, the best first.
        drawn: how many are drawn, from 1 to all.
    """
    chances = choice.best_chances(len(falling), drawn)
    # The best of the draw is at most the i-th largest unless it is a larger one; rounding is no chance.
    at_most = 1 - np.concatenate([[0.0], np.cumsum(chances)[:-1]])
    low, high = (falling[np.count_nonzero(at_most >= share - 1e-9) - 1] for share in ((1 - LEVEL) / 2, (1 + LEVEL) / 2))
    return Interval(float(chances @ falling[: len(chances)]), float(low), float(high))


def _of_architectures(table: pd.DataFrame, own: pd.DataFrame, values: "pd.Series[float]", how: str) -> Floats:
    """Values of trainings, over the seeds of each architecture of a table; NaN where it was not trained."""
    found = values.groupby(own["architecture"]).agg(how).reindex(table["architecture"].unique())
    return found.to_numpy(dtype=float)


def _search(scores: Floats, proxies: float, early: float, late: Floats) -> Iterator[dict[str, Any]]:
    """The line of the study, from its scores and seconds in the order of training."""
    spent = np.cumsum(np.concatenate([[proxies], late]))
    spent[1:] += early
    best = np.fmax.accumulate(np.concatenate([[np.nan], scores]))
    trained = np.concatenate([[0], np.cumsum(~np.isnan(scores))])
    rises = 1 + np.flatnonzero(~np.isnan(best[1:]) & ~(best[1:] <= best[:-1]))
    compared = np.searchsorted(spent, COMPARED_AT * spent[-1] * (1 + 1e-9), side="right") - 1
    for i in sorted({0, *rises.tolist(), max(0, int(compared)), len(scores)}):
        yield _row(SEARCH, int(trained[i]), float(spent[i]), Interval(float(best[i])))


def _random(scores: Floats, trainings: float, spent: float) -> Iterator[dict[str, Any]]:
    """The line of random search."""
    falling, each = np.sort(scores)[::-1], trainings / len(scores)
    compared = int(COMPARED_AT * spent / each * (1 + 1e-9))
    for drawn in choice.grid(len(falling), (compared,)).tolist():
        yield _row(RANDOM, drawn, drawn * each, best_of(falling, drawn))


def _row(line: str, trained: int, seconds: float, best: Interval) -> dict[str, Any]:
    return {"line": line, "trained": trained, "seconds": seconds, **best.columns("best")}
