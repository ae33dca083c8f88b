"""What large studies cost beyond their measurements: the driver, a restart, what looks at them, and narrow spaces."""

from __future__ import annotations

import json
import math
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from table import Row
from whole import run

from randsearch.models.sizing import Signal
from randsearch.space import SearchSpace

GROUP = "Large studies"
SIZES = (500, 5000)
MEASURES = 4

NARROW = {
    "levels": {"int": [2, 8]},
    "first_filters": {"int": [4, 200]},
    "filter_increment": {"int": [0, 100]},
    "encoder_kernel": {"choices": [5, 9, 15]},
    "skips": {"subset": "levels"},
}
ONE_IN_TEN_THOUSAND = ("first_filters <= 5", "filter_increment <= 0")
OF_SIZE = ("params <= 2e3",)


def searched(
    folder: Path, trials: int, sampler: str = "random", workers: int = 1, stop_after: int = 0
) -> dict[str, float]:
    """Runs a search of instant measures in a process of its own."""
    script = str(Path(__file__).with_name("searcher.py"))
    command = [sys.executable, script, str(folder), *map(str, (trials, sampler, workers, stop_after))]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()[-1])


def scale() -> Iterator[Row]:
    """Rows of the driver, of what reads a large study, and of draws from spaces in which little is valid."""
    with tempfile.TemporaryDirectory() as place:
        root = Path(place)
        yield from _driver(root)
        large = root / f"s{SIZES[-1]}"
        again = searched(large, SIZES[-1])["seconds"]
        yield Row(GROUP, "the same command on the finished study of 5,000", again, "s", note="start-up apart")
        for command in (["status", large.name], ["list"]):
            took = run(*command, "--results", str(root))
            yield Row(GROUP, f"randsearch {command[0]} of it", took, "s", note="start-up included")
        searched(root / "another", SIZES[-1])
        took = run("merge", large.name, "another", "--into", "merged", "--results", str(root))
        yield Row(GROUP, "merge of two such", took, "s", note="start-up included")
        found = searched(root / "tpe", 1000, "tpe")
        each = 1e3 * (found["seconds"] - found["apart"]) / (MEASURES * 1000)
        note = f"1,000 trials; the sampler and the measures took {found['apart']:.0f} s more"
        yield Row(GROUP, "driver with TPE", each, "ms a measurement", note=note)
        found = searched(root / "workers", SIZES[0], workers=2)
        note = "500 architectures; their start and the measures included"
        yield Row(
            GROUP, "search by 2 workers", 1e3 * found["seconds"] / (MEASURES * 500), "ms a measurement", note=note
        )
    yield from _narrow()


def _driver(root: Path) -> Iterator[Row]:
    endless = searched(root / "endless", 10_000_000, stop_after=1)
    yield Row(GROUP, "first job of a search of 10,000,000 trials", endless["first"], "s", note="start-up apart")
    each = []
    for size in SIZES:
        found = searched(root / f"s{size}", size)
        each.append((found["seconds"] - found["apart"]) / (MEASURES * size))
        note = (
            f"{MEASURES} instant measures; peak memory {found['peak']:.0f} MB, {found['computed']:.0f} s of CPU in all"
        )
        yield Row(GROUP, f"driver, {size:,} architectures", 1e3 * each[-1], "ms a measurement", note=note)
    exponent = 1 + math.log(each[1] / each[0]) / math.log(SIZES[1] / SIZES[0])
    yield Row(GROUP, "exponent of the driver's time", exponent, "", note="of the number of architectures, 500 to 5,000")


def _narrow() -> Iterator[Row]:
    for constraints in (ONE_IN_TEN_THOUSAND, OF_SIZE):
        raw = {"description": "", "parameters": NARROW, "constraints": list(constraints)}
        space = SearchSpace.from_dict(raw, "narrow").bind(Signal(), 8000, 8192)
        began, taken = time.perf_counter(), set()
        for index in range(10):
            taken.add(space.draw(0, index, taken).architecture.hash)
        name = f"a draw where {' and '.join(constraints)}"
        yield Row(GROUP, name, (time.perf_counter() - began) / 10, "s", note="about one draw in 10,000 is valid")
