"""How corpora lie on disk: MUSDB18-HQ's folders of WAV files and MUSDB18's stem files."""

import os
import re
import shutil
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import soundfile

from randsearch.base.errors import UserError
from randsearch.data.task import STEMS
from randsearch.data.track import FloatArray

BLOCK = 2**18
"""Samples that are decoded at a time."""


@dataclass(frozen=True)
class Header:
    """What a file says about itself before it is decoded."""

    sample_rate: int
    channels: int
    frames: int


@dataclass(frozen=True)
class Recording:
    """One track as it lies on disk: a file a stem, or one file that holds all stems."""

    name: str
    files: tuple[Path, ...]


class Layout(Protocol):
    """A way to lay out a corpus; a new one is a class with these members and an entry in `dataset.LAYOUTS`."""

    stems: tuple[str, ...]

    def find(self, root: Path, subset: str) -> tuple[Recording, ...]:
        """Lists the recordings of a subset, sorted by name; at least one."""

    def header(self, file: Path) -> Header:
        """Reads what a file says about itself."""

    def decode(self, recording: Recording) -> Iterator[Iterable[FloatArray]]:
        """Yields every stem in the order of `stems`, in blocks of shape `(samples, channels)`; memory holds a few."""


def wav_header(file: Path) -> Header:
    """Reads the header of a WAV file."""
    try:
        info = soundfile.info(file)
    except soundfile.LibsndfileError as error:
        raise UserError(f"{file} cannot be read as audio ({error.error_string}): replace the file") from error
    cut = _CUT_SHORT.search(info.extra_info)
    if cut and int(cut["held"]) < int(cut["announced"]) < _NEVER_SAID:
        raise UserError(
            f"{file} announces {cut['announced']} bytes of samples and holds {cut['held']}, as if its copying was cut "
            "short: replace the file"
        )
    return Header(info.samplerate, info.channels, info.frames)


_CUT_SHORT = re.compile(r"^data : (?P<announced>\d+) \(should be (?P<held>\d+)\)", re.MULTILINE)
"""As libsndfile takes note of it."""
_NEVER_SAID = 0x7FFFF000
"""From here on a length is none, but what programs write that do not know it beforehand."""


def read_wav(file: Path) -> Iterator[FloatArray]:
    """Decodes a WAV file in blocks, shape `(samples, channels)` each."""
    try:
        with soundfile.SoundFile(file) as opened:
            missing = opened.frames
            while len(block := opened.read(BLOCK, dtype="float32", always_2d=True)):
                missing -= len(block)
                yield np.asarray(block)
    except soundfile.LibsndfileError as error:
        raise UserError(f"{file} cannot be decoded ({error.error_string}): replace the file") from error
    if missing:
        raise UserError(f"{file} lacks {missing} of the samples that it announces: replace the damaged file")


class WavFolders:
    """MUSDB18-HQ: `SUBSET/TRACK/STEM.wav`, at any sample rate; `mixture.wav` is not needed, the stems add up to it."""

    stems: tuple[str, ...] = STEMS

    def find(self, root: Path, subset: str) -> tuple[Recording, ...]:
        """Lists the folders of a subset; see `Layout.find`."""
        folder = _subset_folder(root, subset, f"TRACK/{{{','.join(self.stems)}}}.wav")
        names = [entry.name for entry in sound_entries(folder, lambda entry: not entry.is_file()) if entry.is_dir()]
        if not names:
            hint = "; it has .stem.mp4 files, which musdb:PATH reads" if any(folder.glob("*.stem.mp4")) else ""
            raise UserError(f"{folder} has no tracks: musdbhq:PATH expects a folder a track there{hint}")
        return tuple(self._recording(folder / name) for name in names)

    def _recording(self, folder: Path) -> Recording:
        files = tuple(folder / f"{stem}.wav" for stem in self.stems)
        missing = [
            f"{file.name} (what bears the name is no file)" if os.path.lexists(file) else file.name
            for file in files
            if not file.is_file()
        ]
        if missing:
            raise UserError(f"track folder {folder} lacks {', '.join(missing)}: add the missing stems or move it away")
        return Recording(folder.name, files)

    def header(self, file: Path) -> Header:
        """Reads a WAV header; see `Layout.header`."""
        return wav_header(file)

    def decode(self, recording: Recording) -> Iterator[Iterable[FloatArray]]:
        """Reads the WAV files one by one; see `Layout.decode`."""
        yield from map(read_wav, recording.files)


class StemFiles:
    """MUSDB18: `SUBSET/TRACK.stem.mp4`, decoded by the musdb package, which needs ffmpeg.

    Tracks are listed here and not by `musdb.DB`, which would run ffprobe on every file of the corpus at each start.
    """

    stems: tuple[str, ...] = STEMS
    _suffix = ".stem.mp4"
    _streams = {"drums": 1, "bass": 2, "other": 3, "vocals": 4}  # noqa: RUF012  (stream 0 is the mixture)
    _packet = 2048  # AAC decodes in whole packets, so a decoded stem may differ from its announced length by this much

    def find(self, root: Path, subset: str) -> tuple[Recording, ...]:
        """Lists the stem files of a subset; see `Layout.find`."""
        if shutil.which("ffmpeg") is None or shutil.which("ffprobe") is None:
            raise UserError(
                "musdb: data need the programs ffmpeg and ffprobe, which are not on this machine: install the Debian "
                "package ffmpeg (apt install ffmpeg), or use MUSDB18-HQ with musdbhq:PATH"
            )
        folder = _subset_folder(root, subset, f"TRACK{self._suffix}")
        files = sound_entries(folder, lambda entry: entry.name.endswith(self._suffix))
        if not files:
            hint = "; it has folders with vocals.wav, which musdbhq:PATH reads" if any(folder.glob("*/*.wav")) else ""
            raise UserError(f"{folder} has no tracks: musdb:PATH expects TRACK{self._suffix} files there{hint}")
        return tuple(Recording(file.name.removesuffix(self._suffix), (file,)) for file in files)

    def header(self, file: Path) -> Header:
        """Asks ffprobe; see `Layout.header`."""
        info = _open_stem_file(file).info
        if info.nb_audio_streams != 1 + len(self._streams):
            raise UserError(
                f"{file} has {info.nb_audio_streams} audio streams where a MUSDB18 stem file has five "
                "(mixture, drums, bass, other, vocals): replace the file"
            )
        return Header(info.sample_rate(0), min(info.channels_streams), min(info.nb_samples_streams))

    def decode(self, recording: Recording) -> Iterator[Iterable[FloatArray]]:
        """Decodes stem by stem, then cuts all to the shortest, as musdb does; see `Layout.decode`."""
        (file,) = recording.files
        header, track = self.header(file), _open_stem_file(file)
        stems = []
        for stem in self.stems:
            samples = np.asarray(track.load_audio(str(file), self._streams[stem]), dtype=np.float32)
            stems.append(samples.reshape(-1, header.channels))
            # ffmpeg's own complaint is swallowed on the way: a damaged stream only shows as missing samples
            if len(stems[-1]) < header.frames - self._packet:
                raise UserError(
                    f"stem '{stem}' of {file} decodes to {len(stems[-1])} samples where {header.frames} are announced: "
                    "replace the damaged file"
                )
        shortest = min(map(len, stems))
        yield from ([samples[:shortest]] for samples in stems)


def sound_entries(folder: Path, wanted: Callable[[Path], bool]) -> list[Path]:
    """What of a folder is wanted and not hidden, sorted by name.

    Args:
        folder: that is there.
        wanted: says of an entry whether it may be a track.

    Raises:
        UserError: an entry is a link that leads nowhere, or its name cannot be written into tables and reports.
    """
    entries = sorted(entry for entry in folder.iterdir() if not entry.name.startswith(".") and wanted(entry))
    for entry in entries:
        if not entry.exists():
            raise UserError(f"{entry} is a link that leads nowhere: mend it or remove it")
        odd = sorted({mark for mark in entry.name if unicodedata.category(mark) in ("Cc", "Cs")})
        if odd:
            what = (
                "bytes that are no UTF-8" if any("\ud800" <= mark <= "\udfff" for mark in odd) else "control characters"
            )
            raise UserError(f"the name of {entry} holds {what}: rename it")
    return entries


def _subset_folder(root: Path, subset: str, expected: str) -> Path:
    """Returns the folder of a subset, or says what is missing."""
    if not root.is_dir():
        raise UserError(f"there is no folder {root}: check the path given to --data")
    if not (root / subset).is_dir():
        raise UserError(f"{root} has no folder '{subset}': give the folder that holds {subset}/{expected}")
    return root / subset


def _open_stem_file(file: Path) -> Any:
    """Opens a stem file with musdb, imported only here because its import fails without ffmpeg."""
    import ffmpeg  # type: ignore[import-untyped]
    import musdb

    try:
        return musdb.MultiTrack(path=str(file), name=file.name, stem_id=0)
    except (ffmpeg.Error, IndexError, KeyError) as error:
        raise UserError(f"{file} cannot be read as a stem file (ffprobe refuses it): replace the file") from error
