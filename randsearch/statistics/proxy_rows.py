"""The table of agreement: one row a proxy, its columns the coefficients with their intervals.

Scores are averaged over seeds before anything is ranked; the draws of architectures are the same for all proxies. What
the intervals are for stands in `interval`. A number that the data cannot carry is NaN, never a guess.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from randsearch.base.errors import UserError
from randsearch.statistics import best_only, choice, partial
from randsearch.statistics.among_good import FIRST, QUARTER, TENTH, best_of, ndcg, precision
from randsearch.statistics.ceiling import Ceiling, between_all_seeds, noise_ceiling, seeds_of_means, spearman_brown
from randsearch.statistics.correlations import Floats, correlations
from randsearch.statistics.differences import Comparer
from randsearch.statistics.interval import FEWEST_FOR_COEFFICIENT, FEWEST_FOR_INTERVAL, Draws, Interval, band
from randsearch.statistics.permutation import holm, permutation_ps
from randsearch.statistics.scores import Scores, mean_cost
from randsearch.table.tidy import ENSEMBLE, failures, measure_names

COEFFICIENTS = ("spearman", "kendall", "pearson")
COLUMNS = (
    *("proxy", "n", "failed", "spearman", "spearman_low", "spearman_high", "kendall", "kendall_low", "kendall_high"),
    *("pearson", "p_value", "top3_overlap", "regret_db", "relative_cost"),
    *("pearson_low", "pearson_high", "weighted_tau", "weighted_tau_low", "weighted_tau_high", "p_holm"),
    *("ceiling", "over_ceiling", "over_ceiling_low", "over_ceiling_high", "kendall_between_seeds", "reliability"),
    *("top_half", "top_half_low", "top_half_high", "top_10", "top_10_low", "top_10_high"),
    *("partial", "partial_low", "partial_high", "biased"),
    *("top_quarter", "top_quarter_low", "top_quarter_high", "top_tenth", "top_tenth_low", "top_tenth_high"),
    *("ndcg_10", "ndcg_10_low", "ndcg_10_high", "precision_10", "precision_10_low", "precision_10_high"),
    *("recall_10", "recall_10_low", "recall_10_high", "regret_3", "regret_3_low", "regret_3_high"),
    *("regret_10", "regret_10_low", "regret_10_high", "reliability_low", "reliability_high", "bound"),
)
"""The columns of an agreement, in order; the first 14 are what `agreement.csv` has always had."""

FURTHER_RESAMPLES = 2_000
"""At most so many resamples for all but the coefficients, their differences, regret and recall."""


@dataclass(frozen=True)
class Board:
    """What every statistic starts from: the target, the proxies, and the draws that all of them share.

    Attributes:
        truth: the target.
        proxies: by name, in order of appearance.
        draws: of the architectures with a target score.
        seed: of every random draw.
        ceiling: how well the target agrees with itself.
        ceiling_drawn: its ceiling in the draws, up to `FURTHER_RESAMPLES`; None without a ceiling.
    """

    truth: Scores
    proxies: dict[str, Scores]
    draws: Draws
    seed: int
    ceiling: Ceiling
    ceiling_drawn: Floats | None

    @classmethod
    def of(cls, table: pd.DataFrame, target: str, resamples: int, seed: int) -> "Board":
        """Reads a table of measurements.

        Raises:
            UserError: if the table has no measurement of the target, or resamples is below 1.
        """
        if resamples < 1:
            raise UserError(f"resamples should be at least 1, not {resamples}.")
        if target not in measure_names(table):
            raise UserError(f"There is no measurement of {target!r}, so that no proxy can be compared with it.")
        truth = Scores.of(table, target)
        proxies = {name: Scores.of(table, name) for name in measure_names(table) if name != target}
        draws = Draws.of(int(truth.scored.sum()), resamples, np.random.default_rng(seed))
        further = draws.among(np.ones(draws.members, dtype=bool), min(resamples, FURTHER_RESAMPLES))
        ceiling, drawn = noise_ceiling(truth.seeds[truth.scored], further)
        return cls(truth, proxies, draws, seed, ceiling, drawn)

    def both(self, proxy: Scores) -> NDArray[np.bool_]:
        """Which architectures with a target score the proxy scored too, (members of the draws,)."""
        return np.asarray(proxy.scored[self.truth.scored])


def make_rows(
    board: Board, table: pd.DataFrame, controls: Sequence[str], bias: str | None
) -> tuple[pd.DataFrame, Comparer]:
    """All rows, by falling Spearman, and a comparer that knows the Spearman of every draw.

    Args:
        board: what was read from the table.
        table: for the count of failures.
        controls: the measures that the partial correlation holds fixed.
        bias: why the coefficients are biased; None if they are not.
    """
    failed = failures(table)
    known: dict[str, Floats] = {}
    rows = []
    p_values = _p_values(board)
    for name, proxy in board.proxies.items():
        row, drawn = _row(board, proxy, controls)
        if drawn is not None:
            known[name] = drawn
        rows.append({"proxy": name, "failed": int(failed[name]), **row, "p_value": p_values.get(name, math.nan)})
    result = pd.DataFrame(rows, columns=list(COLUMNS))
    result["p_holm"] = holm(result["p_value"].to_numpy(dtype=float))
    result["biased"] = bias is not None
    result = result.sort_values("spearman", ascending=False, na_position="last", kind="stable", ignore_index=True)
    return result, Comparer(board.proxies, board.truth, board.draws, known)


def _p_values(board: Board) -> dict[str, float]:
    """P of every proxy; proxies that were scored on the same architectures share their permutations."""
    groups: dict[bytes, list[str]] = {}
    for name, proxy in board.proxies.items():
        # What learned from the target depends on it, so that no other order of the target is a null.
        if not name.startswith(ENSEMBLE) and board.both(proxy).sum() >= FEWEST_FOR_COEFFICIENT:
            groups.setdefault(board.both(proxy).tobytes(), []).append(name)
    found: dict[str, float] = {}
    for names in groups.values():
        both = board.truth.scored & board.proxies[names[0]].scored
        scores = np.stack([board.proxies[name].mean[both] for name in names])
        p = permutation_ps(scores, board.truth.mean[both], seed=board.seed)
        found |= dict(zip(names, p.tolist(), strict=True))
    return found


def _row(board: Board, proxy: Scores, controls: Sequence[str]) -> tuple[dict[str, Any], Floats | None]:
    """One row, less the proxy's name, failures and p, with the Spearman of every draw."""
    truth, among = board.truth, board.both(proxy)
    both = proxy.scored & truth.scored
    n = int(both.sum())
    row: dict[str, Any] = {
        "n": n,
        "relative_cost": _quotient(mean_cost(proxy.cost[both]), mean_cost(truth.cost[both])),
        "ceiling": board.ceiling.ceiling.point,
        "kendall_between_seeds": board.ceiling.kendall_between_seeds.point,
    }
    if n < FEWEST_FOR_COEFFICIENT:
        return row, None
    x, y = proxy.mean[both], truth.mean[both]
    draws = board.draws.among(among)
    drawn = correlations(x, y, draws.counts, weighted=draws.first + FURTHER_RESAMPLES)
    # The weighted tau hangs on its few best, which a part of the sample that is left out in turn may miss.
    every = len(draws.left_out) == draws.members
    for name, values, kind in (
        ("spearman", drawn.spearman, draws.bca),
        ("pearson", drawn.pearson, draws.bca),
        ("kendall", drawn.kendall, draws.percentile),
        ("weighted_tau", drawn.weighted_tau, draws.bca if every else draws.percentile),
    ):
        row |= (kind(values) if n >= FEWEST_FOR_INTERVAL else Interval(float(values[0]))).columns(name)
    row |= _further(board, proxy, drawn.spearman, controls)
    return row | _choice(board, proxy, n), drawn.spearman


def _further(board: Board, proxy: Scores, spearman: Floats, controls: Sequence[str]) -> dict[str, float]:
    """Against the ceiling, among the best, and given the sizes: what takes `FURTHER_RESAMPLES` at most."""
    truth, among = board.truth, board.both(proxy)
    both = proxy.scored & truth.scored
    resamples = min(board.draws.resamples, FURTHER_RESAMPLES)
    kept, draws = board.draws.kept(among, resamples), board.draws.among(among, resamples)
    x, y, n = proxy.mean[both], truth.mean[both], int(both.sum())
    row: dict[str, float] = {}
    if board.ceiling_drawn is not None:
        ratio = spearman[: len(kept)] / board.ceiling_drawn[kept]
        row |= _interval(draws, ratio, n).columns("over_ceiling")
    within = (
        *(("top_half", best_only.top_half(n), FEWEST_FOR_COEFFICIENT), ("top_10", best_only.TOP_FEW, 1)),
        # Shown beside Spearman's rho, for which three or four are too few: they give nearly any number by chance.
        *(
            ("top_quarter", best_of(QUARTER, n), FEWEST_FOR_INTERVAL),
            ("top_tenth", best_of(TENTH, n), FEWEST_FOR_INTERVAL),
        ),
    )
    for name, best, fewest in within:
        if fewest <= best < n:
            row |= _interval(draws, best_only.spearman_among_best(x, y, draws.counts, best), best).columns(name)
    if n > FIRST:
        row |= draws.percentile(ndcg(x, y, draws.counts)).columns("ndcg_10")
    if best_of(QUARTER, n) >= FIRST:
        row |= draws.percentile(precision(x, y, draws.counts)).columns("precision_10")
    row |= _reliability(board, proxy.seeds[both], draws)
    given = [board.proxies[name].mean[both] for name in controls]
    # A residual of c regressions leaves n - c architectures' worth of evidence.
    if given and not np.isnan(given).any() and n - len(given) >= FEWEST_FOR_COEFFICIENT and proxy.name not in controls:
        values = partial.partial_spearman(x, y, given, draws.counts)
        row |= _interval(draws, values, n - len(given)).columns("partial")
    return row


def _reliability(board: Board, seeds: Floats, draws: Draws) -> dict[str, float]:
    """How well a proxy agrees with itself between its seeds, and the most that its mean over them could reach."""
    found, values = between_all_seeds(seeds, draws)
    row = found.columns("reliability")
    if values is None or math.isnan(found.point):
        return row
    truth = board.ceiling
    # What is no steadier than chance agrees with nothing; with one seed of training that is not known of it.
    steady = float(spearman_brown(np.array(found.point), seeds_of_means(seeds)))
    reached = 1.0 if math.isnan(truth.reliability.point) else truth.ceiling.point
    bound = math.sqrt(steady) * reached
    return row | {"bound": 0.0 if math.isnan(bound) else bound}


def _interval(draws: Draws, values: Floats, evidence: int) -> Interval:
    return draws.bca(values) if evidence >= FEWEST_FOR_INTERVAL else Interval(float(values[0]))


def _choice(board: Board, proxy: Scores, n: int) -> dict[str, float]:
    """What is gained and lost by choosing with the proxy, in expectation over its ties."""
    truth = board.truth
    pool = truth.scored & proxy.attempted
    by_proxy, by_truth = proxy.mean[pool], truth.mean[pool]
    overlap = choice.expected_recall(by_proxy, by_truth, choice.TOP)
    row = {
        "top3_overlap": overlap if n > choice.TOP else math.nan,
        "regret_db": choice.expected_regret(by_proxy, by_truth, 1),
    }
    trained = np.array([number for number in (choice.TOP, FIRST) if number < n], dtype=np.intp)
    if not len(trained) or n < FEWEST_FOR_INTERVAL:
        return row
    draws = board.draws.among(pool[truth.scored], min(board.draws.resamples, FURTHER_RESAMPLES))
    gain = choice.resampled_gain(by_proxy, by_truth, draws.counts[draws.first :], trained, board.seed)
    for column, number in enumerate(trained.tolist()):
        regret = choice.expected_regret(by_proxy, by_truth, number)
        row |= band(regret, gain.regret[:, column]).columns(f"regret_{number}")
        if number == FIRST:
            recall = choice.expected_recall(by_proxy, by_truth, number)
            row |= band(recall, gain.recall[:, column]).columns(f"recall_{number}")
    return row


def _quotient(numerator: float, denominator: float) -> float:
    return float(numerator / denominator) if denominator > 0 else math.nan
