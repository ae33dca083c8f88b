"""The tidy table of a study: one row a measurement, read from and written to `measurements.csv`.

Everything on the analysing side starts here. Columns come in the order of `LEADING`, then the architecture's
parameters, then `TRAILING`; the first appearance of an architecture is its place in the candidate order. An empty line,
which readers of CSV skip, closes the file: a table cut short lacks it.
"""

import csv
import io
import re
from collections.abc import Callable, Container, Iterable
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pandas as pd

from randsearch.base.errors import UserError, quoted
from randsearch.base.files import Place
from randsearch.base.layout import StudyFolder
from randsearch.base.seeds import check_seed
from randsearch.table.measurement import SCHEMA, State

LEADING = tuple(column.name for column in SCHEMA if column.leads)
TRAILING = tuple(column.name for column in SCHEMA if not column.leads)
COLUMNS = LEADING + TRAILING
"""The columns that every table has; any other column is a parameter of the architecture."""

STATES = get_args(State)

ENSEMBLE = "ensemble_"
"""How the names of measures begin that the analysis fits on the others; see `randsearch.statistics.ensembles`."""

EXTRAPOLATED = "^"
"""Between a measure and the one whose steps its curve is carried on to; see `randsearch.statistics.extrapolation`."""

csv.field_size_limit(2**31 - 1)  # the curve of a long training is longer than the 131,072 characters of the default

_INTEGERS = tuple(column.name for column in SCHEMA if column.kind == "whole")
_FLOATS = tuple(column.name for column in SCHEMA if column.kind in ("score", "cost"))
_KEY = ["architecture", "measure", "seed"]
# Leading zeros are no number: "011" is a pattern of skips, and reading it as 11 would lose it.
_INTEGER = re.compile(r"-?(0|[1-9]\d{0,17})")  # as many digits as 64 bits hold
_MARKS = re.compile('[,"\\r\\n]')
_NUMBER = re.compile(r"-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?")


class TornTableError(UserError):
    """The table of a study was cut short."""


def read_measurements(path: str | Path) -> pd.DataFrame:
    """Reads and checks a `measurements.csv`.

    Numbers are read to the last bit. A parameter becomes int, float or bool where all of its cells are that, and
    stays text otherwise.

    Args:
        path: the file, UTF-8 with a header line; no link, for it may belong to a study from elsewhere.

    Returns:
        one row a measurement, in the order of the file; a missing score or baseline is NaN.

    Raises:
        TornTableError: if it is a study's and was cut short.
        UserError: if the file is missing or empty, lacks a column, or holds a cell that does not parse, a state that
            does not fit its score, or the same (architecture, measure, seed) twice.
    """
    path = Path(path)
    _check_whole(path)
    header, rows = _read_cells(path)
    refuse_lacking(path, header)
    twice = next((column for column in header if header.count(column) > 1), None)
    if twice is not None:
        raise UserError(f"{path}: the column {twice} appears twice; keep one of them.")
    cells = {column: [row[i] for row in rows] for i, column in enumerate(header)}
    table = pd.DataFrame({column: typed(path, column, cells[column]) for column in header})
    return checked(ordered(completed(table)), str(path))


def write_measurements(table: pd.DataFrame, path: str | Path) -> None:
    """Writes a table so that `read_measurements` gives it back, with floats in their shortest exact form.

    Args:
        table: at least those of `COLUMNS` that every release had; others are written as the architecture's parameters.
        path: where to write, in the folder of a study; the file appears whole or not at all.

    Raises:
        UserError: if the table could not be read back, or the file cannot be written.
    """
    path = Path(path)
    Place(path.parent).write(path, as_text(table, str(path)))


def as_text(table: pd.DataFrame, name: str) -> str:
    """What `write_measurements` writes.

    Args:
        table: at least those of `COLUMNS` that every release had.
        name: of the file, for errors.

    Raises:
        UserError: if the table could not be read back.
    """
    missing = _missing(table.columns)
    if missing:
        raise UserError(f"{name}: the table lacks the column {missing[0]}, so that it was not written.")
    types: dict[str, Any] = dict.fromkeys(_FLOATS, float) | dict.fromkeys(_INTEGERS, int)
    table = checked(ordered(completed(table)).astype(types), name)
    columns = [[_text(cell) for cell in table[column].tolist()] for column in table.columns]
    rows = [[str(column) for column in table.columns], *zip(*columns, strict=True)]
    return "".join(",".join(map(_quoted, row)) + "\n" for row in rows) + "\n"


def parameters(table: pd.DataFrame) -> list[str]:
    """The architecture's parameters: every column that is not one of `COLUMNS`."""
    return [column for column in table.columns if column not in COLUMNS]


def measure_names(table: pd.DataFrame) -> list[str]:
    """The measures of a table in the order of their first appearance."""
    return [str(measure) for measure in table["measure"].unique()]


def scores(table: pd.DataFrame, measure: str) -> pd.DataFrame:
    """The scores of one measure.

    Args:
        table: a table of measurements.
        measure: for instance "trained".

    Returns:
        architectures (all of the table, in candidate order) x seeds (ascending); NaN where the measurement failed or
        was not made.
    """
    return _wide(table, measure, "score")


def seconds(table: pd.DataFrame, measure: str) -> pd.DataFrame:
    """The seconds of the complete measurements of one measure, in the form of `scores`."""
    return _wide(table, measure, "seconds")


def means(table: pd.DataFrame) -> pd.DataFrame:
    """The mean score over seeds: architectures in candidate order x measures in order of appearance.

    Failed seeds are left out of the mean (`failures` counts them); NaN where no seed is complete.
    """
    columns = {measure: scores(table, measure).mean(axis=1) for measure in measure_names(table)}
    return pd.DataFrame(columns, index=_candidates(table))


def failures(table: pd.DataFrame) -> "pd.Series[int]":
    """The number of failed measurements of every measure, in order of appearance."""
    failed = table.loc[table["state"] == "failed", "measure"].value_counts()
    return failed.reindex(measure_names(table), fill_value=0)


def _check_whole(path: Path) -> None:
    """Refuses a table that was cut short, which the `config.yaml` beside it makes a study's.

    Tables beside a configuration without a version were written before they had an empty line at their end; those that
    were cut at the end of a line cannot be told.
    """
    try:
        with Place(path.parent, own=True).open(StudyFolder(path.parent).config) as config:
            end = b"\n\n" if config.read(8) == b"version:" else b"\n"
        found = _end(path)
    except OSError:
        return  # It is no study's, or reading it says what is wrong.
    if not found.endswith(end):
        raise TornTableError(
            f"{path} is torn, for the empty line at its end is missing: the search command of the study, given again, "
            "writes it anew from the study's database; where that is gone too, put one of the two back from a copy, or "
            "delete the table to measure anew."
        )


def is_marked(path: Path) -> bool:
    """Whether a table that can be read ends in the empty line that shows it to be whole."""
    return _end(path) == b"\n\n"


def _end(path: Path) -> bytes:
    """The last two characters of a file, or fewer; an editor may have written other ends of lines."""
    with Place(path.parent, own=True).open(path) as table:
        table.seek(-min(4, table.seek(0, io.SEEK_END)), io.SEEK_END)
        return table.read().replace(b"\r", b"")[-2:]


def _read_cells(path: Path) -> tuple[list[str], list[list[str]]]:
    """The header and the rows of a CSV file as text."""
    try:
        text = Place(path.parent, own=True).read(path).decode("utf-8-sig")
        header, *rows = filter(None, csv.reader(io.StringIO(text, newline=""), strict=True))
    except FileNotFoundError as error:
        raise UserError(f"{path} does not exist; `randsearch search` writes it.") from error
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror or error}.") from error
    except (UnicodeDecodeError, csv.Error) as error:
        # Cut short behind an empty line within a quoted cell, it seems to end as a whole one does.
        kind = TornTableError if "end of data" in str(error) else UserError
        raise kind(f"{path} is not a CSV file in UTF-8: {error}.") from error
    except ValueError as error:
        raise UserError(f"{path} is empty; not even the header line is there.") from error
    for number, row in enumerate(rows, start=1):
        if len(row) != len(header):
            raise UserError(f"{path}, row {number}: {len(row)} cells where the header has {len(header)}.")
    return header, rows


def typed(path: Path, column: str, cells: list[str]) -> "pd.Series[Any]":
    """The cells of one column in the type that the column has."""
    if column in _INTEGERS:
        return pd.Series(_parsed(path, column, cells, lambda cell: check_seed(int(cell))), dtype="int64")
    if column in _FLOATS:
        return pd.Series(_parsed(path, column, cells, lambda cell: float(cell or "nan")), dtype="float64")
    if column in COLUMNS or not any(cells):
        return pd.Series(cells, dtype="str")
    if all(map(_INTEGER.fullmatch, cells)):
        return pd.Series([int(cell) for cell in cells])
    if all(_NUMBER.fullmatch(cell) for cell in cells if cell):
        return pd.Series([float(cell or "nan") for cell in cells], dtype="float64")
    if set(cells) <= {"True", "False"}:
        return pd.Series([cell == "True" for cell in cells], dtype="bool")
    return pd.Series(cells, dtype="str")


def _parsed(path: Path, column: str, cells: list[str], parse: Callable[[str], float]) -> list[float]:
    """Parses every cell, or says which one is no number."""
    values = []
    for number, cell in enumerate(cells, start=1):
        try:
            values.append(parse(cell))
        except ValueError as error:
            kind = "a whole number from 0 to 2^63 - 1" if column in _INTEGERS else "a number"
            raise UserError(f"{path}, row {number}: {column} should be {kind}, not {quoted(cell)}.") from error
    return values


def refuse_lacking(path: Path, header: Container[str]) -> None:
    """Refuses a table that lacks a column which every release wrote.

    Raises:
        UserError: says which.
    """
    missing = _missing(header)
    if missing:
        raise UserError(f"{path}: the column {missing[0]} is missing; a table of measurements needs it.")


def _missing(header: Container[str]) -> list[str]:
    """The columns that a table lacks and no release has been without."""
    return [column.name for column in SCHEMA if column.name not in header and not column.optional]


def completed(table: pd.DataFrame) -> pd.DataFrame:
    """The table with every one of `COLUMNS`; what it lacks of them is unknown."""
    lacking = {column.name: column.unknown for column in SCHEMA if column.name not in table}
    return table.assign(**lacking) if lacking else table


def ordered(table: pd.DataFrame) -> pd.DataFrame:
    """The columns in the order of the file."""
    return table[[*LEADING, *parameters(table), *TRAILING]]


def checked(table: pd.DataFrame, name: str) -> pd.DataFrame:
    """Returns the table if its rows make sense together, else says which one does not."""
    complete = (table["state"] == "complete").to_numpy()
    scored = np.isfinite(table["score"].to_numpy(dtype=float))
    problems: Iterable[tuple[np.ndarray[Any, Any], str]] = (
        (~table["state"].isin(STATES).to_numpy(), f"the state should be {', '.join(STATES[:-1])} or {STATES[-1]}"),
        (complete & ~scored, "a complete measurement needs a finite score"),
        (
            ~complete & table["score"].notna().to_numpy(),
            "a measurement that failed or was pruned has no score; leave it empty",
        ),
        (table["seconds"].to_numpy(dtype=float) < 0, "what a measurement took is 0 or more seconds"),
        (
            table.duplicated(_KEY).to_numpy(),
            "this architecture, measure and seed came before; keep one of them",
        ),
    )
    for wrong, sentence in problems:
        if wrong.any():
            row = int(wrong.argmax())
            architecture, measure, seed = table.loc[table.index[row], _KEY]
            raise UserError(f"{name}, row {row + 1} ({architecture}, {measure}, seed {seed}): {sentence}.")
    return table


def _candidates(table: pd.DataFrame) -> "pd.Index[str]":
    """All architectures in candidate order."""
    architectures: list[str] = table["architecture"].unique().tolist()
    return pd.Index(architectures, dtype="str", name="architecture")


def _wide(table: pd.DataFrame, measure: str, value: str) -> pd.DataFrame:
    """One value of the complete measurements of a measure: architectures x seeds."""
    chosen = table[table["measure"] == measure]
    seeds = pd.Index(np.sort(chosen["seed"].unique()), name="seed")
    complete = chosen[chosen["state"] == "complete"]
    wide = complete.pivot(index="architecture", columns="seed", values=value)
    return wide.reindex(index=_candidates(table), columns=seeds).astype(float)


def _quoted(cell: str) -> str:
    """A cell as CSV. Not by the csv module, which leaves a lone carriage return bare and then cannot read it back."""
    return '"' + cell.replace('"', '""') + '"' if _MARKS.search(cell) else cell


def _text(cell: object) -> str:
    """One cell as text: empty for a missing value, the shortest exact form for a float."""
    if cell is None or cell is pd.NA or (isinstance(cell, float) and np.isnan(cell)):
        return ""
    if isinstance(cell, float):
        return repr(float(cell))
    return str(cell)
