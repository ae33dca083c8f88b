"""How corpora lie on disk: MUSDB18-HQ's and DSD100's folders of WAV files, and MUSDB18's stem files."""

import os
import shutil
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from randsearch.base.errors import UserError
from randsearch.data.audio_files import Header, audio_header, read_together
from randsearch.data.task import STEMS, TASKS, Task
from randsearch.data.track import FloatArray

UNEQUAL_SECONDS = 0.1
"""By how much files of a track may differ in length: as programs that export stems round; what is short is padded."""


class NoSubsetError(UserError):
    """A corpus has no such subset."""


@dataclass(frozen=True)
class Recording:
    """One track as it lies on disk.

    Attributes:
        name: of the track.
        stems: that it has, in the order in which they are decoded and stored.
        files: that they are decoded from: one a stem, one of all stems, or several of each.
        counts: how many of the files add up to each stem, where these are several.
        mixture: a file that is not needed and must be the sum of all stems.
    """

    name: str
    stems: tuple[str, ...]
    files: tuple[Path, ...]
    counts: tuple[int, ...] = ()
    mixture: Path | None = None


class Layout(Protocol):
    """A way to lay out a corpus; a new one is a class with these members and an entry in `corpora.LAYOUTS`."""

    @property
    def stems(self) -> tuple[str, ...] | None:
        """What stems its tracks can have; None where that is up to each corpus."""

    @property
    def tasks(self) -> Mapping[str, Task]:
        """The tasks of these stems, by the names that a user asks for them by."""

    @property
    def partial(self) -> bool:
        """Whether a stem that a track does not have is not played in it; otherwise it is missing."""

    @property
    def unequal_seconds(self) -> float:
        """By how much the files of a track may differ in length."""

    def find(self, root: Path, subset: str) -> tuple[Recording, ...]:
        """Lists the recordings of a subset, sorted by name; at least one.

        Raises:
            NoSubsetError: there is no such subset.
            UserError: anything else is not as it should be.
        """

    def header(self, file: Path) -> Header:
        """Reads what a file says about itself."""

    def decode(self, recording: Recording) -> Iterator[Iterable[FloatArray]]:
        """Yields each of its stems, in blocks of shape `(samples, channels)`; memory holds a few."""


@dataclass(frozen=True)
class WavFolders:
    """Folders `TRACK/STEM.wav` of MUSDB's stems, at any sample rate; mixtures are not read, the stems add up to them.

    Attributes:
        kind: what the user calls the layout.
        folders: where the subsets lie below the root.
    """

    kind: str
    folders: Mapping[str, str]

    stems: tuple[str, ...] = STEMS
    tasks: Mapping[str, Task] = field(default_factory=TASKS.copy)
    partial: bool = False
    unequal_seconds: float = UNEQUAL_SECONDS

    def find(self, root: Path, subset: str) -> tuple[Recording, ...]:
        """Lists the folders of a subset; see `Layout.find`."""
        folder = subset_folder(root, self.folders[subset], f"TRACK/{{{','.join(self.stems)}}}.wav")
        return tuple(self._recording(track) for track in track_folders(folder, self.kind))

    def _recording(self, folder: Path) -> Recording:
        files = tuple(folder / f"{stem}.wav" for stem in self.stems)
        missing = [
            f"{file.name} (what bears the name is no file)" if os.path.lexists(file) else file.name
            for file in files
            if not file.is_file()
        ]
        if missing:
            raise UserError(f"track folder {folder} lacks {', '.join(missing)}: add the missing stems or move it away")
        return Recording(folder.name, self.stems, files)

    def header(self, file: Path) -> Header:
        """Reads a WAV header; see `Layout.header`."""
        return audio_header(file)

    def decode(self, recording: Recording) -> Iterator[Iterable[FloatArray]]:
        """Reads the WAV files one by one; see `Layout.decode`."""
        yield from read_together([[file] for file in recording.files])


class StemFiles:
    """MUSDB18: `SUBSET/TRACK.stem.mp4`, decoded by the musdb package, which needs ffmpeg.

    Tracks are listed here and not by `musdb.DB`, which would run ffprobe on every file of the corpus at each start.
    """

    stems: tuple[str, ...] = STEMS
    tasks: Mapping[str, Task] = TASKS
    partial = False
    unequal_seconds = 0.0  # one file
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
        folder = subset_folder(root, subset, f"TRACK{self._suffix}")
        files = sound_entries(folder, lambda entry: entry.name.endswith(self._suffix))
        if not files:
            hint = "; it has folders with vocals.wav, which musdbhq:PATH reads" if any(folder.glob("*/*.wav")) else ""
            raise UserError(f"{folder} has no tracks: musdb:PATH expects TRACK{self._suffix} files there{hint}")
        return tuple(Recording(file.name.removesuffix(self._suffix), self.stems, (file,)) for file in files)

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


def subset_folder(root: Path, subset: str, expected: str) -> Path:
    """The folder of a subset.

    Args:
        root: of the corpus.
        subset: where its folder lies below the root.
        expected: what should lie there, for messages.

    Raises:
        NoSubsetError: the corpus is there, and has no such folder.
        UserError: there is no corpus.
    """
    if not root.is_dir():
        raise UserError(f"there is no folder {root}: check the path given to --data")
    if not (root / subset).is_dir():
        raise NoSubsetError(f"{root} has no folder '{subset}': give the folder that holds {subset}/{expected}")
    return root / subset


def track_folders(folder: Path, kind: str) -> list[Path]:
    """The folders of the tracks of a subset, at least one.

    Args:
        folder: of the subset.
        kind: what the user calls the layout, for messages.

    Raises:
        UserError: there is none, or one cannot be used.
    """
    found = [entry for entry in sound_entries(folder, lambda entry: not entry.is_file()) if entry.is_dir()]
    if not found:
        hint = "; it has .stem.mp4 files, which musdb:PATH reads" if any(folder.glob("*.stem.mp4")) else ""
        raise UserError(f"{folder} has no tracks: {kind}:PATH expects a folder a track there{hint}")
    return found


def _open_stem_file(file: Path) -> Any:
    """Opens a stem file with musdb, imported only here because its import fails without ffmpeg."""
    import ffmpeg  # type: ignore[import-untyped]
    import musdb

    try:
        return musdb.MultiTrack(path=str(file), name=file.name, stem_id=0)
    except (ffmpeg.Error, IndexError, KeyError) as error:
        raise UserError(f"{file} cannot be read as a stem file (ffprobe refuses it): replace the file") from error
