"""A search replayed many times, each among networks drawn anew: what it had found at each moment, and how sure that is.

Two intervals are told apart. The middle 95% of repetitions is what a single search among so many networks meets. The
interval of the mean says how exactly the mean over all possible draws is known, and shrinks with repetitions; other
networks and other data are in neither. Strategies replayed with one seed meet the same networks in the same order, so
that their difference is taken within each repetition.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from statistics import NormalDist
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from randsearch.base.errors import UserError
from randsearch.base.seeds import check_seed, derive
from randsearch.replay.world import SpentError, World
from randsearch.statistics.interval import LEVEL, Interval

if TYPE_CHECKING:
    from randsearch.replay.benchmark import Benchmark
    from randsearch.replay.strategies import Strategy

COLUMNS = ("repetition", "seconds", "architecture", "seen", "judged")
POINTS = 201
"""Moments of a curve unless told otherwise."""

_MIDDLE = ((1 - LEVEL) / 2, (1 + LEVEL) / 2)
_DEVIATIONS = NormalDist().inv_cdf(_MIDDLE[1])


@dataclass(frozen=True, eq=False, repr=False)
class Simulation:
    """A strategy's searches.

    Attributes:
        benchmark: name of it.
        strategy: name of it.
        seconds: that each search could spend.
        repetitions: how many searches.
        networks: among which each searched.
        seed: of the draws.
        frame: `repetition`, `seconds`, `architecture`, `seen` and `judged`, a row wherever the best that was seen
            rises, and one at 0 seconds, when there is the best constant gain and no network.
    """

    benchmark: str
    strategy: str
    seconds: float
    repetitions: int
    networks: int
    seed: int
    frame: pd.DataFrame

    def __repr__(self) -> str:
        last = self.curve([self.seconds]).iloc[0]
        return (
            f"{self.strategy} on {self.benchmark}: {last['judged']:.3f} [{last['low']:.3f}, {last['high']:.3f}] after "
            f"{self.seconds:g} s, mean and middle 95% of {self.repetitions} searches among {self.networks} networks"
        )

    def at(self, seconds: float) -> NDArray[np.float64]:
        """What was found by then in each repetition, as it is judged.

        Args:
            seconds: from 0 to those of the simulation.

        Raises:
            UserError: the simulation does not know.
        """
        return self._at(np.array([seconds]))[:, 0]

    def curve(self, at: Sequence[float] | None = None) -> pd.DataFrame:
        """What was found by each moment, over repetitions.

        Args:
            at: seconds; evenly over the budget if left out.

        Returns:
            one row a moment: `seconds`; `judged`, the mean; `low` and `high`, the middle 95%; `mean_low` and
            `mean_high`, the 95% interval of the mean.

        Raises:
            UserError: a moment lies outside of the simulation.
        """
        moments = np.linspace(0.0, self.seconds, POINTS) if at is None else np.asarray(at, dtype=float)
        found = self._at(moments)
        low, high = np.quantile(found, _MIDDLE, axis=0)
        mean, half = found.mean(axis=0), _half(found)
        columns = {"seconds": moments, "judged": mean, "low": low, "high": high}
        return pd.DataFrame({**columns, "mean_low": mean - half, "mean_high": mean + half})

    def reaches(self, score: float) -> float:
        """The first moment at which the mean over repetitions is at least a score; NaN if there is none."""
        moments = np.unique(self.frame["seconds"].to_numpy(dtype=float))
        enough = np.flatnonzero(self._at(moments).mean(axis=0) >= score)
        return float(moments[enough[0]]) if len(enough) else math.nan

    @cached_property
    def _steps(self) -> list[tuple[NDArray[np.float64], NDArray[np.float64]]]:
        """Of each repetition, the moments at which something was found, and as what it is judged."""
        seconds, judged = (self.frame[column].to_numpy(dtype=float) for column in ("seconds", "judged"))
        ends = np.flatnonzero(np.diff(self.frame["repetition"].to_numpy())) + 1
        return list(zip(np.split(seconds, ends), np.split(judged, ends), strict=True))

    def _at(self, moments: NDArray[np.float64]) -> NDArray[np.float64]:
        """(repetitions, moments)."""
        if len(moments) and not (moments.min() >= 0 and moments.max() <= self.seconds * (1 + 1e-9)):
            raise UserError(f"{self.strategy} was replayed from 0 to {self.seconds:g} seconds: ask for these.")
        return np.stack(
            [judged[np.searchsorted(seconds, moments, side="right") - 1] for seconds, judged in self._steps]
        )


@dataclass(frozen=True)
class Difference:
    """What one strategy found less what another found, within the same repetitions.

    Attributes:
        mean: over repetitions, with its 95% interval.
        middle: the middle 95% of repetitions, about the same mean.
        won: the share of repetitions in which the first found the better network.
        tied: the share in which they found equally good ones.
    """

    mean: Interval
    middle: Interval
    won: float
    tied: float


def compare(a: Simulation, b: Simulation, seconds: float) -> Difference:
    """Compares two strategies at the same seconds, within each repetition.

    Args:
        a: of one strategy.
        b: of another, with the same seed and numbers of repetitions and networks.
        seconds: at which.

    Raises:
        UserError: they met different networks, or one of them had fewer seconds.
    """
    for what in ("benchmark", "seed", "repetitions", "networks"):
        if getattr(a, what) != getattr(b, what):
            raise UserError(
                f"{a.strategy} and {b.strategy} were not replayed on the same networks, for their {what} differ "
                f"({getattr(a, what)} and {getattr(b, what)}): simulate both alike."
            )
    found = a.at(seconds) - b.at(seconds)
    mean, half, (low, high) = float(found.mean()), float(_half(found[:, None])[0]), np.quantile(found, _MIDDLE)
    return Difference(
        mean=Interval(mean, mean - half, mean + half),
        middle=Interval(mean, float(low), float(high)),
        won=float(np.mean(found > 0)),
        tied=float(np.mean(found == 0)),
    )


def simulate(
    benchmark: Benchmark, strategy: str | Strategy, *, seconds: float, repetitions: int, networks: int, seed: int
) -> Simulation:
    """Replays a strategy; see `Benchmark.simulate`."""
    from randsearch.replay.strategies import named

    for what, number in (("seconds", seconds), ("repetitions", repetitions), ("networks", networks)):
        if not (math.isfinite(number) and number > 0):
            raise UserError(f"{what} of a replay must be more than 0, not {number:g}.")
    records, rows = benchmark.records, list[tuple[int, float, str, float, float]]()
    drawn = min(networks, len(records.trainable))
    if not drawn:
        raise UserError(f"{benchmark.name} has no training to replay.")
    search = named(strategy, benchmark, drawn) if isinstance(strategy, str) else strategy
    judged = records.judgement.scores
    for repetition in range(repetitions):
        draw, own = (_generator(stream, seed, repetition) for stream in ("networks", "strategy"))
        visible = tuple(records.trainable[place] for place in draw.permutation(len(records.trainable))[:drawn])
        world = World(records, benchmark.config, benchmark.bound, visible, rng=own, limit=seconds)
        with suppress(SpentError):
            search(world)
        rows.append((repetition, 0.0, "", math.nan, records.baseline))
        rows += (
            (repetition, each.seconds, each.architecture, each.seen, judged[each.architecture]) for each in world.found
        )
    name = strategy if isinstance(strategy, str) else getattr(strategy, "__name__", type(strategy).__name__)
    frame = pd.DataFrame(rows, columns=list(COLUMNS))
    return Simulation(benchmark.name, name, float(seconds), repetitions, drawn, seed, frame)


def _generator(stream: str, seed: int, repetition: int) -> np.random.Generator:
    return np.random.default_rng(derive("replay", stream, check_seed(seed), repetition))


def _half(found: NDArray[np.float64]) -> NDArray[np.float64]:
    """Half of the interval of the mean of each column; NaN with a single repetition."""
    if len(found) < 2:
        return np.full(found.shape[1], math.nan)
    half: NDArray[np.float64] = _DEVIATIONS * found.std(axis=0, ddof=1) / math.sqrt(len(found))
    return half
