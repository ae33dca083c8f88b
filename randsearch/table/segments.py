"""The SDR of every segment of a measurement, in its folder as `segments.csv`: what a median over segments hides.

Two columns, source and sdr in dB with two decimals; a row an audible second of a validation track
(`randsearch.data.metrics`).
"""

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from randsearch.base.errors import UserError
from randsearch.base.files import Place
from randsearch.base.layout import SEGMENTS_FILE, StudyFolder, seed_of

COLUMNS = ("architecture", "measure", "seed", "source", "sdr")


def write_segments(
    place: Place, folder: Path, source_names: Sequence[str], tracks: Iterable[NDArray[np.float64]]
) -> None:
    """Writes the segments of one measurement.

    Args:
        place: the study.
        folder: of the measurement.
        source_names: in the order of the arrays.
        tracks: (sources, segments) of each track, in dB.

    Raises:
        PlaceError: if the file cannot be written.
    """
    values = np.concatenate(list(tracks), axis=1)
    lines = [f"{name},{value:.2f}\n" for name, row in zip(source_names, values, strict=True) for value in row]
    place.write(folder / SEGMENTS_FILE, "source,sdr\n" + "".join(lines))


def read_segments(folder: Path, architectures: Iterable[str], measures: Sequence[str]) -> pd.DataFrame:
    """Reads the segments of the measurements that have them.

    Args:
        folder: the study's folder.
        architectures: hashes.
        measures: names of measures.

    Returns:
        one row a segment with the columns `COLUMNS`; none where nothing was saved.
        A perfect segment is infinite.

    Raises:
        UserError: if a file is not what `write_segments` writes.
    """
    parts, study = [], StudyFolder(folder)
    for architecture in architectures:
        files = study.place.files(study.homes(architecture), SEGMENTS_FILE)
        for measure in measures:
            for path in files:
                seed = seed_of(path.parent, measure)
                if seed is not None:
                    part = _read(study.place, path)
                    parts.append(part.assign(architecture=architecture, measure=measure, seed=seed))
    found = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=list(COLUMNS))
    return found[list(COLUMNS)].astype({"sdr": float})


def _read(place: Place, path: Path) -> pd.DataFrame:
    """One file, checked."""
    try:
        with place.open(path) as file:
            part = pd.read_csv(file, dtype={"source": str, "sdr": float}, keep_default_na=False)
    except (OSError, ValueError) as error:
        raise UserError(f"{path} cannot be read as segments: {error}.") from error
    if list(part.columns) != ["source", "sdr"]:
        raise UserError(f"{path} should have the columns source and sdr, not {', '.join(map(str, part.columns))}.")
    return part
