"""Files that appear whole or not at all, and do not lie elsewhere than they seem to."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Iterator
from pathlib import Path

from randsearch.errors import UserError


def replace_file(path: str | Path, content: str | bytes) -> None:
    """Writes a file whole or not at all; a reader never sees half of it, and its folder is made where needed.

    Raises:
        UserError: If the file cannot be written.
    """
    path = Path(path)
    data = content.encode() if isinstance(content, str) else content
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            temporary.write_bytes(data)
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        raise UserError(
            f"{path} cannot be written: {error.strerror or error}; mend that and run the same command again."
        ) from error


def within(folder: Path, paths: Iterable[Path]) -> Iterator[Path]:
    """Of some files those that lie in a folder: in a study from elsewhere a name or a link may lead anywhere.

    Args:
        folder: that they should lie in.
        paths: as they are named.
    """
    root = folder.resolve()
    return (path for path in paths if path.resolve().is_relative_to(root))
