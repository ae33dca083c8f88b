"""The cache folder: tracks decoded once, written whole or not at all, and shared by processes.

A track's file is named by a hash of everything that decides its content, so a file that is there is right, and nothing
ever has to be invalidated. Writers hold a lock a key, write beside the target and rename: a killed writer leaves a
`.tmp` file, which nobody reads and the next writer replaces.
"""

import errno
import hashlib
import json
import os
import stat
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, TypeVar

import numpy as np
from platformdirs import user_cache_dir

from randsearch.base.errors import UserError
from randsearch.base.locks import LOCKLESS, file_lock
from randsearch.data.audio_files import Header
from randsearch.data.track import FloatArray

FORMAT_VERSION = 1
"""Raise it when the same source files should give different samples: old files are then left alone, new ones built."""

_LEFTOVER_SECONDS = 24 * 3600  # longer than any one track takes to decode

Item = TypeVar("Item")


@dataclass(frozen=True)
class FileFacts:
    """A source file's header and content digest."""

    header: Header
    digest: str


def cache_folder(cache: Path | None) -> Path:
    """Returns the folder that is asked for: the argument, else `RANDSEARCH_CACHE`, else the user's cache folder."""
    chosen = cache or os.environ.get("RANDSEARCH_CACHE") or user_cache_dir("randsearch")
    return Path(chosen).expanduser().resolve()


@contextmanager
def writing(folder: Path) -> Iterator[None]:
    """Turns failures to write below `folder` into a sentence."""
    try:
        yield
    except OSError as error:
        advice = "choose another folder with --cache or RANDSEARCH_CACHE"
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise UserError(f"the disk of the cache folder {folder} is full: free some space, or {advice}") from error
        reason = error.strerror or str(error)
        if error.errno in LOCKLESS:
            raise UserError(
                f"the file system of the cache folder {folder} has no file locks ({reason}): {advice}"
            ) from error
        raise UserError(f"the cache folder {folder} cannot be written ({reason}): {advice}") from error


@contextmanager
def locked(folder: Path, name: str) -> Iterator[None]:
    """Holds the lock `name` of a cache folder; it falls with the process that holds it."""
    with writing(folder):
        (folder / "locks").mkdir(parents=True, exist_ok=True)
        lock = file_lock(folder / "locks" / f"{name}.lock")
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def write_whole(target: Path, write: Callable[[BinaryIO], object]) -> None:
    """Writes a file that is seen complete or not at all. The caller holds the target's lock.

    Args:
        target: where the file goes; its folder is made.
        write: gets the open file.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(target.name + ".tmp")
    try:
        with temporary.open("wb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)


def track_key(digests: Sequence[str], *conversion: object) -> str:
    """Names a cached track by the content of its source files and by what they are converted to."""
    return hashlib.sha256(json.dumps([FORMAT_VERSION, digests, conversion]).encode()).hexdigest()


def track_path(folder: Path, key: str) -> Path:
    """Where the track of that key is stored."""
    return folder / "tracks" / f"{key}.npy"


def stored_shape(path: Path) -> tuple[int, ...] | None:
    """Returns the shape of a stored track, or None where there is none or it was cut short."""
    try:
        return tuple(np.load(path, mmap_mode="r").shape)
    except (OSError, ValueError, EOFError):
        return None


def store_track(folder: Path, key: str, build: Callable[[], FloatArray]) -> None:
    """Makes sure that a track is stored; of several processes one builds it and the others wait.

    Args:
        folder: the cache folder.
        key: from `track_key`.
        build: decodes the track; called only if it is not stored yet.
    """
    path = track_path(folder, key)
    with locked(folder, key):
        if stored_shape(path) is None:
            stems = np.ascontiguousarray(build())
            with writing(folder):
                write_whole(path, lambda file: _write_array(file, stems))


def _write_array(file: BinaryIO, array: FloatArray) -> None:
    # np.save would write through C's stdio, whose failure on a full disk comes without an errno
    np.lib.format.write_array_header_1_0(file, np.lib.format.header_data_from_array_1_0(array))
    file.write(array.data)


def remove_leftovers(folder: Path) -> None:
    """Deletes what builds that were killed long ago have left behind."""
    for temporary in (folder / "tracks").glob("*.tmp"):
        with writing(folder):
            if time.time() - temporary.stat().st_mtime > _LEFTOVER_SECONDS:
                temporary.unlink(missing_ok=True)


def describe_files(
    folder: Path, files: Sequence[Path], read_header: Callable[[Path], Header], *, progress: bool
) -> dict[Path, FileFacts]:
    """Returns header and content digest of source files.

    Hashing a whole corpus at each start would take minutes, so the facts are remembered in the cache under the file's
    path, size and time of modification.

    Args:
        folder: the cache folder.
        files: the source files.
        read_header: reads the header of one file.
        progress: whether to show a bar if files have to be read.
    """
    memo_path = folder / "files.json"
    memo = _read_memo(memo_path)
    stamps = {file: _stamp(file) for file in files}
    news: dict[str, list[object]] = {}
    for file in shown([file for file in files if stamps[file] not in memo], "reading files", progress):
        header = read_header(file)
        news[stamps[file]] = [header.sample_rate, header.channels, header.frames, _content_digest(file)]
    if news:
        with locked(folder, "files"), writing(folder):
            # read again: another process may have added its own meanwhile
            memo = _read_memo(memo_path) | news
            write_whole(memo_path, lambda file: file.write(json.dumps(memo, indent=0).encode()))
    return {file: _facts(memo[stamp]) for file, stamp in stamps.items()}


def _read_memo(path: Path) -> dict[str, list[object]]:
    """Reads the remembered facts; a damaged or missing memo is an empty one, for it can always be made again."""
    try:
        memo = json.loads(path.read_bytes())
        for entry in memo.values():
            _facts(entry)
    except (OSError, ValueError, TypeError, AttributeError):
        return {}
    return dict(memo)


def _facts(entry: list[object]) -> FileFacts:
    sample_rate, channels, frames, digest = entry
    if not (isinstance(sample_rate, int) and isinstance(channels, int) and isinstance(frames, int)):
        raise TypeError("an entry of the memo is damaged")
    return FileFacts(Header(sample_rate, channels, frames), str(digest))


def _stamp(file: Path) -> str:
    """Identifies a file by place, size and time: cheap, and it changes whenever the file is written anew."""
    try:
        status = file.stat()
    except OSError as error:
        raise UserError(f"{file} cannot be read ({error.strerror}): check the file and its permissions") from error
    if not stat.S_ISREG(status.st_mode):  # A pipe would be waited for.
        raise UserError(f"{file} is a folder, a pipe or the like and not a file: replace or remove it")
    return json.dumps([str(file.absolute()), status.st_size, status.st_mtime_ns])


def _content_digest(file: Path) -> str:
    try:
        with file.open("rb") as opened:
            return hashlib.file_digest(opened, "sha256").hexdigest()
    except OSError as error:
        raise UserError(f"{file} cannot be read ({error.strerror}): check the file and its permissions") from error


def shown(items: Sequence[Item], what: str, progress: bool) -> Iterable[Item]:
    """Yields the items, with a bar on standard error if one is wanted and there is something to do."""
    if not (progress and items):
        return items
    from rich.console import Console
    from rich.progress import track

    return track(items, description=what, console=Console(stderr=True))
