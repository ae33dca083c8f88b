"""Which trained networks of a study are the best, of those that were searched and those that were trained on."""

from __future__ import annotations

import math
import re
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from randsearch.base.errors import UserError
from randsearch.base.files import Place
from randsearch.base.layout import WEIGHTS_FILE, StudyFolder
from randsearch.models.architecture import Architecture
from randsearch.study.finishes import Finished, read_finished
from randsearch.table.tidy import means, parameters, read_measurements, scores

_HASH = re.compile(r"[0-9a-f]{12}")


@dataclass(frozen=True)
class Finalist:
    """A trained network of a study.

    Attributes:
        architecture: what it is.
        seed: of its training.
        score: on the validation tracks, in dB.
        home: folder of its weights and excerpts.
        finish: in which it was trained on; None where it is as the search left it.
        step: of that finish, whose weights it has.
    """

    architecture: Architecture
    seed: int
    score: float
    home: Path
    finish: str | None = None
    step: int | None = None

    @property
    def network(self) -> str:
        """The network, however long it was trained."""
        return f"{self.architecture.hash}-{self.seed}"

    @property
    def name(self) -> str:
        """What its files are named after; a network that is trained on has others."""
        return self.network if self.finish is None else f"{self.network}-{self.finish}-{self.step}"

    @property
    def place(self) -> Place:
        """The study, in which `measured/HASH/trained-SEED` or `finishes/FINISH/HASH-SEED` is its home."""
        return Place(self.home.parents[2])


def best(folder: Path, top: int, finish: str | None = None) -> list[Finalist]:
    """The best architectures by their validation scores, each as its best network.

    An architecture counts by the mean over the seeds of the search, or by what was trained on where that is more.

    Args:
        folder: the study's folder.
        top: how many; fewer if fewer were trained.
        finish: whose networks alone count, also where they are not finished; None is whatever is best.

    Raises:
        UserError: nothing was trained, or the table does not make sense.
    """
    if finish is not None:
        return sorted(_of_finish(folder, finish), key=lambda each: -each.score)[:top]
    table = _table(folder)
    scored, finished = _trained(folder, table), _finished(folder, table)
    for each in finished:
        scored[each.architecture.hash] = max(scored.get(each.architecture.hash, -math.inf), each.score)
    ranked = sorted(scored, key=lambda name: -scored[name])
    return [_best_network(folder, table, name, finished) for name in ranked[:top]]


def best_searched(folder: Path, top: int) -> list[Finalist]:
    """The best trained architectures of the search by the mean over seeds, each at its best seed.

    Args:
        folder: the study's folder.
        top: how many; fewer if fewer were trained.

    Raises:
        UserError: nothing was trained, or the table does not make sense.
    """
    table = _table(folder)
    return [_searched(folder, table, name) for name in list(_trained(folder, table))[:top]]


def find_searched(folder: Path, name: str, seed: int | None = None) -> Finalist:
    """A network as the search left it.

    Args:
        folder: the study's folder.
        name: hash of its architecture.
        seed: of its training; None is its best.

    Raises:
        UserError: it was not trained, or the name is not that of an architecture.
    """
    return _searched(folder, _table(folder), name, seed)


def find(folder: Path, name: str | None, seed: int | None, finish: str | None = None) -> Finalist:
    """One trained network.

    Args:
        folder: the study's folder.
        name: hash of its architecture; None is the best.
        seed: of its training; None is the architecture's best.
        finish: in which it was trained on; None is whatever is best.

    Raises:
        UserError: it was not trained, or the name is not that of an architecture.
    """
    if name is None:
        name = best(folder, 1, finish)[0].architecture.hash
    table = _table(folder)
    if finish is None:
        known = [_searched(folder, table, name, seed), *_finished(folder, table)]
    else:
        known = _of_finish(folder, finish)
    fitting = [each for each in known if each.architecture.hash == name and seed in (None, each.seed)]
    if not fitting:
        which = ", ".join(each.network for each in known)
        raise UserError(f"the finish {finish} of {folder.name} has no such network: choose from {which}.")
    return max(fitting, key=lambda each: each.score)


def _searched(folder: Path, table: pd.DataFrame, name: str, seed: int | None = None) -> Finalist:
    if not _HASH.fullmatch(name):
        raise UserError(f"{name!r} does not name an architecture: twelve of the characters 0 to 9 and a to f do.")
    row = scores(table, "trained").to_dict(orient="index").get(name, {})
    by_seed = {int(str(at)): float(score) for at, score in row.items() if not math.isnan(score)}
    if not by_seed:
        raise UserError(
            f"{folder.name} has no trained architecture {name}: `measurements.csv` lists those that it has."
        )
    chosen = max(by_seed, key=by_seed.__getitem__) if seed is None else seed
    if chosen not in by_seed:
        known = ", ".join(str(each) for each in by_seed)
        raise UserError(f"architecture {name} of {folder.name} was not trained at seed {chosen}: choose from {known}.")
    home = StudyFolder(folder).home(name, "trained", chosen)
    return Finalist(_architecture(folder, table, name), chosen, by_seed[chosen], _checked(folder, home))


def _best_network(folder: Path, table: pd.DataFrame, name: str, finished: list[Finalist]) -> Finalist:
    """The network of an architecture with the highest score of its own."""
    own = [each for each in finished if each.architecture.hash == name]
    if name in scores(table, "trained").dropna(how="all").index:
        own.append(_searched(folder, table, name))
    return max(own, key=lambda each: each.score)


def _table(folder: Path) -> pd.DataFrame:
    return read_measurements(StudyFolder(folder).table)


def _trained(folder: Path, table: pd.DataFrame) -> dict[str, float]:
    """Mean scores of what was trained, the best first."""
    trained = means(table).get("trained", pd.Series(dtype=float)).dropna().sort_values(ascending=False, kind="stable")
    if trained.empty:
        raise UserError(f"nothing was trained in {folder.name}: `randsearch train {folder.name} --top 5` trains some.")
    return {str(name): float(score) for name, score in trained.items()}


def _finished(folder: Path, table: pd.DataFrame) -> list[Finalist]:
    """What was trained on to the end of a part."""
    found = (_trained_on(folder, table, each) for each in read_finished(folder) if each.result is not None)
    return [finalist for finalist in found if finalist is not None]


def _of_finish(folder: Path, finish: str) -> list[Finalist]:
    """The networks of a finish, as far as they are."""
    table = _table(folder)
    found = (_trained_on(folder, table, each) for each in read_finished(folder, finish))
    known = [finalist for finalist in found if finalist is not None]
    if not known:
        raise UserError(
            f"the finish {finish} of {folder.name} has no weights yet: `randsearch finish {folder.name} --as {finish}` "
            "goes on with it."
        )
    return known


def _trained_on(folder: Path, table: pd.DataFrame, network: Finished) -> Finalist | None:
    found, home = network.best, network.home
    if found is None or not StudyFolder(folder).place.has(home / WEIGHTS_FILE):
        return None
    architecture = _architecture(folder, table, network.architecture)
    return Finalist(architecture, network.seed, found.score, home, network.finish, found.step)


def _architecture(folder: Path, table: pd.DataFrame, name: str) -> Architecture:
    rows = table.loc[table["architecture"] == name]
    if rows.empty:
        raise UserError(f"{folder.name} has no architecture {name}: `measurements.csv` lists those that it has.")
    described = rows.iloc[0]
    # As text, as the file has it: a column in which all subsets have one element is read as one of numbers.
    options: dict[str, Any] = {column: str(described[column]) for column in parameters(table)}
    architecture = Architecture.create(options, f"{folder.name}, architecture {name}")
    if architecture.hash != name:
        raise UserError(f"{folder.name}: the options of architecture {name} belong to {architecture.hash}.")
    return architecture


def _checked(folder: Path, home: Path) -> Path:
    """Folder of a training's files; a link in a study from elsewhere must not lead out of it."""
    with suppress(FileNotFoundError):
        Place(folder).checked(home / WEIGHTS_FILE)
    return home
