"""A search space with what a study fixes: draws, enumerates and judges its architectures.

The subsets, conditions and constraints of a draw are the same for Optuna's samplers (`suggest`), for seeded random
sampling (`draw`) and for enumeration (`grid`).
"""

from __future__ import annotations

import itertools
import math
import random
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Protocol

from optuna.distributions import BaseDistribution

from randsearch.base.errors import UserError
from randsearch.base.seeds import derive
from randsearch.models import sizing
from randsearch.models.architecture import Architecture
from randsearch.models.sizing import Signal
from randsearch.space.constraints import SIZES, Constraint
from randsearch.space.counting import LIMIT, Block, Count, Invalid, census, closed_form, points
from randsearch.space.parameters import (
    DEFAULTS,
    MEMBERSHIP,
    SETS,
    Choices,
    Fixed,
    Parameter,
    Range,
    Scalar,
    Subset,
    Values,
    members,
    skeletons,
)

ATTEMPTS = 1_000  # draws before a small space is enumerated instead
PATIENCE = 200_000  # draws before a space too large to enumerate is given up: one in 10,000 may be valid


class Trial(Protocol):
    """What `suggest` needs of Optuna's `Trial` and `FixedTrial`."""

    def suggest_int(self, name: str, low: int, high: int, *, step: int = 1, log: bool = False) -> int:
        """Chooses an integer, both ends included."""
        ...

    def suggest_categorical(self, name: str, choices: Sequence[Any]) -> Any:
        """Chooses one of the choices."""
        ...


@dataclass(frozen=True)
class Drawn:
    """An architecture of the space, with what `optuna.trial.create_trial` wants to know of it.

    Attributes:
        architecture: the architecture.
        params: what was drawn, by Optuna's names.
        distributions: what each of them was drawn from.
    """

    architecture: Architecture
    params: dict[str, Scalar]
    distributions: dict[str, BaseDistribution]


@dataclass(frozen=True)
class Extremes:
    """The smallest and the largest network of a space.

    Attributes:
        smallest: fewest parameters.
        largest: most parameters.
        exact: whether all networks were looked at, or random draws only.
    """

    smallest: Architecture
    largest: Architecture
    exact: bool


@dataclass
class _Dice:
    """A trial that draws at random and keeps what it drew.

    Of Python's generator only `random()` is used: it promises the same numbers in every version to come.
    """

    generator: random.Random
    params: dict[str, Scalar] = field(default_factory=dict)

    def suggest_int(self, name: str, low: int, high: int, *, step: int = 1, log: bool = False) -> int:
        toss = self.generator.random()
        if log:
            low_log, high_log = math.log(low - 0.5), math.log(high + 0.5)
            value = min(max(round(math.exp(low_log + toss * (high_log - low_log))), low), high)
        else:
            value = low + step * int(toss * ((high - low) // step + 1))
        self.params[name] = value
        return value

    def suggest_categorical(self, name: str, choices: Sequence[Any]) -> Any:
        value = choices[int(self.generator.random() * len(choices))]
        self.params[name] = value
        return value


@dataclass
class _Reader:
    """A trial that answers with what an architecture has."""

    architecture: Architecture
    params: dict[str, Scalar] = field(default_factory=dict)

    def suggest_int(self, name: str, low: int, high: int, *, step: int = 1, log: bool = False) -> int:
        value: int = getattr(self.architecture, name)
        self.params[name] = value
        return value

    def suggest_categorical(self, name: str, choices: Sequence[Any]) -> Any:
        option, _, level = name.partition(".")
        held = getattr(self.architecture, option)
        value = (held == "all" or int(level) in held) if level else held
        if option in SETS and not level:  # of which a space may write `none`, or name each level of `all`
            value = next((choice for choice in choices if self._is_held(option, choice)), held)
        self.params[name] = value
        return value

    def _is_held(self, option: str, written: str) -> bool:
        try:
            built = Architecture.model_validate({**self.architecture.model_dump(), option: written})
        except ValueError:  # Levels that it does not have.
            return False
        return bool(getattr(built, option) == getattr(self.architecture, option))


@dataclass(frozen=True)
class BoundSpace:
    """A search space in a study.

    Attributes:
        parameters: what is drawn, in order.
        constraints: what every architecture must meet.
        signal: sources and channels.
        sample_rate: samples a second.
        segment: samples of a training example.
        where: the space's file, for errors.
    """

    parameters: tuple[Parameter, ...]
    constraints: tuple[Constraint, ...]
    signal: Signal
    sample_rate: int
    segment: int
    where: str

    def sizes(self, architecture: Architecture) -> dict[str, float]:
        """Parameters, and multiply-adds for one second of output: `params` and `macs` of the constraints."""
        return {"params": self._params(architecture), "macs": self._macs(architecture)}

    def suggest(self, trial: Trial) -> Architecture | Invalid:
        """Asks a trial for a point of the space.

        Args:
            trial: Optuna's `Trial` or `FixedTrial`; a conditional parameter is asked for only when its condition holds.

        Returns:
            the architecture, or why there is none; whoever drives Optuna then tells the trial as failed.
        """
        values = self._values(trial)
        if not self._is_small:
            return self._check(values)
        # A sampler that learns asks for the same again and again.
        point = tuple(values.values())
        if point not in self._suggested:
            self._suggested[point] = self._check(values)
        return self._suggested[point]

    def _values(self, trial: Trial) -> Values:
        values: Values = dict(DEFAULTS)
        for parameter in self.parameters:
            drawn = not parameter.when or parameter.is_drawn(values)
            values[parameter.name] = _ask(trial, parameter, values) if drawn else parameter.otherwise
        return values

    def draw(self, seed: int, index: int, taken: Collection[str] = ()) -> Drawn:
        """Candidate `index` of a random search; it depends on the arguments alone.

        Every parameter is uniform given its conditions, and the whole is conditioned on being valid and new.

        Args:
            seed: the search's seed.
            index: which candidate.
            taken: hashes of the architectures that are not to come again.

        Raises:
            UserError: no architecture is valid, or all have been taken.
        """
        generator = random.Random(derive("space", seed, index))
        if not isinstance(taken, set | frozenset):
            taken = frozenset(taken)
        faults: Counter[str] = Counter()
        judge = self._judge_again if self._is_small else self._judge
        for _ in range(ATTEMPTS if self._is_small else PATIENCE):
            dice = _Dice(generator)
            found = judge(self._values(dice), dice)
            if isinstance(found, Invalid):
                faults[found.reason] += 1
            elif found.hash not in taken:
                return self._drawn(found, dice.params)
        if self._is_small:
            return self._draw_enumerated(generator, taken, faults)
        raise UserError(
            f"{self.where}: {PATIENCE:,} draws gave no valid architecture that had not been taken{_worst(faults)}: "
            "loosen the constraints or widen the ranges."
        )

    def _judge(self, values: Values, dice: _Dice) -> Architecture | Invalid:
        """`_check`, after what can be said before building an architecture, where most draws of a narrow space end."""
        for constraint in self._plain:
            if constraint.fails_for(values):
                return Invalid(f"`{constraint.text}` does not hold", constraint)
        return self._check(values)

    def _judge_again(self, values: Values, dice: _Dice) -> Architecture | Invalid:
        """The same for a small space, in which the same is drawn again and again; what was drawn decides the values."""
        point = tuple(dice.params.values())
        if point not in self._judged:
            self._judged[point] = self._judge(values, dice)
        return self._judged[point]

    def locate(self, architecture: Architecture) -> Drawn:
        """The point of the space that an architecture is; the inverse of `suggest`.

        Raises:
            UserError: the architecture is not of this space.
        """
        reader = _Reader(architecture)
        if self.suggest(reader) != architecture:
            raise UserError(f"{self.where}: architecture {architecture.hash} is not of this space.")
        return self._drawn(architecture, reader.params)

    def grid(self) -> Iterator[Drawn]:
        """Every valid architecture once, in a stable order: the last parameter varies fastest, subsets innermost."""
        seen: set[Architecture] = set()
        for drawn, _ in self._weighted():
            if drawn.architecture not in seen:
                seen.add(drawn.architecture)
                yield drawn

    def count(self) -> Count:
        """How many distinct valid architectures there are, or at most."""
        if self._census is not None:
            return Count(sum(block.number for block in self._census), True)
        number = closed_form(self.parameters, self.constraints, self._check)
        return Count(points(self.parameters), False) if number is None else Count(number, True)

    def shares(self, samples: int = 2000, seed: int = 0) -> dict[str, dict[Scalar, float]]:
        """How often each value comes up in random draws, by Optuna's names, the values in order.

        Shares are of all draws: where a parameter's do not add up to 1, it was not drawn in the others.
        """
        tally: dict[str, Counter[Scalar]] = {}
        for index in range(samples):
            for name, value in self.draw(seed, index).params.items():
                tally.setdefault(name, Counter())[value] += 1
        shares: dict[str, dict[Scalar, float]] = {}
        for parameter in self.parameters:
            own = [name for name in tally if name.partition(".")[0] == parameter.name]
            for name in sorted(own, key=lambda name: int(name.partition(".")[2] or 0)):
                shares[name] = {value: tally[name][value] / samples for value, _ in parameter.domain.outcomes}
        return shares

    def extremes(self, samples: int = 2000, seed: int = 0) -> Extremes:
        """The networks with the fewest and the most parameters, from random draws if the space is too large."""
        if self._census is not None:
            smallest, largest = ([getattr(b, end) for b in self._census] for end in ("smallest", "largest"))
        else:
            smallest = largest = [self.draw(seed, index).architecture for index in range(samples)]
        return Extremes(min(smallest, key=self._params), max(largest, key=self._params), self._census is not None)

    @cached_property
    def _census(self) -> tuple[Block, ...] | None:
        return census(self.parameters, self.constraints, self._check)

    @cached_property
    def points(self) -> int:
        """How many points it has, valid or not."""
        return points(self.parameters)

    @property
    def _is_small(self) -> bool:
        return self.points <= LIMIT

    @cached_property
    def _cheap_first(self) -> tuple[Constraint, ...]:
        return tuple(sorted(self.constraints, key=lambda constraint: constraint.needs_sizes))

    @cached_property
    def _plain(self) -> tuple[Constraint, ...]:
        """Constraints of options that an architecture has as they were drawn."""
        return tuple(c for c in self.constraints if not c.needs_sizes and not c.names & SETS)

    @cached_property
    def _judged(self) -> dict[tuple[Scalar, ...], Architecture | Invalid]:
        return {}

    @cached_property
    def _suggested(self) -> dict[tuple[Any, ...], Architecture | Invalid]:
        return {}

    @cached_property
    def _distributions(self) -> dict[str, BaseDistribution]:
        found = {parameter.name: parameter.distribution for parameter in self.parameters}
        return {name: distribution for name, distribution in found.items() if distribution is not None}

    def _params(self, architecture: Architecture) -> float:
        layers = sizing.convolutions(architecture, self.signal, sizing.lengths(architecture, self.segment).input)
        return sum(sizing.parameters(layers).values())

    def _macs(self, architecture: Architecture) -> float:
        return sizing.multiply_adds_per_second(architecture, self.signal, self.segment, self.sample_rate)

    def _check(self, values: Values) -> Architecture | Invalid:
        """Builds an architecture and holds it against the segment and the constraints."""
        try:
            architecture = Architecture.create(values)
            sizing.check_depth(architecture, self.segment)
        except UserError as error:
            return Invalid(str(error).rstrip("."))
        sizes: dict[str, float] = {}
        for constraint in self._cheap_first:
            for name in constraint.names.intersection(SIZES).difference(sizes):
                sizes[name] = self._size(name, architecture)
            if not constraint.holds(architecture, sizes):
                return Invalid(f"`{constraint.text}` does not hold", constraint)
        return architecture

    def _size(self, name: str, architecture: Architecture) -> float:
        match name:
            case "params":
                return self._params(architecture)
            case "macs":
                return self._macs(architecture)
            case _:
                return sizing.receptive_field(architecture)

    def _drawn(self, architecture: Architecture, params: dict[str, Scalar]) -> Drawn:
        return Drawn(architecture, params, {name: self._distributions[name.partition(".")[0]] for name in params})

    def _weighted(self) -> Iterator[tuple[Drawn, float]]:
        """Every valid point with its probability in a single draw."""
        for skeleton in skeletons(self.parameters):
            for coins in itertools.product(MEMBERSHIP, repeat=skeleton.coins):
                values, params = skeleton.fill(coins)
                architecture = self._check(values)
                if isinstance(architecture, Architecture):
                    yield self._drawn(architecture, params), skeleton.probability

    @cached_property
    def _enumerated(self) -> tuple[tuple[str, Drawn, float], ...]:
        return tuple((drawn.architecture.hash, drawn, weight) for drawn, weight in self._weighted())

    def _draw_enumerated(self, generator: random.Random, taken: Collection[str], faults: Counter[str]) -> Drawn:
        """Continues a draw that was rejected too often; from the same law, since every point has its weight."""
        left = [(drawn, weight) for name, drawn, weight in self._enumerated if name not in taken]
        if left:
            return generator.choices([drawn for drawn, _ in left], [weight for _, weight in left])[0]
        number = len({name for name, _, _ in self._enumerated})
        if not number:
            raise UserError(
                f"{self.where}: no architecture is valid{_worst(faults)}: loosen the constraints or widen the ranges."
            )
        raise UserError(
            f"{self.where}: the space is used up, all of its {number:,} valid architectures have been drawn: "
            "ask for fewer or widen the space."
        )


def _ask(trial: Trial, parameter: Parameter, values: Values) -> Any:
    match parameter.domain:
        case Fixed(value):
            return value
        case Range(low, high, step, log):
            return trial.suggest_int(parameter.name, low, high, step=step, log=log)
        case Choices(choices):
            return trial.suggest_categorical(parameter.name, choices)
        case Subset(of):
            names = (f"{parameter.name}.{level}" for level in range(values[of]))
            return members(tuple(trial.suggest_categorical(name, MEMBERSHIP) for name in names))


def _worst(faults: Counter[str]) -> str:
    return f" (most often: {faults.most_common(1)[0][0]})" if faults else ""
