"""Who trains next, and how far, where trainings are stopped on the way: `--train halving` and `--train asha`.

A training that reached its rung is paused: its checkpoint stays, and nothing is recorded until its fate is known. What
goes on from there is one measurement in the end, and what does not is recorded as pruned, with its curve up to there.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from heapq import heappop, heappush

from randsearch.measures import Job
from randsearch.study.rungs import Plan, Training, expected, lacking, lowest_scores, open_rung, score_at
from randsearch.study.studies import Candidate
from randsearch.table.measurement import Key, Measurement


class Halving:
    """The trainings of a search, rung by rung: each is closed before the next begins.

    Args:
        plan: of the study.
        candidates: its architectures by hash; more may come.
    """

    def __init__(self, plan: Plan, candidates: Mapping[str, Candidate]) -> None:
        self.plan = plan
        self._candidates = candidates
        self._scores: dict[Key, float | None] = {}
        self._trainings: dict[tuple[str, int], Training] = {}
        self._stopped: dict[tuple[str, int], Measurement] = {}
        self._paused: set[tuple[str, int]] = set()
        self._going: frozenset[str] = frozenset()

    def note(self, measurement: Measurement) -> None:
        """Takes note of a measurement that is recorded."""
        name, measure, seed = measurement.key
        if (measure, seed) in self.plan.takes:
            self._scores[measurement.key] = measurement.score
        if measure == "trained":
            self._trainings[name, seed] = self.plan.training(measurement.state, measurement.score, measurement.curve)
            if measurement.state == "pruned":
                self._stopped[name, seed] = measurement

    def resume(self, begun: Iterable[tuple[str, int]]) -> None:
        """Takes up trainings that a search which was stopped had begun: they stay promoted.

        Args:
            begun: (hash, seed) of those that have a checkpoint.
        """
        for name, seed in begun:
            if name in self._candidates:
                self._trainings.setdefault((name, seed), Training(()))

    def outcome(self, measurement: Measurement) -> Measurement | None:
        """What is to be recorded of a measurement that was just made; None of a training that is paused.

        Args:
            measurement: as the executor gave it; a training that failed after a pause has the curve and the costs up
                to there, for by these it was chosen.
        """
        name, measure, seed = measurement.key
        if measure != "trained":
            return measurement
        if measurement.state == "pruned":
            self._trainings[name, seed], self._stopped[name, seed] = Training(measurement.curve), measurement
            self._paused.add((name, seed))
            return None
        self._paused.discard((name, seed))
        before = self._stopped.pop((name, seed), None)
        if before is not None and measurement.state == "failed":
            return replace(before, state="failed", reason=measurement.reason)
        return measurement

    def rung(self) -> list[Job]:
        """The trainings that are to reach the lowest rung that is open; none when all are closed."""
        lowest = lowest_scores(self.plan, self._scores, self._candidates)
        found = open_rung(self.plan, lowest, self._trainings)
        self._going = frozenset(found.members)
        return [self._job(name, seed, found.number) for name, seed in found.missing]

    def lost(self) -> list[Measurement]:
        """The paused trainings of architectures that do not go on, each told once."""
        lost = sorted(where for where in self._paused if where[0] not in self._going)
        self._paused.difference_update(lost)
        return [self._stopped[where] for where in lost]

    def share(self, job: Job) -> float:
        """Which part of a whole training a job is.

        Args:
            job: a training.
        """
        where, whole = (job.architecture.hash, job.seed), self.plan.budgets[-1]
        done = self._stopped[where].steps if where in self._paused else 0
        return max(0, (job.until or whole) - done) / whole

    def later(self, jobs: list[Job]) -> float:
        """How many whole trainings the rungs behind one will take together, if none fails.

        Args:
            jobs: of the rung.
        """
        if not jobs:
            return 0.0
        budgets = self.plan.budgets
        behind = budgets[budgets.index(jobs[0].until or budgets[-1]) :]
        counts = expected(self.plan, len(self._going))
        steps = (count * (to - fro) for count, fro, to in zip(counts, behind, behind[1:], strict=False))
        return sum(steps) * len(self.plan.seeds) / budgets[-1]

    def _job(self, name: str, seed: int, rung: int) -> Job:
        until = self.plan.budgets[rung - 1] if rung < len(self.plan.budgets) else None
        return Job(self._candidates[name].architecture, "trained", seed, until)


class Asha(Halving):
    """The same without waiting for rungs to close: whoever is among the best so far of its rung goes on at once.

    What is promoted depends on what was finished first, and so on the number of workers.

    Args:
        plan: of the study.
        candidates: its architectures by hash; more may come.
        lowest: what the lowest rung makes of an architecture, once that is known; the mean over seeds if left out.
    """

    def __init__(
        self, plan: Plan, candidates: Mapping[str, Candidate], lowest: Callable[[str], float | None] | None = None
    ) -> None:
        super().__init__(plan, candidates)
        self._lowest = lowest or (lambda name: lowest_scores(plan, self._scores, [name]).get(name))
        self._rungs = [_Rung(plan) for _ in plan.budgets]
        self._target: dict[str, int] = {}
        self._news: dict[str, None] = {}
        self._queue: deque[Job] = deque()
        self._handed: set[tuple[str, int]] = set()
        self._out: set[Key] = set()
        self.finished = False

    def note(self, measurement: Measurement) -> None:
        """Takes note of a measurement that is recorded."""
        super().note(measurement)
        self._news[measurement.architecture.hash] = None

    def outcome(self, measurement: Measurement) -> Measurement | None:
        """What is to be recorded of a measurement that was just made; None of a training that is paused."""
        self._out.discard(measurement.key)
        self._news[measurement.architecture.hash] = None
        if measurement.measure == "trained":
            self._handed.discard((measurement.architecture.hash, measurement.seed))
        return super().outcome(measurement)

    def resume(self, begun: Iterable[tuple[str, int]]) -> None:
        """Takes up trainings that a search which was stopped had begun."""
        for name, seed in begun:
            super().resume([(name, seed)])
            self._news[name] = None

    def jobs(self, measures: Iterator[Job]) -> Iterator[Job | None]:
        """What to do next, whenever there is room for a job: a promotion, else a measure.

        Args:
            measures: jobs of the measures of all architectures.

        Yields:
            a job; None while there is none until another is finished.
        """
        while True:
            news, self._news = self._news, {}
            for name in news:
                self._place(name)
            if not self._queue and self._promote():
                continue
            job = self._queue.popleft() if self._queue else next(measures, None)
            if job is not None:
                self._out.add(job.key)
                yield job
            elif self._out:
                yield None
            elif not self._promote(least=1):
                self.finished = True
                return

    def _promote(self, least: int = 0) -> bool:
        """Has the best that may go on of the highest rung do so; whether there is any."""
        for number in reversed(range(len(self._rungs))):
            name = self._rungs[number].promoted(least)
            if name is not None:
                self._target[name] = number + 1
                self._news[name] = None
                return True
        return False

    def _place(self, name: str) -> None:
        """Puts an architecture on the rungs that it has reached, and queues what its trainings lack of the next."""
        budgets = self.plan.budgets
        begun = [each for seed in self.plan.seeds if (each := self._trainings.get((name, seed))) is not None]
        if begun:
            reached = max(each.step for each in begun)
            self._target[name] = max(self._target.get(name, 1), 1 + bisect_left(budgets, reached))
        target = self._target.get(name, 0)
        score = self._lowest(name)
        if score is not None:
            self._rungs[0].add(name, score, went_on=target > 0)
        for number, budget in enumerate(budgets[:target], start=1):
            found = score_at(self.plan, self._trainings, name, budget)
            if found is not None and not lacking(self.plan, self._trainings, name, budget) and number < len(budgets):
                self._rungs[number].add(name, found, went_on=number < target)
        for seed in lacking(self.plan, self._trainings, name, budgets[target - 1]) if target else ():
            if (name, seed) not in self._handed:
                self._handed.add((name, seed))
                self._queue.append(self._job(name, seed, target))


class _Rung:
    """The architectures that have a score on one rung of `Asha`.

    Args:
        plan: of the study.
    """

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._names: set[str] = set()
        self._ranking: list[tuple[float, str]] = []
        self._waiting: list[tuple[float, str]] = []

    def add(self, name: str, score: float, *, went_on: bool) -> None:
        """Adds an architecture unless it is there."""
        if name not in self._names:
            self._names.add(name)
            insort(self._ranking, (-score, name))
            if not went_on:
                heappush(self._waiting, (-score, name))

    def promoted(self, least: int) -> str | None:
        """The best that has not gone on, and now does; None if it is not good enough.

        Args:
            least: how many go on at least.
        """
        room = max(least, len(self._ranking) // self._plan.reduction)
        if self._waiting and bisect_left(self._ranking, self._waiting[0]) < room:
            return heappop(self._waiting)[1]
        return None
