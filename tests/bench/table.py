"""The table that a benchmark fills: rows of what was measured against what."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd


@dataclass(frozen=True)
class Row:
    """One figure.

    Attributes:
        group: what kind of figure it is.
        case: what was measured.
        value: median of the measurements.
        unit: of the value.
        against: what it is compared with; empty if nothing.
        ratio: how many times as good it is as that.
        share_of_bound: the least time that the machine's matrix-product rate allows, over the time taken.
        note: where the rest goes, or how it was measured.
        day: on which it was measured.
    """

    group: str
    case: str
    value: float
    unit: str
    against: str = ""
    ratio: float | None = None
    share_of_bound: float | None = None
    note: str = ""
    day: str = field(default_factory=lambda: f"{datetime.now(UTC):%Y-%m-%d}")


def processor() -> str:
    """Name of the processor, as the system tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return f"{names[0]} ({len(names)} cores)" if names else platform.machine()


def kept(folder: Path, measured: Sequence[Row]) -> list[Row]:
    """The rows of a former table whose groups were not measured this time, and then those that were."""
    path, groups = folder / "bench.csv", {row.group for row in measured}
    if not path.exists():
        return list(measured)
    former = pd.read_csv(path, keep_default_na=False)
    rows = [
        Row(**{str(name): _cell(str(name), value) for name, value in row.items()}) for row in former.to_dict("records")
    ]
    return [row for row in rows if row.group not in groups] + list(measured)


def _cell(column: str, text: Any) -> Any:
    if column not in ("value", "ratio", "share_of_bound"):
        return text
    return None if text == "" else float(text)


def save(rows: list[Row], heading: list[str], folder: Path) -> None:
    """Writes `bench.csv` and `bench.md`."""
    folder.mkdir(parents=True, exist_ok=True)
    pd.DataFrame([asdict(row) for row in rows]).to_csv(folder / "bench.csv", index=False, lineterminator="\n")
    names = [field.name for field in fields(Row) if field.name != "group"]
    lines = ["# What randsearch costs, and against what", "", *heading]
    group = ""
    for row in rows:
        if row.group != group:
            group = row.group
            lines += ["", f"## {group}", "", f"| {' | '.join(name.replace('_', ' ') for name in names)} |"]
            lines.append(f"|{'---|' * len(names)}")
        lines.append(f"| {' | '.join(shown(getattr(row, name)) for name in names)} |")
    (folder / "bench.md").write_text("\n".join(lines) + "\n", encoding="utf-8")


def shown(value: object) -> str:
    """A cell."""
    if value is None:
        return ""
    if not isinstance(value, float):
        return str(value)
    return f"{value:.3g}" if abs(value) < 1000 else f"{value:,.0f}"
