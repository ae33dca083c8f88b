"""The search spaces that come with randsearch."""

from __future__ import annotations

from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[1]


def shipped(name: str) -> Path:
    """Path of a shipped search space: inside an installed package, or beside it in a checkout.

    Args:
        name: such as `small.yaml`.
    """
    installed = PACKAGE / "search_spaces" / name
    return installed if installed.is_file() else PACKAGE.parent / "search_spaces" / name
