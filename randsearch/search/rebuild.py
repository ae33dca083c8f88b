"""Rebuilding the Optuna studies of a study, or what they lack, from its `config.yaml` and `measurements.csv` alone."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from randsearch.architecture import Architecture
from randsearch.errors import UserError
from randsearch.measurement import Measurement
from randsearch.search.studies import Studies
from randsearch.space import BoundSpace, Drawn
from randsearch.table import parameters, read_measurements


def rebuild(studies: Studies, space: BoundSpace, table: Path, drawn: Sequence[Drawn]) -> None:
    """Adds to studies what a table holds and they do not.

    Args:
        studies: empty, or stopped at any point of this.
        space: of the study; tells which Optuna parameters an architecture has.
        table: `measurements.csv`.
        drawn: the candidates in their order, where it can be told without the table: a table that was interrupted
            lacks those of which nothing had been measured.

    Raises:
        UserError: the table does not parse, or holds an architecture that is not of the space.
    """
    rows = read_measurements(table)
    options = parameters(rows)
    names = {d.architecture.hash for d in drawn}
    known = drawn if names.issuperset(rows["architecture"]) else ()
    candidates = {candidate.architecture.hash: candidate for candidate in studies.candidates()}
    measured = {measurement.key for measurement in studies.measurements(candidates.values())}
    for each in known:
        if each.architecture.hash not in candidates:
            candidates[each.architecture.hash] = studies.add(each.architecture, each.params, each.distributions)
    for record in rows.to_dict(orient="records"):
        row = {str(name): value for name, value in record.items()}
        name = row["architecture"]
        if name not in candidates:
            architecture = Architecture.create({key: row[key] for key in options}, f"{table}, architecture {name}")
            if architecture.hash != name:
                raise UserError(f"{table}: the options of architecture {name} belong to {architecture.hash}.")
            located = space.locate(architecture)
            candidates[name] = studies.add(architecture, located.params, located.distributions)
        measurement = _measurement(row, candidates[name].architecture)
        if measurement.key not in measured:
            studies.record(measurement, candidates[name])


def _measurement(row: dict[str, Any], architecture: Architecture) -> Measurement:
    return Measurement(
        architecture,
        row["measure"],
        int(row["seed"]),
        row["state"],
        score=_number(row["score"]),
        baseline=_number(row["baseline"]),
        seconds=float(row["seconds"]),
        steps=int(row["steps"]),
        multiply_adds=float(row["multiply_adds"]),
        validation_seconds=float(row["validation_seconds"]),
        data_seconds=float(row["data_seconds"]),
        threads=int(row["threads"]),
        device=row["device"],
        curve=tuple((int(step), float(value)) for step, value in json.loads(row["curve"] or "[]")),
        reason=row["reason"] or "",
    )


def _number(value: float) -> float | None:
    return None if math.isnan(value) else float(value)
