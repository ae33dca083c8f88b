"""The setting of jobs that are run without a search."""

from __future__ import annotations

import pytest

from randsearch.data import open_dataset
from randsearch.measures import Setting
from randsearch.models.sizing import Signal
from randsearch.training import Recipe


@pytest.fixture
def setting(tiny_corpus, tmp_path) -> Setting:
    dataset = open_dataset(f"musdbhq:{tiny_corpus}")
    return Setting(
        dataset=dataset,
        validation=dataset.validation,
        signal=Signal(),
        recipe=Recipe(learning_rate=5e-3, batch=2, segment=256, validate_every=2),
        steps=4,
        proxy_steps=2,
        proxy_half="decoder",
        baseline=0.0,
        device="cpu",
        threads=1,
        folder=tmp_path / "measured",
        study="tiny",
        proxy_batch=2,
    )
