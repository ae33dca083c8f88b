"""What must be true of a published table: the same as the table that it was made of, to the digits that it keeps."""

from __future__ import annotations

import gzip
import json
import runpy
import sys
from pathlib import Path

import pandas as pd
import pytest
from pandas.testing import assert_frame_equal
from tables import make_table

from randsearch.base.errors import UserError
from randsearch.base.layout import StudyFolder
from randsearch.study.config import StudyConfig
from randsearch.study.folders import load_config
from randsearch.table.published import read_published
from randsearch.table.tidy import as_text, read_measurements, write_measurements

SCRIPT = Path(__file__).parents[1] / "bench" / "publish.py"


@pytest.fixture
def table() -> pd.DataFrame:
    return make_table(6, seeds=(0, 3), failed=[(1, "early")])


def packed(folder: Path, text: str) -> Path:
    path = folder / "measurements.csv.gz"
    path.write_bytes(gzip.compress(text.encode()))
    return path


def test_it_is_read_as_the_same_text_is(table, tmp_path):
    write_measurements(table, tmp_path / "measurements.csv")
    read = read_published(packed(tmp_path, (tmp_path / "measurements.csv").read_text()))
    assert_frame_equal(read, read_measurements(tmp_path / "measurements.csv"))
    assert read["skips"].unique().tolist()[:2] == ["000", "001"]


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda data: data[:-20], "no published table"),
        (lambda data: b"text", "no published table"),
        (lambda data: gzip.compress(b"architecture,score\na,1\n"), "the column measure is missing"),
        (lambda data: gzip.compress(gzip.decompress(data).replace(b",complete,", b",done,")), "the state should be"),
        (lambda data: gzip.compress(gzip.decompress(data).replace(b",3,", b",x,")), "no published table"),
    ],
)
def test_what_is_damaged_is_refused(table, tmp_path, spoil, said):
    path = packed(tmp_path, as_text(table, "table"))
    path.write_bytes(spoil(path.read_bytes()))
    with pytest.raises(UserError, match=said):
        read_published(path)


def test_no_more_is_unpacked_than_a_table_holds(table, tmp_path, monkeypatch):
    path = packed(tmp_path, as_text(table, "table"))
    monkeypatch.setattr("randsearch.table.published._LARGEST", 1000)
    with pytest.raises(UserError, match="it unpacks to more than 1,000 bytes"):
        read_published(path)


def test_publishing_keeps_what_ranks_and_names_no_folder_of_this_machine(table, tmp_path, monkeypatch):
    table["score"] *= 10.0 ** -(table.index.to_series() % 8)
    study, config = tmp_path / "study", {"study": "study", "data": "musdbhq:/elsewhere/songs+synthetic"}
    write_measurements(table, StudyFolder(study).table)
    StudyConfig.create({**config, "space": {"parameters": {"levels": 3}}}, "options").save(StudyFolder(study).config)
    written = []
    for folder in (tmp_path / "a" / "songs", tmp_path / "b" / "songs"):
        monkeypatch.setattr(sys, "argv", [str(SCRIPT), str(study), str(folder)])
        runpy.run_path(str(SCRIPT), run_name="__main__")
        written.append({file.name: file.read_bytes() for file in folder.iterdir()})
    assert written[0] == written[1]
    config = load_config(folder)
    assert config.data == "musdbhq:../shared/data/songs+synthetic"
    assert (config.study, config.batch_name) == ("songs", "study")
    before, after = read_measurements(StudyFolder(study).table), read_published(folder / "measurements.csv.gz")
    assert_frame_equal(
        after[["architecture", "measure", "seed", "state"]], before[["architecture", "measure", "seed", "state"]]
    )
    error = (after["score"] - before["score"]).abs()
    assert (error.dropna() <= 5.1e-5).all()
    small = before["score"].abs() < 0.1
    assert (error[small] <= before["score"].abs()[small] * 1e-5).all()
    assert all(round(score, 6) == score for cell in after["curve"] for _, score in json.loads(cell or "[]"))
