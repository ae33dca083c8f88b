"""How many architectures a space holds: by enumeration where that takes a second or two, else in closed form."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

from randsearch.models.architecture import Architecture
from randsearch.space.constraints import Constraint
from randsearch.space.parameters import DEFAULTS, MEMBERSHIP, SETS, Parameter, Scalar, Skeleton, Subset, Values
from randsearch.space.parameters import skeletons as all_skeletons

# What `Architecture` and the segment's length judge together; of a set of levels they only ask whether it is empty.
JUDGED = frozenset(
    {
        *("levels", "context", "nested", "deep_supervision", "skips", "res_path", "encoder_kernel", "dilation"),
        *("fixed_encoder_levels", "fixed_decoder_levels", "remove_random", "initialisation", "init_statistics"),
    }
)
LIMIT = 40_000  # architectures built and sized before an enumeration gives up: about two seconds


@dataclass(frozen=True)
class Count:
    """How many distinct valid architectures there are.

    Attributes:
        number: the count, or a bound that it does not exceed.
        exact: which of the two.
    """

    number: int
    exact: bool

    def __str__(self) -> str:
        return f"{self.number:,}" if self.exact else f"at most {self.number:,}"


@dataclass(frozen=True)
class Invalid:
    """A point that is no architecture of the space.

    Attributes:
        reason: half a sentence.
        constraint: the constraint that it breaks, if that is the reason.
    """

    reason: str
    constraint: Constraint | None = None


@dataclass(frozen=True)
class Block:
    """Valid architectures that differ in their subsets alone.

    Attributes:
        smallest: the one with all subsets empty.
        largest: the one with all subsets full.
        number: how many they are.
    """

    smallest: Architecture
    largest: Architecture
    number: int


Check = Callable[[Values], Architecture | Invalid]


def points(parameters: tuple[Parameter, ...], with_subsets: bool = True, given: Values = DEFAULTS) -> int:
    """How many points a space has, valid or not.

    Values are kept apart only as far as a later condition or subset asks for them, so that the sum stays short.

    Args:
        parameters: the space.
        with_subsets: whether every subset is a point of its own, or all of one skeleton are one.
        given: the options that are not drawn here, on which conditions may look.
    """
    asked = {name for parameter in parameters for name in parameter.when}
    asked |= {parameter.domain.of for parameter in parameters if isinstance(parameter.domain, Subset)}
    known_before = tuple((name, value) for name, value in given.items() if name in asked)

    @cache
    def count(position: int, known: tuple[tuple[str, Scalar], ...]) -> int:
        if position == len(parameters):
            return 1
        parameter, values = parameters[position], dict(known)
        if not parameter.is_drawn(values):
            options: tuple[Scalar, ...] = (parameter.otherwise,)
        elif isinstance(parameter.domain, Subset):
            coins = int(values[parameter.domain.of]) if with_subsets else 0
            return (1 << coins) * count(position + 1, known)
        else:
            options = tuple(value for value, _ in parameter.domain.outcomes)
        if parameter.name not in asked:
            return len(options) * count(position + 1, known)
        return sum(count(position + 1, tuple({**values, parameter.name: option}.items())) for option in options)

    return count(0, known_before)


def closed_form(parameters: tuple[Parameter, ...], constraints: tuple[Constraint, ...], check: Check) -> int | None:
    """Counts the valid architectures of a space too large to enumerate, if none of them is judged by its size.

    Only the options that can make a point invalid, and what those depend on, are enumerated; all others multiply.

    Args:
        parameters: the space.
        constraints: its constraints.
        check: builds the architecture of a point, or says why there is none.

    Returns:
        the number; None if sizes or sets of levels are constrained, if sets of levels are written out (`0 1` is `all`
        for two levels and impossible for one), or if there is too much to enumerate all the same.
    """
    if any(_side(constraint) != "still" for constraint in constraints):
        return None
    if any(parameter.name in SETS and not {*parameter.possible()} <= {"all", "none"} for parameter in parameters):
        return None
    deciding = _with_conditions(parameters, JUDGED.union(*(constraint.names for constraint in constraints)))
    judged = tuple(parameter for parameter in parameters if parameter.name in deciding)
    others = tuple(parameter for parameter in parameters if parameter.name not in deciding)
    if points(judged, with_subsets=False) > LIMIT // 2 ** sum(isinstance(p.domain, Subset) for p in judged):
        return None
    return sum(
        number * points(others, given=skeleton.values)
        for skeleton in all_skeletons(judged)
        if (number := _valid_fillings(skeleton, check))
    )


def _with_conditions(parameters: tuple[Parameter, ...], names: frozenset[str]) -> frozenset[str]:
    """These options and all that decides whether they are drawn."""
    for parameter in reversed(parameters):  # A condition names earlier parameters only.
        if parameter.name in names:
            names |= {*parameter.when}
    return names


def _valid_fillings(skeleton: Skeleton, check: Check) -> int:
    """How many fillings of a skeleton's subsets are valid, where all that is asked of a subset is if it is empty."""
    total = 0
    for filled in itertools.product(MEMBERSHIP, repeat=len(skeleton.open)):
        sizes = [size for _, size in skeleton.open]
        coins = tuple(side for side, size in zip(filled, sizes, strict=True) for _ in range(size))
        if isinstance(check(skeleton.fill(coins)[0]), Architecture):
            total += math.prod(2**size - 1 if side else 1 for side, size in zip(filled, sizes, strict=True))
    return total


def census(
    parameters: tuple[Parameter, ...], constraints: tuple[Constraint, ...], check: Check
) -> tuple[Block, ...] | None:
    """Every valid architecture of a space once, in blocks.

    The subsets of a skeleton are tried one by one only where they must be: a skip can but add to every size, and a
    fixed level changes none unless it is removed, so that a bound from above that the full network meets is met by
    all of them, and one that the empty network breaks is broken by all.

    Args:
        parameters: the space.
        constraints: its constraints.
        check: builds the architecture of a point, or says why there is none.

    Returns:
        the blocks, or None if there are more than `LIMIT` points to look at.
    """
    if points(parameters, with_subsets=False) > LIMIT:
        return None
    monotone = all(_side(constraint) is not None for constraint in constraints)
    blocks: dict[Architecture, Block] = {}
    looked = 0
    for skeleton in all_skeletons(parameters):
        ends = _ends(skeleton, check) if monotone and skeleton.coins > 1 and not _shrinks(skeleton) else None
        looked += 2
        if ends is not None and _all_fail(ends):
            continue
        if ends is not None and isinstance(ends[0], Architecture) and isinstance(ends[1], Architecture):
            blocks.setdefault(ends[0], Block(ends[0], ends[1], 2**skeleton.coins))
            continue
        looked += 2**skeleton.coins
        if looked > LIMIT:
            return None
        for coins in itertools.product(MEMBERSHIP, repeat=skeleton.coins):
            found = check(skeleton.fill(coins)[0])
            if isinstance(found, Architecture):
                blocks.setdefault(found, Block(found, found, 1))
    return tuple(blocks.values())


def _side(constraint: Constraint) -> str | None:
    """How its truth moves as subsets grow: `still`, bounded from `above` or from `below`, None if nobody knows."""
    if constraint.bounds is not None:
        return constraint.bounds
    return None if constraint.needs_sizes or constraint.names & SETS else "still"


def _shrinks(skeleton: Skeleton) -> bool:
    """Whether the network gets smaller as a subset grows."""
    return bool(skeleton.values["remove_random"]) and any(name != "skips" for name, _ in skeleton.open)


def _ends(skeleton: Skeleton, check: Check) -> tuple[Architecture | Invalid, Architecture | Invalid]:
    empty, full = ((side,) * skeleton.coins for side in MEMBERSHIP)
    return check(skeleton.fill(empty)[0]), check(skeleton.fill(full)[0])


def _all_fail(ends: tuple[Architecture | Invalid, Architecture | Invalid]) -> bool:
    """Whether the ends break what then every subset breaks."""
    if all(isinstance(end, Invalid) and end.constraint is None for end in ends) and ends[0] == ends[1]:
        return True  # too deep, say: what refuses no level and all levels in the same words looks at something else
    for end, decisive in zip(ends, ("above", "below"), strict=True):
        if isinstance(end, Invalid) and end.constraint and _side(end.constraint) in ("still", decisive):
            return True
    return False
