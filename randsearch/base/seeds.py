"""Random streams: every source of randomness is named, and its seed derived from the name alone.

Two measurements therefore never share initial weights or crops by accident, and none of them depends on the order or
the process in which it runs.
"""

from __future__ import annotations

import hashlib

LARGEST = 2**63 - 1
"""Of the seeds that a user gives: tables and databases hold 64 bits."""


def check_seed(seed: int) -> int:
    """A seed that came from outside.

    Raises:
        ValueError: it is negative, or too large for a table.
    """
    if not 0 <= seed <= LARGEST:
        raise ValueError("a seed is a whole number from 0 to 2^63 - 1")
    return seed


def derive(*names: str | int) -> int:
    """A seed of 63 bits for the stream that the names describe.

    Args:
        names: for instance `("weights", architecture.hash, "trained", 0)`.

    Returns:
        the same non-negative integer for the same names, on every machine.
    """
    digest = hashlib.sha256("\x1f".join(str(name) for name in names).encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1
