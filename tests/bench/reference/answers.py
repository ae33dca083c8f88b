"""Every number that the answers state, by name: computed once, written to `answers.csv`, and read from there again.

The words are made of what is read, so that nothing is said that the file does not hold.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from randsearch.statistics import Interval

COLUMNS = ("name", "value", "low", "high", "n")


@dataclass(frozen=True)
class Answers:
    """Numbers by name.

    Attributes:
        found: each with its interval, whose ends are NaN where it has none, as a count has none.
        members: of how many each is; 0 where that means nothing.
    """

    found: dict[str, Interval] = field(default_factory=dict)
    members: dict[str, int] = field(default_factory=dict)

    def add(self, name: str, value: Interval | float, n: int = 0) -> None:
        """Adds a number; one that is not defined is left out."""
        interval = value if isinstance(value, Interval) else Interval(float(value))
        if not math.isnan(interval.point):
            self.found[name], self.members[name] = interval, n

    def row(self, name: str, row: Mapping[str, float], column: str, n: int = 0) -> None:
        """Adds the number that a row has in `column`, with its ends in `column_low` and `column_high`."""
        self.add(name, Interval(*(float(row[f"{column}{end}"]) for end in ("", "_low", "_high"))), n)

    def update(self, other: Answers) -> None:
        """Adds all of another's."""
        self.found.update(other.found)
        self.members.update(other.members)

    def __contains__(self, name: str) -> bool:
        """Whether there is such a number."""
        return name in self.found

    def __getitem__(self, name: str) -> Interval:
        """The number of a name, with its interval."""
        return self.found[name]

    def below(self, prefix: str) -> Iterator[str]:
        """What follows a prefix in the names that begin with it, in order."""
        return (name.removeprefix(prefix) for name in self.found if name.startswith(prefix))

    def write(self, path: Path) -> None:
        """Writes them as CSV, to five significant digits."""
        rows = [(name, each.point, each.low, each.high, self.members[name] or "") for name, each in self.found.items()]
        frame = pd.DataFrame(rows, columns=list(COLUMNS))
        frame.to_csv(path, index=False, float_format="%.5g", lineterminator="\n")

    @classmethod
    def read(cls, path: Path) -> Answers:
        """Reads what `write` wrote."""
        found = cls()
        for row in pd.read_csv(path).to_dict(orient="records"):
            interval = Interval(*(float(row[column]) for column in COLUMNS[1:4]))
            found.add(str(row["name"]), interval, 0 if math.isnan(row["n"]) else int(row["n"]))
        return found
