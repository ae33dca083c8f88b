"""A table of measurements in the formats of other programs."""

from __future__ import annotations

import io
import json
import math

import pandas as pd

from randsearch.base.errors import UserError
from randsearch.table.measurement import SCHEMA

FORMATS = ("csv", "parquet", "json")


def encode(table: pd.DataFrame, form: str) -> bytes:
    """The table in one of `FORMATS`.

    Args:
        table: as `read_measurements` gives it.
        form: `csv`; `json`, a list of one object a row, missing values null; or `parquet`. Both latter hold curves as
            lists of (step, score).

    Raises:
        UserError: pyarrow, which writes Parquet, is not installed.
    """
    if form == "csv":
        return table.to_csv(index=False, lineterminator="\n").encode()
    curves = [column.name for column in SCHEMA if column.kind == "curve"]
    table = table.assign(**{name: [json.loads(text or "[]") for text in table[name].astype(str)] for name in curves})
    if form == "json":
        rows = [{key: _plain(value) for key, value in row.items()} for row in table.to_dict(orient="records")]
        return (json.dumps(rows, ensure_ascii=False, indent=1) + "\n").encode()
    content = io.BytesIO()
    try:
        table.to_parquet(content, engine="pyarrow", index=False)
    except ImportError:
        raise UserError("Parquet needs pyarrow: `pip install 'randsearch[parquet]'` installs it.") from None
    return content.getvalue()


def _plain(value: object) -> object:
    return None if isinstance(value, float) and not math.isfinite(value) else value
