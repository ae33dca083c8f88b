"""The excerpts that a report lets one hear: the first seconds of a few validation tracks, in FLAC."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

from randsearch.base.files import Place
from randsearch.base.layout import StudyFolder, excerpt_file
from randsearch.data import Dataset

EXCERPTS = 3
EXCERPT_SECONDS = 10


def excerpts(data: Dataset) -> Iterator[tuple[int, NDArray[np.float32]]]:
    """The number, from 1, and the sources of each excerpt, shape (sources, channels, time)."""
    for number, track in enumerate(data.validation[:EXCERPTS], 1):
        yield number, track.sources(0, min(track.length, EXCERPT_SECONDS * data.sample_rate))


def write_excerpt(
    place: Place, folder: Path, number: int, name: str, audio: NDArray[np.float32], sample_rate: int
) -> None:
    """Writes one signal of one excerpt.

    Args:
        place: the study.
        folder: in it.
        number: of the excerpt.
        name: of the source, or `mixture`.
        audio: (channels, time); clipped to [-1, 1].
        sample_rate: in Hz.

    Raises:
        PlaceError: the file cannot be written.
    """
    content = io.BytesIO()
    soundfile.write(content, audio.T.clip(-1, 1), sample_rate, format="FLAC")
    place.write(folder / excerpt_file(number, name), content.getvalue())


def keep_references(data: Dataset, folder: Path) -> None:
    """Saves mixture and sources of the excerpts, which all measurements of a study share, if they are not there yet.

    Args:
        data: of the study.
        folder: the study's folder.

    Raises:
        PlaceError: a file cannot be written, or a link is in its way.
        OSError: the folder cannot be written.
    """
    study = StudyFolder(folder)
    place, whole = study.place, study.references
    if place.has(whole):
        return
    part = study.unfinished_references  # takes its name when it is whole, for its presence says that it is
    place.make(part)
    for number, sources in excerpts(data):
        write_excerpt(place, part, number, "mixture", sources.sum(axis=0), data.sample_rate)
        for name, source in zip(data.source_names, sources, strict=True):
            write_excerpt(place, part, number, name, source, data.sample_rate)
    place.rename(part, whole)
