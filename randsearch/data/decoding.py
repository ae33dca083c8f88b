"""Tracks as they lie on disk become arrays in the cache: checked, brought to one rate and number of channels."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import soxr

from randsearch.base.errors import UserError
from randsearch.base.memory import available_bytes
from randsearch.data import cache as store
from randsearch.data.audio_files import Header
from randsearch.data.format import AudioFormat
from randsearch.data.layouts import Layout, Recording
from randsearch.data.track import FloatArray

DEFAULT_SAMPLE_RATE_LIMIT = 22050
"""Wave-U-Net's own rate: data of a higher rate come down to it unless asked otherwise."""


@dataclass(frozen=True)
class Source:
    """A recording that is known to be readable, as far as headers tell.

    Attributes:
        recording: the files.
        header: what they have in common; the length is that of the longest.
        digests: of the content of each file.
    """

    recording: Recording
    header: Header
    digests: tuple[str, ...]


def read_headers(folder: Path, layout: Layout, recordings: Sequence[Recording], *, progress: bool) -> list[Source]:
    """Reads the headers of recordings and the digests of their content.

    Args:
        folder: the cache folder.
        layout: of the recordings.
        recordings: of one corpus.
        progress: whether to show a bar if files have to be read.

    Raises:
        UserError: a file cannot be read, or the files of a track do not belong together.
    """
    files = [file for recording in recordings for file in recording.files]
    facts = store.describe_files(folder, files, layout.header, progress=progress)
    return [
        Source(
            recording,
            _common_header(recording, [facts[file].header for file in recording.files], layout.unequal_seconds),
            tuple(facts[file].digest for file in recording.files),
        )
        for recording in recordings
    ]


def track_key(source: Source, target: AudioFormat) -> str:
    """Names a track in the cache.

    Args:
        source: that is decoded.
        target: to which format.
    """
    recording = source.recording
    # What most recordings lack is left out of their names, which then are those of earlier releases.
    counts = [recording.counts] if recording.counts else []
    return store.track_key(source.digests, recording.stems, target.rate, target.channels, target.upmix_mono, *counts)


def _common_header(recording: Recording, headers: Sequence[Header], unequal_seconds: float) -> Header:
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
    if max(lengths) - min(lengths) > unequal_seconds * rates[0]:
        raise UserError(f"the stems of {track} differ in length ({listed(lengths, ' samples')}): make them equal")
    return Header(rates[0], min(header.channels for header in headers), max(lengths))


def choose_format(sources: Sequence[Source], wanted: AudioFormat) -> AudioFormat:
    """Decides rate and channels.

    Args:
        sources: of all corpora together.
        wanted: as it was asked for.

    Raises:
        UserError: the data do not have what was asked for.
    """
    sample_rate, channels = wanted.sample_rate, wanted.channels
    lowest = min(sources, key=lambda source: source.header.sample_rate)
    highest_rate = lowest.header.sample_rate
    if sample_rate is None:
        sample_rate = min(DEFAULT_SAMPLE_RATE_LIMIT, highest_rate)
    if sample_rate < 1:
        raise UserError(f"a sample rate of {sample_rate} Hz is impossible: ask for 1 to {highest_rate} Hz")
    if sample_rate > highest_rate:
        raise UserError(
            f"{sample_rate} Hz were asked for, but track '{lowest.recording.name}' has only "
            f"{highest_rate} Hz: ask for {highest_rate} Hz or less"
        )
    if channels not in (1, 2):
        raise UserError(f"{channels} channels were asked for: choose 1 or 2")
    for source in sources:
        if channels == 2 and source.header.channels == 1 and not wanted.upmix_mono:
            raise UserError(
                f"two channels were asked for, but track '{source.recording.name}' has mono stems: ask for one "
                "channel, or allow doubling with --upmix-mono"
            )
    return replace(wanted, sample_rate=sample_rate)


def fill_cache(folder: Path, layout: Layout, sources: Sequence[Source], target: AudioFormat, *, progress: bool) -> None:
    """Decodes the tracks that are not stored yet, one at a time so that memory holds one track at most.

    Args:
        folder: the cache folder.
        layout: of the recordings.
        sources: of one corpus.
        target: from `choose_format`.
        progress: whether to show a bar.

    Raises:
        UserError: a track cannot be decoded or stored, or is too long for this machine's memory.
    """
    pending = [
        (key, source)
        for source in sources
        if store.stored_shape(store.track_path(folder, key := track_key(source, target))) is None
    ]
    for _, source in pending:
        if _decoding_bytes(source, target) > available_bytes():
            raise _too_long(source, target)
    if pending:
        store.remove_leftovers(folder)
    for key, source in store.shown(pending, "decoding tracks", progress):
        try:
            store.store_track(folder, key, partial(_decode, layout, source, target))
        except MemoryError:
            raise _too_long(source, target) from None


def _decoding_bytes(source: Source, target: AudioFormat) -> int:
    """Memory that decoding a track takes: all stems as they will be stored, and one of them twice more."""
    header = source.header
    stem = target.channels * header.frames * target.rate // header.sample_rate
    return 4 * stem * (len(source.recording.stems) + 2)


def _too_long(source: Source, target: AudioFormat) -> UserError:
    recording, header = source.recording, source.header
    hours = header.frames / header.sample_rate / 3600
    return UserError(
        f"track '{recording.name}' ({recording.files[0].parent}) is {hours:.1f} hours long and takes "
        f"{_decoding_bytes(source, target) / 1e9:.1f} GB of memory to decode, more than is free: cut it into "
        "tracks of some minutes, or ask for a lower --sample-rate"
    )


def _decode(layout: Layout, source: Source, target: AudioFormat) -> FloatArray:
    """Decodes and converts a track, shape `(stems, channels, samples)`."""
    recording = source.recording
    whole: FloatArray | None = None
    for number, (stem, blocks) in enumerate(zip(recording.stems, layout.decode(recording), strict=True)):
        where = f"stem '{stem}' of track '{recording.name}' ({recording.files[0].parent})"
        samples = np.concatenate(list(_converted(blocks, source.header.sample_rate, target, where)))
        if len(samples) == 0:
            raise UserError(f"track '{recording.name}' is shorter than one sample at {target.rate} Hz: remove it")
        if whole is None:
            whole = np.empty((len(recording.stems), *samples.T.shape), dtype=np.float32)
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
