"""One search, or what follows one, in a process of its own: prints what it took as JSON.

Usage: python tests/bench/searcher.py STUDY_FOLDER TRIALS SAMPLER WORKERS STOP_AFTER

Measures that look at nothing but the architecture take no time, so that what is left is the driver's. `early` belongs
to every search and trains; here it is another of them. Workers import this file, and so have it too.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from contextlib import suppress
from pathlib import Path

from optuna.samplers import TPESampler
from rich.console import Console

from randsearch.base import stopping
from randsearch.measures import MEASURES
from randsearch.measures.contract import Measure
from randsearch.running import executors, session
from randsearch.space import SearchSpace
from randsearch.space.shipped import shipped

MEASURES["early"] = Measure(lambda setting, architecture, seed: float(architecture.levels), needs="", source="")


class Watch:
    """Adds up the seconds that functions take.

    Attributes:
        seconds: that they took.
        calls: how many.
        first: when the first began.
    """

    def __init__(self) -> None:
        self.seconds, self.calls, self.first = 0.0, 0, 0.0

    def over(self, function, stop_after: int = 0):
        """The function, watched; the search is stopped in the call of that number."""

        def watched(*arguments, **options):
            began = time.perf_counter()
            self.first = self.first or began
            self.calls += 1
            if self.calls == stop_after:
                raise stopping.StoppedError
            try:
                return function(*arguments, **options)
            finally:
                self.seconds += time.perf_counter() - began

        return watched


def main() -> None:
    """Searches."""
    folder, trials, sampler, workers, stop_after = (
        Path(sys.argv[1]),
        int(sys.argv[2]),
        sys.argv[3],
        *map(int, sys.argv[4:]),
    )
    measuring, sampling = Watch(), Watch()
    if workers == 1:
        executors.measure = measuring.over(executors.measure, stop_after)
    for name in ("infer_relative_search_space", "sample_relative", "sample_independent", "after_trial"):
        setattr(TPESampler, name, sampling.over(getattr(TPESampler, name)))
    options = {
        "study": folder.name,
        "space": SearchSpace.load(shipped("wave-u-net.yaml")).to_dict(),
        "trials": trials,
        "sampler": sampler,
        "proxy": "params",
        "measures": ["macs", "receptive_field"],
        "train": "none",
        "validation": 1,
        "threads": 1,
        "seed": len(folder.name),
    }
    with Path("/dev/null").open("w") as nothing:
        machine = session.Machine(folder.parent, None, workers, Console(file=nothing))
        resolved = session.resolve(options, machine)
        began, computed = time.perf_counter(), time.process_time()
        with suppress(stopping.StoppedError):
            session.search(*resolved, machine)
        took, computed = time.perf_counter() - began, time.process_time() - computed
    found = {
        "seconds": took,
        "computed": computed,
        "apart": measuring.seconds + sampling.seconds,
        "first": measuring.first - began,
        "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3,
    }
    print(json.dumps(found))


if __name__ == "__main__":
    main()
