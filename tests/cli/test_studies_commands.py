"""What `list`, `status` and `export-table` say of a study, whole, unfinished, at work or damaged."""

from __future__ import annotations

import io
import json
import shutil
import subprocess
import sys
from pathlib import Path

import needs
import pandas as pd
import pytest
from filelock import FileLock

from randsearch.study.status import read_status
from randsearch.table.tidy import read_measurements, write_measurements


@pytest.fixture
def study(finished_study, tmp_path) -> Path:
    folder = tmp_path / "results" / "tiny"
    shutil.copytree(finished_study, folder)
    return folder


def shortened(study: Path, rows: int) -> None:
    """Takes the last measurements away."""
    write_measurements(read_measurements(study / "measurements.csv").iloc[:-rows], study / "measurements.csv")


def row(said: str, first: str) -> list[str]:
    return next(line.split() for line in said.splitlines() if line.split()[:1] == [first])


def test_a_list_of_studies(run_cli, study):
    shutil.copytree(study, study.with_name("other"))
    shortened(study.with_name("other"), 3)
    (study.parent / "broken").mkdir()
    (study.parent / "broken" / "config.yaml").write_text("space: [")
    (study.parent / "no study").mkdir()
    answer = run_cli("list", "--results", study.parent)
    assert answer.code == 0
    assert row(answer.out, "tiny")[:6] == ["tiny", "4", "28", "0", "8", "complete"]
    assert row(answer.out, "other")[:6] == ["other", "4", "25", "0", "6", "unfinished"]
    assert "not valid YAML" in " ".join(row(answer.out, "broken:"))
    assert "no study" not in answer.out
    assert "no studies in" in run_cli("list", "--results", study / "measured").out


def test_the_status_of_a_study(run_cli, study):
    said = run_cli("status", "tiny", "--results", study.parent).out
    assert said.startswith("tiny: complete; 4 of 4 architectures by random")
    assert row(said, "trained") == ["trained", "8", "0", "0"]
    assert row(said, "params") == ["params", "4", "0", "0"]
    assert "at work now: nobody" in said
    assert "continue it" not in said
    shortened(study, 3)
    said = run_cli("status", "tiny", "--results", study.parent).out
    assert said.startswith("tiny: unfinished")
    assert row(said, "trained") == ["trained", "6", "0", "2"]
    assert f"continue it: randsearch search --study tiny --results {study.parent}" in said
    (study / "measurements.csv").unlink()
    said = run_cli("status", "tiny", "--results", study.parent).out
    assert row(said, "fixed_decoder") == ["fixed_decoder", "0", "0", "8"]


def test_who_is_at_work(run_cli, study):
    (study / ".driver").write_text(json.dumps({"name": "ada@one, process 1", "token": "t"}))
    assert "at work now: nobody" in run_cli("status", "tiny", "--results", study.parent).out
    with FileLock(study / ".lock"):
        said = run_cli("status", "tiny", "--results", study.parent).out
        assert row(run_cli("list", "--results", study.parent).out, "tiny")[5] == "running"
    assert said.startswith("tiny: running")
    assert "at work now: ada@one, process 1" in said


def test_failures_are_counted_by_their_reason(run_cli, study):
    table = read_measurements(study / "measurements.csv")
    failed = table.index[table["measure"] == "fixed_decoder"][:3]
    table.loc[failed, ["score", "state", "reason"]] = [float("nan"), "failed", "[red]diverged[/red]"]
    write_measurements(table, study / "measurements.csv")
    said = run_cli("status", "tiny", "--results", study.parent).out
    assert "3 x fixed_decoder failed: [red]diverged[/red]" in said
    assert row(said, "fixed_decoder") == ["fixed_decoder", "5", "3", "0"]
    (study / "config.yaml").write_text((study / "config.yaml").read_text().replace("train: all", "train: top:4"))
    # The first architecture has no score at either seed, and the other three are all that can be trained.
    assert {done.measure: done.planned for done in read_status(study).measures}["trained"] == 6


def test_an_unreachable_database_is_said_and_no_error(run_cli, study):
    config = study / "config.yaml"
    url = "postgresql://me@127.0.0.1:1/nothing"
    config.write_text(config.read_text().replace("storage: null", f"storage: {url}"))
    answer = run_cli("status", "tiny", "--results", study.parent, "--storage", url)
    assert answer.code == 0
    assert "whether somebody is at work elsewhere is not known: the database postgresql+psycopg://me@127" in answer.out


@pytest.mark.parametrize("form", ["csv", "json", "parquet"])
def test_an_exported_table_holds_every_number_to_the_bit(run_cli, study, tmp_path, form):
    if form == "parquet":
        needs.package("pyarrow", "parquet")
    out = tmp_path / "deep" / f"table.{form}"
    assert run_cli("export-table", "tiny", "--format", form, "--out", out, "--results", study.parent).code == 0
    table = read_measurements(study / "measurements.csv")
    read = {
        "csv": pd.read_csv,
        "parquet": pd.read_parquet,
        "json": lambda path: pd.DataFrame(json.loads(path.read_text())),
    }
    found = read[form](out)
    assert list(found.columns) == list(table.columns)
    for column in ("score", "baseline", "seconds", "multiply_adds"):
        pd.testing.assert_series_equal(found[column].astype(float), table[column], check_exact=True)
    assert list(found["architecture"]) == list(table["architecture"])
    if form != "csv":
        curves = [[tuple(point) for point in curve] for curve in found["curve"]]
        assert curves == [[tuple(point) for point in json.loads(curve)] for curve in table["curve"]]


def test_a_table_goes_to_standard_output_unless_told_otherwise(study):
    command = [sys.executable, "-m", "randsearch", "export-table", "tiny", "--results", str(study.parent)]
    printed = subprocess.run(command, capture_output=True, check=True).stdout
    assert len(pd.read_csv(io.BytesIO(printed))) == 28


def test_parquet_without_pyarrow_says_what_to_install(study, tmp_path):
    code = "import sys; sys.modules['pyarrow'] = None; from randsearch.cli import main; main()"
    words = ["export-table", "tiny", "--format", "parquet", "--out", str(tmp_path / "t.parquet")]
    command = [sys.executable, "-c", code, *words, "--results", str(study.parent)]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == 1
    assert ended.stderr == "randsearch: Parquet needs pyarrow: `pip install 'randsearch[parquet]'` installs it.\n"
    assert not (tmp_path / "t.parquet").exists()


@pytest.mark.parametrize("command", ["status", "export-table"])
@pytest.mark.parametrize("name", ["nobody", "../tiny", "", "."])
def test_a_study_that_is_not_there(run_cli, study, command, name):
    answer = run_cli(command, name, "--results", study.parent)
    assert (answer.code, answer.err.count("\n")) == (1, 1)
    assert f"there is no study {name}" in answer.err
