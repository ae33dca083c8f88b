"""The made-up benchmark of all tests of replays."""

from __future__ import annotations

import pytest
from replay.made import study

from randsearch.replay import Benchmark, benchmark


@pytest.fixture(scope="session")
def made_folder(tmp_path_factory):
    return study(tmp_path_factory.mktemp("made") / "made")


@pytest.fixture(scope="session")
def made(made_folder) -> Benchmark:
    return benchmark(made_folder)
