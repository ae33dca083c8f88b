"""What `analyse` takes of tables from elsewhere: seconds and memory, and how both grow with the architectures."""

from __future__ import annotations

import math
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from table import Row
from whole import wide_table

GROUP = "Analysis"
SIZES = ((1_000, 20), (9_445, 15), (10_000, 20), (100_000, 5))
"""Architectures and proxies; the second is the size of a published table of NAS-Bench-201."""


def analysis() -> Iterator[Row]:
    """A row for each size, and the exponent of the time between 1,000 and 10,000 architectures."""
    took: dict[tuple[int, int], float] = {}
    with tempfile.TemporaryDirectory() as folder:
        for architectures, proxies in SIZES:
            path = Path(folder) / "scores.csv"
            wide_table(architectures, proxies).to_csv(path, index=False)
            seconds, peak = _measured("analyse", "--table", str(path), "--target", "trained")
            took[architectures, proxies] = seconds
            case = f"analyse, {architectures:,} architectures x {proxies} proxies"
            yield Row(GROUP, case, seconds, "s", note=f"2,000 resamples asked for; peak memory {peak:.0f} MB")
    exponent = math.log(took[10_000, 20] / took[1_000, 20]) / math.log(10)
    yield Row(GROUP, "exponent of its time", exponent, "", note="of the architectures, 1,000 to 10,000 with 20 proxies")


def _measured(*arguments: str) -> tuple[float, float]:
    """Seconds and peak memory in MB of a command, start-up included."""
    began = time.perf_counter()
    process = subprocess.Popen([sys.executable, "-m", "randsearch", *arguments], stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, process.args)
    return time.perf_counter() - began, usage.ru_maxrss / 1024
