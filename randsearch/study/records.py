"""Trials as rows of Optuna's tables, read and written many at a time.

Optuna writes a trial by some forty statements and reads it as fifty objects, which is most of the time of a search of
thousands of cheap measurements. This module alone knows Optuna's tables. `RDBStorage` checks the version of their
schema whenever it opens a database, and tests/study/test_records.py holds what is written and read here against
Optuna's own reading and writing.
"""

from __future__ import annotations

import gc
import json
import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from optuna.distributions import BaseDistribution, distribution_to_json, json_to_distribution
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy import (
    Column,
    Connection,
    DateTime,
    Double,
    Enum,
    Integer,
    MetaData,
    Row,
    String,
    Table,
    Text,
    bindparam,
    func,
    select,
)

_METADATA = MetaData()

_TRIALS = Table(
    "trials",
    _METADATA,
    Column("trial_id", Integer, primary_key=True),
    Column("number", Integer),
    Column("study_id", Integer),
    Column("state", Enum(TrialState)),
    Column("datetime_start", DateTime),  # both in UTC
    Column("datetime_complete", DateTime),
)


def _belonging(name: str, key: str, *columns: Column[Any]) -> Table:
    """A table of what a trial has any number of."""
    return Table(name, _METADATA, Column(key, Integer, primary_key=True), Column("trial_id", Integer), *columns)


_PARAMS = _belonging(
    "trial_params",
    "param_id",
    Column("param_name", String),
    Column("param_value", Double),
    Column("distribution_json", Text),
)
_VALUES = _belonging(
    "trial_values",
    "trial_value_id",
    Column("objective", Integer),
    Column("value", Double),
    Column("value_type", Enum("FINITE", "INF_POS", "INF_NEG", name="trialvaluetype")),
)
_CURVES = _belonging(
    "trial_intermediate_values",
    "trial_intermediate_value_id",
    Column("step", Integer),
    Column("intermediate_value", Double),
    Column("intermediate_value_type", Enum("FINITE", "INF_POS", "INF_NEG", "NAN", name="trialintermediatevaluetype")),
)
_USER, _SYSTEM = (
    _belonging(
        f"trial_{kind}_attributes", f"trial_{kind}_attribute_id", Column("key", String), Column("value_json", Text)
    )
    for kind in ("user", "system")
)

_OF_STUDIES = Table(
    "study_user_attributes",
    _METADATA,
    Column("study_user_attribute_id", Integer, primary_key=True),
    Column("study_id", Integer),
    Column("key", String),
    Column("value_json", Text),
)

_INSERT = _TRIALS.insert()
_PARTS = (_VALUES, _PARAMS, _USER, _SYSTEM, _CURVES)

_Row = tuple[Any, ...]
_Rows = dict[Table, list[dict[str, Any]]]


def insert(connection: Connection, trials: Iterable[tuple[int, FrozenTrial]]) -> list[int]:
    """Adds trials, with the numbers that they have.

    Args:
        connection: in a transaction.
        trials: each with the study that it belongs to.

    Returns:
        the database's ids of the trials.
    """
    found, rows, texts = [], _Rows(), dict[int, str]()
    for study, trial in trials:
        head = {"study_id": study, "number": trial.number, **_head(trial)}
        key = connection.execute(_INSERT, head).inserted_primary_key
        assert key is not None  # One row was inserted.
        trial_id = int(key[0])
        found.append(trial_id)
        _add_parts(rows, trial_id, trial, texts)
    _insert_parts(connection, rows)
    return found


def forget(connection: Connection, study: int, names: Iterable[str]) -> None:
    """Deletes user attributes of a study, which Optuna can only overwrite.

    Args:
        connection: in a transaction.
        study: that has them.
        names: of the attributes.
    """
    of_study = _OF_STUDIES.c.study_id == bindparam("which")
    for name in names:
        found = _OF_STUDIES.delete().where(of_study, _OF_STUDIES.c.key == bindparam("name"))
        connection.execute(found, {"which": study, "name": name})


def rewrite(connection: Connection, trial_id: int, trial: FrozenTrial) -> None:
    """Gives a trial that is there other contents.

    Args:
        connection: in a transaction.
        trial_id: the database's.
        trial: as it is to be.
    """
    for part in _PARTS:
        connection.execute(part.delete().where(part.c.trial_id == bindparam("which")), {"which": trial_id})
    rows = _Rows()
    _add_parts(rows, trial_id, trial, {})
    _insert_parts(connection, rows)
    connection.execute(
        _TRIALS.update().where(_TRIALS.c.trial_id == bindparam("which")), {"which": trial_id, **_head(trial)}
    )


def holds(connection: Connection, study: int, number: int) -> bool:
    """Whether a study has a trial of that number."""
    wanted = select(_TRIALS.c.trial_id).where(_TRIALS.c.study_id == study, _TRIALS.c.number == number)
    return connection.execute(wanted).first() is not None


def count(connection: Connection, study: int) -> int:
    """How many trials a study has, which is the number of the next."""
    counted = select(func.count()).select_from(_TRIALS).where(_TRIALS.c.study_id == study)
    return int(connection.execute(counted).scalar_one())


def read(connection: Connection, study: int, *, params: bool = True) -> list[tuple[int, FrozenTrial]]:
    """All trials of a study by number, each with the database's id of it.

    Args:
        connection: to the database.
        study: whose.
        params: whether with their parameters, which are half of the rows.

    Raises:
        ValueError: a trial is not what Optuna writes; LookupError, TypeError, AttributeError say the same.
    """
    with _uncollected():
        return _read(connection, study, params=params)


@contextmanager
def _uncollected() -> Iterator[None]:
    """Keeps Python from looking for garbage, which among a million rows takes a third of the time and finds none."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def _read(connection: Connection, study: int, *, params: bool) -> list[tuple[int, FrozenTrial]]:
    parts = {part: _read_part(connection, part, study) for part in _PARTS if params or part is not _PARAMS}
    query = select(_TRIALS).where(_TRIALS.c.study_id == study).order_by(_TRIALS.c.number, _TRIALS.c.trial_id)
    return [(head.trial_id, _trial(head, parts)) for head in connection.execute(query).all()]


def _trial(head: Row[Any], parts: Mapping[Table, Mapping[int, Sequence[_Row]]]) -> FrozenTrial:
    values, params, user, system, curve = (parts.get(part, {}).get(head.trial_id, ()) for part in _PARTS)
    return FrozenTrial(
        number=head.number,
        state=head.state,
        value=None,
        values=_values(values),
        datetime_start=_local(head.datetime_start),
        datetime_complete=_local(head.datetime_complete),
        **_parameters(params),
        user_attrs={name: _loaded(text) for _, name, text in user},
        system_attrs={name: _loaded(text) for _, name, text in system},
        intermediate_values={step: _number(value, kind) for _, step, value, kind in curve},
        trial_id=head.trial_id,
    )


def _read_part(connection: Connection, part: Table, study: int) -> Mapping[int, Sequence[_Row]]:
    """The rows of a table that belong to a study's trials, less their own keys, by trial."""
    key, *columns = part.c
    query = select(*columns).join(_TRIALS, _TRIALS.c.trial_id == part.c.trial_id).where(_TRIALS.c.study_id == study)
    found: dict[int, list[_Row]] = defaultdict(list)
    for row in connection.execute(query.order_by(key)).all():
        found[row[0]].append(row)
    return found


def _values(rows: Sequence[_Row]) -> list[float] | None:
    return [_number(value, kind) for _, _, value, kind in sorted(rows, key=lambda row: row[1])] or None


def _parameters(rows: Sequence[_Row]) -> dict[str, Any]:
    distributions = {name: _distribution(text) for _, name, _, text in rows}
    return {
        "params": {name: distributions[name].to_external_repr(value) for _, name, value, _ in rows},
        "distributions": distributions,
    }


def _loaded(text: str) -> Any:
    # What may be changed by who has it is not shared.
    return json.loads(text) if text[:1] in ("{", "[") else _plain(text)


@lru_cache(maxsize=4096)
def _plain(text: str) -> Any:
    return json.loads(text)


@lru_cache(maxsize=4096)
def _distribution(text: str) -> BaseDistribution:
    return json_to_distribution(text)


def _number(value: float | None, kind: str) -> float:
    if kind == "FINITE":
        if value is None:
            raise ValueError("a finite number is missing")
        return value
    return {"INF_POS": math.inf, "INF_NEG": -math.inf, "NAN": math.nan}[kind]


def _stored(value: float) -> tuple[float | None, str]:
    if math.isnan(value):
        return None, "NAN"
    if math.isinf(value):
        return None, "INF_POS" if value > 0 else "INF_NEG"
    return value, "FINITE"


def _local(time: datetime | None) -> datetime | None:
    """A time of the database, as Optuna has it."""
    return None if time is None else time.replace(tzinfo=UTC).astimezone().replace(tzinfo=None)


def _universal(time: datetime | None) -> datetime | None:
    return None if time is None else time.astimezone(UTC).replace(tzinfo=None)


def _head(trial: FrozenTrial) -> dict[str, Any]:
    return {
        "state": trial.state,
        "datetime_start": _universal(trial.datetime_start),
        "datetime_complete": _universal(trial.datetime_complete),
    }


def _add_parts(rows: _Rows, trial_id: int, trial: FrozenTrial, texts: dict[int, str]) -> None:
    """Adds what belongs to a trial.

    Args:
        rows: to be inserted.
        trial_id: the database's.
        trial: whose.
        texts: of distributions, by their identity: most trials share them, and those that are equal need not be the
            same, for `(0, 1)` equals `(False, True)`.
    """
    for part, found in zip(_PARTS, _parts(trial, texts), strict=True):
        rows.setdefault(part, []).extend({"trial_id": trial_id, **row} for row in found)


def _parts(trial: FrozenTrial, texts: dict[int, str]) -> Iterator[Iterable[dict[str, Any]]]:
    """The rows of a trial in each of `_PARTS`."""
    stored = map(_stored, trial.values or ())
    yield ({"objective": i, "value": value, "value_type": kind} for i, (value, kind) in enumerate(stored))
    yield (
        {
            "param_name": name,
            "param_value": distribution.to_internal_repr(trial.params[name]),
            "distribution_json": texts.get(id(distribution))
            or texts.setdefault(id(distribution), distribution_to_json(distribution)),
        }
        for name, distribution in trial.distributions.items()
    )
    for attributes in (trial.user_attrs, trial.system_attrs):
        yield ({"key": name, "value_json": json.dumps(value)} for name, value in attributes.items())
    curve = ((step, _stored(value)) for step, value in trial.intermediate_values.items())
    yield (
        {"step": step, "intermediate_value": value, "intermediate_value_type": kind} for step, (value, kind) in curve
    )


def _insert_parts(connection: Connection, rows: _Rows) -> None:
    for part, found in rows.items():
        if found:
            connection.execute(part.insert(), found)
