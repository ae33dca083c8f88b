"""The scores of one measure as arrays over all architectures of a table, which every statistic here starts from."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from randsearch.statistics.correlations import Floats
from randsearch.table.tidy import means, scores, seconds


@dataclass(frozen=True)
class Scores:
    """One measure on all architectures of a table, in candidate order.

    Attributes:
        name: the measure.
        seeds: (architectures, seeds), NaN where there is no score.
        mean: (architectures,), over seeds.
        cost: (architectures,), seconds summed over the complete seeds; NaN where none is known.
        attempted: (architectures,), complete or failed.
    """

    name: str
    seeds: NDArray[np.float64]
    mean: NDArray[np.float64]
    cost: NDArray[np.float64]
    attempted: NDArray[np.bool_]

    @classmethod
    def of(cls, table: pd.DataFrame, measure: str) -> "Scores":
        """Reads one measure out of a table of measurements."""
        wide = scores(table, measure)
        own = table[table["measure"] == measure]
        return cls(
            name=measure,
            seeds=wide.to_numpy(dtype=float),
            mean=means(own).reindex(wide.index)[measure].to_numpy(dtype=float),
            cost=seconds(table, measure).sum(axis=1, min_count=1).to_numpy(dtype=float),
            attempted=np.asarray(wide.index.isin(own["architecture"])),
        )

    @property
    def scored(self) -> NDArray[np.bool_]:
        """(architectures,), whether any seed is complete."""
        return ~np.isnan(self.mean)


def mean_cost(cost: Floats) -> float:
    """The mean of the known seconds; NaN if none is known."""
    known = cost[~np.isnan(cost)]
    return float(known.mean()) if len(known) else float("nan")
