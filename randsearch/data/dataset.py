"""From what the user typed (`musdbhq:PATH`) to tracks ready for training: find, check, decode once, split."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path

from randsearch.base.errors import UserError
from randsearch.data import cache as store
from randsearch.data.corpora import Corpus, find_corpora
from randsearch.data.decoding import choose_format, fill_cache, track_key
from randsearch.data.format import AudioFormat
from randsearch.data.layouts import UNEQUAL_SECONDS, NoSubsetError
from randsearch.data.split import split_tracks
from randsearch.data.task import TASKS, Task
from randsearch.data.track import Track


@dataclass(frozen=True)
class Dataset:
    """The training and validation tracks of one task; small and picklable, for the samples stay in the cache.

    Attributes:
        spec: what the user asked for, e.g. `musdbhq:PATH`.
        task: which sources are separated.
        sample_rate: samples a second, of all tracks.
        channels: 1 or 2, of all tracks.
        train: tracks to learn from.
        validation: tracks, or parts of tracks, to score on.
        note: what a reader of the scores must know about the split; empty if nothing.
        digest: changes whenever a sample, the format, the task or the split does; does not depend on where files lie.
    """

    spec: str
    task: Task
    sample_rate: int
    channels: int
    train: tuple[Track, ...]
    validation: tuple[Track, ...]
    note: str
    digest: str

    @property
    def source_names(self) -> tuple[str, ...]:
        """Names of the sources, in the order of every array with a `sources` axis."""
        return self.task.source_names


def open_dataset(
    spec: str, audio: AudioFormat | None = None, *, cache: Path | None = None, progress: bool = False
) -> Dataset:
    """Opens the `train` subset of a corpus, split into training and validation. Never looks at `test`.

    Corpora joined by `+` are split each by itself. Where a corpus of anybody's stems has others than the task asks for,
    and no sources are named, all its stems are the sources, by the alphabet.

    Args:
        spec: `synthetic`, `synthetic:SEED` or `KIND:PATH` with a key of `corpora.LAYOUTS`; several joined by `+`.
        audio: what its tracks become; by default one channel for the task `voice`.
        cache: cache folder; by default `RANDSEARCH_CACHE` or the user's cache folder.
        progress: whether to show a bar on standard error while the cache is filled.

    Raises:
        UserError: anything is wrong with the arguments, the corpus or the cache.
    """
    wanted = audio or AudioFormat()
    opened = _open_subset(spec, "train", wanted, cache, progress)
    split = [split_tracks(tracks) for _, tracks in opened]
    _check_apart(opened, [tracks for tracks, _, _ in split], [tracks for _, tracks, _ in split])
    train = _unique([tracks for tracks, _, _ in split])
    validation = _unique([tracks for _, tracks, _ in split])
    tasks = [corpus.task for corpus, _ in opened]
    joined = (
        tuple(track for tracks in train for track in tracks),
        tuple(track for tracks in validation for track in tracks),
    )
    return Dataset(
        spec=spec,
        task=replace(tasks[0], pads=any(task.pads for task in tasks)),
        sample_rate=joined[0][0].sample_rate,
        channels=wanted.channels,
        train=joined[0],
        validation=joined[1],
        note="; ".join(note for _, _, note in split if note),
        digest=_digest(tasks, *joined),
    )


def open_test(
    spec: str, audio: AudioFormat | None = None, *, cache: Path | None = None, progress: bool = False
) -> tuple[Track, ...]:
    """Opens the `test` subset of a corpus: for the final evaluation alone, never while searching.

    Of corpora joined by `+` those count that have one.

    Args and Raises are those of `open_dataset`; give the `sample_rate` of the dataset that was trained on, since the
    default looks at the rates of the test tracks only.
    """
    opened = _open_subset(spec, "test", audio or AudioFormat(), cache, progress)
    return tuple(track for tracks in _unique([tracks for _, tracks in opened]) for track in tracks)


def list_test(spec: str, audio: AudioFormat, *, cache: Path | None = None, progress: bool = False) -> dict[Path, str]:
    """Lists the `test` subset of a corpus, so that nobody trains on it: nothing is decoded.

    Args:
        spec: as for `open_dataset`.
        audio: with the sample rate of what was opened.
        cache: cache folder.
        progress: whether to show a bar if files have to be read.

    Returns:
        the names of the tracks by where they lie in the cache once they are decoded; none where there is no such
        subset.

    Raises:
        UserError: anything is wrong with that subset.
    """
    folder = store.cache_folder(cache)
    try:
        corpora = find_corpora(spec, "test", audio, folder, progress=progress)
    except NoSubsetError:
        return {}
    sources = [source for corpus in corpora for source in corpus.sources]
    return {store.track_path(folder, track_key(source, audio)): source.recording.name for source in sources}


def _open_subset(
    spec: str, subset: str, wanted: AudioFormat, cache: Path | None, progress: bool
) -> list[tuple[Corpus, tuple[Track, ...]]]:
    """The tracks of a subset of each corpus."""
    folder = store.cache_folder(cache)
    corpora = find_corpora(spec, subset, wanted, folder, progress=progress)
    target = choose_format([source for corpus in corpora for source in corpus.sources], wanted)
    for corpus in corpora:
        fill_cache(folder, corpus.layout, corpus.sources, target, progress=progress)
    return [(corpus, _tracks(folder, corpus, target)) for corpus in corpora]


def _tracks(folder: Path, corpus: Corpus, target: AudioFormat) -> tuple[Track, ...]:
    tracks = []
    for source in corpus.sources:
        path = store.track_path(folder, track_key(source, target))
        shape, groups = store.stored_shape(path), corpus.task.groups_in(source.recording.stems)
        if shape is None:
            raise UserError(f"{path} vanished from the cache while it was in use: run the command again")
        tracks.append(Track(source.recording.name, path, 0, shape[-1], target.rate, target.channels, groups))
    return tuple(tracks)


def _unique(corpora: Sequence[tuple[Track, ...]]) -> list[tuple[Track, ...]]:
    """The tracks of each corpus, with the number of the corpus behind a name that an earlier one has too."""
    taken: set[str] = set()
    found = []
    for number, tracks in enumerate(corpora, 1):
        names = dict[str, str]()
        for track in tracks:
            name = track.name
            while name in taken:
                name += f" ({number})"
            names[track.name] = name
        taken |= set(names.values())
        found.append(tuple(replace(track, name=names[track.name]) for track in tracks))
    return found


def _check_apart(
    opened: Sequence[tuple[Corpus, tuple[Track, ...]]],
    train: Sequence[tuple[Track, ...]],
    validation: Sequence[tuple[Track, ...]],
) -> None:
    """Refuses a song that one corpus trains on and another scores on: the same samples, or the same name and length."""
    # A part that was carved out by time does not say how long its track is.
    lengths = {track.path: track.length for _, tracks in opened for track in tracks}
    for ((learning, _), learnt), ((scoring, _), scored) in product(
        zip(opened, train, strict=True), zip(opened, validation, strict=True)
    ):
        if learning is scoring:
            continue
        by_path, by_name = {track.path: track for track in learnt}, {track.name: track for track in learnt}
        for track in scored:
            same, namesake = by_path.get(track.path), by_name.get(track.name)
            if same is not None:
                raise UserError(
                    f"track '{same.name}' of {learning.spec} and track '{track.name}' of {scoring.spec} are the same, "
                    "and one would be trained on and the other scored on: remove one of them"
                )
            if namesake is not None and (
                abs(lengths[namesake.path] - lengths[track.path]) <= UNEQUAL_SECONDS * track.sample_rate
            ):
                raise UserError(
                    f"track '{track.name}' of {learning.spec} and that of {scoring.spec} have one name and one length, "
                    "and one would be trained on and the other scored on: remove one of them, or rename it if it is "
                    "another song"
                )


def _digest(tasks: Sequence[Task], train: Sequence[Track], validation: Sequence[Track]) -> str:
    # a track's file name is its content key, so it stands for the samples and their format
    parts = [[[track.name, track.path.stem, track.start, track.stop] for track in part] for part in (train, validation)]
    heads = [task.name if task.name in TASKS else task.sources for task in tasks]
    # corpora of one kind of sources are told apart by their tracks
    aim = heads[0] if all(head == heads[0] for head in heads) else heads
    return hashlib.sha256(json.dumps([aim, *parts]).encode()).hexdigest()
