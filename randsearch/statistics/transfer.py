"""How far rankings transfer between two studies that share architectures: other data, another budget or machine."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from randsearch.base.errors import UserError
from randsearch.statistics.correlations import Floats, correlations
from randsearch.statistics.interval import FEWEST_FOR_COEFFICIENT, FEWEST_FOR_INTERVAL, UNKNOWN, Draws, Interval
from randsearch.statistics.wording import worded
from randsearch.table.tidy import means, measure_names


@dataclass(frozen=True)
class Transfer:
    """One measure in two studies.

    Attributes:
        measure: the measure.
        n: architectures with a score in both.
        spearman: between the two.
        kendall: between the two.
        shared_seeds: whether any seed is common: a seed gives the same architecture the same initial weights in both
            studies, and what agrees may be those weights.
    """

    measure: str
    n: int
    spearman: Interval = UNKNOWN
    kendall: Interval = UNKNOWN
    shared_seeds: bool = False


@dataclass(frozen=True)
class Comparison:
    """Two studies side by side.

    Attributes:
        sizes: architectures in either.
        matched: architectures in both.
        transfers: one a measure that both have, in the order of the first study.
        bias: why either study's architectures are no random sample; None if they are.
    """

    sizes: tuple[int, int]
    matched: int
    transfers: tuple[Transfer, ...]
    bias: str | None = None

    def sentences(self) -> list[str]:
        """The comparison in words."""
        lines = [f"{self.matched} architectures are in both studies (of {self.sizes[0]} and {self.sizes[1]})."]
        if self.bias:
            lines.append(f"biased: {self.bias}")
        for found in self.transfers:
            if found.n < FEWEST_FOR_COEFFICIENT:
                lines.append(f"  {found.measure}: {found.n} in both, too few to say")
            else:
                lines.append(
                    f"  {found.measure}: Spearman {worded(found.spearman)}, Kendall {worded(found.kendall)} "
                    f"on {found.n} architectures"
                )
        if any(found.shared_seeds for found in self.transfers):
            lines.append("Both use a common seed, so that networks of the same initial weights were compared.")
        return lines


def compare(
    first: pd.DataFrame, second: pd.DataFrame, *, resamples: int = 2000, seed: int = 0, bias: str | None = None
) -> Comparison:
    """Compares the scores of every measure that two studies share, on the architectures that they share.

    Args:
        first: measurements of one study.
        second: measurements of another.
        resamples: the number of bootstrap resamples of architectures.
        seed: of the bootstrap.
        bias: why either study's architectures are no random sample.

    Raises:
        UserError: if no architecture or no measure is in both.
    """
    wide = [means(table) for table in (first, second)]
    common = wide[0].index.intersection(wide[1].index)
    shared = [measure for measure in measure_names(first) if measure in wide[1]]
    if not len(common):
        raise UserError("the two studies have no architecture in common; sample both from one space with one seed.")
    if not shared:
        raise UserError("the two studies have no measure in common.")
    transfers = tuple(
        _transfer(
            measure,
            *(side.loc[common, measure].to_numpy(dtype=float) for side in wide),
            resamples=resamples,
            seed=seed,
            shared_seeds=bool(_seeds(first, measure) & _seeds(second, measure)),
        )
        for measure in shared
    )
    return Comparison((len(wide[0]), len(wide[1])), len(common), transfers, bias)


def _transfer(
    measure: str,
    x: Floats,
    y: Floats,
    *,
    resamples: int,
    seed: int,
    shared_seeds: bool,
) -> Transfer:
    both = ~np.isnan(x) & ~np.isnan(y)
    n = int(both.sum())
    if n < FEWEST_FOR_COEFFICIENT:
        return Transfer(measure, n, shared_seeds=shared_seeds)
    draws = Draws.of(n, resamples, np.random.default_rng(seed))
    drawn = correlations(x[both], y[both], draws.counts)
    if n < FEWEST_FOR_INTERVAL:
        points = [Interval(float(values[0])) for values in (drawn.spearman, drawn.kendall)]
        return Transfer(measure, n, points[0], points[1], shared_seeds)
    return Transfer(measure, n, draws.bca(drawn.spearman), draws.percentile(drawn.kendall), shared_seeds)


def _seeds(table: pd.DataFrame, measure: str) -> set[int]:
    """The seeds of a measure that draws weights at all."""
    own = table[(table["measure"] == measure) & (table["steps"] > 0)]
    return set(own["seed"].tolist())
