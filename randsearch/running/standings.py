"""The samples of architectures by which the votes of a search are told, each as it was measured once and for all."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from itertools import groupby

import numpy as np

from randsearch.measures import Job
from randsearch.running.executors import Executor
from randsearch.running.progress import SearchProgress
from randsearch.study.config import StudyConfig
from randsearch.study.studies import Studies
from randsearch.study.votes import Standing
from randsearch.table.measurement import Key, Measurement
from randsearch.table.votes import is_vote, parts_of


class Standings:
    """Those that a study needs: of the primary proxy, and of the lowest rung of `asha`, as far as they are votes.

    Args:
        config: which proxies it has, and who trains.
        studies: that hold what was taken before.
    """

    def __init__(self, config: StudyConfig, studies: Studies) -> None:
        self._studies = studies
        needed = (config.proxy, *([config.lowest_rung] if config.train == "asha" else []))
        self._taken = {vote: studies.standing(vote) for vote in filter(is_vote, needed)}

    def lacking(self) -> list[str]:
        """The votes whose sample is still to be measured."""
        return [vote for vote, standing in self._taken.items() if standing is None]

    def ready(self, proxy: str) -> bool:
        """Whether an architecture has a value by a proxy as soon as it is measured."""
        return self._taken.get(proxy) is not None or not is_vote(proxy)

    def value(self, vote: str, means: Mapping[str, float]) -> float | None:
        """The value of an architecture; None until the sample is taken.

        Args:
            vote: its name.
            means: of each part, over seeds.
        """
        standing = self._taken[vote]
        return None if standing is None else standing.value(means)

    def take(self, votes: Iterable[str], sample: Mapping[Key, Measurement]) -> None:
        """Takes what was measured of a sample for the standing of votes, and keeps it with the study.

        Args:
            votes: their names.
            sample: measurements of their parts; an architecture counts for the parts that scored it.
        """
        scored = sorted(
            (measure, name, each.score) for (name, measure, _), each in sample.items() if each.score is not None
        )
        means: dict[str, list[float]] = {}
        for (measure, _), seeds in groupby(scored, key=lambda each: each[:2]):
            means.setdefault(measure, []).append(float(np.mean([score for *_, score in seeds])))
        for vote in votes:
            standing = Standing.of({part: means.get(part, []) for part in parts_of(vote)})
            self._studies.keep_standing(vote, standing)
            self._taken[vote] = standing


def measure_apart(jobs: Iterable[Job], executor: Executor, progress: SearchProgress) -> dict[Key, Measurement]:
    """Makes measurements that are not recorded.

    Args:
        jobs: what to measure.
        executor: where.
        progress: what is shown.

    Raises:
        StoppedError: the search is to stop.
    """
    found: dict[Key, Measurement] = {}
    waiting, out = deque(jobs), 0
    progress.expect(len(waiting))
    while waiting or out:
        while waiting and out <= executor.capacity:
            executor.submit(waiting.popleft())
            out += 1
        for measurement in executor.finished():
            out -= 1
            found[measurement.key] = measurement
            progress.advance(measurement, 0.0, ())
    return found
