"""What a configuration names, opened: the space that architectures come from, and the storage that remembers them."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from itertools import islice
from pathlib import Path

from randsearch.base.errors import UserError
from randsearch.base.files import Place
from randsearch.base.seeds import derive
from randsearch.data import TASKS
from randsearch.models.sizing import Signal
from randsearch.space import BoundSpace, Drawn, SearchSpace
from randsearch.study.config import StudyConfig
from randsearch.study.rebuild import rebuild
from randsearch.study.storage import STUDY_FILE
from randsearch.study.studies import TABLE_FILE, Studies
from randsearch.table.tidy import TornTableError

LARGEST_GRID = 10_000

AMPLE = 1000
"""A space with this many points a trial is not counted: what it lacks shows while it is searched."""


def signal(config: StudyConfig) -> Signal:
    """Sources and channels of a study's networks."""
    return Signal(sources=len(TASKS[config.task].source_names), channels=config.channels)


def bind_space(config: StudyConfig) -> BoundSpace:
    """The study's search space, held against its sources, rate and segment.

    Args:
        config: resolved.
    """
    assert config.sample_rate is not None
    where = f"the search space of {config.study}"
    return SearchSpace.from_dict(config.space, where).bind(signal(config), config.sample_rate, config.segment)


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


def open_studies(config: StudyConfig, folder: Path, *, refill: bool = True) -> Studies:
    """The Optuna studies of a study; what its table holds and they do not is added to them.

    Args:
        config: resolved.
        folder: of the study.
        refill: whether a file is compared with the table too, which takes reading all of both; it is written first
            and lacks something only if it was damaged or put back from a copy.

    Raises:
        UserError: the storage cannot be opened, the table cannot be read, or both are torn.
    """
    table, file = folder / TABLE_FILE, folder / STUDY_FILE
    # Without `config.yaml` nothing says with which options the table was made; `Studies` says so.
    if table.exists() and config.storage is None and not file.exists() and (folder / "config.yaml").exists():
        # Built aside, for half a study in its place would be taken for a whole one, and the table be cut to it.
        place = Place(folder)
        with place.aside(".rebuild-") as aside:
            _rebuild(Studies(config, aside), config, table)
            place.rename(aside / STUDY_FILE, file)
        return Studies(config, folder)
    studies = Studies(config, folder)
    if table.exists() and (refill or config.storage is not None):
        try:
            _rebuild(studies, config, table)
        except TornTableError:
            # A database that holds the study is the truth, and the table will be written anew from it. Of a torn table
            # not even what looks whole is taken: its last number may be half of one.
            if not studies.candidates():
                raise
    return studies


def _rebuild(studies: Studies, config: StudyConfig, table: Path) -> None:
    space = bind_space(config)
    rebuild(studies, space, table, () if config.adaptive else planned_candidates(config, space))
