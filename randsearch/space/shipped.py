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


def shipped_names() -> list[str]:
    """The names of all shipped search spaces, without `.yaml`."""
    return sorted(path.stem for path in shipped("small.yaml").parent.glob("*.yaml"))


def located(path: str | Path) -> Path:
    """Where a search space lies that a user named: a file, or else a shipped one by its name alone.

    Args:
        path: of a file, or a name such as `small`.
    """
    own = Path(path)
    return shipped(f"{own}.yaml") if not own.is_file() and str(own) in shipped_names() else own
