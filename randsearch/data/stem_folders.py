"""How corpora of anybody's stems lie on disk: a folder a track, a file a stem, named after it."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import numpy as np
import soundfile

from randsearch.base.errors import UserError
from randsearch.data.audio_files import SUFFIXES, Header, audio_header, read_together
from randsearch.data.layouts import UNEQUAL_SECONDS, Recording, sound_entries, subset_folder, track_folders
from randsearch.data.task import MIXTURE, TASKS, Task
from randsearch.data.track import FloatArray

_EXACT = frozenset(("PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE"))
"""How files are encoded whose sum can be told to a step of 16 bits."""

_STEP = 2.0**-15
"""Of 16 bits."""


class StemFolders:
    """Folders `SUBSET/TRACK/STEM.wav` of any stems, in any format that libsndfile reads, with or without a mixture.

    Every audio file of a track's folder is a stem, but for one named `mixture`, which must be their sum.
    """

    stems = None
    tasks: Mapping[str, Task] = TASKS
    partial = False
    unequal_seconds = UNEQUAL_SECONDS

    def find(self, root: Path, subset: str) -> tuple[Recording, ...]:
        """Lists the folders of a subset; see `Layout.find`."""
        folder = subset_folder(root, subset, "TRACK/STEM.wav")
        return tuple(map(_recording, track_folders(folder, "stems")))

    def header(self, file: Path) -> Header:
        """Reads the header of a file; see `Layout.header`."""
        return audio_header(file)

    def decode(self, recording: Recording) -> Iterator[Iterable[FloatArray]]:
        """Reads the files one by one, once the mixture is found to be their sum; see `Layout.decode`."""
        if recording.mixture is not None:
            check_mixture(recording, recording.mixture)
        yield from read_together([[file] for file in recording.files])


def _recording(folder: Path) -> Recording:
    """The stems of a track's folder, sorted by name."""
    named = defaultdict(list)
    for entry in sound_entries(folder, lambda entry: entry.suffix.lower() in SUFFIXES):
        if not entry.is_file():
            raise UserError(f"{entry} is a folder, a pipe or the like and not a file: replace or remove it")
        named[entry.stem.casefold()].append(entry)
    for entries in named.values():
        if len(entries) > 1:
            listed = " and ".join(entry.name for entry in entries)
            raise UserError(f"track folder {folder} has {listed} side by side: leave one of them there")
    mixture = named.pop(MIXTURE, [None])[0]
    if not named:
        raise UserError(
            f"track folder {folder} holds no stems: add audio files named after what is heard in them, such as "
            "piano.wav or violin.flac, or move it away"
        )
    files = tuple(sorted((entry for (entry,) in named.values()), key=lambda entry: entry.stem))
    return Recording(folder.name, tuple(entry.stem for entry in files), files, mixture=mixture)


def check_mixture(recording: Recording, mixture: Path) -> None:
    """Holds the mixture of a track against the sum of its stems, as far as 16 bits and clipping leave it.

    Every file may be off by one step of 16 bits, by rounding or dither, and where the sum exceeds full scale the
    mixture may be clipped. Of files in formats that lose more nothing can be said.

    Args:
        recording: whose stems.
        mixture: of them.

    Raises:
        UserError: it is another sum.
    """
    header, (first, *others) = audio_header(mixture), [audio_header(file) for file in recording.files]
    where = f"{mixture.name} of track '{recording.name}' ({mixture.parent})"
    advice = f"replace or remove {mixture.name}, which is not needed"
    channels, frames = max(each.channels for each in (first, *others)), max(each.frames for each in (first, *others))
    if (header.sample_rate, header.channels) != (first.sample_rate, channels):
        raise UserError(
            f"{where} has {header.sample_rate} Hz and {header.channels} channel(s) and the stems have "
            f"{first.sample_rate} Hz and {channels}: {advice}"
        )
    if abs(header.frames - frames) > UNEQUAL_SECONDS * header.sample_rate:
        raise UserError(f"{where} has {header.frames} samples and the stems have {frames}: {advice}")
    if not all(soundfile.info(file).subtype in _EXACT for file in (mixture, *recording.files)):
        return
    worst, energies = _difference(recording, mixture)
    if worst > _STEP * (1 + len(recording.files)):
        error, signal = energies
        decibels = f"{10 * np.log10(error / signal):.1f} dB of the mixture" if signal else "the mixture is silent"
        raise UserError(
            f"{where} is not the sum of its stems {', '.join(recording.stems)}: it is off by up to {worst:.2g} of full "
            f"scale ({decibels}), more than 16 bits and clipping explain: add the stems that are missing, or {advice}"
        )


def _difference(recording: Recording, mixture: Path) -> tuple[float, tuple[float, float]]:
    """The largest difference of a mixture from the sum of its stems, and the energies of difference and mixture."""
    worst, error, signal = 0.0, 0.0, 0.0
    summed, mixed = read_together([recording.files, [mixture]])
    for stems, block in zip(summed, mixed, strict=False):  # one of them may be a little longer
        common = min(len(stems), len(block))
        ours, theirs = stems[:common].astype(np.float64), block[:common].astype(np.float64)
        # A mixture of float is not clipped, and one of whole numbers is.
        away = np.minimum(np.abs(ours - theirs), np.abs(ours.clip(-1, 1) - theirs))
        worst = max(worst, float(away.max(initial=0.0)))
        error, signal = error + float(np.sum(away**2)), signal + float(np.sum(theirs**2))
    return worst, (error, signal)
