"""Regret and recall of every proxy as curves over how many architectures are then trained, and over what that costs."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from randsearch.statistics import choice
from randsearch.statistics.correlations import Floats
from randsearch.statistics.interval import FEWEST_FOR_COEFFICIENT, FEWEST_FOR_INTERVAL, Interval, band
from randsearch.statistics.proxy_rows import Board
from randsearch.statistics.scores import Scores, mean_cost
from randsearch.table.tidy import ENSEMBLE

RANDOM = "random"
"""The name of choosing by chance among the curves."""
SHARES = (0.1, 0.25, 0.5)
"""Budgets, as shares of the seconds that training every architecture takes."""

CURVE_COLUMNS = (
    *("proxy", "trained", "seconds", "regret_db", "regret_db_low", "regret_db_high"),
    *("recall", "recall_low", "recall_high", "random_regret_db", "random_recall"),
)
BUDGET_COLUMNS = (
    *("share", "seconds", "proxy", "trained", "regret_db", "regret_db_low", "regret_db_high"),
    *("random_regret_db", "best_share"),
)


@dataclass(frozen=True)
class _Curve:
    """One proxy's pool, and the regret of its resamples."""

    proxy: Scores
    by_proxy: Floats  # (pool,)
    by_truth: Floats
    proxy_seconds: float  # for the whole pool
    train_seconds: Floats  # (pool,)
    trained: NDArray[np.intp]  # (numbers of trained architectures,)
    gain: choice.Gain | None

    def seconds(self, trained: int) -> float:
        """Of scoring the pool and training so many."""
        return self.proxy_seconds + float(choice.top_shares(self.by_proxy, trained) @ self.train_seconds)

    def affordable(self, budget: float) -> int:
        """How many of the proxy's first choices a budget in seconds can train, at their mean cost."""
        return _affordable(budget - self.proxy_seconds, self.train_seconds, int((~np.isnan(self.by_proxy)).sum()))

    def at(self, trained: int) -> tuple[Interval, Interval]:
        """Regret and recall, with their bands."""
        regret = choice.expected_regret(self.by_proxy, self.by_truth, trained)
        recall = choice.expected_recall(self.by_proxy, self.by_truth, trained)
        if self.gain is None:
            return Interval(regret), Interval(recall)
        column = int(np.searchsorted(self.trained, trained))
        return band(regret, self.gain.regret[:, column]), band(recall, self.gain.recall[:, column])


def make_curves(board: Board) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The curves, and what each proxy gains at each budget.

    Ensembles have none: they are fitted on trained scores, which would have to be paid for first.

    Returns:
        - One row a proxy and number of trained architectures: the expected seconds (scoring every architecture by the
          proxy, and training those), regret and recall with their bands, and what random choice is expected to give.
          `RANDOM` is a proxy of its own there, which costs nothing but the training.
        - One row a budget and proxy: how many it can train for that, the regret, and `best_share`, the share of
          resampled studies in which no other proxy had a lower regret at that budget (ties shared).
    """
    truth = board.truth
    if truth.scored.sum() < FEWEST_FOR_COEFFICIENT:
        return pd.DataFrame(columns=list(CURVE_COLUMNS)), pd.DataFrame(columns=list(BUDGET_COLUMNS))
    budgets = [share * float(truth.cost[truth.scored].sum()) for share in SHARES]
    usable = [
        proxy
        for name, proxy in board.proxies.items()
        if (proxy.scored & truth.scored).sum() >= FEWEST_FOR_COEFFICIENT and not name.startswith(ENSEMBLE)
    ]
    curves = {proxy.name: _curve(board, proxy, budgets) for proxy in usable}
    rows = [row for curve in curves.values() for row in _rows(curve)]
    rows += _random_rows(truth)
    spent = [
        row for share, budget in zip(SHARES, budgets, strict=True) for row in _budget(curves, truth, share, budget)
    ]
    return pd.DataFrame(rows, columns=list(CURVE_COLUMNS)), pd.DataFrame(spent, columns=list(BUDGET_COLUMNS))


def _curve(board: Board, proxy: Scores, budgets: list[float]) -> _Curve:
    truth = board.truth
    pool = truth.scored & proxy.attempted
    by_proxy, by_truth = proxy.mean[pool], truth.mean[pool]
    # Unknown seconds of single architectures are taken as the mean of the known ones.
    costs = [
        np.where(np.isnan(side.cost[pool]), mean_cost(side.cost[pool]), side.cost[pool]) for side in (proxy, truth)
    ]
    scored = int((~np.isnan(by_proxy)).sum())
    cost = float(costs[0].sum())
    also = [_affordable(budget - cost, costs[1], scored) for budget in budgets]
    trained = choice.grid(scored, tuple(also))
    gain = None
    if scored >= FEWEST_FOR_INTERVAL:
        counts = board.draws.counts[board.draws.first :, pool[truth.scored]]
        gain = choice.resampled_gain(by_proxy, by_truth, counts, trained, board.seed)
    return _Curve(proxy, by_proxy, by_truth, cost, costs[1], trained, gain)


def _affordable(seconds: float, train_seconds: Floats, most: int) -> int:
    each = float(train_seconds.mean())
    return 0 if math.isnan(seconds / each if each else math.nan) else int(np.clip(seconds // each, 0, most))


def _rows(curve: _Curve) -> Iterator[dict[str, Any]]:
    for trained in curve.trained.tolist():
        regret, recall = curve.at(trained)
        yield {
            "proxy": curve.proxy.name,
            "trained": trained,
            "seconds": curve.seconds(trained),
            **regret.columns("regret_db"),
            **recall.columns("recall"),
            "random_regret_db": choice.random_regret(curve.by_truth, trained),
            "random_recall": trained / len(curve.by_truth),
        }


def _random_rows(truth: Scores) -> Iterator[dict[str, Any]]:
    scores, each = truth.mean[truth.scored], mean_cost(truth.cost[truth.scored])
    for trained in choice.grid(len(scores)).tolist():
        regret, recall = choice.random_regret(scores, trained), trained / len(scores)
        yield {
            "proxy": RANDOM,
            "trained": trained,
            "seconds": trained * each,
            **Interval(regret).columns("regret_db"),
            **Interval(recall).columns("recall"),
            "random_regret_db": regret,
            "random_recall": recall,
        }


def _budget(curves: Mapping[str, _Curve], truth: Scores, share: float, budget: float) -> Iterator[dict[str, Any]]:
    """What each proxy, and chance, gains for so many seconds; those that cannot train a single one are left out."""
    counts = {name: curve.affordable(budget) for name, curve in curves.items()}
    counts = {name: trained for name, trained in counts.items() if trained}
    best_shares = _best_shares({name: curves[name] for name in counts}, counts)
    by_truth = truth.mean[truth.scored]
    by_chance = _affordable(budget, truth.cost[truth.scored], len(by_truth))
    random_regret = choice.random_regret(by_truth, by_chance) if by_chance else math.nan
    for name, trained in counts.items():
        yield {
            "share": share,
            "seconds": budget,
            "proxy": name,
            "trained": trained,
            **curves[name].at(trained)[0].columns("regret_db"),
            "random_regret_db": random_regret,
            "best_share": best_shares.get(name, math.nan),
        }


def _best_shares(curves: Mapping[str, _Curve], trained: Mapping[str, int]) -> dict[str, float]:
    """How often each proxy's regret is the lowest of all, over the resamples."""
    drawn = {
        name: curve.gain.regret[:, int(np.searchsorted(curve.trained, trained[name]))]
        for name, curve in curves.items()
        if curve.gain is not None
    }
    if not drawn:
        return {}
    regrets = np.stack(list(drawn.values()))
    lowest = regrets <= regrets.min(axis=0) + 1e-6
    return dict(zip(drawn, (lowest / lowest.sum(axis=0)).mean(axis=1).tolist(), strict=True))
