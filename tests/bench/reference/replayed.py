"""Question 7: does a search with a proxy find better networks for the same seconds?

Strategies are replayed by `randsearch.replay` on study A. The primary contrast, its strategies and its budget were
fixed before the study was run: `PRIMARY`, at the seconds that random search takes for `TRAININGS` whole trainings
among `NETWORKS`. While the grid is not complete, half of its networks are drawn, and as large a share of these trained.
Seconds are those of a quiet machine, where some networks were timed on one (see `at_quiet`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
from bench.proxies import SEEDS, TARGET
from bench.reference.answers import Answers
from bench.reference.few import share
from bench.reference.published import TIMED

from randsearch.base.errors import UserError
from randsearch.replay import Benchmark, Simulation, benchmark, compare
from randsearch.statistics import Interval
from randsearch.table.published import read_published

PRIMARY = ("proxy:vote:macs+params+zen", "halving")
STRATEGIES = (
    *("random", "tpe", "halving"),
    *("proxy:vote:macs+params+zen", "proxy:fixed_decoder", "proxy:macs"),
    *("halving:vote:macs+params+zen", "halving:fixed_decoder"),
)
BASIC = ("random", "halving")
"""What every other strategy is held against."""
FEWER = {"tpe": 50}
"""Repetitions of what is slow to replay: its sampler alone takes more than all else together."""
NETWORKS, TRAININGS, TIMES, REPETITIONS, POINTS = 100, 10, (5, 10, 25), 200, 101


def replay(
    folder: Path, repetitions: int = REPETITIONS, strategies: Sequence[str] = STRATEGIES
) -> tuple[Answers, pd.DataFrame]:
    """Replays every strategy on a published study.

    Args:
        folder: of the study.
        repetitions: of each strategy.
        strategies: `BASIC` and those that are held against them.

    Returns:
        the numbers, and what each strategy had found by each moment: `strategy` and the columns of a curve.
    """
    answers, world = Answers(), benchmark(folder)
    packed = folder.parent / TIMED / "measurements.csv.gz"
    if packed.exists():
        table, ratios = at_quiet(world.table, read_published(packed))
        world = replace(world, table=table)
        answers.update(ratios)
    again = world.records.judgement.again
    networks = min(NETWORKS, len(world.records.trainable) // 2)
    trainings = TRAININGS * networks // NETWORKS
    if not again or trainings < 1:
        return answers, pd.DataFrame()
    trained = world.table[(world.table["measure"] == TARGET) & (world.table["state"] == "complete")]
    each = float(trained["seconds"].mean())
    times = sorted({trainings, *(time for time in TIMES if 2 * time <= networks)})
    found = simulations(world, strategies, each * times[-1], repetitions, networks)
    now, n = each * trainings, repetitions
    facts = {"trainings": trainings, "seconds": now, "networks": networks, "repetitions": n, "judged": again}
    for name, value in facts.items():
        answers.add(f"7.{name}", value)
    for name, simulation in found.items():
        at = simulation.curve([now]).iloc[0]
        answers.add(f"7.{name}.judged", Interval(at["judged"], at["mean_low"], at["mean_high"]), simulation.repetitions)
        answers.add(f"7.{name}.band", Interval(at["judged"], at["low"], at["high"]), simulation.repetitions)
        if simulation.repetitions < n:
            answers.add(f"7.{name}.repetitions", simulation.repetitions)
        for other in BASIC:
            if name != other:
                same = first(found[other], simulation.repetitions)
                answers.add(f"7.{name}.less.{other}", compare(simulation, same, now).mean, same.repetitions)
    if set(PRIMARY) <= set(found):
        contrast = [compare(*(found[name] for name in PRIMARY), each * time) for time in times]
        own = contrast[times.index(trainings)]
        answers.add("7.primary", own.mean, n)
        answers.add("7.primary.won", share(round(own.won * n), n), n)
        answers.add("7.primary.tied", share(round(own.tied * n), n), n)
        for time, difference in zip(times, contrast, strict=True):
            answers.add(f"7.primary.at.{time}", difference.mean, n)
        for seed, difference in judged_by_one(world, now, n, networks):
            answers.add(f"7.primary.judged_by.{seed}", difference, n)
    return answers, curves(found)


def judged_by_one(world: Benchmark, seconds: float, repetitions: int, networks: int) -> Iterator[tuple[int, Interval]]:
    """The primary contrast, were what is found judged by one unseen training seed alone: how far that matters."""
    table, unseen = world.table, world.records.judgement.seeds
    for seed in unseen if len(unseen) > 1 else ():
        others = (table["measure"] == TARGET) & table["seed"].isin(set(unseen) - {seed})
        own = replace(world, table=table[~others].reset_index(drop=True))
        one, other = (
            own.simulate(name, seconds=seconds, repetitions=repetitions, networks=networks) for name in PRIMARY
        )
        yield seed, compare(one, other, seconds).mean


def at_quiet(table: pd.DataFrame, timed: pd.DataFrame) -> tuple[pd.DataFrame, Answers]:
    """A table with the seconds that its measurements would have taken on a quiet machine.

    Args:
        table: of measurements.
        timed: of some of its networks, measured again with nothing else running.

    Returns:
        the table, in which the seconds of each measure that was timed are multiplied by the median ratio over networks;
        and that ratio of training, with the middle 95% of networks.
    """
    keys, answers = ["measure", "architecture"], Answers()
    first, again = (
        each[(each["seed"] == SEEDS[0]) & (each["state"] == "complete") & (each["seconds"] > 0)].set_index(keys)
        for each in (table, timed)
    )
    both = (again["seconds"] / first["seconds"]).dropna().rename("ratio").reset_index()
    ratios = both.groupby("measure")["ratio"]
    trained = both.loc[both["measure"] == TARGET, "ratio"]
    if len(trained):
        answers.add("7.timed", Interval(*map(float, np.quantile(trained, [0.5, 0.025, 0.975]))), len(trained))
        answers.add("7.timed.networks", len(trained))
    factor = table["measure"].map(ratios.median()).fillna(1.0)
    return table.assign(seconds=table["seconds"] * factor), answers


def simulations(
    world: Benchmark, strategies: Sequence[str], seconds: float, repetitions: int, networks: int
) -> dict[str, Simulation]:
    """Every one of some strategies that the benchmark has measures for, and networks enough."""
    found = {}
    for name in strategies:
        try:
            times = min(repetitions, FEWER.get(name, repetitions))
            found[name] = world.simulate(name, seconds=seconds, repetitions=times, networks=networks)
        except UserError:
            if name in BASIC:
                raise
    return found


def first(simulation: Simulation, repetitions: int) -> Simulation:
    """The first repetitions of a simulation, which are what it would have been with no more."""
    frame = simulation.frame
    return replace(simulation, repetitions=repetitions, frame=frame[frame["repetition"] < repetitions])


def curves(found: dict[str, Simulation]) -> pd.DataFrame:
    """What each strategy had found by each moment."""
    parts = []
    for name, simulation in found.items():
        moments = [simulation.seconds * point / (POINTS - 1) for point in range(POINTS)]
        parts.append(simulation.curve(moments).assign(strategy=name))
    return pd.concat(parts, ignore_index=True)
