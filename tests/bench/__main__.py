"""`make bench`: measures what randsearch costs on this machine, and writes one table, as Markdown and CSV.

Usage: python tests/bench FOLDER [GROUP ...], where groups are steps, threads, halves, data, search,
commands, analysis and scale.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from importlib.metadata import version
from pathlib import Path

from analysis import analysis
from scale import scale
from steps import against_plain, halves
from table import Row, kept, processor, save, shown
from whole import candidates, commands, data

GROUPS: dict[str, Callable[[], Iterable[Row]]] = {
    "steps": lambda: against_plain(1),
    "threads": lambda: against_plain(2),
    "halves": halves,
    "data": data,
    "search": candidates,
    "commands": commands,
    "analysis": analysis,
    "scale": scale,
}


def main() -> None:
    """Measures the groups that are asked for, or all."""
    folder, *asked = sys.argv[1:]
    rows = []
    for name in asked or GROUPS:
        for row in GROUPS[name]():
            rows.append(row)
            print(" | ".join(shown(value) for value in vars(row).values()), flush=True)
    heading = [
        f"Measured by `make bench`, each row on its day: {processor()}, PyTorch {version('torch')}, "
        f"Python {sys.version.split()[0]}.",
        "Medians; what is compared was run by turns. Share of bound: the time that the multiply-adds of a step take at",
        "the rate of a large matrix product, over the time of the step.",
    ]
    save(kept(Path(folder), rows), heading, Path(folder))


if __name__ == "__main__":
    main()
