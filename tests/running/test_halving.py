"""What must be true of trainings that are stopped on the way: `--train halving` and `--train asha`."""

from __future__ import annotations

from pathlib import Path

import pytest

from randsearch.table.tidy import read_measurements
from tests.running.test_driver import Jumbled  # noqa

OPTIONS = {"trials": 9, "steps": 12, "validate_every": 2, "proxy": "params", "measures": [], "train": "halving"}


@pytest.fixture(scope="module")
def halved(tmp_path_factory, tiny_search) -> Path: ...


def test_it(run_cli, tiny_search, tmp_path):
    r = run_cli(*tiny_search(tmp_path, **OPTIONS))
    print(r)
    t = read_measurements(tmp_path / "tiny/measurements.csv")
    print(t[["architecture", "measure", "seed", "score", "steps", "state", "reason", "curve"]].to_string())
    print(run_cli("status", "tiny", "--results", tmp_path).out)
    print(run_cli("analyse", "tiny", "--results", tmp_path).out)
    r = run_cli(*tiny_search(tmp_path, **{**OPTIONS, "study": "asha", "train": "asha"}))
    print(r)
    t = read_measurements(tmp_path / "asha/measurements.csv")
    t = t[t["measure"] == "trained"]
    print(t[["architecture", "measure", "seed", "score", "steps", "state", "reason", "curve"]].to_string())
    print(run_cli("status", "asha", "--results", tmp_path).out)
