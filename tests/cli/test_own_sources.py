"""What must be true of a study of three sources of one's own: every command names them, and files bear their names."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile
import yaml
from tiny import RATE

from randsearch.finalists import export
from randsearch.table.segments import read_segments

NAMES = ("violin", "keys", "Talk-1")
STEMS = ("piano", "organ", "violin", "Talk-1")
SOURCES = "violin, keys=piano+organ,Talk-1"


@pytest.fixture(scope="module")
def corpus(tmp_path_factory) -> Path:
    root, time = tmp_path_factory.mktemp("own"), np.arange(3 * RATE) / RATE
    for subset, track in (("train", "a"), ("train", "b"), ("train", "c"), ("test", "d")):
        for number, stem in enumerate(STEMS):
            random = np.random.default_rng([ord(track), number])
            audio = 0.1 * np.sin(2 * np.pi * (40 + 90 * number) * time) + 0.02 * random.standard_normal(len(time))
            file = root / subset / track / f"{stem}.flac"
            file.parent.mkdir(parents=True, exist_ok=True)
            soundfile.write(file, audio, RATE)
    return root


@pytest.fixture
def asked(tiny_search, corpus, tmp_path) -> list[str]:
    return tiny_search(tmp_path, data=f"stems:{corpus}", sources=SOURCES, trials=2, steps=2, proxy_steps=2)


def test_a_search_and_what_follows_name_the_sources(asked, corpus, tmp_path, run_cli, monkeypatch):
    assert run_cli(*asked).code == 0
    study = tmp_path / "tiny"
    config = yaml.safe_load((study / "config.yaml").read_text())
    assert (config["version"], config["sources"]) == (3, ["violin", "keys=piano+organ", "Talk-1"])
    hashes = [path.name for path in (study / "measured").iterdir()]
    assert set(read_segments(study, hashes, ["trained"])["source"]) == set(NAMES)
    heard = {path.name for path in study.rglob("excerpt-1-*.flac")}
    assert heard == {f"excerpt-1-{name}.flac" for name in (*NAMES, "mixture")}

    song = corpus / "test" / "d" / "piano.flac"
    assert run_cli("separate", "tiny", song, "--results", tmp_path, "--output", tmp_path / "stems").code == 0
    assert {path.name for path in (tmp_path / "stems").iterdir()} == {f"{name}.wav" for name in NAMES}

    monkeypatch.setattr(export, "_program", lambda *_: b"takes seconds")
    assert run_cli("export", "tiny", "--results", tmp_path, "--output", tmp_path / "exported").code == 0
    described = yaml.safe_load((tmp_path / "exported" / "network.yaml").read_text())
    assert (described["task"], described["sources"]) == ("sources", list(NAMES))

    assert run_cli("report", "tiny", "--results", tmp_path).code == 0
    report = (study / "report.html").read_text()
    assert all(f">{name}<" in report for name in NAMES)


def test_without_names_all_stems_are_the_sources_and_are_remembered(tiny_search, corpus, tmp_path, run_cli):
    asked = tiny_search(tmp_path, data=f"stems:{corpus}", trials=1, train="none", steps=2, proxy_steps=2)
    assert f"sources Talk-1, organ, piano, violin: all stems of stems:{corpus}\n" in run_cli(*asked).err
    assert run_cli(*asked, "--dry-run").out.splitlines()[1].endswith("1000 Hz, sources Talk-1, organ, piano, violin")
    assert "exists with another sources" in run_cli(*asked, "--sources", "piano,violin").err
    refused = run_cli(*asked, "--study", "other", "--task", "multi").err
    assert "has the stems Talk-1, organ, piano, violin, of which task multi is not made: name sources with" in refused
