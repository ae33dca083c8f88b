"""From what the user typed (`musdbhq:PATH`) to tracks ready for training: find, check, decode once, split."""

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import soxr

from randsearch.base.errors import UserError, shortened
from randsearch.base.memory import available_bytes
from randsearch.base.seeds import check_seed
from randsearch.data import cache as store
from randsearch.data.format import AudioFormat
from randsearch.data.layouts import Header, Layout, Recording, StemFiles, WavFolders
from randsearch.data.speech import SpeechFolders
from randsearch.data.split import split_tracks
from randsearch.data.synthetic import synthetic_corpus
from randsearch.data.task import TASKS, Task
from randsearch.data.track import FloatArray, Track

DEFAULT_SAMPLE_RATE_LIMIT = 22050
"""Wave-U-Net's own rate: data of a higher rate come down to it unless asked otherwise."""

LAYOUTS: dict[str, Layout] = {"musdb": StemFiles(), "musdbhq": WavFolders(), "speech": SpeechFolders()}

_KNOWN = "known are musdb:PATH, musdbhq:PATH, speech:PATH, synthetic and synthetic:SEED"


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

    Args:
        spec: `musdb:PATH`, `musdbhq:PATH`, `speech:PATH`, `synthetic` or `synthetic:SEED`.
        audio: what its tracks become; by default one channel for the task `voice`.
        cache: cache folder; by default `RANDSEARCH_CACHE` or the user's cache folder.
        progress: whether to show a bar on standard error while the cache is filled.

    Raises:
        UserError: anything is wrong with the arguments, the corpus or the cache.
    """
    wanted = audio or AudioFormat()
    tracks = _open_subset(spec, "train", wanted, cache, progress)
    train, validation, note = split_tracks(tracks)
    task = _task(wanted.task)
    return Dataset(
        spec=spec,
        task=task,
        sample_rate=tracks[0].sample_rate,
        channels=wanted.channels,
        train=train,
        validation=validation,
        note=note,
        digest=_digest(task, train, validation),
    )


def open_test(
    spec: str, audio: AudioFormat | None = None, *, cache: Path | None = None, progress: bool = False
) -> tuple[Track, ...]:
    """Opens the `test` subset of a corpus: for the final evaluation alone, never while searching.

    Args and Raises are those of `open_dataset`; give the `sample_rate` of the dataset that was trained on, since the
    default looks at the rates of the test tracks only.
    """
    return _open_subset(spec, "test", audio or AudioFormat(), cache, progress)


def _task(name: str) -> Task:
    if name not in TASKS:
        raise UserError(f"unknown task '{name}': choose one of {', '.join(TASKS)}")
    return TASKS[name]


def _open_subset(spec: str, subset: str, wanted: AudioFormat, cache: Path | None, progress: bool) -> tuple[Track, ...]:
    task = _task(wanted.task)
    folder = store.cache_folder(cache)
    layout, root = _locate(spec, folder)
    if layout.stems != task.stems:
        raise UserError(
            f"task '{task.name}' needs the stems {', '.join(task.stems)}, but {spec} offers {', '.join(layout.stems)}: "
            "choose a task that fits the data"
        )
    recordings = layout.find(root, subset)
    files = [file for recording in recordings for file in recording.files]
    facts = store.describe_files(folder, files, layout.header, progress=progress)
    headers = [_common_header(recording, [facts[file].header for file in recording.files]) for recording in recordings]
    target = _choose_format(recordings, headers, wanted)
    keys = [
        store.track_key(
            [facts[file].digest for file in recording.files],
            layout.stems,
            target.rate,
            target.channels,
            target.upmix_mono,
        )
        for recording in recordings
    ]
    _fill_cache(folder, layout, recordings, headers, keys, target, progress)
    return tuple(_track(folder, recording, key, target, task) for recording, key in zip(recordings, keys, strict=True))


def _locate(spec: str, cache: Path) -> tuple[Layout, Path]:
    """Returns the layout and the root folder that a specification names, and makes the songs of `synthetic`."""
    kind, _, argument = spec.partition(":")
    if kind == "synthetic":
        try:
            seed = check_seed(int(argument or 0))
        except ValueError:
            raise UserError(
                f"the seed in data '{shortened(spec)}' is not a whole number from 0 to 2^63 - 1: "
                "write synthetic or, say, synthetic:1"
            ) from None
        return LAYOUTS["musdbhq"], synthetic_corpus(seed, cache)
    if kind not in LAYOUTS:
        raise UserError(f"unknown kind of data '{spec}': {_KNOWN}")
    if not argument:
        raise UserError(f"data '{spec}' lacks a path: write {kind}:PATH")
    try:
        argument.encode()
    except UnicodeEncodeError:
        raise UserError(f"the path in data '{spec}' holds bytes that are no UTF-8: rename the folder") from None
    return LAYOUTS[kind], Path(argument).expanduser()


def _common_header(recording: Recording, headers: Sequence[Header]) -> Header:
    """Checks that the files of a track belong together and returns what they have in common."""
    stems = [file.stem for file in recording.files]
    # Noisy and clean speech bear one name and lie in two folders.
    labels = stems if len(set(stems)) == len(stems) else [file.parent.name for file in recording.files]

    def listed(values: Sequence[int], unit: str) -> str:
        return ", ".join(f"{label} {value}{unit}" for label, value in zip(labels, values, strict=True))

    lengths = [header.frames for header in headers]
    rates = [header.sample_rate for header in headers]
    track = f"track '{recording.name}' ({recording.files[0].parent})"
    for file, length in zip(recording.files, lengths, strict=True):
        if length == 0:
            raise UserError(f"{file} holds no samples: replace the file or remove the track")
    if len(set(rates)) > 1:
        raise UserError(f"the stems of {track} differ in sample rate ({listed(rates, ' Hz')}): make them equal")
    if len(set(lengths)) > 1:
        raise UserError(f"the stems of {track} differ in length ({listed(lengths, ' samples')}): make them equal")
    return Header(rates[0], min(header.channels for header in headers), lengths[0])


def _choose_format(recordings: Sequence[Recording], headers: Sequence[Header], wanted: AudioFormat) -> AudioFormat:
    """Decides rate and channels, and refuses what the data do not have."""
    sample_rate, channels = wanted.sample_rate, wanted.channels
    lowest = min(headers, key=lambda header: header.sample_rate)
    if sample_rate is None:
        sample_rate = min(DEFAULT_SAMPLE_RATE_LIMIT, lowest.sample_rate)
    if sample_rate < 1:
        raise UserError(f"a sample rate of {sample_rate} Hz is impossible: ask for 1 to {lowest.sample_rate} Hz")
    if sample_rate > lowest.sample_rate:
        raise UserError(
            f"{sample_rate} Hz were asked for, but track '{recordings[headers.index(lowest)].name}' has only "
            f"{lowest.sample_rate} Hz: ask for {lowest.sample_rate} Hz or less"
        )
    if channels not in (1, 2):
        raise UserError(f"{channels} channels were asked for: choose 1 or 2")
    for recording, header in zip(recordings, headers, strict=True):
        if channels == 2 and header.channels == 1 and not wanted.upmix_mono:
            raise UserError(
                f"two channels were asked for, but track '{recording.name}' has mono stems: ask for one channel, or "
                "allow doubling with --upmix-mono"
            )
    return replace(wanted, sample_rate=sample_rate)


def _fill_cache(
    folder: Path,
    layout: Layout,
    recordings: Sequence[Recording],
    headers: Sequence[Header],
    keys: Sequence[str],
    target: AudioFormat,
    progress: bool,
) -> None:
    """Decodes the tracks that are not stored yet, one at a time so that memory holds one track at most."""
    pending = [
        (key, recording, header)
        for recording, header, key in zip(recordings, headers, keys, strict=True)
        if store.stored_shape(store.track_path(folder, key)) is None
    ]
    for _, recording, header in pending:
        if _decoding_bytes(layout, header, target) > available_bytes():
            raise _too_long(layout, recording, header, target)
    if pending:
        store.remove_leftovers(folder)
    for key, recording, header in store.shown(pending, "decoding tracks", progress):
        try:
            store.store_track(folder, key, partial(_decode, layout, recording, header, target))
        except MemoryError:
            raise _too_long(layout, recording, header, target) from None


def _decoding_bytes(layout: Layout, header: Header, target: AudioFormat) -> int:
    """Memory that decoding a track takes: all stems as they will be stored, and one of them twice more."""
    stem = target.channels * header.frames * target.rate // header.sample_rate
    return 4 * stem * (len(layout.stems) + 2)


def _too_long(layout: Layout, recording: Recording, header: Header, target: AudioFormat) -> UserError:
    hours = header.frames / header.sample_rate / 3600
    return UserError(
        f"track '{recording.name}' ({recording.files[0].parent}) is {hours:.1f} hours long and takes "
        f"{_decoding_bytes(layout, header, target) / 1e9:.1f} GB of memory to decode, more than is free: cut it into "
        "tracks of some minutes, or ask for a lower --sample-rate"
    )


def _decode(layout: Layout, recording: Recording, header: Header, target: AudioFormat) -> FloatArray:
    """Decodes and converts a track, shape `(stems, channels, samples)`."""
    whole: FloatArray | None = None
    for number, (stem, blocks) in enumerate(zip(layout.stems, layout.decode(recording), strict=True)):
        where = f"stem '{stem}' of track '{recording.name}' ({recording.files[0].parent})"
        samples = np.concatenate(list(_converted(blocks, header.sample_rate, target, where)))
        if len(samples) == 0:
            raise UserError(f"track '{recording.name}' is shorter than one sample at {target.rate} Hz: remove it")
        if whole is None:
            whole = np.empty((len(layout.stems), *samples.T.shape), dtype=np.float32)
        whole[number] = samples.T
    assert whole is not None
    return whole


def _converted(blocks: Iterable[FloatArray], sample_rate: int, target: AudioFormat, where: str) -> Iterator[FloatArray]:
    """Brings blocks of `(samples, channels)` to the target's rate and channels; the same however long they are."""
    resampler = None
    if sample_rate != target.rate:
        resampler = soxr.ResampleStream(sample_rate, target.rate, target.channels, quality="VHQ")
    for block in blocks:
        if not np.isfinite(block).all():
            raise UserError(f"{where} holds NaN or infinite samples: replace the file")
        channels = _mixed(block, target, where)
        yield channels if resampler is None else resampler.resample_chunk(channels)
    if resampler is not None:
        yield resampler.resample_chunk(np.empty((0, target.channels), dtype=np.float32), last=True)


def _mixed(samples: FloatArray, target: AudioFormat, where: str) -> FloatArray:
    """Brings `(samples, channels)` to the target's channels."""
    if target.channels == 1:
        return np.asarray(samples.mean(axis=1, keepdims=True, dtype=np.float32))
    if samples.shape[1] == 1:
        return np.repeat(samples, 2, axis=1)
    if samples.shape[1] > 2:
        raise UserError(f"{where} has {samples.shape[1]} channels: ask for one channel, or make it stereo")
    return samples


def _track(folder: Path, recording: Recording, key: str, target: AudioFormat, task: Task) -> Track:
    path = store.track_path(folder, key)
    shape = store.stored_shape(path)
    if shape is None:
        raise UserError(f"{path} vanished from the cache while it was in use: run the command again")
    return Track(recording.name, path, 0, shape[-1], target.rate, target.channels, task.groups)


def _digest(task: Task, train: Sequence[Track], validation: Sequence[Track]) -> str:
    # a track's file name is its content key, so it stands for the samples and their format
    parts = [[[track.name, track.path.stem, track.start, track.stop] for track in part] for part in (train, validation)]
    return hashlib.sha256(json.dumps([task.name, *parts]).encode()).hexdigest()
