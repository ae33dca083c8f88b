"""A corpus, a search space and a command line that are small enough for a whole search within a second."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile

from randsearch import cli

RATE = 1000
SEGMENT = 256
STEMS = ("bass", "drums", "other", "vocals")
TIMES = ["seconds", "validation_seconds", "data_seconds"]

SPACE = """\
description: Tiny networks.
parameters:
  levels: {int: [1, 2]}
  first_filters: {int: [2, 4]}
  filter_increment: 1
  encoder_kernel: {choices: [3, 5]}
  decoder_kernel: 3
  skips: {subset: levels}
"""


@dataclass(frozen=True)
class Answer:
    """What the command line said."""

    code: int
    out: str
    err: str


Cli = Callable[..., Answer]


def write_tracks(root: Path, tracks: int = 5, *, samples: int = 3 * RATE, subset: str = "train") -> Path:
    """Writes tones in noise in MUSDB18-HQ's layout."""
    time = np.arange(samples) / RATE
    for track in range(tracks):
        folder = root / subset / f"track {track}"
        folder.mkdir(parents=True)
        for number, stem in enumerate(STEMS):
            random = np.random.default_rng([track, number])
            tone = 0.2 * np.sin(2 * np.pi * (30 + 90 * number + 5 * track) * time + random.uniform(0, 6))
            audio = tone + 0.05 * random.standard_normal(samples)
            soundfile.write(folder / f"{stem}.wav", audio.astype(np.float32), RATE, subtype="FLOAT")
    return root


def without_times(table: Path) -> pd.DataFrame:
    """A table of measurements as text, less what no two runs share."""
    return pd.read_csv(table, dtype=str, keep_default_na=False).drop(columns=TIMES)


@pytest.fixture(autouse=True, scope="session")
def _cache_of_the_session(tmp_path_factory) -> Iterator[None]:
    """No test touches the user's cache."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RANDSEARCH_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="session")
def tiny_corpus(tmp_path_factory) -> Path:
    return write_tracks(tmp_path_factory.mktemp("corpus"))


@pytest.fixture(scope="session")
def tiny_space(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("space") / "tiny.yaml"
    path.write_text(SPACE)
    return path


@pytest.fixture(scope="session")
def tiny_search(tiny_corpus, tiny_space) -> Callable[..., list[str]]:
    """Arguments of a tiny search; any of them can be given differently, or left out by None."""

    def arguments(results: Path, **changed: object) -> list[str]:
        options = {
            "results": results,
            "data": f"musdbhq:{tiny_corpus}",
            "study": "tiny",
            "trials": 3,
            "measures": "params,fixed_encoder",
            "steps": 6,
            "proxy_steps": 4,
            "validate_every": 2,
            "batch": 2,
            "segment": SEGMENT,
            "threads": 1,
            "space": tiny_space,
        } | changed
        space = options.pop("space")
        flags = [(f"--{name.replace('_', '-')}", str(value)) for name, value in options.items() if value is not None]
        return ["search", *([str(space)] if space else []), *(part for flag in flags for part in flag)]

    return arguments


@pytest.fixture
def run_cli(monkeypatch, capsys) -> Cli:
    """Runs the real command line, `main` included, in this process."""

    def run(*arguments: object) -> Answer:
        monkeypatch.setattr(sys, "argv", ["randsearch", *map(str, arguments)])
        capsys.readouterr()
        try:
            cli.main()
            code = 0
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else int(end.code is not None)
        said = capsys.readouterr()
        return Answer(code, said.out, said.err)

    return run


@pytest.fixture(scope="session")
def finished_study(tmp_path_factory, tiny_search) -> Path:
    """The folder of a finished study of five architectures at two seeds, all trained; not to be changed."""
    results = tmp_path_factory.mktemp("results")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["randsearch", *tiny_search(results, trials=5, seeds="0,1")])
        with pytest.raises(SystemExit) as end:
            cli.main()
    assert end.value.code == 0
    return results / "tiny"
