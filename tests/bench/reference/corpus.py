"""Digests of the files of a corpus, which tell whether two copies are the same.

`python tests/bench/reference/corpus.py ../shared/data/popvoice results/reference/corpus.csv` writes them.
"""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

import pandas as pd


def digests(corpus: Path) -> pd.DataFrame:
    """The SHA-256 of every audio file: `track`, `subset`, `file`, `sha256`.

    Args:
        corpus: in the layout of MUSDB18-HQ.
    """
    files = sorted(corpus.glob("*/*/*.wav"), key=lambda path: path.relative_to(corpus).parts)
    rows = [
        (path.parent.name, path.parts[-3], path.name, hashlib.sha256(path.read_bytes()).hexdigest()) for path in files
    ]
    return pd.DataFrame(rows, columns=["track", "subset", "file", "sha256"])


if __name__ == "__main__":
    digests(Path(sys.argv[1])).to_csv(sys.argv[2], index=False, lineterminator="\n")
