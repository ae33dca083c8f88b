"""Publishes the measurements of a study: `python tests/bench/publish.py results/NAME results/reference/popvoice-8k`.

Writes `measurements.csv.gz`, the same bytes for the same study: scores and curves to 4 decimals (6 digits of scores
that are smaller), seconds to 3, losses of validation left out; and `config.yaml`, in which the study is called as its
new folder is, and data lie beside the checkout, wherever they lay on this machine.
"""

from __future__ import annotations

import gzip
import json
import sys
from pathlib import Path, PurePosixPath

import pandas as pd

from randsearch.base.files import Place
from randsearch.base.layout import StudyFolder
from randsearch.study.config_file import study_text
from randsearch.study.folders import load_config
from randsearch.table.measurement import SCHEMA
from randsearch.table.tidy import as_text, read_measurements

DECIMALS, DIGITS, DECIMALS_OF_SECONDS = 4, 6, 3
SMALL = 0.1
"""Scores below keep digits in place of decimals."""
BESIDE = PurePosixPath("../shared/data")
SECONDS = [column.name for column in SCHEMA if column.kind == "cost" and column.name.endswith("seconds")]


def rounded(score: float) -> float:
    """A score as it is published: small ones keep the digits by which architectures are told apart."""
    return round(score, DECIMALS) if abs(score) >= SMALL else float(f"{score:.{DIGITS}g}")


def published(table: pd.DataFrame) -> pd.DataFrame:
    """The table as it is published."""
    curves = [
        json.dumps([[step, rounded(score)] for step, score in json.loads(cell or "[]")]) for cell in table["curve"]
    ]
    return table.assign(
        score=table["score"].map(rounded),
        baseline=table["baseline"].map(rounded),
        curve=curves,
        validation_losses="",
        **{name: table[name].round(DECIMALS_OF_SECONDS) for name in SECONDS},
    )


def beside(data: str) -> str:
    """Data as another names them who keeps a copy beside the checkout: `musdbhq:../shared/data/popvoice`."""
    parts = []
    for part in data.split("+"):
        kind, found, path = part.partition(":")
        parts.append(f"{kind}:{BESIDE / PurePosixPath(path).name}" if found else kind)
    return "+".join(parts)


def main(study: Path, into: Path) -> None:
    """Writes both files."""
    config, place, folder = load_config(study), Place(into), StudyFolder(into)
    text = as_text(published(read_measurements(StudyFolder(study).table)), str(folder.published))
    place.write(folder.published, gzip.compress(text.encode(), mtime=0))
    named = {"study": into.name, "batches_of": None if config.batch_name == into.name else config.batch_name}
    config = config.model_copy(update={**named, "data": beside(config.data), "storage": None})
    place.write(folder.config, study_text(config))


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
