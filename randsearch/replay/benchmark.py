"""A benchmark: the published measurements of a study, to look up, and to replay searches on without training."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from randsearch.base.errors import UserError, quoted
from randsearch.base.layout import StudyFolder
from randsearch.models.architecture import Architecture
from randsearch.replay.records import TRAINED, Records, at_step, score_of
from randsearch.space import BoundSpace, SearchSpace
from randsearch.space.shipped import PACKAGE
from randsearch.study.candidates import bind_space
from randsearch.study.config import StudyConfig
from randsearch.study.folders import load_config
from randsearch.table.published import read_published
from randsearch.table.tidy import read_measurements

if TYPE_CHECKING:
    import pandas as pd

    from randsearch.replay.objective import Objective
    from randsearch.replay.simulation import Simulation
    from randsearch.replay.strategies import Strategy

SHIPPED = ("popvoice-8k",)
"""The benchmarks that come with randsearch."""

_CHECKOUT = PACKAGE.parent / "results" / "reference"


@dataclass(frozen=True)
class Answer:
    """What a benchmark knows of a measure of a network; unpacks into the two.

    Attributes:
        score: higher is predicted better; None if the measurement failed.
        seconds: that it took.
        reason: why it failed; empty otherwise.
    """

    score: float | None
    seconds: float
    reason: str = ""

    def __iter__(self) -> Iterator[float | None]:
        return iter((self.score, self.seconds))


def benchmark(name: str | Path = SHIPPED[0]) -> Benchmark:
    """Loads a benchmark.

    Args:
        name: of one that comes with randsearch, or a folder with `config.yaml` and `measurements.csv.gz` or
            `measurements.csv`, such as that of a study of your own.

    Raises:
        UserError: there is none, or its files are damaged.

    Example:
        >>> import randsearch as rs
        >>> b = rs.benchmark("popvoice-8k")
        >>> first = next(iter(b.architectures))
        >>> score, seconds = b.query(first, "trained")
    """
    folder = _located(name)
    files, config = StudyFolder(folder), load_config(folder)
    table = read_published(files.published) if files.published.is_file() else read_measurements(files.table)
    unknown = table["seconds"].isna()
    if unknown.any():
        row = table[unknown].iloc[0]
        raise UserError(
            f"{folder}: the seconds of {row['measure']} of {row['architecture']} are missing, and a replay needs them."
        )
    return Benchmark(folder.resolve().name, config, table)


def _located(name: str | Path) -> Path:
    """The folder of a benchmark."""
    if str(name) in SHIPPED:
        installed = PACKAGE / "benchmarks" / str(name)
        return installed if installed.is_dir() else _CHECKOUT / str(name)
    folder = Path(name)
    if not StudyFolder(folder).is_study:
        raise UserError(
            f"there is no benchmark {quoted(str(name))}: name {' or '.join(SHIPPED)}, or a folder with config.yaml and "
            "measurements.csv.gz or measurements.csv."
        )
    return folder


@dataclass(frozen=True, eq=False, repr=False)
class Benchmark:
    """The measurements of a study, to be looked up and replayed.

    Attributes:
        name: of its folder.
        config: of the study.
        table: tidy, one row a measurement.
    """

    name: str
    config: StudyConfig
    table: pd.DataFrame

    def __repr__(self) -> str:
        return "\n".join(self.sentences())

    def sentences(self) -> list[str]:
        """What it holds, and how what strategies find in it is judged."""
        trainable, again = len(self.records.trainable), self.records.judgement.again
        return [
            f"{self.name}: {len(self.architectures)} architectures, {trainable} of them trained, {again} at several "
            f"seeds; {len(self.measures)} measures",
            self.records.judgement.sentence(),
        ]

    @cached_property
    def records(self) -> Records:
        """The measurements, to be looked up."""
        return Records(self.table, self.name)

    @property
    def architectures(self) -> Mapping[str, Architecture]:
        """All architectures by hash, in the order of the table."""
        return self.records.architectures

    @property
    def measures(self) -> Sequence[str]:
        """The measures that it holds, `trained` among them."""
        return self.records.measures

    @cached_property
    def space(self) -> SearchSpace:
        """Where the architectures are from."""
        return SearchSpace.from_dict(self.config.space, f"the search space of {self.name}")

    @cached_property
    def bound(self) -> BoundSpace:
        """The same with the sources, rate and segment of the study, by which sizes are known."""
        return bind_space(self.config)

    def training_seconds(self, networks: int) -> float:
        """What it takes to train so many of the networks, at their mean cost.

        Args:
            networks: all where there are fewer.
        """
        records = self.records
        spent = [records.at(TRAINED, name, records.seed(TRAINED)).seconds for name in records.trainable]
        return float(np.sum(spent)) * min(1.0, networks / max(len(spent), 1))

    def query(
        self, architecture: Architecture | str, measure: str, seed: int | None = None, step: int | None = None
    ) -> Answer:
        """What a measure made of an architecture.

        Args:
            architecture: or its hash.
            measure: by name.
            seed: at which; the mean over all that are complete if left out.
            step: of the curve of a training, as if it had been stopped there; at its end if left out.

        Raises:
            UserError: it was not measured, or its curve says nothing of that step.
        """
        name = architecture if isinstance(architecture, str) else architecture.hash
        found = self.records.of(measure, name)
        every = list(found.values()) if seed is None else [self.records.at(measure, name, seed)]
        whole = [each for each in every if each.state == "complete"]
        if not whole:
            return Answer(None, float(np.mean([each.seconds for each in every])), every[0].reason)
        cut = whole if step is None else [at_step(each, step) for each in whole]
        scores = [score for each in cut if (score := score_of(each)) is not None]
        return Answer(float(np.mean(scores)), float(np.mean([each.seconds for each in cut])))

    def simulate(
        self,
        strategy: str | Strategy,
        *,
        seconds: float,
        repetitions: int = 200,
        networks: int = 100,
        seed: int = 0,
    ) -> Simulation:
        """Replays a search again and again, each time among other networks.

        Args:
            strategy: `random`, `tpe`, `halving`, `halving:MEASURE`, `proxy:MEASURE`, where a measure may be a vote
                such as `vote:macs+params+zen`; or a function of a `World`.
            seconds: of measuring and training that each search may spend.
            repetitions: how many searches.
            networks: drawn at random for each, the others being hidden; all where there are fewer.
            seed: of the draws: the same repetition has the same networks, whatever the strategy.

        Raises:
            UserError: there is no such strategy or measure, or a number is impossible.
        """
        from randsearch.replay.simulation import simulate

        return simulate(self, strategy, seconds=seconds, repetitions=repetitions, networks=networks, seed=seed)

    def objective(self, seconds: float | None = None, seed: int | None = None) -> Objective:
        """An objective for Optuna's samplers and pruners, which trains by looking up.

        Args:
            seconds: of simulated training after which the study is stopped; None for no end.
            seed: of the trainings; their first if left out.

        Raises:
            UserError: there is no training at that seed.

        Example:
            >>> import optuna, randsearch as rs
            >>> study = optuna.create_study(direction="maximize")
            >>> study.optimize(rs.benchmark("popvoice-8k").objective(seconds=3600), n_trials=5)
        """
        from randsearch.replay.objective import Objective

        return Objective(self.records, self.config, self.bound, seconds, seed)
