from collections.abc import Callable
from pathlib import Path

import needs
import numpy as np
import pytest
import soundfile

from randsearch.data import STEMS, Dataset, open_dataset

CORPORA = needs.SHARED / "data"
RATE = 8000

MakeTrack = Callable[..., dict[str, np.ndarray]]


@pytest.fixture(autouse=True)
def _own_cache(tmp_path, monkeypatch):
    """No test touches the user's cache."""
    monkeypatch.setenv("RANDSEARCH_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def corpus(tmp_path) -> Path:
    return tmp_path / "corpus"


@pytest.fixture
def make_track(corpus) -> MakeTrack:
    """Writes `SUBSET/NAME/STEM.wav` of noise (or of given samples) and returns what was written."""

    def make(name, *, subset="train", samples=4000, rate=RATE, channels=1, seed=0, **given):
        random = np.random.default_rng([seed, *name.encode()])
        folder = corpus / subset / name
        folder.mkdir(parents=True, exist_ok=True)
        written = {}
        for stem in STEMS:
            audio = given.get(stem)
            if audio is None:
                audio = random.uniform(-0.2, 0.2, (samples, channels)).astype(np.float32)
            soundfile.write(folder / f"{stem}.wav", audio, rate, subtype="FLOAT")
            written[stem] = audio
        return written

    return make


@pytest.fixture
def real_corpora() -> Path:
    if not CORPORA.is_dir():
        pytest.skip(f"{needs.EXCUSED}/data")
    return CORPORA


@pytest.fixture(scope="session")
def synthetic_cache(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("synthetic")


@pytest.fixture(scope="session")
def synthetic(synthetic_cache) -> Dataset:
    return open_dataset("synthetic", cache=synthetic_cache)
