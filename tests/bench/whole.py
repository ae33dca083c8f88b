"""Whole commands and what surrounds a step: data, validation, candidates an hour, start-up, analysis."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import median

import numpy as np
import pandas as pd
from table import Row

from randsearch.base.seeds import derive
from randsearch.data import Crops, open_dataset

CANDIDATES = 8
TURNS = 3


def run(*arguments: str) -> float:
    """Seconds of a randsearch command; its output is dropped."""
    began = time.perf_counter()
    subprocess.run([sys.executable, "-m", "randsearch", *arguments], check=True, capture_output=True)
    return time.perf_counter() - began


def data() -> Iterator[Row]:
    """How fast batches come from the memory map."""
    dataset = open_dataset("synthetic")
    crops = Crops(dataset.train, batch=8, input_length=8192, output_length=8192, seed=derive("bench"))
    crops.batch_at(0)
    times = []
    for index in range(200):
        began = time.perf_counter()
        crops.batch_at(index)
        times.append(time.perf_counter() - began)
    samples = 8 * 8192 / median(times)
    note = f"a batch of 8 x 8,192 in {1e3 * median(times):.2f} ms, fetched by a thread of its own"
    yield Row("Data", "mixtures of random crops", samples / 1e6, "million samples a second", note=note)


def candidates() -> Iterator[Row]:
    """Candidates an hour by workers and threads, by turns, and what their validation and data take."""
    one, two, threads, apart = (1, 1, 1), (2, 1, 1), (1, 2, 1), (1, 1, 2)
    rates: dict[tuple[int, int, int], list[float]] = {case: [] for case in (one, two, threads, apart)}
    with tempfile.TemporaryDirectory() as folder:
        for turn in range(TURNS):
            for case, found in rates.items():
                found.append(rate(Path(folder) / f"turn{turn}", *case))
        measured = pd.concat(pd.read_csv(path) for path in Path(folder).glob("turn*/s111-0/measurements.csv"))
    hours = {case: median(found) for case, found in rates.items()}
    said = f"{CANDIDATES} of small.yaml, default measures, 100 proxy steps of 8 x 8,192 samples; start-up apart"
    named = {one: "1 worker of 1 thread", two: "2 workers of 1 thread", threads: "1 worker of 2 threads"}
    named[apart] = "2 searches at once, 1 worker of 1 thread each"
    notes = {one: said, apart: "what the machine gives two processes that share nothing"}
    for case, name in named.items():
        against = {} if case == one else {"against": named[one], "ratio": hours[case] / hours[one]}
        yield Row("Search", name, hours[case], "candidates an hour", note=notes.get(case, ""), **against)
    proxies = measured[measured["measure"].isin(["fixed_decoder", "fixed_encoder", "early"])]
    whole = proxies[["seconds", "validation_seconds", "data_seconds"]].sum(axis=1)
    for part in ("validation", "data"):
        share = 100 * proxies[f"{part}_seconds"] / whole
        yield Row("Search", f"{part} of a proxy run", share.mean(), "% of its time", note=f"most {share.max():.1f}%")


def rate(folder: Path, workers: int, threads: int, searches: int) -> float:
    """Candidates an hour of new searches, run at once, in a folder.

    The same command on a finished study does all but the measuring; its time is taken off.
    """
    shared = [*space(["small.yaml"]), "--trials", str(CANDIDATES), "--train", "none", "--results", str(folder)]
    shared += ["--workers", str(workers), "--threads", str(threads)]
    commands = [[*shared, "--study", f"s{workers}{threads}{searches}-{i}"] for i in range(searches)]
    with ThreadPoolExecutor(searches) as pool:
        first, again = ([*pool.map(lambda command: run("search", *command), commands)] for _ in range(2))
    return searches * CANDIDATES * 3600 / (max(first) - max(again))


def space(options: list[str]) -> list[str]:
    """Options with the path of the shipped space in place of its name."""
    from randsearch.space.shipped import shipped

    return [str(shipped(options[0])), *options[1:]]


def commands() -> Iterator[Row]:
    """How long the command line takes to answer, and a large analysis."""
    with tempfile.TemporaryDirectory() as folder:
        small = Path(folder) / "small.csv"
        wide_table(8, 3).to_csv(small, index=False)
        once = ["analyse", "--table", str(small), "--target", "trained", "--resamples", "20"]
        help_ = median(run("--help") for _ in range(7))
        start = median(run(*once) for _ in range(5))
        shutil.rmtree(folder, ignore_errors=True)
        Path(folder).mkdir()
    yield Row("Commands", "randsearch --help", help_, "s")
    yield Row("Commands", "randsearch analyse, start-up", start, "s", note="a table of 8 architectures, 20 resamples")


def wide_table(architectures: int, proxies: int) -> pd.DataFrame:
    """Scores of a study that never was."""
    random = np.random.default_rng(0)
    truth = random.normal(size=architectures)
    scores = {f"proxy{i}": truth + random.normal(scale=0.5 + i / 5, size=architectures) for i in range(proxies)}
    return pd.DataFrame({"architecture": [f"a{i}" for i in range(architectures)], "trained": truth, **scores})
