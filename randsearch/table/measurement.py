"""A measurement: one measure of one architecture at one seed, with its cost or the reason of its failure.

Its fields are the columns of `measurements.csv` and the attributes of its trial. What either needs to know of one is
declared with the field, here and nowhere else: to add a column is to add a field.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, dataclass, field, fields, replace
from functools import cache
from operator import attrgetter
from typing import Any, Literal, Self

from randsearch.base.seeds import check_seed
from randsearch.models.architecture import Architecture

Key = tuple[str, str, int]
"""What no study holds twice: (hash, measure, seed)."""

State = Literal["complete", "failed", "pruned"]

Kind = Literal["text", "whole", "score", "cost", "curve"]
"""What a column holds: text, a whole number, any number, a number that is not negative, or (step, score) pairs."""

BEHIND = 100
"""Columns of a lower place stand before the architecture's options, the others behind them."""

_UNKNOWN: Mapping[Kind, Any] = {"text": "", "whole": 0, "score": math.nan, "cost": math.nan, "curve": "[]"}


@dataclass(frozen=True)
class Column:
    """A column of `measurements.csv`, as the field of its name declares it.

    Attributes:
        kind: what it holds.
        place: by which columns are ordered.
        attribute: whether the trial of a measurement carries it `always`; where it is `given`, that is, not its
            default; or never, for the trial says it otherwise.
        optional: whether tables of former releases lack it.
        name: of the field.
        default: of the field; None also where it has none.
    """

    kind: Kind
    place: int
    attribute: Literal["always", "given", "never"] = "always"
    optional: bool = False
    name: str = ""
    default: Any = None

    @property
    def leads(self) -> bool:
        """Whether it stands before the architecture's options."""
        return self.place < BEHIND

    @property
    def unknown(self) -> Any:
        """The cell that stands for it in a table that lacks it."""
        return self.default if self.kind == "whole" and self.default is not None else _UNKNOWN[self.kind]


def declared(kind: Kind, place: int, **facts: Any) -> Mapping[str, Column]:
    """What the metadata of a field say of its column."""
    return {"column": Column(kind, place, **facts)}


def columns_of(record: type) -> tuple[Column, ...]:
    """The columns that the fields of a dataclass declare, in the order of the table."""
    return _columns(record)


@cache
def _columns(record: type) -> tuple[Column, ...]:
    found = (
        replace(each.metadata["column"], name=each.name, default=None if each.default is MISSING else each.default)
        for each in fields(record)
    )
    return tuple(sorted(found, key=lambda each: each.place))


@dataclass(frozen=True, kw_only=True)
class Effort:
    """What a measure tells besides its score.

    Attributes:
        baseline: score of the best constant-gain mixture, for scores in dB of SDR.
        seconds: wall time of the scoring alone.
        steps: training steps taken.
        multiply_adds: that its convolutions took, in closed form.
        validation_seconds: wall time of validation.
        data_seconds: wall time spent waiting for batches.
        schedule: of the learning rate, for what trained; empty otherwise, and in tables of former releases, whose
            rates were constant.
        curve: (step, score) at every validation.
        validation_losses: (step, mean squared error) at every validation.
    """

    baseline: float | None = field(default=None, metadata=declared("score", 5))
    seconds: float = field(default=0.0, metadata=declared("cost", 6))
    steps: int = field(default=0, metadata=declared("whole", 7))
    multiply_adds: float = field(default=0.0, metadata=declared("cost", 101))
    validation_seconds: float = field(default=0.0, metadata=declared("cost", 102))
    data_seconds: float = field(default=0.0, metadata=declared("cost", 103))
    schedule: str = field(default="", metadata=declared("text", 106, attribute="given", optional=True))
    validation_losses: tuple[tuple[int, float], ...] = field(
        default=(), metadata=declared("curve", 197, attribute="given", optional=True)
    )
    curve: tuple[tuple[int, float], ...] = field(default=(), metadata=declared("curve", 199, attribute="never"))


@dataclass(frozen=True)
class Measurement(Effort):
    """One row of a study; fields that are not named here are those of `Effort`.

    Attributes:
        architecture: what was measured.
        measure: by which measure.
        seed: at which seed.
        state: `complete`; `failed` with a reason; or `pruned`, a training that was stopped on the way, whose curve,
            steps and costs are those up to there.
        score: higher is predicted better; None unless it is complete.
        reason: why it failed, or where it was stopped; empty otherwise.
        threads: it was computed with.
        device: it was computed on.
    """

    architecture: Architecture = field(metadata=declared("text", 1))
    measure: str = field(metadata=declared("text", 2, attribute="never"))
    seed: int = field(metadata=declared("whole", 3))
    state: State = field(metadata=declared("text", 8, attribute="never"))
    score: float | None = field(default=None, metadata=declared("score", 4, attribute="never"))
    reason: str = field(default="", kw_only=True, metadata=declared("text", 9, attribute="given"))
    threads: int = field(default=1, kw_only=True, metadata=declared("whole", 104))
    device: str = field(default="cpu", kw_only=True, metadata=declared("text", 105))

    @property
    def key(self) -> Key:
        """What no study holds twice."""
        return self.architecture.hash, self.measure, self.seed

    def replaces(self, other: Measurement) -> bool:
        """Whether it says more than another of the same key: a training that was stopped may go on later.

        Args:
            other: measurement.
        """
        return other.state == "pruned" and (self.state != "pruned" or self.steps > other.steps)

    def to_row(self, options: Mapping[str, Any]) -> dict[str, Any]:
        """The measurement as a row of `measurements.csv`.

        Args:
            options: the architecture as cells, which many rows share.
        """
        form = _form_of(type(self))
        cells, before = form.values(self), len(form.leading)
        row: dict[str, Any] = dict(zip(form.leading, cells[:before], strict=True))
        row.update(options)
        row.update(zip(form.trailing, cells[before:], strict=True))
        row["architecture"] = self.architecture.hash
        for name in form.curves:
            row[name] = json.dumps(row[name])
        return row

    @classmethod
    def from_row(cls, row: Mapping[str, Any], architecture: Architecture) -> Self:
        """The measurement that a row of a table is of.

        Args:
            row: as `read_measurements` gives it.
            architecture: that it names.
        """
        found = {name: read(row[name]) for name, read in _form_of(cls).cells.items()}
        return cls(architecture=architecture, **found)

    def to_attributes(self) -> dict[str, Any]:
        """What a trial carries of the measurement, besides what trials have fields of their own for."""
        found: dict[str, Any] = {}
        for each in columns_of(type(self)):
            value = getattr(self, each.name)
            if each.attribute == "always" or (each.attribute == "given" and value != each.default):
                found[each.name] = value
        return found | {"architecture": self.architecture.hash}

    @classmethod
    def from_attributes(cls, attributes: Mapping[str, Any], architecture: Architecture, **others: Any) -> Self:
        """The measurement that a trial was recorded for.

        Args:
            attributes: of the trial.
            architecture: that they name.
            **others: the fields that the trial says otherwise.

        Raises:
            KeyError: an attribute is missing.
            ValueError: one was never what a measurement holds; TypeError says the same.
        """
        for name, parse, needed in _form_of(cls).attributes:
            if needed or name in attributes:
                others[name] = parse(attributes[name])
        return cls(architecture=architecture, **others)


SCHEMA = columns_of(Measurement)
"""The columns that every table has, in their order."""


def finite(value: Any) -> float:
    """A number from a database.

    Raises:
        ValueError: it is none, or not finite; TypeError says the same.
    """
    if isinstance(value, str) or not math.isfinite(value):
        raise ValueError(f"{value!r} where a number should be")
    return float(value)


@dataclass(frozen=True)
class _Form:
    """How measurements of a class become rows and attributes, and are made of them: made once, for there are many.

    Attributes:
        values: reads all fields in the order of the table.
        leading: columns before the architecture's options.
        trailing: columns behind them.
        cells: what makes the field of a cell, but the architecture's.
        curves: columns that hold pairs, which a cell has as JSON.
        attributes: name, what makes the field of an attribute, and whether every trial has it.
    """

    values: Callable[[Any], tuple[Any, ...]]
    leading: tuple[str, ...]
    trailing: tuple[str, ...]
    cells: Mapping[str, Callable[[Any], Any]]
    curves: tuple[str, ...]
    attributes: Sequence[tuple[str, Callable[[Any], Any], bool]]


def _form_of(record: type) -> _Form:
    return _form(record)


@cache
def _form(record: type) -> _Form:
    columns = columns_of(record)
    read = [column for column in columns if column.name != "architecture"]
    return _Form(
        values=attrgetter(*(column.name for column in columns)),
        leading=tuple(column.name for column in columns if column.leads),
        trailing=tuple(column.name for column in columns if not column.leads),
        cells={column.name: _from_cell(column) for column in read},
        curves=tuple(column.name for column in columns if column.kind == "curve"),
        attributes=[
            (column.name, _from_attribute(column), column.attribute == "always")
            for column in read
            if column.attribute != "never"
        ],
    )


def _from_cell(column: Column) -> Callable[[Any], Any]:
    """What makes a field of a cell; a number that is missing is the field's default."""
    if column.kind == "text":
        return str
    if column.kind == "whole":
        return int
    if column.kind == "curve":
        return lambda cell: tuple((int(step), float(value)) for step, value in json.loads(cell or "[]"))
    return lambda cell: column.default if math.isnan(cell) else float(cell)


def _from_attribute(column: Column) -> Callable[[Any], Any]:
    """What makes a field of an attribute."""
    if column.name == "seed":
        return lambda value: check_seed(int(value))
    if column.kind == "text":
        return str
    if column.kind == "whole":
        return int
    if column.kind == "curve":
        return lambda pairs: tuple((int(step), finite(value)) for step, value in pairs)
    return finite if column.default is not None else lambda value: None if value is None else finite(value)
