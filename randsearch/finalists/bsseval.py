"""BSSEval v4 by museval, in museval's own files.

museval gives no number to any source of a window in which one reference or one estimate is silent, and refuses a track
of which one is silent throughout. Here such a track has windows without a number, like the others.
"""

from __future__ import annotations

import json
import math
import shutil
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from randsearch.base.errors import UserError
from randsearch.base.files import Place

SECONDS = 1.0
"""Of a window, and from one window to the next."""

METRICS = ("SDR", "ISR", "SIR", "SAR")


@dataclass(frozen=True)
class TrackScores:
    """What a file of museval's says of one track.

    Attributes:
        sdr: (sources, windows) in dB; NaN in a window that was left out.
    """

    sdr: NDArray[np.float64]

    @property
    def counted(self) -> NDArray[np.bool_]:
        """(windows,): those with a number for every source, so that all sources are scored on the same."""
        return np.asarray(np.isfinite(self.sdr).all(axis=0))


def require_museval() -> Any:
    """Imports museval, which is slow, and fails where there is no ffmpeg although nothing here needs it.

    Raises:
        UserError: ffmpeg is not installed.
    """
    if shutil.which("ffmpeg") is None or shutil.which("ffprobe") is None:
        raise UserError(
            "museval cannot be imported without the programs ffmpeg and ffprobe, which are not on this machine: "
            "install the Debian package ffmpeg (apt install ffmpeg)."
        )
    import museval

    return museval


def score_track(
    name: str,
    source_names: tuple[str, ...],
    references: NDArray[np.floating],
    estimates: NDArray[np.floating],
    sample_rate: int,
) -> str:
    """Scores a track in windows of one second.

    Args:
        name: of the track.
        source_names: in the order of the arrays.
        references: (sources, channels, time).
        estimates: the same shape.
        sample_rate: samples a second.

    Returns:
        the scores as JSON in museval's schema.
    """
    museval = require_museval()
    both = [np.moveaxis(np.asarray(audio, dtype=np.float64), 1, 2) for audio in (references, estimates)]
    window = round(SECONDS * sample_rate)
    # museval's own test: silent is what adds up to nothing over the channels.
    if any((audio.sum(axis=2) == 0).all(axis=1).any() for audio in both):
        windows = max(1, references.shape[-1] // window)
        found = np.full((len(METRICS), len(source_names), windows), math.nan)
    else:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Of the mean of windows without a number, which nothing here uses.
            found = np.stack(museval.evaluate(*both, win=window, hop=window))
    store = museval.TrackStore(win=SECONDS, hop=SECONDS, track_name=name)
    for number, source in enumerate(source_names):
        store.add_target(source, {metric: found[place, number].tolist() for place, metric in enumerate(METRICS)})
    store.validate()
    return str(store.json)


def write_scores(place: Place, path: Path, text: str) -> None:
    """Writes a track's file, whole or not at all.

    Raises:
        UserError: it cannot be written.
    """
    place.write(path, text)


def read_scores(place: Place, path: Path, source_names: tuple[str, ...]) -> TrackScores:
    """Reads a track's file.

    Raises:
        UserError: it cannot be read, or is not what museval writes for these sources.
    """
    try:
        targets = {target["name"]: target["frames"] for target in json.loads(place.read(path))["targets"]}
        frames = [[float(frame["metrics"]["SDR"]) for frame in targets[source]] for source in source_names]
        return TrackScores(np.array(frames, dtype=np.float64).reshape(len(source_names), -1))
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}.") from None
    except (ValueError, KeyError, TypeError):
        raise UserError(f"{path} does not hold museval's scores of {', '.join(source_names)}: remove it.") from None
