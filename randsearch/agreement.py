"""How far each proxy ranks architectures as their training does, with the uncertainty of saying so.

Scores are averaged over seeds before anything is ranked. Every coefficient comes with the 95% percentile interval of a
bootstrap over architectures, which draws the same resamples for all proxies; where a measure has at least three seeds,
the seeds of each architecture are drawn anew as well, which errs on the wide side: the means already carry the noise
between seeds. A number that the data cannot carry is NaN, never a guess.
"""

import json
import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from randsearch import rankstats
from randsearch.errors import UserError
from randsearch.rankstats import Correlations, Floats
from randsearch.table import failures, means, measures, replace_file, scores, seconds

if TYPE_CHECKING:
    from rich.table import Table

LEVEL = 0.95
FEWEST_FOR_COEFFICIENT = 3
FEWEST_FOR_INTERVAL = 5
"""With fewer, not even perfect agreement reaches p < 0.05, while the bootstrap would draw an interval of no width."""
FEWEST_SEEDS = 3
SEED_DRAWS = 100
"""Resamples come in this many blocks; each draws the seeds anew, and its draws of architectures share them."""
PERMUTATIONS = 9_999
TOP = 3

COEFFICIENTS = ("spearman", "kendall", "pearson")
COLUMNS = (
    *("proxy", "n", "failed", "spearman", "spearman_low", "spearman_high", "kendall", "kendall_low", "kendall_high"),
    *("pearson", "p_value", "top3_overlap", "regret_db", "relative_cost"),
    *("pearson_low", "pearson_high", "resampled", "biased"),
)


@dataclass(frozen=True)
class Settings:
    """How an agreement was computed; it travels with the result in `DataFrame.attrs`.

    Attributes:
        target: The measure that the proxies are to predict.
        resamples: The number of bootstrap resamples.
        seed: The seed of the bootstrap and of the permutations.
        bias: Why the coefficients are biased, for instance by an adaptive sampler; None if they are not.
        interval: The kind of interval.
        permutation: The kind of p-value.
    """

    target: str
    resamples: int
    seed: int
    bias: str | None = None
    interval: str = "95% percentile bootstrap"
    permutation: str = (
        f"two-sided permutation p of Spearman, exact up to {rankstats.EXACT_UP_TO} architectures, "
        f"else from {PERMUTATIONS:,} permutations"
    )


def agreement(
    table: pd.DataFrame, *, target: str = "trained", resamples: int = 2000, seed: int = 0, bias: str | None = None
) -> pd.DataFrame:
    """Compares every measure of a table with the target.

    Args:
        table: Measurements; of the columns, architecture, measure, seed, score, seconds and state are used.
        target: The measure that the proxies are to predict.
        resamples: The number of bootstrap resamples.
        seed: The seed of the bootstrap and of the permutations.
        bias: Why the coefficients are biased, if the architectures were not a random sample of the search space
            ("sampled by TPE", "only the top 5 were trained"); shown wherever the result is.

    Returns:
        One row a proxy, by falling Spearman, NaN last:

        - proxy; n: the architectures with a score for both; failed: the proxy's failed measurements.
        - spearman, kendall (tau-b), pearson with their ends, `_low` and `_high`. NaN below 3 architectures or if a
          side is constant; no ends below 5 architectures, or if a side is constant in over a tenth of the resamples.
        - p_value: two-sided permutation p of Spearman, not corrected for the number of proxies.
        - top3_overlap: the share of the 3 best by training that are among the proxy's first 3; NaN for n <= 3, where
          it would be 1 for any proxy.
        - regret_db: the best trained score less that of the proxy's first choice. Here and in top3_overlap,
          architectures on which the proxy failed count among the best and are never chosen, and ties count with
          their expectation under random choice. In dB if the target is an SDR.
        - relative_cost: the mean seconds an architecture, summed over its complete seeds, of the proxy over those of
          the target, on the n architectures.
        - resampled: what the bootstrap drew; biased: whether `bias` was given.

        `settings(result)` tells how it was computed.

    Raises:
        UserError: If the table has no measurement of the target, or resamples is below 1.
    """
    if resamples < 1:
        raise UserError(f"resamples should be at least 1, not {resamples}.")
    if target not in measures(table):
        raise UserError(f"There is no measurement of {target!r}, so that no proxy can be compared with it.")
    truth = _Scores.of(table, target)
    counts = rankstats.resample_counts(truth.scored.sum(), resamples, np.random.default_rng(seed))
    failed = failures(table)
    rows = [
        {
            "proxy": measure,
            "failed": int(failed[measure]),
            **_compare(_Scores.of(table, measure), truth, counts, seed),
            "biased": bias is not None,
        }
        for measure in measures(table)
        if measure != target
    ]
    result = pd.DataFrame(rows, columns=list(COLUMNS))
    result = result.sort_values("spearman", ascending=False, na_position="last", kind="stable", ignore_index=True)
    result.attrs["settings"] = Settings(target, resamples, seed, bias)
    return result


def settings(result: pd.DataFrame) -> Settings:
    """How a result of `agreement` was computed."""
    found = result.attrs["settings"]
    assert isinstance(found, Settings)
    return found


def notes(result: pd.DataFrame) -> list[str]:
    """What must be said wherever a result is shown: a bias first, then how to read the numbers."""
    how = settings(result)
    drawn = "architectures"
    if (result["resampled"] != drawn).any():
        drawn += ", and over seeds where a measure has at least three"
    return [
        *([f"biased: {how.bias}"] if how.bias else []),
        f"brackets: {how.interval} over {drawn} ({how.resamples:,} resamples)",
        f"p: {how.permutation}; not corrected for the number of proxies",
        "cost: mean seconds an architecture over those of " + how.target,
    ]


def write_agreement(result: pd.DataFrame, folder: str | Path) -> None:
    """Writes `agreement.csv` (the rows) and `agreement.json` (settings, notes and rows; NaN is null) into a folder.

    Raises:
        UserError: If a file cannot be written.
    """
    rows = [
        {key: None if isinstance(value, float) and math.isnan(value) else value for key, value in row.items()}
        for row in result.to_dict(orient="records")
    ]
    document = {"settings": asdict(settings(result)), "notes": notes(result), "rows": rows}
    replace_file(Path(folder) / "agreement.csv", result.to_csv(index=False, lineterminator="\n"))
    replace_file(Path(folder) / "agreement.json", json.dumps(document, indent=2, allow_nan=False) + "\n")


def format_agreement(result: pd.DataFrame) -> "Table":
    """The result as a table for the terminal, with its notes below."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    how = settings(result)
    title = f"Agreement with {how.target}" + (" (biased)" if how.bias else "")
    # Without side borders and wide padding a row fits into the 80 columns of a plain terminal.
    view = Table(
        title=title, caption="\n".join(notes(result)), caption_justify="left", box=SIMPLE_HEAD, padding=(0, 1, 0, 0)
    )
    view.add_column("proxy", no_wrap=True)
    for heading in ("n", "Spearman", "p", "top 3", "regret", "cost", "failed"):
        view.add_column(heading, justify="right", no_wrap=True)
    for row in result.to_dict(orient="records"):
        view.add_row(
            str(row["proxy"]),
            str(row["n"]),
            format_interval(row["spearman"], row["spearman_low"], row["spearman_high"]),
            format_p(row["p_value"]),
            _or_dash(row["top3_overlap"] * TOP, ".2g", f"/{TOP}"),
            _or_dash(row["regret_db"], ".2f", " dB"),
            _or_dash(row["relative_cost"], ".2g"),
            str(row["failed"]),
        )
    return view


def format_interval(point: float, low: float, high: float) -> str:
    """For instance "0.71 [0.42, 0.87]"; "-" for what is not defined."""
    if math.isnan(point):
        return "-"
    return f"{point:.2f} " + ("[-, -]" if math.isnan(low) else f"[{low:.2f}, {high:.2f}]")


def format_p(p: float) -> str:
    """A p-value to three places, or as "<0.001"."""
    return "<0.001" if p < 0.001 else _or_dash(p, ".3f")


def headline(result: pd.DataFrame, proxy: str = "fixed_decoder", control: str = "early") -> str:
    """One sentence on the primary proxy, as cautious as its interval, with the equal-cost control beside it."""
    target = settings(result).target
    rows = {str(row["proxy"]): row for row in result.to_dict(orient="records")}
    if proxy not in rows:
        return f"{proxy} was not measured, so that its agreement with {target} is unknown."
    row = rows[proxy]
    n, low, high = row["n"], row["spearman_low"], row["spearman_high"]
    rho = f"Spearman {format_interval(row['spearman'], low, high)}, p {format_p(row['p_value'])}"
    on = f"on {n} architectures"
    if n < FEWEST_FOR_COEFFICIENT:
        sentence = f"Too few architectures ({n}) have both scores to say how {proxy} agrees with {target}"
    elif math.isnan(row["spearman"]):
        sentence = f"{proxy} or {target} gives all {n} architectures the same score, so that there is no ranking"
    elif math.isnan(low):
        sentence = f"{proxy} against {target} {on}: {rho}; too little for an interval, and so for a conclusion"
    elif low > 0:
        sentence = f"{proxy} ranks as {target} does better than chance {on} ({rho})"
    elif high < 0:
        sentence = f"{proxy} ranks against {target} {on} ({rho})"
    else:
        sentence = f"{proxy} cannot be told from a proxy without any agreement with {target} {on} ({rho})"
    if control in rows and control != proxy and not math.isnan(rows[control]["spearman"] + row["spearman"]):
        other = rows[control]
        beside = format_interval(other["spearman"], other["spearman_low"], other["spearman_high"])
        sentence += f"; {control}, the equal-cost control, has {beside}"
    bias = settings(result).bias
    return sentence + (f" (biased: {bias})." if bias else ".")


@dataclass(frozen=True)
class _Scores:
    """One measure on all architectures of a table, in candidate order."""

    seeds: NDArray[np.float64]  # (architectures, seeds), NaN where there is no score
    cost: NDArray[np.float64]  # (architectures,), seconds summed over the complete seeds
    attempted: NDArray[np.bool_]  # (architectures,), complete or failed
    mean: NDArray[np.float64]  # (architectures,), over seeds

    @classmethod
    def of(cls, table: pd.DataFrame, measure: str) -> "_Scores":
        wide = scores(table, measure)
        attempted = wide.index.isin(table.loc[table["measure"] == measure, "architecture"])
        return cls(
            seeds=wide.to_numpy(dtype=float),
            cost=seconds(table, measure).sum(axis=1).to_numpy(dtype=float),
            attempted=np.asarray(attempted),
            mean=means(table[table["measure"] == measure]).reindex(wide.index)[measure].to_numpy(dtype=float),
        )

    @property
    def scored(self) -> NDArray[np.bool_]:
        return ~np.isnan(self.mean)

    @property
    def has_seeds(self) -> bool:
        return bool(self.seeds.shape[1] >= FEWEST_SEEDS)

    def draw_seeds(self, rng: np.random.Generator) -> Floats:
        """The mean of each architecture over a bootstrap draw of its own complete seeds."""
        if not self.has_seeds:
            return self.mean
        complete = np.sum(~np.isnan(self.seeds), axis=1)
        complete_first = np.sort(self.seeds, axis=1)  # NaN goes last
        drawn = (rng.random(self.seeds.shape) * complete[:, None]).astype(np.intp)
        values = np.take_along_axis(complete_first, drawn, axis=1)
        used = np.arange(self.seeds.shape[1]) < complete[:, None]
        total = np.where(used, values, 0.0).sum(axis=1)
        mean: Floats = np.divide(total, complete, out=np.full(len(total), np.nan), where=complete > 0)
        return mean


def _compare(proxy: _Scores, truth: _Scores, counts: Floats, seed: int) -> dict[str, Any]:
    """One row of the agreement, less the proxy's name and failures; counts are over the architectures with a target."""
    both = proxy.scored & truth.scored
    n = int(both.sum())
    row: dict[str, Any] = {
        "n": n,
        "relative_cost": _quotient(proxy.cost[both].mean(), truth.cost[both].mean()) if n else math.nan,
        "resampled": "architectures and seeds" if proxy.has_seeds or truth.has_seeds else "architectures",
    }
    if n < FEWEST_FOR_COEFFICIENT:
        return row
    x, y = proxy.mean[both], truth.mean[both]
    points = rankstats.correlations(x, y)
    parts = list(_resampled(proxy, truth, both, counts[:, both[truth.scored]], seed))
    for name in COEFFICIENTS:
        resampled = np.concatenate([getattr(part, name) for part in parts])
        if n < FEWEST_FOR_INTERVAL:
            resampled = np.full_like(resampled, np.nan)
        interval = rankstats.percentile_interval(float(getattr(points, name)[0]), resampled, LEVEL)
        row |= {name: interval.point, f"{name}_low": interval.low, f"{name}_high": interval.high}
    row["p_value"] = rankstats.permutation_p(x, y, permutations=PERMUTATIONS, seed=seed)
    return row | _choice(proxy, truth, n)


def _resampled(
    proxy: _Scores, truth: _Scores, both: NDArray[np.bool_], counts: Floats, seed: int
) -> Iterator[Correlations]:
    """The coefficients of all resamples, in parts; counts are (resamples, architectures with both scores)."""
    if not (proxy.has_seeds or truth.has_seeds):
        yield rankstats.correlations(proxy.mean[both], truth.mean[both], counts)
        return
    # Two streams, the target's first: it is drawn alike for every proxy, which keeps their differences paired.
    of_truth, of_proxy = (np.random.default_rng([seed, stream]) for stream in (1, 2))
    for block in np.array_split(counts, min(SEED_DRAWS, len(counts))):
        x, y = proxy.draw_seeds(of_proxy), truth.draw_seeds(of_truth)
        yield rankstats.correlations(x[both], y[both], block)


def _choice(proxy: _Scores, truth: _Scores, n: int) -> dict[str, float]:
    """What is gained and lost by choosing with the proxy, in expectation over its ties."""
    pool = truth.scored & proxy.attempted
    by_proxy, by_truth = proxy.mean[pool], truth.mean[pool]
    first = rankstats.top_shares(by_proxy, 1)
    overlap = rankstats.top_shares(by_proxy, TOP) @ rankstats.top_shares(by_truth, TOP) / TOP
    return {
        "top3_overlap": float(overlap) if n > TOP else math.nan,
        # A rounding error below 0 would print as a gain.
        "regret_db": max(0.0, float(by_truth.max() - first @ by_truth)),
    }


def _quotient(numerator: float, denominator: float) -> float:
    return float(numerator / denominator) if denominator > 0 else math.nan


def _or_dash(value: float, form: str, unit: str = "") -> str:
    return "-" if math.isnan(value) else f"{value:{form}}{unit}"
