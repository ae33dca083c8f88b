"""Whole commands and what surrounds a step: data, validation, candidates an hour, start-up, analysis."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median

import numpy as np
import pandas as pd
from table import Row

from randsearch.data import Crops, open_dataset
from randsearch.seeds import derive

CANDIDATES = 12


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
    """Candidates an hour by workers and threads, and what their validation and data take."""
    group, hours = "Search", {}
    with tempfile.TemporaryDirectory() as folder:
        for workers, threads in ((1, 1), (2, 1), (1, 2)):
            options = ["small.yaml", "--trials", str(CANDIDATES), "--train", "none", "--threads", str(threads)]
            options += ["--study", f"s{workers}{threads}", "--workers", str(workers), "--results", folder]
            whole = run("search", *space(options))
            # The same command on the finished study does all but the measuring.
            hours[workers, threads] = CANDIDATES * 3600 / (whole - run("search", *space(options)))
        measured = pd.read_csv(Path(folder) / "s11" / "measurements.csv")
    said = f"{CANDIDATES} of small.yaml, default measures, 100 proxy steps of 8 x 8,192 samples; start-up apart"
    yield Row(group, "1 worker of 1 thread", hours[1, 1], "candidates an hour", note=said)
    for (workers, threads), found in list(hours.items())[1:]:
        case = f"{workers} worker{'s' * (workers > 1)} of {threads} thread{'s' * (threads > 1)}"
        yield Row(group, case, found, "candidates an hour", "1 worker of 1 thread", found / hours[1, 1])
    proxies = measured[measured["measure"].isin(["fixed_decoder", "fixed_encoder", "early"])]
    whole = proxies[["seconds", "validation_seconds", "data_seconds"]].sum(axis=1)
    for part in ("validation", "data"):
        share = 100 * proxies[f"{part}_seconds"] / whole
        yield Row(group, f"{part} of a proxy run", share.mean(), "% of its time", note=f"most {share.max():.1f}%")


def space(options: list[str]) -> list[str]:
    """Options with the path of the shipped space in place of its name."""
    from randsearch.space.shipped import shipped

    return [str(shipped(options[0])), *options[1:]]


def commands() -> Iterator[Row]:
    """How long the command line takes to answer, and a large analysis."""
    with tempfile.TemporaryDirectory() as folder:
        small, large = Path(folder) / "small.csv", Path(folder) / "large.csv"
        wide_table(8, 3).to_csv(small, index=False)
        wide_table(1000, 20).to_csv(large, index=False)
        once = ["analyse", "--table", str(small), "--target", "trained", "--resamples", "20"]
        help_ = median(run("--help") for _ in range(7))
        start = median(run(*once) for _ in range(5))
        whole = run("analyse", "--table", str(large), "--target", "trained")
        shutil.rmtree(folder, ignore_errors=True)
        Path(folder).mkdir()
    yield Row("Commands", "randsearch --help", help_, "s")
    yield Row("Commands", "randsearch analyse, start-up", start, "s", note="a table of 8 architectures, 20 resamples")
    yield Row("Commands", "analysis of 1,000 architectures x 20 proxies", whole, "s", note="10,000 resamples")


def wide_table(architectures: int, proxies: int) -> pd.DataFrame:
    """Scores of a study that never was."""
    random = np.random.default_rng(0)
    truth = random.normal(size=architectures)
    scores = {f"proxy{i}": truth + random.normal(scale=0.5 + i / 5, size=architectures) for i in range(proxies)}
    return pd.DataFrame({"architecture": [f"a{i}" for i in range(architectures)], "trained": truth, **scores})
