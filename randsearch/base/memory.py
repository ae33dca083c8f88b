"""How much memory there is, and how the C library hands it out to the tensors of a training."""

from __future__ import annotations

import ctypes
import re
import sys
from pathlib import Path

TRIM_THRESHOLD, MMAP_THRESHOLD = -1, -3
"""Names of mallopt's parameters, from glibc's malloc.h."""
KEPT = 2**30


def keep_freed_memory() -> bool:
    """Lets this process keep what tensors free, for the next tensors.

    Otherwise glibc gives every large block back to the system, and each training step faults thousands of pages in
    again: a fifth of the time of a small network's step. Where the C library is another, nothing happens.

    Returns:
        whether the C library took it.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):
        return False
    return all(mallopt(name, KEPT) == 1 for name in (MMAP_THRESHOLD, TRIM_THRESHOLD))


def available_bytes() -> int:
    """Memory that this machine can give without swapping, as the kernel says; without bound where it says nothing."""
    try:
        found = re.search(r"^MemAvailable: +(\d+) kB$", Path("/proc/meminfo").read_text(), re.MULTILINE)
    except OSError:
        found = None
    return 1024 * int(found[1]) if found else sys.maxsize
