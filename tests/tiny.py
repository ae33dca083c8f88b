"""A corpus and a search space that are small enough for a whole search within a second or two."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import soundfile

RATE = 1000
SEGMENT = 256
STEMS = ("bass", "drums", "other", "vocals")
TIMES = ["seconds", "validation_seconds", "data_seconds"]

FINISHED = {"trials": 4, "seeds": [0, 1]}
"""What the finished study was asked for beyond the options of a tiny search."""

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
