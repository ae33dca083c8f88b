"""Random streams: every source of randomness is named, and its seed derived from the name alone.

Two measurements therefore never share initial weights or crops by accident, and none of them depends on the order or
the process in which it runs.
"""

from __future__ import annotations

import hashlib


def derive(*names: str | int) -> int:
    """A seed of 63 bits for the stream that the names describe.

    Args:
        names: for instance `("weights", architecture.hash, "trained", 0)`.

    Returns:
        The same non-negative integer for the same names, on every machine.
    """
    digest = hashlib.sha256("\x1f".join(str(name) for name in names).encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1
