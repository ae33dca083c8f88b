"""Votes: the ranks of several proxies added, which learns from nothing and so needs no trained network.

`vote:params+jacob_cov+synflow` ranks architectures by the mean of their places by its parts, each from 0 (last) to 1
(first), ties sharing (Borda's count; cf. the rank aggregation of AZ-NAS, Lee and Ham 2024, arXiv 2403.19232, which adds
logarithms of ranks and so is ruled by the worst place of an architecture). The sum of ranks is taken because it treats
both ends alike: the logarithm has most of its spread among the worst, which nobody wants told apart.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from randsearch.base.errors import UserError
from randsearch.statistics.correlations import Floats
from randsearch.statistics.permutation import doubled_ranks
from randsearch.table.tidy import ENSEMBLE, measure_names, scores, seconds
from randsearch.table.votes import AND, VOTE, parts_of

NO_PART = "a part of the vote failed"


def with_votes(table: pd.DataFrame, votes: Sequence[str], *, target: str = "trained") -> pd.DataFrame:
    """Adds votes to a table as measurements, so that they are compared as proxies are.

    A vote has one row for each architecture and seed that all of its parts measured: of the seeds that every part has,
    where parts with a single seed count for all. It costs what its parts cost together, and failed where one did.

    Args:
        table: measurements.
        votes: `vote:A+B+...` or `A+B+...`; the same parts in another order are the same vote.
        target: no vote may add the measure that is to be predicted, or what learned from it.

    Raises:
        UserError: a vote is malformed, or a part was not measured.
    """
    known = measure_names(table)
    may = [name for name in known if name != target and not name.startswith(ENSEMBLE)]
    added: dict[frozenset[str], pd.DataFrame] = {}
    for parts in map(parts_of, votes):
        vote = VOTE + AND.join(parts)
        unknown = next((part for part in parts if part not in may), None)
        if unknown is not None:
            learned = unknown.startswith(ENSEMBLE)
            problem = f"{unknown} learned from {target}" if learned else f"there is no proxy {unknown} in the table"
            raise UserError(f"{vote}: {problem}: choose from {', '.join(may)}.")
        if vote not in known and frozenset(parts) not in added:
            added[frozenset(parts)] = _rows(table, vote, parts)
    return pd.concat([table, *added.values()], ignore_index=True) if added else table


def _rows(table: pd.DataFrame, vote: str, parts: Sequence[str]) -> pd.DataFrame:
    """The measurements of one vote."""
    first = table.drop_duplicates("architecture")
    made: list[pd.DataFrame] = []
    for seed, found in _by_seed(table, vote, parts):
        known, lost = ~np.isnan(found.scores), found.failed.any(axis=1)
        score = summed_ranks(found.scores)
        own: dict[str, Any] = {
            **{"measure": vote, "seed": seed, "score": score},
            **{"seconds": np.where(lost, 0.0, found.seconds.sum(axis=1)), "steps": 0, "multiply_adds": 0.0},
            **{"state": np.where(lost, "failed", "complete"), "reason": np.where(lost, NO_PART, "")},
            **{"baseline": np.nan, "curve": "[]", "validation_seconds": 0.0, "data_seconds": 0.0},
        }
        made.append(first.assign(**own).iloc[np.flatnonzero((known | found.failed).all(axis=1))])
    return pd.concat(made, ignore_index=True)


def summed_ranks(scores: Floats) -> Floats:
    """The vote at one seed: the mean place by the parts, from 0 to 1, of the architectures that all of them scored.

    Args:
        scores: (architectures, parts), NaN where there is none.

    Returns:
        (architectures,), NaN where a part has no score.
    """
    whole, vote = ~np.isnan(scores).any(axis=1), np.full(len(scores), np.nan)
    # Sums of whole numbers: what adds up to the same is tied to the last bit.
    ranks: Floats = np.sum([doubled_ranks(column) for column in scores[whole].T], axis=0)
    vote[whole] = ranks / (2 * scores.shape[1] * max(int(whole.sum()) - 1, 1)) + 0.5
    return vote


def common_seeds(vote: str, own: Sequence[Sequence[int]]) -> list[int]:
    """The seeds at which there is a vote: those that every part has, where parts with a single seed count for all.

    Args:
        vote: its name.
        own: seeds of each part.

    Raises:
        UserError: there is none.
    """
    several = [set(seeds) for seeds in own if len(seeds) > 1]
    common = sorted(set.intersection(*several)) if several else list(own[0][:1])
    if not common:
        raise UserError(f"{vote}: its parts have no seed in common; measure them at the same seeds.")
    return common


@dataclass(frozen=True)
class _Found:
    """What the parts of a vote found at one seed, each (architectures, parts)."""

    scores: Floats
    seconds: Floats
    failed: NDArray[np.bool_]


def _by_seed(table: pd.DataFrame, vote: str, parts: Sequence[str]) -> Iterator[tuple[int, _Found]]:
    """What was found at each seed that all parts have.

    Raises:
        UserError: there is none.
    """
    wide = [(scores(table, part), seconds(table, part), _failed(table, part)) for part in parts]
    own = [[int(str(seed)) for seed in of.columns] for of, _, _ in wide]
    common = common_seeds(vote, own)
    for seed in common:
        columns = [
            [side[seed if len(seeds) > 1 else seeds[0]].to_numpy() for side in sides]
            for seeds, sides in zip(own, wide, strict=True)
        ]
        values, spent, failed = (np.stack(side, axis=1) for side in zip(*columns, strict=True))
        # What a part with a single seed took is paid once, for all seeds together.
        yield seed, _Found(values, spent / [1 if len(seeds) > 1 else len(common) for seeds in own], failed)


def _failed(table: pd.DataFrame, part: str) -> pd.DataFrame:
    """Which measurements failed, in the form of `scores`."""
    like, failed = scores(table, part), table[(table["measure"] == part) & (table["state"] == "failed")]
    marks = failed.pivot(index="architecture", columns="seed", values="state")
    return marks.reindex(index=like.index, columns=like.columns).notna()
