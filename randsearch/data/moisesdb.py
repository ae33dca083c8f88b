"""How MoisesDB lies on disk (arXiv 2307.15913): a folder a track, whose `data.json` names the files of each stem.

Its root holds the tracks' folders, or one folder that holds them (`moisesdb_v0.1`). The corpus comes without a test
subset: a track belongs to `test` if the first byte of the SHA-256 of its folder's name is a multiple of five, which
some fifth are, and to `train` otherwise. No other track and no other machine changes that.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from itertools import accumulate
from pathlib import Path

from pydantic import BaseModel, Field, ValidationError

from randsearch.base.errors import UserError, explain
from randsearch.data.audio_files import Header, audio_header, read_together
from randsearch.data.layouts import NoSubsetError, Recording, sound_entries
from randsearch.data.task import Task
from randsearch.data.track import FloatArray

MOISESDB_STEMS = (
    *("bass", "bowed_strings", "drums", "guitar", "other", "other_keys", "other_plucked"),
    *("percussion", "piano", "vocals", "wind"),
)

_TEST_SHARE = 5


class _File(BaseModel):
    id: str = Field(pattern=r"^\w[\w -]*$")
    extension: str = Field(pattern=r"^\w+$")


class _Stem(BaseModel):
    stemName: str = Field(pattern=r"^\w+$")  # noqa: N815  (as the corpus writes it)
    tracks: list[_File]


class _Description(BaseModel):
    """What is read of a `data.json`; names of files hold nothing that would lead out of their folder."""

    stems: list[_Stem] = Field(min_length=1)


def _rest(*stems: str) -> tuple[str, ...]:
    return tuple(stem for stem in MOISESDB_STEMS if stem not in stems)


class MoisesFolders:
    """MoisesDB: `TRACK/data.json` and `TRACK/STEM/FILE.wav`; the files of a stem add up to it.

    A stem that a track does not have is not played in it, and is silence. Files that end early are silent from there
    on, as the corpus's own package takes them.
    """

    stems: tuple[str, ...] = MOISESDB_STEMS
    tasks: Mapping[str, Task] = {
        "voice": Task("voice", MOISESDB_STEMS, (("accompaniment", _rest("vocals")), ("vocals", ("vocals",)))),
        "multi": Task(
            "multi",
            MOISESDB_STEMS,
            (
                *(("bass", ("bass",)), ("drums", ("drums",))),
                *(("other", _rest("bass", "drums", "vocals")), ("vocals", ("vocals",))),
            ),
        ),
    }
    partial = True
    unequal_seconds = float("inf")

    def find(self, root: Path, subset: str) -> tuple[Recording, ...]:
        """Lists the tracks of a subset; see `Layout.find`."""
        tracks = _tracks(root)
        chosen = [track for track in tracks if (subset == "test") == _is_test(track.name)]
        if not chosen:
            raise NoSubsetError(
                f"none of the {len(tracks)} tracks of {root} falls to '{subset}', which a hash of its name decides: "
                "add tracks"
            )
        return tuple(map(_recording, chosen))

    def header(self, file: Path) -> Header:
        """Reads the header of a file; see `Layout.header`."""
        return audio_header(file)

    def decode(self, recording: Recording) -> Iterator[Iterable[FloatArray]]:
        """Adds up the files of each stem; see `Layout.decode`."""
        ends = list(accumulate(recording.counts))
        stems = zip([0, *ends], ends, strict=False)
        yield from read_together([recording.files[start:end] for start, end in stems])


def _is_test(name: str) -> bool:
    return hashlib.sha256(name.encode()).digest()[0] % _TEST_SHARE == 0


def _tracks(root: Path) -> list[Path]:
    """The folders with a `data.json`, sorted by name."""
    if not root.is_dir():
        raise UserError(f"there is no folder {root}: check the path given to --data")
    for folders in ([root], sound_entries(root, lambda entry: not entry.is_file())):
        tracks = [
            entry
            for folder in folders
            for entry in sound_entries(folder, lambda entry: not entry.is_file())
            if (entry / "data.json").is_file()
        ]
        if tracks:
            return sorted(tracks, key=lambda track: track.name)
    raise UserError(
        f"{root} has no tracks: moisesdb:PATH expects TRACK/data.json there, or in one folder such as moisesdb_v0.1"
    )


def _recording(folder: Path) -> Recording:
    files: dict[str, list[Path]] = {}
    for stem in _described(folder / "data.json").stems:
        if stem.stemName not in MOISESDB_STEMS:
            known = ", ".join(MOISESDB_STEMS)
            raise UserError(
                f"{folder / 'data.json'} names the stem {stem.stemName}, which is none of MoisesDB's: {known}"
            )
        for file in stem.tracks:
            path = folder / stem.stemName / f"{file.id}.{file.extension}"
            if not path.is_file():
                raise UserError(
                    f"{path} is missing, and {folder / 'data.json'} names it: add the file or move {folder} away"
                )
            if path in files.setdefault(stem.stemName, []):
                raise UserError(f"{folder / 'data.json'} names {path.name} twice: name it once")
            files[stem.stemName].append(path)
    stems = tuple(stem for stem in MOISESDB_STEMS if stem in files)
    if not stems:
        raise UserError(f"{folder / 'data.json'} names no files: add them or move {folder} away")
    counts = tuple(len(files[stem]) for stem in stems)
    return Recording(folder.name, stems, tuple(file for stem in stems for file in sorted(files[stem])), counts)


def _described(path: Path) -> _Description:
    try:
        return _Description.model_validate(json.loads(path.read_bytes()))
    except ValidationError as error:
        raise explain(error, str(path)) from None
    except (OSError, ValueError, RecursionError) as error:
        raise UserError(
            f"{path} cannot be read as JSON ({type(error).__name__}): take it from the corpus again"
        ) from error
