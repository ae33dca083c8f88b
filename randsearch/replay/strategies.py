"""The strategies that are known by name: what `randsearch search` does, by the classes by which it does it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import optuna
from optuna.trial import TrialState

from randsearch.base.errors import UserError, quoted
from randsearch.models.architecture import Architecture
from randsearch.replay.records import TRAINED
from randsearch.replay.world import World
from randsearch.running.halving import Halving
from randsearch.running.samplers import Proposals
from randsearch.space import Invalid
from randsearch.space.sampling import Trial
from randsearch.study.rungs import Plan, best_first, budgets
from randsearch.study.studies import Candidate
from randsearch.table.votes import measured_for

if TYPE_CHECKING:
    from randsearch.replay.benchmark import Benchmark

Strategy: TypeAlias = Callable[[World], object]
"""Measures and trains networks of a world until it is done, or the seconds are spent."""

FEWEST_OF_SPACE = 0.05
"""The share of a space that a benchmark must hold so that a sampler of the whole space hits what there is."""


def random(world: World) -> None:
    """Trains one network after the other."""
    for architecture in world.architectures:
        world.train(architecture)


def tpe(world: World) -> None:
    """Trains what Optuna's TPE proposes, as `--sampler tpe` does, told trained scores."""
    config = world.config.model_copy(
        update={"sampler": "tpe", "trials": len(world.architectures), "seed": int(world.rng.integers(2**31))}
    )
    study, candidates = optuna.create_study(direction="maximize"), dict[str, Candidate]()
    scores = dict[str, float | None]()

    def values(architecture: Architecture) -> list[float] | None:
        score = scores[architecture.hash]
        return None if score is None else [score]

    proposals = Proposals(config, study, _Visible(world), candidates, values)
    proposals.begin()
    limit = proposals.asked + 20 * config.trials
    while len(candidates) < config.trials and proposals.asked < limit:
        candidate = proposals.ask()
        if candidate is None:
            continue
        name = candidate.architecture.hash
        candidates[name], scores[name] = candidate, world.train(candidate.architecture)
        told = values(candidate.architecture)
        if told is None:
            study.tell(candidate.number, state=TrialState.FAIL)
        else:
            study.tell(candidate.number, told)


def proxy(world: World, measure: str) -> None:
    """Measures all networks by a proxy, and trains them from the best to the worst, as `--train top:K` does.

    Args:
        world: to search.
        measure: the proxy, or a vote.
    """
    takes = [(part, world.seed(part)) for part in measured_for(measure)]
    scores = {
        (each.hash, part, seed): world.measure(each, part) for each in world.architectures for part, seed in takes
    }
    for name in best_first(measure, takes, scores, [each.hash for each in world.architectures]):
        world.train(name)


def halving(world: World, measure: str) -> None:
    """Successive halving, as `--train halving` does it.

    Args:
        world: to search.
        measure: the lowest rung, or a vote.
    """
    config, number = world.config, len(world.architectures)
    plan = Plan(
        lowest=measure,
        budgets=budgets(config.steps, config.validate_every, config.reduction, number),
        reduction=config.reduction,
        takes=tuple((part, world.seed(part)) for part in measured_for(measure)),
        seeds=(world.seed(TRAINED),),
    )
    candidates = {
        each.hash: Candidate(place, each, {}, {}, told=False) for place, each in enumerate(world.architectures)
    }
    search = Halving(plan, candidates)
    for architecture in world.architectures:
        for part, _ in plan.takes:
            search.note(world.measured(architecture, part))
    while jobs := search.rung():
        for measurement in search.lost():
            search.note(measurement)
        for job in jobs:
            outcome = search.outcome(world.trained(job.architecture, job.until))
            if outcome is not None:
                search.note(outcome)


@dataclass(frozen=True)
class Entry:
    """A strategy, or a family of them.

    Attributes:
        run: searches a world; by a measure, unless it takes none.
        measure: by which it goes if none is named; None if one must be, "" if it takes none.
        says: what it does, for people.
    """

    run: Callable[..., None]
    measure: str | None
    says: str


STRATEGIES: Mapping[str, Entry] = {
    "random": Entry(random, "", "trains one after the other"),
    "tpe": Entry(tpe, "", "trains what Optuna's TPE proposes, told trained scores"),
    "halving": Entry(halving, "early", "successive halving, its lowest rung a measure"),
    "proxy": Entry(proxy, None, "measures all, and trains from the best to the worst"),
}
"""By what stands before the colon of a name; the measure stands behind it."""


def named(name: str, benchmark: Benchmark, networks: int) -> Strategy:
    """The strategy of a name.

    Args:
        name: `random`, `tpe`, `halving`, `halving:MEASURE` or `proxy:MEASURE`.
        benchmark: on which it is to be replayed.
        networks: among which.

    Raises:
        UserError: there is none of that name, or the benchmark lacks what it takes.
    """
    kind, _, measure = name.partition(":")
    entry = STRATEGIES.get(kind)
    if entry is None:
        raise UserError(f"there is no strategy {quoted(name)}: choose from {', '.join(_names())}.")
    if entry.measure == "":
        if measure:
            raise UserError(f"{quoted(name)}: {kind} goes by no measure: write {kind} alone.")
        if kind == "tpe":
            _check_room(benchmark)
        return entry.run
    chosen = measure or entry.measure
    if chosen is None:
        raise UserError(f"{quoted(name)} needs the measure by which it goes, such as {kind}:macs.")
    parts = measured_for(chosen)
    if TRAINED in parts:
        raise UserError(f"{name}: a strategy goes by something cheaper than {TRAINED} itself.")
    for part in parts:
        benchmark.records.seed(part)
    run = entry.run
    return lambda world: run(world, chosen)


def _names() -> Sequence[str]:
    return [f"{kind}:MEASURE" if entry.measure is None else kind for kind, entry in STRATEGIES.items()]


def _check_room(benchmark: Benchmark) -> None:
    """Refuses to have a sampler propose networks of which the benchmark holds next to none."""
    held, count = len(benchmark.records.trainable), benchmark.bound.count()
    if held < FEWEST_OF_SPACE * count.number:
        raise UserError(
            f"tpe proposes any network of a space of {count}, of which {benchmark.name} has trained {held}: it can be "
            "replayed where nearly all are."
        )


class _Visible:
    """The space of a world, in which what is hidden is invalid.

    Args:
        world: whose networks are visible.
    """

    def __init__(self, world: World) -> None:
        self._world = world

    def suggest(self, trial: Trial) -> Architecture | Invalid:
        """Asks a trial for a network of the world."""
        found = self._world.space.suggest(trial)
        return found if isinstance(found, Invalid) or found in self._world else Invalid("hidden in this repetition")
