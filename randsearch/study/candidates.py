"""Where the architectures of a study come from: its space, and those of it that no score decides about."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import suppress
from itertools import islice

from randsearch.base.errors import UserError
from randsearch.base.seeds import derive
from randsearch.models.architecture import Architecture
from randsearch.models.sizing import Signal
from randsearch.space import BoundSpace, Drawn, SearchSpace
from randsearch.study.config import StudyConfig

LARGEST_GRID = 10_000

AMPLE = 1000
"""A space with this many points a trial is not counted: what it lacks shows while it is searched."""


def signal(config: StudyConfig) -> Signal:
    """Sources and channels of a study's networks."""
    return Signal(sources=len(config.source_names), channels=config.channels)


def bind_space(config: StudyConfig) -> BoundSpace:
    """The study's search space, held against its sources, rate and segment.

    Args:
        config: resolved.
    """
    where = f"the search space of {config.study}"
    return SearchSpace.from_dict(config.space, where).bind(signal(config), config.audio.rate, config.segment)


def planned_candidates(config: StudyConfig, space: BoundSpace, taken: Collection[str] = ()) -> Iterator[Drawn]:
    """The architectures that a search still lacks whose choice does not depend on any score.

    Candidate i of a random search depends on the seed and those before it alone, that of a grid on the space alone.

    Args:
        config: says how many, and from which seed.
        space: of the study.
        taken: hashes of the candidates that it has.

    Raises:
        UserError: the space does not hold as many.
    """
    names = set(taken)
    if config.sampler == "grid":
        fresh = (drawn for drawn in space.grid() if drawn.architecture.hash not in names)
        yield from islice(fresh, max(0, config.trials - len(names)))
        return
    for index in range(len(names), config.trials):
        drawn = space.draw(derive("sampling", config.seed), index, names)
        names.add(drawn.architecture.hash)
        yield drawn


def sample_apart(config: StudyConfig, space: BoundSpace, count: int) -> list[Architecture]:
    """Random architectures that are no candidates: the same for every study of this space, seed and count.

    Args:
        config: whose seed it is.
        space: of the study.
        count: how many; fewer where the space holds no more.
    """
    found: dict[str, Architecture] = {}
    with suppress(UserError):  # The space is used up.
        for index in range(count):
            architecture = space.draw(derive("sample", config.seed), index, found.keys()).architecture
            found[architecture.hash] = architecture
    return list(found.values())


def check_room(config: StudyConfig, space: BoundSpace) -> None:
    """Refuses a study of a space that is known to be too small for it.

    Args:
        config: resolved.
        space: of the study.

    Raises:
        UserError: the space holds fewer architectures.
    """
    if space.points >= AMPLE * config.trials:
        return
    count = space.count()
    if count.number < config.trials:
        raise UserError(
            f"{space.where}: it holds {count} valid architectures and not {config.trials:,}: ask for fewer with "
            "--trials, or widen the space."
        )


def with_grid(config: StudyConfig, space: BoundSpace, *, limited: bool) -> StudyConfig:
    """Settles how many architectures a grid takes, and whether those are all.

    Args:
        config: whose sampler is `grid`.
        space: of the study.
        limited: whether the user said how many; otherwise all.

    Raises:
        UserError: all are too many, or the space does not hold as many as were asked for.
    """
    count = space.count()
    if not limited and (count.number > LARGEST_GRID or not count.exact):
        raise UserError(
            f"the space holds {count} architectures, and a grid takes {LARGEST_GRID:,} at most: narrow the space, "
            "say how many with --trials, or draw some with --sampler random."
        )
    if limited and count.number < config.trials:
        raise UserError(
            f"the space holds {count} architectures and not {config.trials}: ask for fewer, or leave --trials out."
        )
    trials = config.trials if limited else count.number
    return config.model_copy(update={"trials": trials, "whole": count.exact and trials == count.number})
