"""Training steps: randsearch's against the plain formulation, fixed halves against the full step, and the bound."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median

from networks import SMALL, networks
from table import Row

ROUNDS = 9


class Process:
    """A stepper in a process of its own."""

    def __init__(self, kind: str, threads: int) -> None:
        script = Path(__file__).with_name("stepper.py")
        self._process = subprocess.Popen(
            [sys.executable, str(script), kind, str(threads)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,  # The profiler talks there; a process that fails is noticed by its silence.
            text=True,
        )

    def ask(self, command: str) -> object:
        """Sends a command and waits for its answer."""
        self._process.stdin.write(command + "\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())

    def close(self) -> None:
        """Ends the process."""
        self._process.stdin.close()
        self._process.wait()


@contextmanager
def processes(*kinds: str, threads: int) -> Iterator[list[Process]]:
    """Steppers, ended in any case."""
    found = [Process(kind, threads) for kind in kinds]
    try:
        yield found
    finally:
        for process in found:
            process.close()


def against_plain(threads: int) -> Iterator[Row]:
    """A row each network, and the median of the small ones."""
    group = f"Training step, {threads} thread{'s' * (threads > 1)}"
    ratios = []
    with processes("plain", "fast", threads=threads) as (plain, fast):
        rate = fast.ask("rate")
        for number, case in enumerate(networks()):
            plain.ask(f"network {number} none")
            work = fast.ask(f"network {number} none")
            # One after the other, so that both meet whatever else the machine does.
            pairs = [(plain.ask("run 1"), fast.ask("run 1")) for _ in range(ROUNDS if number <= SMALL else 5)]
            seconds = median(mine for _, mine in pairs)
            ratios.append(median(theirs / mine for theirs, mine in pairs))
            shares = ", ".join(f"{kind} {share:.0%}" for kind, share in fast.ask("profile").items())
            yield Row(group, case.name, 1e3 * seconds, "ms", "plain Conv1d", ratios[-1], work / rate / seconds, shares)
    note = f"least {min(ratios[:SMALL]):.2f}; bound: {rate / 1e9:.0f} GFLOP/s of a 1024 x 1024 matrix product"
    yield Row(group, "median of the small ones", median(ratios[:SMALL]), "times", "plain Conv1d", note=note)


def halves() -> Iterator[Row]:
    """Steps with a half fixed against the full step, and what the count of operations promises."""
    for half in ("encoder", "decoder"):
        group = f"Step with a fixed {half}, 1 thread"
        found = []
        with processes("fast", "fast", threads=1) as (full, fixed):
            rate = full.ask("rate")
            for number, case in enumerate(networks()[: SMALL + 1]):
                work = full.ask(f"network {number} none")
                less = fixed.ask(f"network {number} {half}")
                pairs = [(full.ask("run 1"), fixed.ask("run 1")) for _ in range(ROUNDS)]
                seconds = median(mine for _, mine in pairs)
                ratio = median(theirs / mine for theirs, mine in pairs)
                found.append(ratio / (work / less))
                shares = ", ".join(f"{kind} {share:.0%}" for kind, share in fixed.ask("profile").items())
                note = f"{work / less:.2f} by operations; {shares}"
                yield Row(group, case.name, 1e3 * seconds, "ms", "the full step", ratio, less / rate / seconds, note)
        yield Row(
            group,
            "median over networks",
            median(found),
            "of the gain that operations promise",
            note=f"least {min(found):.2f}",
        )
