"""Everything that a table of measurements says about its proxies, computed in one go."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Self

import numpy as np
import pandas as pd

from randsearch.statistics import curves, permutation
from randsearch.statistics.best_so_far import make_best_so_far
from randsearch.statistics.ceiling import Ceiling
from randsearch.statistics.claims import Claims, all_claims
from randsearch.statistics.differences import Comparer, Difference, Gap, score_gap, wanted_pairs
from randsearch.statistics.effects import Effect, effects
from randsearch.statistics.partial import CONTROLS
from randsearch.statistics.proxy_rows import FURTHER_RESAMPLES, Board, make_rows
from randsearch.table.tidy import parameters

GAPS = (
    *(("fixed_decoder", "fixed_encoder"), ("fixed_decoder", "trained"), ("fixed_encoder", "trained")),
    *(("fixed_decoder", "early"),),
)
"""Whose scores are compared as such, for J-Net's third claim."""


@dataclass(frozen=True)
class Named:
    """What a study says of its proxies before any score is known.

    Attributes:
        primary: the proxy that it is about; None if that is not known, as of scores from elsewhere.
        uncontrolled: why `early`, if it was measured, is no equal-cost control; None if it is one.
    """

    primary: str | None = None
    uncontrolled: str | None = None


@dataclass(frozen=True)
class Settings:
    """How an agreement was computed; it travels with the rows in `DataFrame.attrs`.

    Attributes:
        target: the measure that the proxies are to predict.
        resamples: the number of bootstrap resamples that were drawn.
        seed: the seed of the bootstrap and of the permutations.
        bias: why the coefficients are biased, for instance by an adaptive sampler; None if they are not.
        seeds: how many seeds the target was measured at.
        controls: the measures that the partial correlation holds fixed.
        unit: of the target's scores, and so of regret; empty if unknown.
        left_out: architectures that were tried, but have no finite score of the target.
        interval: the kind of interval.
        permutation: the kind of p-value.
        named: what was said before any score was known.
    """

    target: str
    resamples: int
    seed: int
    bias: str | None = None
    seeds: int = 1
    controls: tuple[str, ...] = ()
    unit: str = "dB"
    left_out: int = 0
    interval: str = "95% BCa bootstrap over architectures, each with its own seeds"
    permutation: str = f"two-sided permutation p of Spearman (all, or {permutation.PERMUTATIONS:,})"
    named: Named = Named()

    def __deepcopy__(self, _: dict[int, Any]) -> Self:
        """Itself, for nothing in it changes, and pandas copies `attrs` with each column that is looked at."""
        return self

    @classmethod
    def of(cls, board: Board, controls: tuple[str, ...], bias: str | None, unit: str) -> "Settings":
        """How the rows of a board are computed."""
        truth = board.truth
        left_out = int((truth.attempted & ~truth.scored).sum())
        seeds = board.ceiling.seeds
        found = cls(truth.name, board.draws.resamples, board.seed, bias, seeds, controls, unit, left_out)
        if not board.draws.large:
            return found
        return replace(
            found,
            interval="95% normal, by the deviation of a bootstrap over architectures, each with its own seeds",
            permutation="two-sided p of Spearman, the normal limit of all permutations",
        )


@dataclass(frozen=True)
class Analysis:
    """All statistics of a study.

    Attributes:
        rows: what `agreement` returns, one row a proxy.
        curves: regret and recall against the number of trained architectures and seconds; see `curves.make_curves`.
        budgets: what each proxy gains at each budget.
        best_so_far: the best trained score for the seconds spent, and what random search is expected to have for as
            many; see `best_so_far.make_best_so_far`.
        differences: of Spearman between proxies.
        gaps: of scores between measures.
        effects: of the parameters on the rankings.
        ceiling: how well the target agrees with itself.
        steps: the training steps of each measure, the median over its measurements.
        claims: the tests behind what is said of each proxy.
    """

    rows: pd.DataFrame
    curves: pd.DataFrame
    budgets: pd.DataFrame
    best_so_far: pd.DataFrame
    differences: tuple[Difference, ...]
    gaps: tuple[Gap, ...]
    effects: tuple[Effect, ...]
    ceiling: Ceiling
    steps: dict[str, int]
    claims: tuple[Claims, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Everything but the rows as plain values, NaN among them."""
        return {
            "ceiling": asdict(self.ceiling),
            "differences": [asdict(found) for found in self.differences],
            "gaps": [asdict(found) for found in self.gaps],
            "effects": [asdict(found) for found in self.effects],
            "claims": [asdict(found) for found in self.claims],
            "curves": self.curves.to_dict(orient="records"),
            "budgets": self.budgets.to_dict(orient="records"),
            "best_so_far": self.best_so_far.to_dict(orient="records"),
        }


def agreement(
    table: pd.DataFrame,
    *,
    target: str = "trained",
    resamples: int = 2000,
    seed: int = 0,
    bias: str | None = None,
    unit: str = "dB",
) -> pd.DataFrame:
    """Compares every measure of a table with the target.

    Args:
        table: measurements; of the columns, architecture, measure, seed, score, seconds and state are used.
        target: the measure that the proxies are to predict.
        resamples: the number of bootstrap resamples; `interval.LARGE_RESAMPLES` at most beyond `interval.LARGE`
            architectures, where intervals are normal ones.
        seed: the seed of the bootstrap and of the permutations.
        bias: why the coefficients are biased, if the architectures were not a random sample of the search space
            ("sampled by TPE", "only the top 5 were trained"); shown wherever the result is.
        unit: of the target's scores; empty if unknown.

    Returns:
        one row a proxy, by falling Spearman, NaN last. What has an interval has its ends in `_low` and `_high`: none
        below 5 architectures, none if a side is constant in over a tenth of the resamples, and none where all resamples
        agree perfectly. Coefficients are NaN below 3 architectures or if a side is constant.

        - proxy; n: the architectures with a score for both; failed: the proxy's failed measurements.
        - spearman, kendall (tau-b), pearson, weighted_tau with their ends.
        - p_value: two-sided permutation p of Spearman; p_holm: corrected for the number of proxies.
        - top3_overlap: the share of the 3 best by training that are among the proxy's first 3; NaN for n <= 3, where
          it would be 1 for any proxy.
        - regret_db: the best trained score less that of the proxy's first choice. Here and in top3_overlap,
          architectures on which the proxy failed count among the best and are never chosen, and ties count with
          their expectation under random choice. In the unit of the target, which is dB for an SDR.
        - relative_cost: the mean seconds an architecture, summed over its complete seeds, of the proxy over those of
          the target, on the n architectures.
        - ceiling: the highest Spearman that a perfect proxy could reach; over_ceiling: Spearman over it, which may
          exceed 1 by chance; kendall_between_seeds: of the target; reliability: Spearman of the proxy between its own
          seeds. NaN with one seed.
        - top_half, top_quarter, top_tenth, top_10: Spearman among the best by the target; NaN where those are all.
        - ndcg_10, precision_10: of the proxy's first 10; see `among_good`. recall_10: the share of the 3 best among
          them; regret_3, regret_10: what the best of its first 3, or 10, lacks. NaN for so few architectures.
        - bound: the highest Spearman that a proxy of such a reliability could reach.
        - partial: partial Spearman given `params` and `macs`, as far as they were measured.
        - biased: whether `bias` was given.

        `settings(result)` tells how it was computed.

    Raises:
        UserError: if the table has no measurement of the target, or resamples is below 1.
    """
    board = Board.of(table, target, resamples, seed)
    rows, _ = _rows(board, table, bias, unit)
    return rows


def analyse(
    table: pd.DataFrame,
    *,
    target: str = "trained",
    resamples: int = 2000,
    seed: int = 0,
    bias: str | None = None,
    unit: str = "dB",
    chooser: str | None = None,
    named: Named = Named(),
) -> Analysis:
    """Everything that a table says about its proxies; the arguments are those of `agreement`, and two more.

    Args:
        table: measurements.
        target: the measure that the proxies are to predict.
        resamples: the number of bootstrap resamples.
        seed: the seed of the bootstrap and of the permutations.
        bias: why the coefficients are biased.
        unit: of the target's scores.
        chooser: the proxy whose best were trained, the best first; None if all were, in the order of candidates.
        named: what was said before any score was known.

    Raises:
        UserError: if the table has no measurement of the target, or resamples is below 1.
    """
    board = Board.of(table, target, resamples, seed)
    rows, comparer = _rows(board, table, bias, unit)
    rows.attrs["settings"] = replace(settings(rows), named=named)
    points = {str(name): float(rho) for name, rho in zip(rows["proxy"], rows["spearman"], strict=True)}
    chosen, budgets = curves.make_curves(board)
    further = min(resamples, FURTHER_RESAMPLES)
    given = table.drop_duplicates("architecture")[parameters(table)].reset_index(drop=True)
    whole = table[table["state"] != "pruned"]
    return Analysis(
        rows,
        chosen,
        budgets,
        make_best_so_far(board, table, chooser, bias),
        tuple(comparer.difference(*pair) for pair in wanted_pairs(list(board.proxies), points)),
        _gaps(board, table, further),
        tuple(
            effect for proxy in board.proxies.values() for effect in effects(proxy, board.truth, given, further, seed)
        ),
        board.ceiling,
        {str(name): int(steps) for name, steps in whole.groupby("measure", sort=False)["steps"].median().items()},
        all_claims(board.proxies, board.truth, seed, controlled=named.uncontrolled is None),
    )


def settings(result: pd.DataFrame) -> Settings:
    """How a result of `agreement` was computed."""
    found = result.attrs["settings"]
    assert isinstance(found, Settings)
    return found


def _rows(board: Board, table: pd.DataFrame, bias: str | None, unit: str) -> tuple[pd.DataFrame, Comparer]:
    """The rows, which know how they were computed, and what compares them."""
    controls = tuple(name for name in CONTROLS if name in board.proxies)
    rows, comparer = make_rows(board, table, controls, bias)
    rows.attrs["settings"] = Settings.of(board, controls, bias, unit)
    return rows, comparer


def _gaps(board: Board, table: pd.DataFrame, resamples: int) -> tuple[Gap, ...]:
    known = {**board.proxies, board.truth.name: board.truth}
    baselines: Sequence[float] = table.loc[table["measure"] == board.truth.name, "baseline"].dropna().tolist()
    baseline = float(np.median(baselines)) if len(baselines) else float("nan")
    return tuple(
        score_gap(known[one], known[other], baseline, resamples, board.seed)
        for one, other in GAPS
        if one in known and other in known
    )
