"""`make reference`: answers the questions of the reference study from its published tables.

Usage: python tests/bench/reference [FOLDER README], by default results/reference and README.md of this repository.
"""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]


def main(folder: str = str(ROOT / "results" / "reference"), readme: str = str(ROOT / "README.md")) -> None:
    """Makes the answers, and says what was made."""
    sys.path[0] = str(ROOT / "tests")
    from bench.reference.make import make

    print(make(Path(folder), Path(readme)))


if __name__ == "__main__":
    main(*sys.argv[1:])
