"""What a report lets one hear: the saved excerpts of a study, as data URIs, up to a bound on their size."""

import base64
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from randsearch.base.files import Place
from randsearch.base.layout import EXCERPTS, StudyFolder, excerpt_of, seed_of
from randsearch.plots.style import label
from randsearch.study.finishes import read_finished

MEASURES = ("trained", "fixed_decoder", "fixed_encoder")
MOST_BYTES = 12_000_000
"""Of audio files in one report; as data URIs they take a third more."""


@dataclass(frozen=True)
class Player:
    """One sound: what it is, and the sound itself as a data URI."""

    caption: str
    uri: str


@dataclass(frozen=True)
class Excerpt:
    """The sounds of one excerpt, by rows: the mixture, and one row a source."""

    number: int
    rows: tuple[tuple[str, tuple[Player, ...]], ...]


@dataclass(frozen=True)
class Listening:
    """The excerpts of one architecture.

    Attributes:
        architecture: its hash.
        excerpts: those that fitted.
        size: of the audio files, in bytes.
        left_out: how many excerpts did not fit.
    """

    architecture: str
    excerpts: tuple[Excerpt, ...]
    size: int
    left_out: int


def listen(folder: Path, architecture: str, finish: str | None = None, *, most_bytes: int = MOST_BYTES) -> Listening:
    """Collects what can be heard of an architecture.

    Args:
        folder: the study's folder.
        architecture: hash.
        finish: alone; None takes all.
        most_bytes: bound on all audio files together; whole excerpts are left out beyond it.
    """
    study = StudyFolder(folder)
    place, homes = study.place, [(label(measure), _home(study.homes(architecture), measure)) for measure in MEASURES]
    homes += [
        (f"finish {each.finish}", each.home)
        for each in read_finished(folder, finish)
        if each.architecture == architecture
    ]
    shelves = [(name, _files(home, place)) for name, home in homes if home is not None]
    reference = _files(study.references, place)
    numbers = sorted({number for _, files in shelves for number, _ in files})
    kept, size, left_out = [], 0, 0
    for number in numbers:
        rows = list(_rows(number, reference, shelves))
        more = sum(path.stat().st_size for _, sounds in rows for _, path in sounds)
        if size + more > most_bytes:
            left_out += 1
            continue
        size += more
        players = (
            (name, tuple(Player(caption, _uri(place.read(path))) for caption, path in sounds)) for name, sounds in rows
        )
        kept.append(Excerpt(number, tuple(players)))
    return Listening(architecture, tuple(kept), size, left_out)


def _home(folder: Path, measure: str) -> Path | None:
    """The folder of a measure's lowest seed, if there is one."""
    found = ((seed_of(path, measure), path) for path in folder.glob(f"{measure}-*"))
    return min(((seed, path) for seed, path in found if seed is not None), default=(None, None))[1]


def _files(folder: Path, place: Place) -> dict[tuple[int, str], Path]:
    """The excerpts of a folder by number and name; a file that lies elsewhere is none of the study's."""
    found = ((excerpt_of(path), path) for path in place.files(folder, EXCERPTS))
    return {excerpt: path for excerpt, path in found if excerpt is not None}


def _rows(
    number: int, reference: dict[tuple[int, str], Path], shelves: Sequence[tuple[str, dict[tuple[int, str], Path]]]
) -> Iterable[tuple[str, list[tuple[str, Path]]]]:
    """The mixture's row, if it was saved, and one row a source: reference, then estimates."""
    if (number, "mixture") in reference:
        yield "mixture", [("mixture", reference[number, "mixture"])]
    for source in dict.fromkeys(source for _, files in shelves for at, source in files if at == number):
        everything = [("reference", reference), *shelves]
        yield source, [(name, files[number, source]) for name, files in everything if (number, source) in files]


def _uri(audio: bytes) -> str:
    return "data:audio/flac;base64," + base64.b64encode(audio).decode()
