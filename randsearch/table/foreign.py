"""Tables of scores that did not come from randsearch, read into the tidy form that every statistic starts from.

Two forms are known apart by their header. Long: one row a measurement, with the columns `architecture`, `measure` and
`score`, and as many of the others of `measurements.csv` as there are. Wide: one row an architecture, the first column
its name, one column a measure; a column `seed` tells its rows apart where an architecture has several. Columns of text
are parameters of the architecture, and so are those that are named. `X_seconds` is what measure `X` took.
"""

import csv
import io
import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from randsearch.base.errors import UserError, quoted
from randsearch.models.architecture import Architecture
from randsearch.table.tidy import COLUMNS, checked, completed, ordered, read_measurements, typed

LONG = ("architecture", "measure", "score")
LOST = ("failed", "pruned")
"""States without a score."""

MISSING = frozenset({"", "-", "na", "n/a", "nan", "none", "null", "failed"})
NO_SCORE = "no score in the file"
INFINITE = "the score in the file is infinite"

_COST = "_seconds"
_DELIMITERS = ",;\t"


@dataclass(frozen=True)
class _Sheet:
    """A file as text: its columns by name, in order."""

    path: Path
    columns: Mapping[str, Sequence[str]]

    def numbers(self, column: str) -> list[float]:
        """A column as numbers; NaN where it holds none, as for what is missing or infinite."""
        return [_number(cell) for cell in self.columns[column]]


def read_foreign(path: str | Path, target: str, parameters: Collection[str] = ()) -> pd.DataFrame:
    """Reads scores from a CSV file of either form; commas, semicolons or tabs separate its cells.

    Args:
        path: the file, UTF-8 with a header line.
        target: the measure that the others are to predict.
        parameters: columns of numbers that are parameters of the architecture and no measures.

    Returns:
        one row a measurement, as `tidy.read_measurements` returns it; what has no score counts as failed.

    Raises:
        UserError: if the file cannot be read, or does not hold such a table with the target in it.
    """
    sheet = _read(Path(path))
    if set(COLUMNS) <= set(sheet.columns):
        # A table of ours, to the last bit; what the user named may be a link.
        return _holding(target, read_measurements(Path(path).resolve()), sheet.path)
    return _understood(sheet, target, parameters)


def from_frame(frame: pd.DataFrame, target: str, parameters: Collection[str] = ()) -> pd.DataFrame:
    """Understands a DataFrame of either form, as `read_foreign` does a file.

    Args:
        frame: one row an architecture or one a measurement. In the wide form its index names the architectures, unless
            it only counts the rows and the first column is none of numbers.
        target: the measure that the others are to predict.
        parameters: columns of numbers that are parameters of the architecture and no measures; columns that are called
            as an option of `Architecture` are so anyway.

    Returns:
        one row a measurement, as `read_foreign` returns it.

    Raises:
        UserError: the frame does not hold such a table with the target in it.
    """
    counts = isinstance(frame.index, pd.RangeIndex) and frame.index.name is None
    named = "architecture" in frame.columns or (
        counts and len(frame.columns) > 0 and not pd.api.types.is_numeric_dtype(frame.dtypes.iloc[0])
    )
    text = frame.to_csv(index=not named, index_label=None if named else "architecture", lineterminator="\n")
    options = [name for name in map(str, frame.columns) if name in Architecture.model_fields and name != target]
    return _understood(_parsed(Path("the table"), text, ","), target, tuple(dict.fromkeys((*parameters, *options))))


def _understood(sheet: _Sheet, target: str, parameters: Collection[str]) -> pd.DataFrame:
    path = sheet.path
    unknown = [name for name in parameters if name not in sheet.columns]
    if unknown:
        raise UserError(f"{path}: there is no column {unknown[0]} to be a parameter; it has {_listed(sheet.columns)}.")
    table = _long(sheet) if set(LONG) <= set(sheet.columns) else _wide(sheet, target, parameters)
    return _holding(target, table, path)


def _holding(target: str, table: pd.DataFrame, path: Path) -> pd.DataFrame:
    if target not in set(table["measure"]):
        raise UserError(f"{path}: there is no measure {target}; it has {_listed(table['measure'].unique())}.")
    return table


def _read(path: Path) -> _Sheet:
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror or error}.") from None
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is not a CSV file in UTF-8: {error}.") from None
    first = text.partition("\n")[0]
    return _parsed(path, text, max(_DELIMITERS, key=first.count))


def _parsed(path: Path, text: str, delimiter: str) -> _Sheet:
    try:
        rows = list(filter(None, csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)))
    except csv.Error as error:
        raise UserError(f"{path} is not a CSV file: {error}.") from None
    if len(rows) < 2:
        raise UserError(f"{path} holds no rows below its header line.")
    header = [name.strip() for name in rows[0]]
    twice = next((name for name in header if header.count(name) > 1), None)
    if twice is not None or "" in header[1:]:
        problem = f"the column {twice} appears twice" if twice else "a column has no name"
        raise UserError(f"{path}: {problem}; every column needs a name of its own.")
    for number, row in enumerate(rows[1:], start=1):
        if len(row) != len(header):
            raise UserError(f"{path}, row {number}: {len(row)} cells where the header has {len(header)}.")
    cells = [[cell.strip() for cell in column] for column in zip(*rows[1:], strict=True)]
    return _Sheet(path, dict(zip(header, cells, strict=True)))


def _long(sheet: _Sheet) -> pd.DataFrame:
    """One row a measurement, with what the file leaves out filled in."""
    cells: dict[str, Any] = {name: list(column) for name, column in sheet.columns.items()}
    scores = [_score(sheet, "score", row) for row in range(len(cells["score"]))]
    states = cells.get("state") or ["complete"] * len(scores)
    lost = [math.isnan(score) or state in LOST for score, state in zip(scores, states, strict=True)]
    reasons = cells.get("reason") or [""] * len(scores)
    table = pd.DataFrame({name: typed(sheet.path, name, column) for name, column in cells.items() if name != "score"})
    table["score"] = [math.nan if gone else score for gone, score in zip(lost, scores, strict=True)]
    kinds = [state if state in LOST else "failed" for state in states]
    table["state"] = [kind if gone else "complete" for gone, kind in zip(lost, kinds, strict=True)]
    cause = [_cause(cell) for cell in cells["score"]]
    table["reason"] = [why or because if gone else why for gone, why, because in zip(lost, reasons, cause, strict=True)]
    return checked(ordered(completed(table)), str(sheet.path))


def _wide(sheet: _Sheet, target: str, parameters: Collection[str]) -> pd.DataFrame:
    """One row an architecture and seed, made into one row a measurement."""
    identity, *others = sheet.columns
    named = [*parameters, *(["seed"] if "seed" in others else [])]
    numeric = [name for name in others if name not in named and _is_numeric(sheet, name)]
    costs = {f"{name}{_COST}": name for name in numeric if f"{name}{_COST}" in numeric}
    found = [name for name in numeric if name not in costs]
    given = [name for name in others if name not in numeric and name != "seed"]
    if target not in found:
        raise UserError(
            f"{sheet.path}: there is no column {target} of numbers to compare with; columns of numbers are "
            f"{_listed(found)} (--target names another)."
        )
    names = sheet.columns[identity]
    reserved = next((name for name in given if name in COLUMNS), None)
    if reserved or "" in names:
        problem = f"a parameter cannot be called {reserved}" if reserved else f"a cell of {identity} is empty"
        raise UserError(f"{sheet.path}: {problem}; the first column names the architecture.")
    seeds = typed(sheet.path, "seed", list(sheet.columns["seed"])) if "seed" in others else [0] * len(names)
    shared = {name: typed(sheet.path, name, list(sheet.columns[name])) for name in given}
    parts = []
    for measure in [target, *(name for name in found if name != target)]:
        scores = [_score(sheet, measure, row) for row in range(len(names))]
        lost = [math.isnan(score) for score in scores]
        own = {
            "architecture": names,
            "measure": measure,
            "seed": seeds,
            "score": scores,
            "seconds": _seconds(sheet, f"{measure}{_COST}") if f"{measure}{_COST}" in costs else math.nan,
            "state": ["failed" if failed else "complete" for failed in lost],
            "reason": [
                _cause(cell) if failed else "" for failed, cell in zip(lost, sheet.columns[measure], strict=True)
            ],
        }
        parts.append(pd.DataFrame({**own, **shared}))
    return checked(ordered(completed(pd.concat(parts, ignore_index=True))), str(sheet.path))


def _is_numeric(sheet: _Sheet, column: str) -> bool:
    """Whether a column is one of numbers: all of its cells but missing ones, and at least one.

    Raises:
        UserError: if most cells are numbers and some are not, which is rather a slip than a parameter.
    """
    present = [(row, cell) for row, cell in enumerate(sheet.columns[column], start=1) if cell.lower() not in MISSING]
    wrong = [(row, cell) for row, cell in present if not _is_number(cell)]
    if present and wrong and len(wrong) < len(present) / 2:
        row, cell = wrong[0]
        raise UserError(
            f"{sheet.path}, row {row}: {column} is {quoted(cell)}, which is no number as most of its column are; "
            f"mend it, or name {column} in --parameters."
        )
    return bool(present) and not wrong


def _score(sheet: _Sheet, column: str, row: int) -> float:
    """A score; NaN where it is missing or not finite."""
    cell = sheet.columns[column][row]
    if cell.lower() not in MISSING and not _is_number(cell):
        raise UserError(f"{sheet.path}, row {row + 1}: {column} should be a number, not {quoted(cell)}.")
    return _number(cell)


def _cause(cell: str) -> str:
    """Why a cell holds no score."""
    return INFINITE if _is_number(cell) and math.isinf(float(cell)) else NO_SCORE


def _seconds(sheet: _Sheet, column: str) -> list[float]:
    """A column of seconds; NaN where they are unknown."""
    found = sheet.numbers(column)
    row = next((row for row, value in enumerate(found, start=1) if value < 0), None)
    if row is not None:
        raise UserError(
            f"{sheet.path}, row {row}: {column} is {sheet.columns[column][row - 1]}; what a measurement took is 0 or "
            "more seconds."
        )
    return found


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _number(cell: str) -> float:
    value = float(cell) if _is_number(cell) else math.nan
    return value if math.isfinite(value) else math.nan


def _listed(names: Collection[str]) -> str:
    return ", ".join(names) if len(names) else "none"
