"""The SDR of every segment of a measurement, in its folder as `segments.csv`: what a median over segments hides.

Two columns, source and sdr in dB with two decimals; a row an audible second of a validation track
(`randsearch.metrics`).
"""

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from randsearch.errors import UserError
from randsearch.files import within

SEGMENTS_FILE = "segments.csv"
COLUMNS = ("architecture", "measure", "seed", "source", "sdr")


def write_segments(folder: Path, source_names: Sequence[str], tracks: Iterable[NDArray[np.float64]]) -> None:
    """Writes the segments of one measurement.

    Args:
        folder: of the measurement.
        source_names: in the order of the arrays.
        tracks: (sources, segments) of each track, in dB.

    Raises:
        OSError: If the file cannot be written.
    """
    values = np.concatenate(list(tracks), axis=1)
    lines = [f"{name},{value:.2f}\n" for name, row in zip(source_names, values, strict=True) for value in row]
    (folder / SEGMENTS_FILE).write_text("source,sdr\n" + "".join(lines), encoding="utf-8")


def read_segments(measured: Path, architectures: Iterable[str], measures: Sequence[str]) -> pd.DataFrame:
    """Reads the segments of the measurements that have them.

    Args:
        measured: Folder of the study's measurements.
        architectures: Hashes.
        measures: Names of measures.

    Returns:
        One row a segment with the columns `COLUMNS`; none where nothing was saved.
        A perfect segment is infinite.

    Raises:
        UserError: If a file is not what `write_segments` writes.
    """
    parts = []
    for architecture in architectures:
        for measure in measures:
            for path in within(measured, sorted((measured / architecture).glob(f"{measure}-*/{SEGMENTS_FILE}"))):
                part = _read(path)
                seed = path.parent.name.removeprefix(f"{measure}-")
                if seed.isdigit():
                    parts.append(part.assign(architecture=architecture, measure=measure, seed=int(seed)))
    found = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=list(COLUMNS))
    return found[list(COLUMNS)].astype({"sdr": float})


def _read(path: Path) -> pd.DataFrame:
    """One file, checked."""
    try:
        part = pd.read_csv(path, dtype={"source": str, "sdr": float}, keep_default_na=False)
    except (OSError, ValueError) as error:
        raise UserError(f"{path} cannot be read as segments: {error}.") from error
    if list(part.columns) != ["source", "sdr"]:
        raise UserError(f"{path} should have the columns source and sdr, not {', '.join(map(str, part.columns))}.")
    return part
