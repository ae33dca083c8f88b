"""An agreement for people and for programs: a table for the terminal, `agreement.csv` and `agreement.json`."""

import json
import math
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from randsearch.base.files import Place, place_of
from randsearch.base.layout import StudyFolder
from randsearch.statistics.analysis import Analysis, settings
from randsearch.statistics.choice import TOP
from randsearch.statistics.differences import CONTROL
from randsearch.statistics.interval import FEWEST_FOR_INTERVAL
from randsearch.statistics.verdict import PRIMARY, verdict
from randsearch.statistics.wording import format_interval, format_p

if TYPE_CHECKING:
    from rich.table import Table

__all__ = ["format_agreement", "format_details", "format_interval", "format_p", "notes", "write_agreement"]

NAME = 14
"""Characters of a proxy's name that a line holds at least."""

_DETAILS = (
    (
        "Among the good ones",
        {"best 1/4": "top_quarter", "best 1/10": "top_tenth", "nDCG 10": "ndcg_10"},
        f"best 1/4, best 1/10: Spearman among the best by training, of {FEWEST_FOR_INTERVAL} or more\n"
        "nDCG 10: gain of the proxy's first 10, discounted by place; 1 for the order by training",
    ),
    (
        "Of the first choices",
        {"good of 10": "precision_10", "best 3": "recall_10", "regret of 3": "regret_3", "regret of 10": "regret_10"},
        "good of 10: the share of the proxy's first 10 in the best quarter; best 3: the share of these among its 10\n"
        "regret of 3, of 10: lost by training only so many first choices",
    ),
    (
        "Agreement with itself",
        {"between seeds": "reliability", "bound": "bound"},
        "between seeds: Spearman of a proxy with itself\n"
        "bound: what its mean over seeds could reach; 0 where it does not agree with itself",
    ),
)
"""Tables of further columns: title, column by heading, and how to read them."""


def footers(result: pd.DataFrame) -> list[str]:
    """What must be said beneath the printed table: a bias first, then how to read its columns."""
    how = settings(result)
    if how.seeds == 1:
        seeds = f"one seed of {how.target}: no noise ceiling, and noise between seeds counts as disagreement"
    else:
        seeds = f"means over {how.seeds} seeds of {how.target}; architectures are resampled with their seeds"
    tested = int(result["p_holm"].notna().sum())
    few = result["n"].gt(0) & result["top_quarter"].isna() & result["spearman"].notna()
    too_few = f"; -: fewer than {FEWEST_FOR_INTERVAL} of them, or all alike" if few.any() else ""
    return [
        *([f"biased: {how.bias}"] if how.bias else []),
        *([f"left out: {_counted(how.left_out)} without a finite {how.target}"] if how.left_out else []),
        *([f"no equal-cost control: {how.named.uncontrolled}"] if how.named.uncontrolled else []),
        f"brackets: {how.interval} ({how.resamples:,} resamples)",
        f"p Holm: {how.permutation}, corrected for {tested} proxies",
        seeds,
        f"best 1/4: Spearman among the best quarter by {how.target}{too_few}",
        f"regret: lost by training only the first choice{f', in {how.unit}' if how.unit else ''}; "
        f"cost: mean seconds over those of {how.target}",
    ]


def notes(result: pd.DataFrame) -> list[str]:
    """What must be said wherever all columns are shown."""
    given, named = " and ".join(settings(result).controls), settings(result).named
    controlled = named.primary is not None and named.uncontrolled is None and CONTROL in set(result["proxy"])
    return [
        *footers(result),
        *([] if result["failed"].any() else ["no measurement of a proxy failed"]),
        *([f"partial: Spearman given {given}"] if given else []),
        *([f"{CONTROL}: normal training for what {named.primary} costs"] if controlled else []),
    ]


def _counted(architectures: int) -> str:
    return "1 architecture" if architectures == 1 else f"{architectures:,} architectures"


def write_agreement(result: pd.DataFrame | Analysis, folder: str | Path | Place, proxy: str = PRIMARY) -> None:
    """Writes `agreement.csv` (the rows) and `agreement.json` into a folder.

    The JSON holds settings, notes and rows; of an Analysis also the verdict, the ceiling, differences, gaps, effects,
    curves and budgets. NaN is null there.

    Args:
        result: what was found.
        folder: where to write.
        proxy: the primary proxy, which the verdict speaks of.

    Raises:
        UserError: if a file cannot be written.
    """
    rows = result.rows if isinstance(result, Analysis) else result
    document: dict[str, Any] = {
        "settings": asdict(settings(rows)),
        "notes": notes(rows),
        "rows": rows.to_dict(orient="records"),
    }
    if isinstance(result, Analysis):
        document |= {"verdict": asdict(verdict(result, proxy)), **result.to_dict()}
    place = place_of(folder)
    into = StudyFolder(place.root)
    place.write(into.agreement, rows.to_csv(index=False, lineterminator="\n"))
    place.write(into.agreement_json, json.dumps(without_nan(document), indent=2, allow_nan=False) + "\n")


def without_nan(value: Any) -> Any:
    """The same plain value with None for every NaN in it."""
    if isinstance(value, dict):
        return {key: without_nan(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [without_nan(item) for item in value]
    return None if isinstance(value, float) and math.isnan(value) else value


def format_agreement(result: pd.DataFrame) -> "Table":
    """The result as a table for the terminal, with its notes below."""
    how, (headings, rows) = settings(result), agreement_cells(result)
    title = f"Agreement with {how.target}" + (" (biased)" if how.bias else "")
    return _table(title, headings, rows, "\n".join(footers(result)))


def format_details(result: pd.DataFrame) -> list["Table"]:
    """What the result tells beside its first table: tables for the terminal, those in which anything is known."""
    found = []
    for title, columns, caption in _DETAILS:
        known = result[result[list(columns.values())].notna().any(axis=1)]
        rows = [
            [str(row["proxy"]), *(_cell(row, column) for column in columns.values())]
            for row in known.to_dict(orient="records")
        ]
        found += [_table(title, ["proxy", *columns], rows, caption)] if rows else []
    return found


def _table(title: str, headings: list[str], rows: list[list[str]], caption: str) -> "Table":
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    # Without side borders and wide padding a row fits into the 80 columns of a plain terminal.
    view = Table(title=title, caption=caption, caption_justify="left", box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    # The name of a vote may be long: it goes on in a second line before a number is cut.
    view.add_column(headings[0], overflow="fold", min_width=NAME)
    for heading in headings[1:]:
        view.add_column(heading, justify="right", no_wrap=True)
    for row in rows:
        view.add_row(*row)
    return view


def agreement_cells(result: pd.DataFrame) -> tuple[list[str], list[list[str]]]:
    """The headings of the result as people see it, and its rows as text."""
    failed = bool(result["failed"].any())
    headings = ["proxy", "n", "Spearman", "best 1/4", "p Holm", "top 3", "regret", "cost"]
    return [*headings, *(["failed"] if failed else [])], [
        [
            str(row["proxy"]),
            str(row["n"]),
            format_interval(row["spearman"], row["spearman_low"], row["spearman_high"]),
            _or_dash(row["top_quarter"], ".2f"),
            format_p(row["p_holm"]),
            _or_dash(row["top3_overlap"] * TOP, ".2g", f"/{TOP}"),
            _or_dash(row["regret_db"], ".2f"),
            _or_dash(row["relative_cost"], ".1g" if row["relative_cost"] < 0.01 else ".2g"),
            *([str(row["failed"])] if failed else []),
        ]
        for row in result.to_dict(orient="records")
    ]


def _cell(row: Mapping[Any, Any], column: str) -> str:
    """A number with its interval, where it has one."""
    if f"{column}_low" not in row:
        return _or_dash(row[column], ".2f")
    return format_interval(row[column], row[f"{column}_low"], row[f"{column}_high"])


def _or_dash(value: float, form: str, unit: str = "") -> str:
    return "-" if math.isnan(value) else f"{value:{form}}{unit}"
