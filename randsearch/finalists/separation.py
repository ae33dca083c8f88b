"""Separating a whole file with a trained network, however long it is: read, resampled, separated and written by blocks.

The stems have the file's own rate, channels and length. They hold nothing above half of the rate at which the network
was trained.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
import soxr
import torch
from numpy.typing import NDArray

from randsearch.base.errors import UserError
from randsearch.base.files import Place
from randsearch.models import inference
from randsearch.models.sizing import reach
from randsearch.models.wave_unet import WaveUNet

Audio = NDArray[np.float32]

CHUNK = 2**17
BLOCK = 2**16
_SUBTYPES = frozenset({"PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE"})
_WAV_BYTES = 2**32 - 2**16


@dataclass(frozen=True)
class Separator:
    """A network with what it was trained on.

    Attributes:
        network: in evaluation mode.
        source_names: in the order of its outputs.
        sample_rate: samples a second.
    """

    network: WaveUNet
    source_names: tuple[str, ...]
    sample_rate: int

    @property
    def channels(self) -> int:
        """1 or 2."""
        return self.network.signal.channels


def folders_of(songs: Sequence[Path], root: Path) -> list[Path]:
    """A folder for the stems of each song: `SONG`, or `FOLDER-SONG` where several songs have one name.

    Args:
        songs: audio files.
        root: in which the folders lie.

    Raises:
        UserError: two songs would share a folder.
    """
    shared = Counter(song.stem for song in songs)
    found: dict[Path, Path] = {}
    for song in songs:
        name = song.stem if shared[song.stem] == 1 else f"{song.resolve().parent.name}-{song.stem}"
        other = found.setdefault(root / name, song)
        if other is not song:
            raise UserError(
                f"the stems of {other} and of {song} would both go to {root / name}: separate one at a time, each to "
                "an --output of its own."
            )
    return list(found)


def separate_file(separator: Separator, song: Path, output: Path) -> list[Path]:
    """Writes the stems of a file, each as `SOURCE.wav`.

    A network of one channel separates each channel of the file by itself; to a network of two, a mono file is the same
    on both, and the stems are their mean.

    Args:
        separator: the network.
        song: any audio file that libsndfile reads.
        output: folder; made if it does not exist.

    Returns:
        the files written, which appear when all are whole.

    Raises:
        UserError: the file cannot be read or has too many channels, or a stem is there already, or the folder cannot be
            written.
    """
    targets = [output / f"{source}.wav" for source in separator.source_names]
    refuse_existing(targets)
    try:
        info = soundfile.info(song)
    except (soundfile.LibsndfileError, OSError) as error:
        raise UserError(
            f"{song} cannot be read as audio ({_reason(error)}): give a WAV, FLAC, OGG or MP3 file."
        ) from None
    if separator.channels == 2 and info.channels > 2:
        raise UserError(f"{song} has {info.channels} channels, and the network was trained on two: mix it down first.")
    try:
        place = Place(output, own=True)
        place.make(output)
        with place.aside(".separate-") as aside:
            parts = [aside / target.name for target in targets]
            _write([place.checked(part) for part in parts], info, _stems(separator, song, info))
            refuse_existing(targets)  # Of those that came while it was at work.
            for part, target in zip(parts, targets, strict=True):
                place.rename(part, target)
    except (soundfile.LibsndfileError, OSError) as error:
        raise UserError(
            f"{output} cannot be written ({_reason(error)}): choose another folder with --output."
        ) from None
    return targets


def refuse_existing(files: Iterable[Path]) -> None:
    """Refuses to write where something is.

    Args:
        files: that are to be written.

    Raises:
        UserError: one of them is there.
    """
    there = next((file for file in files if os.path.lexists(file)), None)
    if there is not None:
        raise UserError(f"{there} is there already and stays: move it away, or choose another folder with --output.")


def separate_stream(network: WaveUNet, blocks: Iterable[Audio], chunk: int = CHUNK) -> Iterator[Audio]:
    """Estimates the sources of a recording that arrives in blocks, as one pass over the whole of it would.

    Each chunk is separated with as much of the recording around it as its samples can depend on. Group normalisation
    alone notices, since its statistics are those of a chunk.

    Args:
        network: in evaluation mode.
        blocks: (channels, time) each, of any length.
        chunk: samples of the result to compute at a time, about.

    Yields:
        (sources, channels, time), which together are as long as the recording.
    """
    # Chunks start at multiples of this, so that decimation keeps the samples that it keeps in one pass.
    grid = 2**network.architecture.levels
    step = max(chunk // grid, 1) * grid
    around = -(-reach(network.architecture) // grid) * grid
    pending: Audio | None = None
    before = 0
    for block in blocks:
        pending = block if pending is None else np.concatenate([pending, block], axis=1)
        while pending.shape[1] >= before + step + around:
            yield _separate(network, pending[:, : before + step + around])[..., before : before + step]
            kept = min(before + step, around)
            pending, before = pending[:, before + step - kept :], kept
    if pending is not None and pending.shape[1] > before:
        yield _separate(network, pending)[..., before:]


def _separate(network: WaveUNet, mixture: Audio) -> Audio:
    """One pass over a piece, or one over each of its channels if the network knows but one."""
    alone = network.signal.channels == 1
    inputs = torch.split(torch.from_numpy(np.ascontiguousarray(mixture)), 1 if alone else len(mixture))
    whole = max(mixture.shape[1], 1)
    estimates: Audio = torch.cat([inference.separate(network, each, whole) for each in inputs], dim=1).numpy()
    return estimates


def _stems(separator: Separator, song: Path, info: soundfile._SoundFileInfo) -> Iterator[Audio]:
    """The stems at the file's rate, (sources, channels, time) each."""
    doubles = separator.channels == 2 and info.channels == 1
    mixture = _resampled(_read(song), info.samplerate, separator.sample_rate)
    if doubles:
        mixture = (np.repeat(block, 2, axis=0) for block in mixture)
    separated = separate_stream(separator.network, mixture)
    if doubles:
        separated = (block.mean(axis=1, keepdims=True) for block in separated)
    flat = (block.reshape(-1, block.shape[-1]) for block in separated)
    for block in _resampled(flat, separator.sample_rate, info.samplerate):
        yield block.reshape(len(separator.source_names), info.channels, -1)


def _read(song: Path) -> Iterator[Audio]:
    """The file in blocks, (channels, time) each."""
    try:
        for block in soundfile.blocks(song, BLOCK, dtype="float32", always_2d=True):
            if not np.isfinite(block).all():
                raise UserError(f"{song} holds samples that are no numbers: repair the file.")
            yield block.T
    except soundfile.LibsndfileError as error:
        raise UserError(f"{song} cannot be decoded ({error.error_string}): replace the file.") from None


def _resampled(blocks: Iterable[Audio], before: int, after: int) -> Iterator[Audio]:
    """Blocks at another rate, (channels, time) each; the same samples as if they were resampled in one piece."""
    if before == after:
        yield from blocks
        return
    stream, channels = None, 0
    for block in blocks:
        if stream is None:
            channels = len(block)
            stream = soxr.ResampleStream(before, after, channels, dtype="float32", quality="VHQ")
        yield stream.resample_chunk(np.ascontiguousarray(block.T)).T
    if stream is not None:
        yield stream.resample_chunk(np.zeros((0, channels), dtype=np.float32), last=True).T


def _write(parts: list[Path], info: soundfile._SoundFileInfo, stems: Iterator[Audio]) -> None:
    """Writes stems as long as the file: resampling there and back may have won or lost a sample at the end."""
    subtype = info.subtype if info.subtype in _SUBTYPES else "PCM_16"
    bytes_needed = info.frames * info.channels * 8
    container = "WAV" if bytes_needed < _WAV_BYTES else "RF64"
    with ExitStack() as stack:
        files = [
            stack.enter_context(
                soundfile.SoundFile(part, "w", info.samplerate, info.channels, subtype, format=container)
            )
            for part in parts
        ]
        written = 0
        for block in stems:
            kept = block[..., : info.frames - written]
            for file, stem in zip(files, kept, strict=True):
                file.write(stem.T)
            written += kept.shape[-1]
        for file in files:
            file.write(np.zeros((info.frames - written, info.channels), dtype=np.float32))


def _reason(error: Exception) -> str:
    if isinstance(error, soundfile.LibsndfileError):
        return str(error.error_string)
    return str(getattr(error, "strerror", None) or error)
