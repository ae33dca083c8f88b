"""Studies made before an option existed still open: what they do not name has its default."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
import yaml

from randsearch.base.yaml_files import read_yaml
from randsearch.models.architecture import Architecture
from randsearch.study.config import StudyConfig
from randsearch.study.folders import load_config
from randsearch.study.options import fields_of
from randsearch.study.rebuild import open_studies
from randsearch.table.tidy import LEADING, TRAILING

FIRST_OPTIONS = (
    *("levels", "first_filters", "filter_increment", "encoder_kernel", "decoder_kernel", "output_kernel"),
    *("upsampling", "output", "output_activation", "skips", "activation"),
)
"""The options of the first release, as columns of its tables."""


def unversioned(config: Path) -> str:
    """The configuration of a study as releases wrote it before its file had a version and an end."""
    fields = {name: value for name, value in read_yaml(config, "it").items() if name in fields_of(StudyConfig, 1)}
    return yaml.safe_dump(fields, sort_keys=False, allow_unicode=True)


@pytest.fixture
def former(finished_study, tmp_path) -> Path:
    """A finished study as the first release left it: a table with fewer columns."""
    folder = tmp_path / "former"
    folder.mkdir()
    (folder / "config.yaml").write_text(unversioned(finished_study / "config.yaml"))
    with (finished_study / "measurements.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    with (folder / "measurements.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, [*LEADING, *FIRST_OPTIONS, *TRAILING], extrasaction="ignore")
        writer.writeheader()
        writer.writerows(rows)
    return folder


def test_a_table_with_fewer_options_rebuilds_the_same_study(former, finished_study) -> None:
    config = load_config(former)
    rebuilt = open_studies(config, former)
    original = open_studies(load_config(finished_study), finished_study)
    assert [c.architecture for c in rebuilt.candidates()] == [c.architecture for c in original.candidates()]
    found = {m.key: m for m in rebuilt.measurements(rebuilt.candidates())}
    assert found == {m.key: m for m in original.measurements(original.candidates())}
    assert len(found) > 0


def test_hashes_of_the_first_release_still_name_the_same_networks() -> None:
    assert Architecture().hash == "44136fa355b3"
    options = {"levels": 5, "first_filters": 8, "skips": (0, 2), "activation": "relu", "output": "direct"}
    first = Architecture.create(options)
    assert first == Architecture.create(dict.fromkeys(()) | options | {"context": False, "nested": False})
    assert set(FIRST_OPTIONS) <= set(first.to_row())
