"""The parameters of a search space: what each can be, with which probability, and under which condition it is drawn."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, TypeAlias, get_args, get_origin

from randsearch.models.architecture import Architecture

with warnings.catch_warnings():
    # Optuna's progress bar asks notebooks for widgets, which nothing here uses.
    warnings.filterwarnings("ignore", message="IProgress not found")
    from optuna.distributions import BaseDistribution, CategoricalDistribution, IntDistribution

Scalar: TypeAlias = int | float | str | bool
Values: TypeAlias = dict[str, Any]  # option to value, every option of Architecture named

DEFAULTS: Values = {name: option.default for name, option in Architecture.model_fields.items()}
# Options whose value is a set of levels. As a cell of text (`all`, `none`, `0 2`), the same set can be written twice.
SETS = frozenset(
    name
    for name, option in Architecture.model_fields.items()
    if any(get_origin(part) is tuple for part in get_args(option.annotation))
)
MEMBERSHIP = (False, True)


@dataclass(frozen=True)
class Fixed:
    """Always the same value."""

    value: Scalar

    @property
    def outcomes(self) -> tuple[tuple[Scalar, float], ...]:
        """The value, with certainty."""
        return ((self.value, 1.0),)


@dataclass(frozen=True)
class Range:
    """Integers from `low` to `high`, both included.

    Attributes:
        low: the smallest.
        high: the largest; a whole number of steps above `low`.
        step: their distance; 1 if `log`.
        log: whether every octave, rather than every integer, is equally likely.
    """

    low: int
    high: int
    step: int = 1
    log: bool = False

    @cached_property
    def outcomes(self) -> tuple[tuple[Scalar, float], ...]:
        """Every integer with its probability."""
        values = range(self.low, self.high + 1, self.step)
        if not self.log:
            return tuple((value, 1 / len(values)) for value in values)
        # The mass that rounds to each integer, as Optuna draws it: log-uniform between low - 1/2 and high + 1/2.
        octaves = math.log((self.high + 0.5) / (self.low - 0.5))
        return tuple((value, math.log((value + 0.5) / (value - 0.5)) / octaves) for value in values)

    @property
    def distribution(self) -> IntDistribution:
        """The range in Optuna's terms."""
        return IntDistribution(self.low, self.high, log=self.log, step=self.step)


@dataclass(frozen=True)
class Choices:
    """Some values, equally likely."""

    values: tuple[Scalar, ...]

    @cached_property
    def outcomes(self) -> tuple[tuple[Scalar, float], ...]:
        """Every value with its probability."""
        return tuple((value, 1 / len(self.values)) for value in self.values)

    @property
    def distribution(self) -> CategoricalDistribution:
        """The choices in Optuna's terms."""
        return CategoricalDistribution(self.values)


@dataclass(frozen=True)
class Subset:
    """Any set of levels: one fair coin `NAME.LEVEL` a level.

    Attributes:
        of: the integer option that says how many levels there are.
    """

    of: str

    @property
    def outcomes(self) -> tuple[tuple[Scalar, float], ...]:
        """Of one coin."""
        return tuple((side, 1 / len(MEMBERSHIP)) for side in MEMBERSHIP)

    @property
    def distribution(self) -> CategoricalDistribution:
        """One coin in Optuna's terms."""
        return CategoricalDistribution(MEMBERSHIP)


@dataclass(frozen=True)
class Parameter:
    """One option of an architecture, as a search space sees it.

    Attributes:
        name: the option.
        domain: what it can be.
        when: earlier options with the values under which this one is drawn; all must agree.
        otherwise: its value where it is not drawn.
    """

    name: str
    domain: Fixed | Range | Choices | Subset
    otherwise: Any
    when: Mapping[str, tuple[Scalar, ...]] = field(default_factory=dict)

    def is_drawn(self, values: Values) -> bool:
        """Whether its condition holds, given the options before it."""
        return all(values[name] in wanted for name, wanted in self._wanted.items())

    @cached_property
    def _wanted(self) -> dict[str, frozenset[Scalar]]:
        return {name: frozenset(wanted) for name, wanted in self.when.items()}

    @property
    def distribution(self) -> BaseDistribution | None:
        """What Optuna draws it from (a subset: each of its coins), None if there is nothing to draw."""
        return None if isinstance(self.domain, Fixed) else self.domain.distribution

    def drawn(self) -> tuple[Any, ...]:
        """Every value that it can have where it is drawn; for a subset only the extremes."""
        return ("none", "all") if isinstance(self.domain, Subset) else tuple(value for value, _ in self.domain.outcomes)

    def possible(self) -> tuple[Any, ...]:
        """Every value that it can have in an architecture; for a subset only the extremes."""
        drawn = self.drawn()
        return drawn if not self.when or self.otherwise in drawn else (*drawn, self.otherwise)


def members(coins: tuple[bool, ...]) -> tuple[int, ...]:
    """The levels whose coin came up true."""
    return tuple(level for level, chosen in enumerate(coins) if chosen)


@dataclass(frozen=True)
class Skeleton:
    """A point of a space with its subsets still open: no condition depends on those, and they are what multiplies.

    Attributes:
        values: every option but the open ones.
        params: what Optuna would have drawn.
        probability: of drawing it.
        open: names of the open subsets with their numbers of levels.
    """

    values: Values
    params: dict[str, Scalar]
    probability: float
    open: tuple[tuple[str, int], ...]

    @property
    def coins(self) -> int:
        """How many coins decide the open subsets."""
        return sum(size for _, size in self.open)

    def fill(self, coins: tuple[bool, ...]) -> tuple[Values, dict[str, Scalar]]:
        """Closes the subsets.

        Args:
            coins: one for every level of every open subset, in order.

        Returns:
            every option's value, and what Optuna would have drawn.
        """
        values, params, start = dict(self.values), dict(self.params), 0
        for name, size in self.open:
            own = coins[start : start + size]
            values[name] = members(own)
            params.update((f"{name}.{level}", chosen) for level, chosen in enumerate(own))
            start += size
        return values, params


def skeletons(parameters: tuple[Parameter, ...]) -> Iterator[Skeleton]:
    """Every skeleton of a space, valid or not, in a stable order: the last parameter varies fastest."""

    def extend(point: Skeleton, rest: tuple[Parameter, ...]) -> Iterator[Skeleton]:
        if not rest:
            yield point
            return
        parameter, rest = rest[0], rest[1:]
        name, domain = parameter.name, parameter.domain
        if not parameter.is_drawn(point.values):
            values = {**point.values, name: parameter.otherwise}
            yield from extend(Skeleton(values, point.params, point.probability, point.open), rest)
        elif isinstance(domain, Subset):
            coins = point.values[domain.of]
            probability = point.probability / 2**coins
            yield from extend(Skeleton(point.values, point.params, probability, (*point.open, (name, coins))), rest)
        else:
            for value, share in domain.outcomes:
                params = point.params if isinstance(domain, Fixed) else {**point.params, name: value}
                values = {**point.values, name: value}
                yield from extend(Skeleton(values, params, point.probability * share, point.open), rest)

    return extend(Skeleton(DEFAULTS, {}, 1.0, ()), parameters)
