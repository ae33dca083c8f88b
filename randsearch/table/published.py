"""A table of measurements as it is published: `measurements.csv.gz`, read fast, for a benchmark is opened often."""

from __future__ import annotations

import gzip
import io
import zlib
from pathlib import Path
from typing import Any

import pandas as pd

from randsearch.base.errors import UserError, told
from randsearch.base.files import Place
from randsearch.table.measurement import SCHEMA
from randsearch.table.tidy import COLUMNS, checked, completed, ordered, refuse_lacking, typed

_WHOLE = [column.name for column in SCHEMA if column.kind == "whole"]
_NUMBERS = [column.name for column in SCHEMA if column.kind in ("score", "cost")]
_LARGEST = 2**30
"""Bytes of a table; a small file may unpack to as many as somebody likes."""


def read_published(path: Path) -> pd.DataFrame:
    """Reads and checks a published table; what it gives is what `read_measurements` gives of the same text.

    Args:
        path: of the file; no link, for it may be from elsewhere.

    Raises:
        UserError: the file is missing or damaged, lacks a column, or holds what no table of measurements does.
    """
    try:
        content = _content(Place(path.parent, own=True).read(path))
        header = pd.read_csv(io.BytesIO(content), nrows=0).columns
        types = {name: "int64" if name in _WHOLE else "str" for name in header}
        table = pd.read_csv(io.BytesIO(content), dtype=types, keep_default_na=False)
        # By Python, to the last bit.
        numbers = {name: [float(cell or "nan") for cell in table[name]] for name in header.intersection(_NUMBERS)}
    except (OSError, EOFError, zlib.error, ValueError, OverflowError) as error:
        raise UserError(
            f"{path} is no published table of measurements ({told(error)}): put it back from a copy."
        ) from None
    refuse_lacking(path, header)
    options = {name: _typed(path, name, table[name]) for name in header if name not in COLUMNS}
    return checked(ordered(completed(table.assign(**options, **numbers))), str(path))


def _content(packed: bytes) -> bytes:
    with gzip.GzipFile(fileobj=io.BytesIO(packed)) as file:
        content = file.read(_LARGEST + 1)
    if len(content) > _LARGEST:
        raise ValueError(f"it unpacks to more than {_LARGEST:,} bytes")
    return content


def _typed(path: Path, name: str, cells: pd.Series[str]) -> pd.Series[Any]:
    """A parameter in the type that its cells have, of which few are distinct."""
    places, distinct = pd.factorize(cells)
    return typed(path, name, [str(cell) for cell in distinct]).take(places).reset_index(drop=True)
