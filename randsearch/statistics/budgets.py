"""Scores at smaller budgets, read off the curves of measures that train: `fixed_decoder@100` and so on.

One run thus shows how quality grows with cost, without a second one.
"""

import json

import numpy as np
import pandas as pd

from randsearch.table.tidy import measure_names

FALLING = ("sotl",)
"""Measures whose curve is a running sum, so that the score at a step is the curve there and not the best before it."""

CONSTANT = {"", "constant"}
"""Schedules under which the curve of a run is that of all shorter ones; tables of former releases name none."""


def at_budgets(table: pd.DataFrame, *, target: str = "trained") -> pd.DataFrame:
    """Adds the measurements that runs would have given, had they been stopped at a step of their curve.

    Budgets of a measure are the steps below its full budget at which all of its complete measurements have a value,
    whichever architecture. What failed counts as failed at every budget. The target's own curve is left out: it shares
    weights and crops with what it would be compared with.

    Args:
        table: measurements.
        target: the measure that is to be predicted.

    Returns:
        the table, with a measure `NAME@STEP` behind for each measure and budget. Seconds, multiply-adds and the like
        are the run's in proportion to steps.
    """
    added = [
        stopped_at(rows, step)
        for measure in measure_names(table)
        if measure != target
        for rows in [table[table["measure"] == measure]]
        for step in budgets(rows)
    ]
    return pd.concat([table, *added], ignore_index=True)


def budgets(rows: pd.DataFrame) -> list[int]:
    """Steps below the full budget at which all complete measurements of one measure have a value.

    None where the learning rate decayed: what a curve holds before its end is then no score of a smaller budget.
    """
    complete = rows[rows["state"] == "complete"]
    if not constant(complete):
        return []
    curves = [{int(step) for step, _ in _curve(str(cell))} for cell in complete["curve"]]
    if not curves:
        return []
    full = int(complete["steps"].min())
    return sorted(step for step in set.intersection(*curves) if step < full)


def constant(rows: pd.DataFrame) -> bool:
    """Whether all rows that trained did so at a constant rate, so that their curves compare step by step."""
    return "schedule" not in rows or set(rows["schedule"].astype(str)) <= CONSTANT


def stopped_at(rows: pd.DataFrame, step: int) -> pd.DataFrame:
    """The measurements of one measure, stopped at a step of their curves."""
    measure = str(rows["measure"].iloc[0])
    complete = (rows["state"] == "complete").to_numpy()
    curves = [[point for point in _curve(str(cell)) if point[0] <= step] for cell in rows["curve"]]
    ends = [[value for _, value in curve] for curve in curves]
    found = [(values[-1] if measure in FALLING else max(values)) if values else np.nan for values in ends]
    full = rows["steps"].to_numpy(dtype=float)
    share = np.where(complete, step / np.maximum(full, 1.0), 1.0)
    columns = ("seconds", "multiply_adds", "validation_seconds", "data_seconds")
    return rows.assign(
        measure=f"{measure}@{step}",
        score=np.where(complete, found, np.nan),
        steps=np.where(complete, step, rows["steps"]),
        curve=[json.dumps(curve) for curve in curves],
        **{column: rows[column].to_numpy(dtype=float) * share for column in columns},
    )


def base(measure: str) -> str:
    """The measure that a budget's was read off; a measure without a budget is its own."""
    name, at, step = measure.rpartition("@")
    return name if name and at and step.isdigit() else measure


def _curve(cell: str) -> list[list[float]]:
    found: list[list[float]] = json.loads(cell or "[]")
    return found
