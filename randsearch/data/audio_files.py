"""Audio files as libsndfile reads them, in blocks: WAV of any depth, FLAC, AIFF, OGG, MP3 and others."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile

from randsearch.base.errors import UserError
from randsearch.data.track import FloatArray

BLOCK = 2**18
"""Samples that are decoded at a time."""

SUFFIXES = frozenset(
    (".wav", ".flac", ".aif", ".aiff", ".aifc", ".au", ".caf", ".w64", ".rf64", ".ogg", ".oga", ".opus", ".mp3")
)
"""Of files that are taken for audio, in lower case."""


@dataclass(frozen=True)
class Header:
    """What a file says about itself before it is decoded."""

    sample_rate: int
    channels: int
    frames: int


def audio_header(file: Path) -> Header:
    """Reads the header of a file."""
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


def read_audio(file: Path) -> Iterator[FloatArray]:
    """Decodes a file in blocks of `BLOCK` samples, shape `(samples, channels)` each."""
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


def read_together(stems: Sequence[Sequence[Path]]) -> Iterator[Iterator[FloatArray]]:
    """Decodes files of one track, each padded with silence to the length of the longest.

    Args:
        stems: for each stem the files that add up to it, at least one.

    Yields:
        each stem in blocks of `BLOCK` samples, shape `(samples, channels)`.
    """
    frames = max(audio_header(file).frames for files in stems for file in files)
    yield from (_added(files, frames) for files in stems)


def _added(files: Sequence[Path], frames: int) -> Iterator[FloatArray]:
    """The sum of files; one of a single channel is the same on all channels of the others.

    Raises:
        UserError: two have several channels, and not equally many.
    """
    several = {channels: file for file in files if (channels := audio_header(file).channels) > 1}
    if len(several) > 1:
        listed = " and ".join(f"{file.name} has {channels} channels" for channels, file in several.items())
        raise UserError(f"files in {files[0].parent} do not add up ({listed}): make them equal, or mono")
    for first, *others in zip(*(_padded(read_audio(file), frames) for file in files), strict=True):
        for other in others:
            first = first + other
        yield first


def _padded(blocks: Iterable[FloatArray], frames: int) -> Iterator[FloatArray]:
    """Blocks of a file, and silence behind it up to `frames` samples."""
    start = 0
    for block in blocks:
        missing = min(BLOCK, frames - start) - len(block)
        yield np.pad(block, ((0, missing), (0, 0))) if missing else block
        start += BLOCK
        channels = block.shape[1]
    for begin in range(start, frames, BLOCK):
        yield np.zeros((min(BLOCK, frames - begin), channels), dtype=np.float32)
