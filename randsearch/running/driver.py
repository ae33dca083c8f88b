"""The driver: asks for architectures, hands out jobs, and is the only one to write."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator
from functools import partial
from itertools import chain, islice, product

import numpy as np

from randsearch.base import stopping
from randsearch.base.errors import UserError
from randsearch.base.layout import StudyFolder
from randsearch.measures import Job, Setting, find
from randsearch.measures.own import is_own
from randsearch.models import sizing
from randsearch.models.architecture import Architecture
from randsearch.running.executors import Executor
from randsearch.running.halving import Asha, Halving
from randsearch.running.progress import SearchProgress
from randsearch.running.retention import Retention
from randsearch.running.samplers import Proposals
from randsearch.running.standings import Standings, measure_apart
from randsearch.space import BoundSpace
from randsearch.study.candidates import planned_candidates, sample_apart
from randsearch.study.config import StudyConfig
from randsearch.study.rungs import best_first, expected, plan_of
from randsearch.study.studies import Candidate, Studies
from randsearch.study.tabulate import tabulate
from randsearch.study.votes import SAMPLE
from randsearch.table.measurement import Key, Measurement
from randsearch.table.tidy import write_measurements
from randsearch.table.votes import is_vote, measured_for, parts_of

TABLE_SECONDS = 5.0
TABLE_SHARE = 0.05
"""Seconds between two tables of a running search, and what part of the time writing them may take."""

INSTANT_SECONDS = 0.05
"""Measurements that come faster are written several at a time."""

ENOUGH_TO_JUDGE = 9
"""Measurements after which a study is stopped if more than a third of them failed."""


def _ignore(_: Measurement) -> None:
    """For a search that nobody else follows."""


class Driver:
    """Runs a study to its end, from wherever it stands.

    Args:
        config: resolved.
        setting: what workers need.
        space: where architectures come from.
        studies: storage; what it holds already is not measured again.
        executor: where jobs run.
        progress: what is shown.
        retention: clears the files of what is recorded.
    """

    def __init__(
        self,
        config: StudyConfig,
        setting: Setting,
        space: BoundSpace,
        studies: Studies,
        executor: Executor,
        progress: SearchProgress,
        retention: Retention,
    ) -> None:
        self._config = config
        self._setting = setting
        self._space = space
        self._studies = studies
        self._executor = executor
        self._progress = progress
        self._retention = retention
        self._allow_failures = False
        self._on_measured: Callable[[Measurement], None] = _ignore
        self._table = StudyFolder(setting.folder).table  # kept up with the storage
        self._written, self._pause = -TABLE_SECONDS, TABLE_SECONDS
        self._tabulated = studies.tabulated
        self._failures: Counter[tuple[str, str]] = Counter()
        self._candidates = {candidate.architecture.hash: candidate for candidate in studies.candidates()}
        self._standings = Standings(config, studies)
        self._halving: Halving | None = None
        if config.train == "halving":
            self._halving = Halving(plan_of(config), self._candidates)
        elif config.train == "asha":
            lowest = config.lowest_rung
            told = partial(self._score, lowest) if is_vote(lowest) else None
            self._halving = Asha(plan_of(config), self._candidates, told)
        self._known: dict[Key, Measurement] = {}
        for measurement in studies.measurements(self._candidates.values()):
            self._note(measurement)

    def run(self, *, allow_failures: bool = False, on_measured: Callable[[Measurement], None] | None = None) -> None:
        """Samples, measures and trains until the study holds all that its configuration asks for.

        Args:
            allow_failures: goes on although more than a third of the measurements fail.
            on_measured: told of each measurement once it is recorded; what it raises ends the run.

        Raises:
            UserError: more than a third failed, or the machine did.
            StoppedError: the search is to stop.
        """
        self._allow_failures = allow_failures
        self._on_measured = on_measured or _ignore
        self._retention.sweep(self._known.values())
        try:
            with self._studies.storage.late():
                self._complete()
        finally:
            self._write_table(force=True)

    def _complete(self) -> None:
        self._take_standings()
        for candidate in self._candidates.values():
            self._tell_primary(candidate)
        if self._halving is not None:
            self._halving.resume(self._retention.begun())
        if self._config.adaptive:
            self._optimise()
        measures, known = self._config.all_measures, list(self._candidates)
        jobs, missing = self._jobs(measures, known), self._missing(measures, known)
        if not self._config.adaptive:
            jobs = chain(jobs, self._jobs(measures, self._sampled()))
            fresh = max(0, self._config.trials - len(known))
            missing += fresh * sum(len(self._seeds(measure)) for measure in measures)
        if isinstance(self._halving, Asha):
            self._promote(self._halving, jobs, missing)
        else:
            self._measure(jobs, missing)
            self._train()
        self._retention.finish()

    def _train(self) -> None:
        if self._halving is not None:
            self._climb(self._halving)
            return
        chosen = self._to_train()
        self._measure(self._jobs(("trained",), chosen), self._missing(("trained",), chosen))

    def _climb(self, halving: Halving) -> None:
        """Trains rung by rung; what does not go on from one is recorded before the next begins."""
        while True:
            jobs = halving.rung()
            self._give_up(halving)
            if not jobs:
                return
            whole = [find(job.measure).cost(self._setting, job.architecture) for job in jobs]
            self._measure(iter(jobs), len(jobs), later=halving.later(jobs) * sum(whole) / len(whole))

    def _promote(self, asha: Asha, measures: Iterator[Job], missing: int) -> None:
        """Measures, and trains at once whatever is among the best so far."""
        planned = sum(expected(asha.plan, self._config.trials)) * len(asha.plan.seeds)
        self._measure(asha.jobs(measures), missing + planned)
        if not asha.finished:
            raise stopping.StoppedError
        self._give_up(asha)

    def _give_up(self, halving: Halving) -> None:
        for measurement in halving.lost():
            self._record(measurement)
            self._on_measured(measurement)

    def _sampled(self) -> Iterator[str]:
        """Draws the candidates that are missing, each when it is asked for."""
        for drawn in planned_candidates(self._config, self._space, list(self._candidates)):
            yield self._admit(self._studies.add(drawn.architecture, drawn.params, drawn.distributions))

    def _admit(self, candidate: Candidate) -> str:
        self._candidates[candidate.architecture.hash] = candidate
        return candidate.architecture.hash

    def _jobs(self, measures: Iterable[str], hashes: Iterable[str]) -> Iterator[Job]:
        """What is still to be measured of these architectures."""
        seeds = [(measure, seed) for measure in measures for seed in self._seeds(measure)]
        for name in hashes:
            for measure, seed in seeds:
                if not self._is_measured((name, measure, seed)):
                    yield Job(self._candidates[name].architecture, measure, seed)

    def _missing(self, measures: Iterable[str], hashes: Iterable[str]) -> int:
        """How many `_jobs` are."""
        seeds = [(measure, seed) for measure in measures for seed in self._seeds(measure)]
        return sum(not self._is_measured((name, measure, seed)) for name in hashes for measure, seed in seeds)

    def _is_measured(self, key: Key) -> bool:
        """Whether that is done with; a training that was stopped on the way is not, where all are to be trained."""
        return key in self._known and self._known[key].state != "pruned"

    def _seeds(self, measure: str) -> tuple[int, ...]:
        return self._config.seeds_of(measure, seeded=find(measure).seeded)

    def _cost(self, job: Job) -> float:
        whole = find(job.measure).cost(self._setting, job.architecture)
        return whole if self._halving is None or job.measure != "trained" else whole * self._halving.share(job)

    def _measure(self, jobs: Iterator[Job | None], planned: int, later: float = 0.0) -> None:
        """Runs jobs, always as many at once as the executor has room for, and records each as it is done.

        Args:
            jobs: each is made when there is room for it; None where there is none until another is finished.
            planned: how many they are, about.
            later: multiply-adds of what follows on them.
        """
        self._progress.expect(planned)
        running: dict[Key, tuple[Job, float]] = {}
        submitted, cost, left, ending = 0, 0.0, 0.0, None
        while True:
            # One job more than there are workers, so that none waits while the storage is written.
            while ending is None and not stopping.requested() and len(running) <= self._executor.capacity:
                try:
                    job = next(jobs)
                except (StopIteration, UserError) as end:  # UserError: the space is used up.
                    ending = end
                else:
                    if job is None:
                        break
                    running[job.key] = job, self._cost(job)
                    submitted, cost = submitted + 1, cost + running[job.key][1]
                    left += running[job.key][1]
                    self._executor.submit(job)
            if not running:
                break
            self._progress.set_left(left + max(0, planned - submitted) * cost / submitted + later)
            # What a user's own measure costs is not known.
            if any(work or is_own(job.measure) for job, work in running.values()):
                self._studies.storage.flush()  # What comes next may take its time.
            began = time.monotonic()
            finished, recorded = self._executor.finished(), list[Measurement]()
            instant = time.monotonic() - began < INSTANT_SECONDS
            for measurement in finished:
                _, work = running.pop(measurement.key)
                left -= work
                recorded += self._take(measurement)
                now = [job for job, _ in running.values()][: self._executor.capacity]
                self._progress.advance(measurement, work, now)
            if not instant or self._on_measured is not _ignore:
                self._studies.storage.flush()
            self._write_table()
            for measurement in recorded:
                self._on_measured(measurement)
        if isinstance(ending, UserError):
            raise ending
        if ending is None and submitted < planned:
            raise stopping.StoppedError

    def _note(self, measurement: Measurement) -> None:
        self._known[measurement.key] = measurement
        if self._halving is not None:
            self._halving.note(measurement)
        if measurement.state == "failed":
            self._failures[measurement.measure, measurement.reason] += 1

    def _take(self, measurement: Measurement) -> list[Measurement]:
        """Records what was finished; nothing of a training that is paused, for its fate is open."""
        outcome = measurement if self._halving is None else self._halving.outcome(measurement)
        if outcome is None:
            return []
        self._record(outcome)
        return [outcome]

    def _record(self, measurement: Measurement) -> None:
        candidate = self._candidates[measurement.architecture.hash]
        self._studies.record(measurement, candidate)
        self._note(measurement)
        self._tabulated = False
        if measurement.measure in self._config.primary:
            self._tell_primary(candidate)
        self._retention.recorded(measurement)
        if measurement.state == "failed" and not self._allow_failures:
            self._judge_failures()

    def _judge_failures(self) -> None:
        """Stops a study that goes wrong as a whole."""
        failed = self._failures.total()
        if len(self._known) < ENOUGH_TO_JUDGE or 3 * failed <= len(self._known):
            return
        reasons = self._failures.most_common(3)
        told = "; ".join(f"{count} x {measure}: {reason}" for (measure, reason), count in reasons)
        raise UserError(
            f"{failed} of {len(self._known)} measurements failed ({told}): mend the cause (divergence: a lower "
            "--learning-rate; memory: a smaller --batch; time: a longer --time-limit) and start another --study, or "
            "go on with --allow-failures."
        )

    def _score(self, proxy: str, name: str) -> float | None:
        """What a proxy makes of one architecture; None while that is not known, or if it failed."""
        parts = measured_for(proxy)
        means = {part: mean for part in parts if (mean := self._mean(part, name)) is not None}
        if len(means) < len(parts):
            return None
        return self._standings.value(proxy, means) if is_vote(proxy) else means[proxy]

    def _mean(self, measure: str, name: str) -> float | None:
        """The mean over the complete seeds of a measure, once all are measured; None without any."""
        found = [self._known.get((name, measure, seed)) for seed in self._seeds(measure)]
        scores = [m.score for m in found if m is not None and m.score is not None]
        return float(np.mean(scores)) if scores and None not in found else None

    def _tell_primary(self, candidate: Candidate) -> None:
        """Tells Optuna the primary proxy's score once all of its seeds are measured."""
        name = candidate.architecture.hash
        keys = {(name, part, seed) for part in self._config.primary for seed in self._seeds(part)}
        if candidate.told or not keys <= self._known.keys() or not self._standings.ready(self._config.proxy):
            return
        self._studies.tell(candidate, self._values(candidate.architecture))
        self._candidates[name] = Candidate(
            candidate.number, candidate.architecture, candidate.params, candidate.distributions, told=True
        )

    def _values(self, architecture: Architecture) -> list[float] | None:
        """What Optuna is told of an architecture; None if the primary proxy failed."""
        score = self._score(self._config.proxy, architecture.hash)
        if score is None or self._config.sampler != "nsga2":
            return None if score is None else [score]
        data, setting = self._setting.dataset, self._setting
        cost = sizing.multiply_adds_per_second(architecture, setting.signal, setting.recipe.segment, data.sample_rate)
        return [score, cost]

    def _take_standings(self) -> None:
        """Measures the sample by which votes are told, unless the study has it.

        The first architectures of a random search are one; an adaptive sampler has none of its own, so that other
        architectures are measured, which do not join the study.
        """
        votes = self._standings.lacking()
        parts = tuple(dict.fromkeys(part for vote in votes for part in parts_of(vote)))
        if not votes:
            return
        if self._config.adaptive:
            sample = sample_apart(self._config, self._space, SAMPLE)
            jobs = [Job(each, part, seed) for each in sample for part in parts for seed in self._seeds(part)]
            found = measure_apart(jobs, self._executor, self._progress)
        else:
            first = min(SAMPLE, self._config.trials)
            known = list(self._candidates)[:first]
            names = [*known, *islice(self._sampled(), first - len(known))]
            self._measure(self._jobs(parts, names), self._missing(parts, names))
            found = {key: self._known[key] for key in product(names, parts, self._config.seeds) if key in self._known}
        self._standings.take(votes, found)

    def _optimise(self) -> None:
        """Lets an adaptive sampler propose architectures, each after the scores of those before."""
        proposals = Proposals(self._config, self._studies.main, self._space, self._candidates, self._values)
        proposals.forget()
        self._measure_primary(list(self._candidates))
        proposals.begin()
        limit = proposals.asked + 20 * self._config.trials
        while len(self._candidates) < self._config.trials and proposals.asked < limit:
            batch = min(self._executor.capacity, self._config.trials - len(self._candidates))
            fresh = [self._admit(each) for each in (proposals.ask() for _ in range(batch)) if each is not None]
            self._measure_primary(fresh)

    def _measure_primary(self, hashes: Collection[str]) -> None:
        primary = self._config.primary
        self._measure(self._jobs(primary, hashes), self._missing(primary, hashes))

    def _to_train(self) -> Collection[str]:
        if self._config.train == "none":
            return ()
        if self._config.top is None:
            return list(self._candidates)
        takes = [(part, seed) for part in self._config.primary for seed in self._seeds(part)]
        measured = {key: each.score for key, each in self._known.items()}
        return best_first(self._config.proxy, takes, measured, self._candidates)[: self._config.top]

    def _write_table(self, *, force: bool = False) -> None:
        """Writes the table, unless it was written a moment ago, or long ago only for its size."""
        began = time.monotonic()
        if self._tabulated or not self._known or (not force and began - self._written < self._pause):
            return
        self._studies.storage.flush()
        write_measurements(tabulate(self._config, self._candidates, self._known.values()), self._table)
        self._written = time.monotonic()
        self._pause = max(TABLE_SECONDS, (self._written - began) / TABLE_SHARE)
        self._tabulated = True
