"""Files that appear whole or not at all, and a folder that nothing written to it can leave.

A study may come from somebody else, and a link in it may lead anywhere. Whatever writes, renames or removes something
below a study's folder goes through a `Place`, which follows no link there.
"""

from __future__ import annotations

import errno
import os
import secrets
import shutil
import stat
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from fnmatch import fnmatchcase
from pathlib import Path
from typing import BinaryIO, NamedTuple

from randsearch.base.errors import PlaceError

_NO_LINK = getattr(os, "O_NOFOLLOW", 0)
_BINARY = getattr(os, "O_BINARY", 0)
_FOLDER = getattr(os, "O_DIRECTORY", 0) | _NO_LINK
_BASE = getattr(os, "O_DIRECTORY", 0) | getattr(os, "O_PATH", 0)
# A pipe without a writer would be waited for.
_READ = os.O_RDONLY | _NO_LINK | _BINARY | getattr(os, "O_NONBLOCK", 0)
_APPEND = os.O_WRONLY | os.O_APPEND | _NO_LINK | _BINARY
_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | _NO_LINK | _BINARY

_BY_HANDLE = (
    bool(_NO_LINK)
    and {os.open, os.mkdir, os.unlink, os.rename, os.stat} <= os.supports_dir_fd
    and os.scandir in os.supports_fd
)
"""Whether folders can be held open and worked in, so that none can be swapped for a link between check and use."""

_DEEPEST = 16
"""Folders within folders that a study is searched for files; its own are no deeper than four."""


class _Folder(NamedTuple):
    """A folder to work in, by its handle; by its path where the platform knows no work by handles."""

    handle: int | None
    path: str

    def named(self, name: str) -> str:
        """What to call a name in it, beside the handle."""
        return name if self.handle is not None else os.path.join(self.path, name)  # noqa: PTH118

    def kind(self, name: str) -> int:
        """The mode of what has a name in it, a link's own."""
        return os.stat(self.named(name), dir_fd=self.handle, follow_symlinks=False).st_mode

    def enter(self, name: str) -> _Folder:
        """A folder in it.

        Raises:
            OSError: there is none; NotADirectoryError, or one of `ELOOP`, if that is a link or a file.
        """
        path = os.path.join(self.path, name)  # noqa: PTH118
        if self.handle is not None:
            return _Folder(os.open(name, _FOLDER, dir_fd=self.handle), path)
        if not stat.S_ISDIR(self.kind(name)):
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), path)
        return _Folder(None, path)

    def entries(self) -> list[os.DirEntry[str]]:
        """What lies in it, by name."""
        with os.scandir(self.path if self.handle is None else self.handle) as entries:
            return sorted(entries, key=lambda entry: entry.name)

    def unlink(self, name: str) -> None:
        """Removes a file, or a link and not what it leads to; one that is gone is no matter."""
        with suppress(FileNotFoundError):
            os.unlink(self.named(name), dir_fd=self.handle)

    def close(self) -> None:
        """Lets go of the handle."""
        if self.handle is not None:
            os.close(self.handle)


class Place:
    """A folder and all below it, as the only door to write there: no link below is followed.

    Where the platform permits, folders are held open from one component of a path to the next, so that nothing can be
    swapped for a link between check and use; elsewhere they are looked at just before.

    Paths are given as they are named from the folder on: `root / "measured" / name`. All but `write`, `append` and
    `copy` leave failures of the system as OSError.

    Args:
        root: the folder, such as a study's. What leads to it is the user's own and may hold links; it may not be one.
        own: whether this user named it, so that it may be a link itself.
    """

    def __init__(self, root: str | Path, *, own: bool = False) -> None:
        self.root = Path(root)
        real = self.root.resolve() if own or self.root.name in ("", "..") else None
        self._base = str((real or self.root).parent.resolve())
        self._name = (real or self.root).name

    def write(
        self,
        path: Path,
        content: str | bytes,
        *,
        part: str | None = None,
        fsync: bool = False,
        private: bool = False,
    ) -> None:
        """Writes a file whole or not at all; a reader never sees half of it, and its folder is made where needed.

        Args:
            path: of the file.
            content: text is written as UTF-8.
            part: its name until it is whole, for those who clear away what was left half written; any by default.
            fsync: whether to wait until it would outlast a loss of power.
            private: whether nobody else on this machine may read it.

        Raises:
            PlaceError: if the file cannot be written, or a link is in its way.
        """
        data = content.encode() if isinstance(content, str) else content
        self._fill(path, lambda file: file.write(data), part=part, fsync=fsync, mode=0o600 if private else 0o666)

    def append(self, path: Path, content: bytes) -> None:
        """Adds to the end of a file that is there; a reader may see part of it.

        Raises:
            PlaceError: if the file cannot be written, or is a link, or is reached through one.
        """
        folders, name = self._split(path)
        try:
            with self._folder(folders) as folder:
                self._refuse_link(folder, name, path)
                handle = os.open(folder.named(name), _APPEND, dir_fd=folder.handle)
                with os.fdopen(handle, "ab") as file:
                    file.write(content)
        except OSError as error:
            raise _unwritten(path, error) from error

    def copy(self, source: BinaryIO, path: Path) -> None:
        """Writes what an open file holds, as `write` does.

        Raises:
            PlaceError: if the file cannot be written, or a link is in its way.
        """
        self._fill(path, lambda file: shutil.copyfileobj(source, file))

    def _fill(
        self,
        path: Path,
        fill: Callable[[BinaryIO], object],
        *,
        part: str | None = None,
        fsync: bool = False,
        mode: int = 0o666,
    ) -> None:
        folders, name = self._split(path)
        temporary = part or f".{name}.{secrets.token_hex(4)}"
        try:
            with self._folder(folders, make=True) as folder:
                self._refuse_link(folder, name, path)
                folder.unlink(temporary)
                try:
                    handle = os.open(folder.named(temporary), _CREATE, mode, dir_fd=folder.handle)
                    with os.fdopen(handle, "wb") as file:
                        fill(file)
                        if fsync:
                            file.flush()
                            os.fsync(handle)
                    # Takes the place of a link that came meanwhile, and not of what it leads to.
                    _rename(folder, temporary, folder, name)
                finally:
                    folder.unlink(temporary)
                if fsync and folder.handle is not None:
                    os.fsync(folder.handle)
        except OSError as error:
            raise _unwritten(path, error) from error

    def make(self, path: Path) -> None:
        """Makes a folder, and those above it, where they are missing.

        Raises:
            PlaceError: if a link is in the way.
        """
        with self._folder(self._parts(path), make=True):
            pass

    def remove(self, path: Path) -> None:
        """Removes a file, or a link and not what it leads to; one that is gone is no matter.

        Raises:
            PlaceError: if its folder is reached through a link.
        """
        folders, name = self._split(path)
        with suppress(FileNotFoundError), self._folder(folders) as folder:
            folder.unlink(name)

    def clear(self, path: Path, patterns: Sequence[str]) -> None:
        """Removes the files of a folder, and not of those in it, whose names match a pattern.

        Args:
            path: of the folder; one that is not there is empty.
            patterns: as of the shell.

        Raises:
            PlaceError: if the folder is reached through a link.
        """
        with suppress(FileNotFoundError), self._folder(self._parts(path)) as folder:
            for entry in folder.entries():
                matches = any(fnmatchcase(entry.name, pattern) for pattern in patterns)
                if matches and not entry.is_dir(follow_symlinks=False):
                    folder.unlink(entry.name)

    def rename(self, source: Path, target: Path) -> None:
        """Gives a file or a folder another name below the root.

        Raises:
            PlaceError: if a link is in the way.
        """
        (above, name), (beyond, other) = self._split(source), self._split(target)
        with self._folder(above) as here, self._folder(beyond) as there:
            self._refuse_link(here, name, source)
            self._refuse_link(there, other, target)
            _rename(here, name, there, other)

    @contextmanager
    def aside(self, prefix: str) -> Iterator[Path]:
        """A new folder below the root, which goes at the end with all that is still in it.

        Args:
            prefix: how its name begins.
        """
        name = f"{prefix}{secrets.token_hex(4)}"
        with self._folder(()) as folder:
            os.mkdir(folder.named(name), 0o700, dir_fd=folder.handle)
        try:
            yield self.root / name
        finally:
            with self._folder(()) as folder:
                shutil.rmtree(folder.named(name), ignore_errors=True, dir_fd=folder.handle)

    def has(self, path: Path) -> bool:
        """Whether there is a file or a folder of that name.

        Raises:
            PlaceError: if it is a link, or reached through one.
        """
        parts = self._parts(path)
        try:
            with self._folder(parts[:-1]) as folder:
                self._refuse_link(folder, parts[-1], path)
                folder.kind(parts[-1])
        except FileNotFoundError:
            return False
        return True

    def files(self, path: Path, pattern: str = "*") -> list[Path]:
        """The files of a folder and of those in it, by name; links are none, and those of a linked folder are not its.

        Args:
            path: of the folder; one that is not there, or lies elsewhere, is empty.
            pattern: that their names match.
        """
        found: list[Path] = []
        with suppress(FileNotFoundError, PlaceError), self._folder(self._parts(path)) as folder:
            _gather(folder, path, pattern, found, _DEEPEST)
        return found

    def open(self, path: Path) -> BinaryIO:
        """Opens a file for reading.

        Raises:
            PlaceError: if it is a link, or reached through one, or no file.
            OSError: if it cannot be read.
        """
        folders, name = self._split(path)
        with self._folder(folders) as folder:
            self._refuse_link(folder, name, path)
            handle = os.open(folder.named(name), _READ, dir_fd=folder.handle)
        file = os.fdopen(handle, "rb") if stat.S_ISREG(os.fstat(handle).st_mode) else None
        if file is None:
            os.close(handle)
            raise PlaceError(f"{path} is no file: move it away and run the same command again.")
        return file

    def read(self, path: Path) -> bytes:
        """What a file holds.

        Raises:
            PlaceError: if it is a link, or reached through one, or no file.
            OSError: if it cannot be read.
        """
        with self.open(path) as file:
            return file.read()

    def checked(self, path: Path) -> Path:
        """The path of a file for a library that opens it by itself, which must be done at once.

        Args:
            path: of the file; it need not be there, but the folder must.

        Raises:
            PlaceError: if it is a link, or reached through one, or no file.
        """
        folders, name = self._split(path)
        with self._folder(folders) as folder:
            self._refuse_link(folder, name, path)
            with suppress(FileNotFoundError):
                if not stat.S_ISREG(folder.kind(name)):
                    raise PlaceError(f"{path} is no file: move it away and run the same command again.")
        return Path(self._base, self._name, *folders, name)

    def _parts(self, path: Path) -> tuple[str, ...]:
        """The components of a path below the root."""
        above, parts = self.root.parts, path.parts
        below = parts[len(above) :]
        if parts[: len(above)] != above or ".." in below:
            raise PlaceError(f"{path} lies outside of {self.root}: nothing there is touched.")
        return below

    def _split(self, path: Path) -> tuple[tuple[str, ...], str]:
        *folders, name = self._parts(path)
        return tuple(folders), name

    @contextmanager
    def _folder(self, parts: Sequence[str], *, make: bool = False) -> Iterator[_Folder]:
        """A folder below the root, entered component by component.

        Raises:
            PlaceError: if one of them is a link, or no folder.
            FileNotFoundError: if one is missing and is not to be made.
        """
        folder = self._open_base(make)
        try:
            shown = self.root
            for place, name in enumerate((self._name, *parts) if self._name else parts):
                shown = shown / name if place or not self._name else shown
                below = self._enter(folder, name, shown, make)
                folder.close()
                folder = below
            yield folder
        except OSError as error:
            # Beside a handle the system knows but the last part of a path.
            last = error.filename if isinstance(error.filename, str) else ""
            error.filename = os.path.join(folder.path, last)  # noqa: PTH118
            raise
        finally:
            folder.close()

    def _open_base(self, make: bool) -> _Folder:
        if make:
            os.makedirs(self._base, exist_ok=True)  # noqa: PTH103
        return _Folder(os.open(self._base, _BASE) if _BY_HANDLE else None, self._base)

    def _enter(self, folder: _Folder, name: str, shown: Path, make: bool) -> _Folder:
        try:
            try:
                return folder.enter(name)
            except FileNotFoundError:
                if not make:
                    raise
                with suppress(FileExistsError):
                    os.mkdir(folder.named(name), dir_fd=folder.handle)
                return folder.enter(name)
        except OSError as error:
            if error.errno in (errno.ENOTDIR, errno.ELOOP, errno.EMLINK):
                self._refuse_link(folder, name, shown)
                raise PlaceError(f"{shown} is no folder: move it away and run the same command again.") from None
            raise

    def _refuse_link(self, folder: _Folder, name: str, shown: Path) -> None:
        """Raises if what has a name in a folder is a link."""
        try:
            linked = stat.S_ISLNK(folder.kind(name))
        except FileNotFoundError:
            return
        if linked:
            raise PlaceError(
                f"{shown} is a link, and none is followed within {self.root}: remove it, or put there what it leads to."
            )


def _unwritten(path: Path, error: OSError) -> PlaceError:
    return PlaceError(f"{path} cannot be written: {error.strerror or error}; mend that and run the same command again.")


def _rename(here: _Folder, name: str, there: _Folder, other: str) -> None:
    os.replace(here.named(name), there.named(other), src_dir_fd=here.handle, dst_dir_fd=there.handle)


def _gather(folder: _Folder, path: Path, pattern: str, found: list[Path], deepest: int) -> None:
    """Adds the files of a folder, and of those in it, to those that were found."""
    for entry in folder.entries():
        if entry.is_dir(follow_symlinks=False) and deepest:
            try:
                below = folder.enter(entry.name)
            except OSError:  # It was swapped meanwhile, or may not be read.
                continue
            try:
                _gather(below, path / entry.name, pattern, found, deepest - 1)
            finally:
                below.close()
        elif entry.is_file(follow_symlinks=False) and fnmatchcase(entry.name, pattern):
            found.append(path / entry.name)


def place_of(folder: str | Path | Place) -> Place:
    """A folder as a place, if it is none yet."""
    return folder if isinstance(folder, Place) else Place(folder)


def replace_file(path: str | Path, content: str | bytes, *, private: bool = False) -> None:
    """Writes a file that the user named, or what it leads to if it is a link, whole or not at all.

    Args:
        path: where.
        content: text in UTF-8, or bytes.
        private: whether nobody else on this machine may read it.

    Raises:
        PlaceError: if the file cannot be written.
    """
    real = Path(path).resolve()
    Place(real.parent).write(real, content, private=private)


def create_file(path: Path, content: bytes) -> None:
    """Writes a file that the user named where nothing is yet, not even a link.

    Args:
        path: where.
        content: what it holds.

    Raises:
        FileExistsError: something is there, and stays.
        OSError: it cannot be written.
    """
    with path.open("xb") as file:
        file.write(content)
