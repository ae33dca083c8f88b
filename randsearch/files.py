"""Files that appear whole or not at all, and do not lie elsewhere than they seem to."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterable, Iterator
from pathlib import Path

from randsearch.errors import UserError


def replace_file(path: str | Path, content: str | bytes, *, fsync: bool = False, private: bool = False) -> None:
    """Writes a file whole or not at all; a reader never sees half of it, and its folder is made where needed.

    Args:
        path: where.
        content: text in UTF-8, or bytes.
        fsync: whether it must also outlive the machine's next loss of power, which takes a while.
        private: whether nobody else on this machine may read it.

    Raises:
        UserError: If the file cannot be written.
    """
    path = Path(path)
    data = content.encode() if isinstance(content, str) else content
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600 if private else 0o666)
            with os.fdopen(handle, "wb") as file:
                file.write(data)
                if fsync:
                    file.flush()
                    os.fsync(file.fileno())
            temporary.replace(path)
            if fsync:
                _keep_name(path.parent)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        raise UserError(
            f"{path} cannot be written: {error.strerror or error}; mend that and run the same command again."
        ) from error


def _keep_name(folder: Path) -> None:
    """Has the names in a folder outlive a loss of power, as fsync has the content of a file."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def within(folder: Path, paths: Iterable[Path]) -> Iterator[Path]:
    """Of some files those that lie in a folder: in a study from elsewhere a name or a link may lead anywhere.

    Args:
        folder: that they should lie in.
        paths: as they are named.
    """
    root = folder.resolve()
    return (path for path in paths if path.resolve().is_relative_to(root))
