"""Locks of files, which fall with the process that holds them; refused where the file system has none."""

from __future__ import annotations

import errno
from pathlib import Path

from filelock import FileLock

LOCKLESS = (errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP)
"""What file systems without locks answer, as some network mounts are."""


def file_lock(path: Path, timeout: float = -1) -> FileLock:
    """A lock on a file.

    Args:
        path: of the file, which stays.
        timeout: seconds to wait for it; -1 for ever.

    Returns:
        the lock, not yet taken. Taking it raises OSError where the file system has no locks: filelock's own way out,
        a file whose presence is the lock, would survive a killed process.
    """
    return FileLock(path, timeout=timeout, fallback_to_soft=False)
