"""How the C library hands out memory to the tensors of a training."""

from __future__ import annotations

import ctypes

TRIM_THRESHOLD, MMAP_THRESHOLD = -1, -3
"""Names of mallopt's parameters, from glibc's malloc.h."""
KEPT = 2**30


def keep_freed_memory() -> bool:
    """Lets this process keep what tensors free, for the next tensors.

    Otherwise glibc gives every large block back to the system, and each training step faults thousands of pages in
    again: a fifth of the time of a small network's step. Where the C library is another, nothing happens.

    Returns:
        Whether the C library took it.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):
        return False
    return all(mallopt(name, KEPT) == 1 for name in (MMAP_THRESHOLD, TRIM_THRESHOLD))
