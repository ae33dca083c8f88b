"""Networks and settings small enough to score by the dozen."""

from __future__ import annotations

from dataclasses import replace

import pytest

from randsearch.measures import Setting


@pytest.fixture(scope="session")
def shared(tiny_setting) -> Setting:
    return replace(tiny_setting, steps=6, proxy_steps=5, baseline=1.25, proxy_batch=4)


@pytest.fixture
def setting(shared, tmp_path) -> Setting:
    return replace(shared, folder=tmp_path / "study")
