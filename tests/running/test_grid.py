"""What must be true of `--sampler grid`."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from randsearch.study.folders import load_config
from randsearch.table.tidy import read_measurements

GRID = """\
description: Six networks.
parameters:
  levels: {int: [1, 2]}
  first_filters: {choices: [2, 3, 4]}
  filter_increment: 1
  encoder_kernel: 3
  decoder_kernel: 3
"""


@pytest.fixture
def run(run_cli, tiny_corpus, tmp_path):
    space = tmp_path / "grid.yaml"
    space.write_text(GRID)

    def search(*options: object, space: Path = space):
        fixed = ("--data", f"musdbhq:{tiny_corpus}", "--results", tmp_path, "--study", "g", "--segment", 256)
        cheap = ("--proxy", "params", "--measures", "macs", "--proxy-steps", 1, "--steps", 1, "--batch", 1)
        arguments = ("--sampler", "grid", "--train", "none", "--threads", 1, *fixed, *cheap, *options)
        return run_cli("search", space, *arguments)

    return search


def points(folder: Path) -> list[tuple[int, int]]:
    table = read_measurements(folder / "measurements.csv").drop_duplicates("architecture")
    return list(zip(table["levels"], table["first_filters"], strict=True))


def test_a_grid_takes_all_in_order_and_can_be_continued(run, tmp_path):
    assert run("--trials", 2).code == 0
    assert points(tmp_path / "g") == [(1, 2), (1, 3)]
    config = load_config(tmp_path / "g")
    assert "only the first 2 architectures of the grid" in str(config.bias)
    assert run("--trials", 6).code == 0
    assert points(tmp_path / "g") == [(levels, filters) for levels in (1, 2) for filters in (2, 3, 4)]
    assert load_config(tmp_path / "g").bias is None


def test_a_grid_without_trials_is_whole(run, tmp_path):
    assert run().code == 0
    assert len(points(tmp_path / "g")) == 6
    config = load_config(tmp_path / "g")
    assert (config.trials, config.whole, config.bias) == (6, True, None)


def test_grids_that_are_too_large_or_too_small_are_refused(run, tmp_path):
    assert "the space holds 6 architectures and not 7" in run("--trials", 7).err
    large = tmp_path / "large.yaml"
    raw = {"parameters": {**yaml.safe_load(GRID)["parameters"], "first_filters": {"int": [1, 512]}}}
    raw["parameters"]["filter_increment"] = {"int": [0, 20]}
    large.write_text(yaml.safe_dump(raw))
    assert "a grid takes 10,000 at most: narrow the space, say how many with --trials" in run(space=large).err
    assert not (tmp_path / "g").exists()
