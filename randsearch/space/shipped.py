"""The search spaces that come with randsearch."""

from __future__ import annotations

from pathlib import Path

from randsearch.base.logs import LOGGER

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

    What may be taken for the other is told.

    Args:
        path: of a file, or a name such as `small` or `small.yaml`.
    """
    own = Path(path)
    name = str(own).removesuffix(".yaml")
    if name not in shipped_names():
        return own
    if own.is_file():
        LOGGER.info("note: %s is the file in this folder, and not the shipped search space of that name", own)
        return own
    beside = Path(f"{name}.yaml")
    if beside.is_file():
        LOGGER.warning("note: %s is the shipped search space; the file in this folder is %s", name, beside)
    return shipped(f"{name}.yaml")
