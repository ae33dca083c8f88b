from dataclasses import dataclass, field, fields, replace

import pandas as pd
import pytest
from tables import make_table

from randsearch.measures import Outcome
from randsearch.models.architecture import Architecture
from randsearch.table import tidy
from randsearch.table.measurement import SCHEMA, Effort, Measurement, columns_of, declared
from randsearch.table.tidy import read_measurements, write_measurements

ARCHITECTURE = Architecture(levels=3)
COMPLETE = Measurement(
    ARCHITECTURE,
    "early",
    2,
    "complete",
    0.1 + 0.2,
    baseline=None,
    seconds=1.5,
    steps=4,
    schedule="cosine",
    validation_losses=((2, 0.5), (4, 1 / 3)),
    curve=((2, 0.25), (4, 0.3)),
)
FAILED = Measurement(ARCHITECTURE, "early", 3, "failed", reason="diverged", threads=2, device="cuda:0")
PRUNED = replace(COMPLETE, measure="trained", state="pruned", score=None, reason="stopped at step 4 of 9")


@dataclass(frozen=True)
class WithMore(Measurement):
    """What a release to come may know of a measurement: one field more, declared once."""

    later: float | None = field(default=None, metadata=declared("cost", 198, attribute="given", optional=True))


def test_the_form_of_tables_and_trials_is_that_of_all_former_releases():
    former = [column for column in SCHEMA if not column.optional]
    leading, trailing = (",".join(column.name for column in former if column.leads == leads) for leads in (True, False))
    assert leading == "architecture,measure,seed,score,baseline,seconds,steps,state,reason"
    assert trailing == "multiply_adds,validation_seconds,data_seconds,threads,device,curve"
    assert len({column.place for column in SCHEMA}) == len(SCHEMA)
    carried = {
        "baseline",
        "seconds",
        "multiply_adds",
        "validation_seconds",
        "data_seconds",
        "steps",
        "threads",
        "device",
    }
    assert set(COMPLETE.to_attributes()) == carried | {"architecture", "seed", "schedule", "validation_losses"}
    assert set(FAILED.to_attributes()) == carried | {"architecture", "seed", "reason"}


def test_what_a_measure_returns_is_part_of_a_measurement():
    assert {each.name for each in fields(Outcome)} - {"score"} == {column.name for column in columns_of(Effort)}


@pytest.mark.parametrize("measurement", [COMPLETE, FAILED, PRUNED], ids=["complete", "failed", "pruned"])
def test_a_measurement_is_the_same_after_it_was_a_row_or_a_trial(tmp_path, measurement):
    write_measurements(pd.DataFrame([measurement.to_row(ARCHITECTURE.to_row())]), tmp_path / "measurements.csv")
    (row,) = read_measurements(tmp_path / "measurements.csv").to_dict(orient="records")
    assert Measurement.from_row(row, ARCHITECTURE) == measurement
    others = {name: getattr(measurement, name) for name in ("measure", "state", "score", "curve")}
    assert Measurement.from_attributes(measurement.to_attributes(), ARCHITECTURE, **others) == measurement


def test_a_training_that_was_stopped_gives_way_to_one_that_went_further_and_to_nothing_else():
    further = replace(PRUNED, steps=6)
    failed, whole = replace(PRUNED, state="failed"), replace(PRUNED, state="complete", score=1.0)
    assert [each.replaces(PRUNED) for each in (PRUNED, further, failed, whole)] == [False, True, True, True]
    assert not any(PRUNED.replaces(each) for each in (further, failed, whole))


def test_a_field_more_is_a_column_and_an_attribute_more():
    longer = WithMore(ARCHITECTURE, "early", 2, "complete", 1.0, later=12.5)
    assert [column.name for column in columns_of(WithMore)][-2:] == ["later", "curve"]
    row = longer.to_row(ARCHITECTURE.to_row())
    assert list(row)[-2:] == ["later", "curve"]
    assert row["later"] == 12.5
    read = {name: float("nan") if cell is None else cell for name, cell in row.items()}
    assert WithMore.from_row(read, ARCHITECTURE) == longer
    others = {"measure": "early", "state": "complete", "score": 1.0, "curve": ()}
    assert WithMore.from_attributes(longer.to_attributes(), ARCHITECTURE, **others) == longer


def test_a_study_of_a_former_release_lacks_a_column_that_came_later():
    others = {"measure": "early", "state": "complete", "score": 0.1 + 0.2, "curve": COMPLETE.curve}
    read = WithMore.from_attributes(COMPLETE.to_attributes(), ARCHITECTURE, **others)
    assert read.later is None
    assert read.to_attributes() == COMPLETE.to_attributes()


def test_a_table_of_a_former_release_is_completed_where_a_column_came_later(tmp_path, monkeypatch):
    table = make_table(3)
    write_measurements(table, tmp_path / "measurements.csv")
    schema = columns_of(WithMore)
    monkeypatch.setattr(tidy, "SCHEMA", schema)
    monkeypatch.setattr(tidy, "COLUMNS", tuple(column.name for column in schema))
    monkeypatch.setattr(tidy, "TRAILING", tuple(column.name for column in schema if not column.leads))
    read = read_measurements(tmp_path / "measurements.csv")
    assert list(read)[-2:] == ["later", "curve"]
    assert read["later"].isna().all()
