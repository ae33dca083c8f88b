"""Networks and settings small enough to score by the dozen."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from randsearch.data import open_dataset
from randsearch.measures import Setting
from randsearch.models.sizing import Signal
from randsearch.training import Recipe


@pytest.fixture(scope="session")
def shared(tiny_corpus) -> Setting:
    dataset = open_dataset(f"musdbhq:{tiny_corpus}")
    return Setting(
        dataset=dataset,
        validation=dataset.validation,
        signal=Signal(),
        recipe=Recipe(learning_rate=5e-3, batch=2, segment=256, validate_every=2),
        steps=6,
        proxy_steps=5,
        proxy_half="decoder",
        baseline=1.25,
        device="cpu",
        threads=1,
        folder=Path("unused"),
        study="tiny",
        proxy_batch=4,
    )


@pytest.fixture
def setting(shared, tmp_path) -> Setting:
    return replace(shared, folder=tmp_path / "measured")
