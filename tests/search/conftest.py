"""What tests of searches share: jobs that run without a search, and searches that must measure nothing."""

from __future__ import annotations

from dataclasses import replace

import pytest

from randsearch.measures import Setting
from randsearch.search import executors


@pytest.fixture
def setting(tiny_setting, tmp_path) -> Setting:
    return replace(tiny_setting, folder=tmp_path / "measured")


@pytest.fixture
def nothing_measured(monkeypatch) -> None:
    def refuse(setting, job):
        raise AssertionError(f"{job} is measured again")

    monkeypatch.setattr(executors, "measure", refuse)
