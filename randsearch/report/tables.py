"""The tables of a report as plain cells: what is shown, and the value by which a column sorts."""

import math
from collections.abc import Callable, Hashable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from randsearch.plots.style import label
from randsearch.statistics import TOP, format_interval, format_p
from randsearch.table.tidy import means, measure_names, parameters

MOST_ROWS = 200


@dataclass(frozen=True)
class Cell:
    """A cell: its text, and its number if it has one; text that names code is shown in a fixed width."""

    text: str
    number: float | None = None
    code: bool = False


@dataclass(frozen=True)
class Grid:
    """A table: headings with what they mean, and rows of as many cells."""

    headings: tuple[tuple[str, str], ...]
    rows: tuple[tuple[Cell, ...], ...]
    left_out: int = 0


def _interval(name: str) -> Callable[[dict[str, float]], Cell]:
    """A coefficient with its interval, which a narrow column shows below it, in one piece."""

    def cell(row: dict[str, float]) -> Cell:
        text = format_interval(row[name], row[f"{name}_low"], row[f"{name}_high"])
        return _number(row[name], text.replace(", ", ",\N{NO-BREAK SPACE}"))

    return cell


def _plain(name: str, form: str, unit: str = "", factor: int = 1) -> Callable[[dict[str, float]], Cell]:
    return lambda row: _number(row[name], f"{row[name] * factor:{form}}{unit}")


def _number(value: float, text: str) -> Cell:
    return Cell("-") if math.isnan(value) else Cell(text, float(value))


_AGREEMENT: tuple[tuple[str, str, str, Callable[[dict[str, float]], Cell]], ...] = (
    ("n", "n", "architectures with both scores", _plain("n", "d")),
    ("spearman", "Spearman", "rank correlation with its 95% interval", _interval("spearman")),
    ("kendall", "Kendall", "tau-b with its 95% interval", _interval("kendall")),
    ("weighted_tau", "weighted tau", "in which the best count most, with its 95% interval", _interval("weighted_tau")),
    ("pearson", "Pearson", "correlation of the scores themselves", _interval("pearson")),
    ("partial", "partial", "Spearman given parameters and multiply-adds", _interval("partial")),
    ("top_quarter", "best 1/4", "Spearman among the best quarter by training", _plain("top_quarter", ".2f")),
    ("over_ceiling", "over ceiling", "Spearman over what a perfect proxy could reach", _interval("over_ceiling")),
    ("p_value", "p", "of Spearman, by permutation", lambda row: _number(row["p_value"], format_p(row["p_value"]))),
    (
        "p_holm",
        "p Holm",
        "corrected for the number of proxies",
        lambda row: _number(row["p_holm"], format_p(row["p_holm"])),
    ),
    (
        "top3_overlap",
        "top 3",
        "the best three that are among the proxy's",
        _plain("top3_overlap", ".2g", f"/{TOP}", TOP),
    ),
    ("regret_db", "regret", "lost by training its first choice only", _plain("regret_db", ".2f")),
    ("relative_cost", "cost", "seconds relative to training", _plain("relative_cost", ".2g")),
    ("failed", "failed", "failed measurements", _plain("failed", "d")),
)


def agreement_grid(result: pd.DataFrame) -> Grid:
    """The agreement of every proxy, with the columns that the result has."""
    # That nothing failed is a sentence beneath the table, which then has no room to spare for it.
    columns = [each for each in _AGREEMENT if each[0] in result and (each[0] != "failed" or result["failed"].any())]
    headings = (("proxy", "a measure that is cheaper than training"), *((name, what) for _, name, what, _ in columns))
    rows = [
        (Cell(label(str(row["proxy"]))), *(cell(row) for _, _, _, cell in columns))
        for row in map(_named, result.to_dict(orient="records"))
    ]
    return Grid(headings, tuple(rows))


def score_grid(table: pd.DataFrame, target: str) -> Grid:
    """Every architecture with its mean score by each measure and its parameters, the best by the target first."""
    wide = means(table)
    if target in wide:
        wide = wide.sort_values(target, ascending=False, kind="stable")
    order = sorted(measure_names(table), key=lambda measure: measure != target)
    given = table.drop_duplicates("architecture").set_index("architecture")[parameters(table)]
    headings = [("architecture", "hash"), *((label(measure), "mean score over seeds") for measure in order)]
    headings += [(name.replace("_", " "), "parameter") for name in parameters(table)]
    rows = [
        (
            Cell(str(name), code=True),
            *(_number(float(value), f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}") for value in scored),
            *(_cell(value) for value in given.loc[str(name)]),
        )
        for name, scored in zip(wide.index[:MOST_ROWS], wide[order].to_numpy(dtype=float), strict=False)
    ]
    return Grid(tuple(headings), tuple(rows), max(0, len(wide) - MOST_ROWS))


def failure_grid(table: pd.DataFrame) -> Grid:
    """The failed measurements, those of one measure and reason in one row."""
    failed = table[table["state"] == "failed"]
    rows = [
        (
            Cell(label(str(measure))),
            Cell(str(len(rows)), float(len(rows))),
            Cell(str(reason) or "-"),
            Cell(_some(rows), code=True),
        )
        for (measure, reason), rows in _groups(failed)
    ]
    headings = (("measure", ""), ("failed", "measurements"), ("reason", ""), ("architectures", "that failed"))
    return Grid(headings, tuple(rows[:MOST_ROWS]), max(0, len(rows) - MOST_ROWS))


def _groups(failed: pd.DataFrame) -> Iterator[tuple[tuple[str, str], pd.DataFrame]]:
    """Failed measurements by measure and reason, in order of appearance."""
    pairs = pd.Series(list(zip(failed["measure"], failed["reason"], strict=True)), index=failed.index, dtype=object)
    for pair in dict.fromkeys(pairs):
        yield pair, failed[[other == pair for other in pairs]]


def _named(row: Mapping[Hashable, Any]) -> dict[str, Any]:
    return {str(name): value for name, value in row.items()}


def _some(rows: pd.DataFrame, most: int = 6) -> str:
    names = list(dict.fromkeys(rows["architecture"].astype(str)))
    return " ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


def _cell(value: object) -> Cell:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return Cell(str(value))
    return _number(float(value), f"{value:g}")
