"""Votes: the ranks of several proxies added, which learns from nothing and so needs no trained network.

`vote:params+jacob_cov+synflow` ranks architectures by the mean of their places by its parts, each from 0 (last) to 1
(first), ties sharing (Borda's count; cf. the rank aggregation of AZ-NAS, Lee and Ham 2024, arXiv 2403.19232, which adds
logarithms of ranks and so is ruled by the worst place of an architecture). The sum of ranks is taken because it treats
both ends alike: the logarithm has most of its spread among the worst, which nobody wants told apart.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd

from randsearch.base.errors import UserError
from randsearch.statistics.correlations import Floats
from randsearch.statistics.permutation import doubled_ranks
from randsearch.table.tidy import VOTE, measure_names, scores, seconds

NO_PART = "a part of the vote has no score"
_AND = "+"


def parts_of(name: str) -> tuple[str, ...]:
    """The proxies that a vote adds.

    Args:
        name: `vote:A+B+...`, or the same without `vote:`.

    Raises:
        UserError: fewer than two proxies are named, or one twice.
    """
    parts = tuple(part.strip() for part in name.removeprefix(VOTE).split(_AND))
    twice = next((part for part in parts if parts.count(part) > 1), None)
    if len(parts) < 2 or not all(parts) or twice is not None:
        problem = f"{twice} is named twice" if twice else "a vote needs two proxies or more"
        raise UserError(f"{name}: {problem}; write for instance {VOTE}params+early.")
    return parts


def with_votes(table: pd.DataFrame, votes: Sequence[str], *, target: str = "trained") -> pd.DataFrame:
    """Adds votes to a table as measurements, so that they are compared as proxies are.

    A vote has one row for each architecture and seed: of the seeds that every part has, where parts with a single seed
    count for all. It costs what its parts cost together. Where a part has no score, the vote has none either.

    Args:
        table: measurements.
        votes: `vote:A+B+...` or `A+B+...`.
        target: no vote may add the measure that is to be predicted.

    Raises:
        UserError: a vote is malformed, or a part was not measured.
    """
    known = measure_names(table)
    added = []
    for vote in dict.fromkeys(VOTE + _AND.join(parts_of(name)) for name in votes):
        parts = parts_of(vote)
        unknown = next((part for part in parts if part not in known or part == target), None)
        if unknown is not None:
            names = ", ".join(name for name in known if name != target)
            raise UserError(f"{vote}: there is no proxy {unknown} in the table: choose from {names}.")
        if vote not in known:
            added.append(_rows(table, vote, parts))
    return pd.concat([table, *added], ignore_index=True) if added else table


def _rows(table: pd.DataFrame, vote: str, parts: Sequence[str]) -> pd.DataFrame:
    """The measurements of one vote."""
    first = table.drop_duplicates("architecture")
    made = []
    for seed, columns, spent in _by_seed(table, parts):
        known = ~np.isnan(columns).any(axis=1)
        n = int(known.sum())
        score = np.full(len(first), np.nan)
        if n > 1:
            score[known] = np.mean([doubled_ranks(column) / (2 * (n - 1)) + 0.5 for column in columns[known].T], axis=0)
        known &= n > 1
        own: dict[str, Any] = {
            **{"measure": vote, "seed": seed, "score": score, "seconds": np.where(known, spent.sum(axis=1), 0.0)},
            **{"state": np.where(known, "complete", "failed"), "reason": np.where(known, "", NO_PART)},
            **{"baseline": np.nan, "steps": 0, "curve": "[]", "multiply_adds": 0.0},
            **{"validation_seconds": 0.0, "data_seconds": 0.0},
        }
        made.append(first.assign(**own))
    return pd.concat(made, ignore_index=True)


def _by_seed(table: pd.DataFrame, parts: Sequence[str]) -> Iterator[tuple[int, Floats, Floats]]:
    """Each seed that all parts have, with their scores and seconds, (architectures, parts)."""
    found = [(scores(table, part), seconds(table, part)) for part in parts]
    several = [{int(str(seed)) for seed in wide.columns} for wide, _ in found if wide.shape[1] > 1]
    for seed in sorted(set.intersection(*several)) if several else [0]:
        columns = [
            [side[seed if side.shape[1] > 1 else side.columns[0]].to_numpy(dtype=float) for side in pair]
            for pair in found
        ]
        yield seed, np.stack([one for one, _ in columns], axis=1), np.stack([cost for _, cost in columns], axis=1)
