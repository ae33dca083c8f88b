"""Which trained networks of a study are the best, of those that were searched and those that were trained on."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from randsearch.base.errors import UserError
from randsearch.base.files import Place
from randsearch.base.layout import WEIGHTS_FILE, StudyFolder
from randsearch.models.architecture import Architecture
from randsearch.study.finishes import Finished, Validated, read_finished
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


class Searched:
    """What the search trained, read from the table once.

    Args:
        folder: the study's folder.

    Attributes:
        means: scores of the trained architectures, the best first.

    Raises:
        UserError: the table does not make sense.
    """

    def __init__(self, folder: Path) -> None:
        table = read_measurements(StudyFolder(folder).table)
        self._folder = folder
        trained = means(table).get("trained", pd.Series(dtype=float)).dropna()
        self.means = _numbers(trained.sort_values(ascending=False, kind="stable"))
        self._scores = {str(name): _numbers(row.dropna()) for name, row in scores(table, "trained").iterrows()}
        # As text, as the file has it: a column in which all subsets have one element is read as one of numbers.
        described = table.drop_duplicates("architecture").set_index("architecture")[parameters(table)]
        self._options = {
            str(row.Index): dict(zip(described.columns, map(str, row[1:]), strict=True))
            for row in described.itertuples()
        }

    def require(self) -> None:
        """Refuses a study that trained nothing.

        Raises:
            UserError: it did not.
        """
        name = self._folder.name
        if not self.means:
            raise UserError(f"nothing was trained in {name}: `randsearch train {name} --top 5` trains some.")

    def best(self, top: int) -> list[Finalist]:
        """The best architectures by the mean over seeds, each at its best seed.

        Args:
            top: how many; fewer if fewer were trained.

        Raises:
            UserError: nothing was trained.
        """
        self.require()
        return [self.find(name) for name in list(self.means)[:top]]

    def find(self, name: str, seed: int | None = None) -> Finalist:
        """A network as the search left it.

        Args:
            name: hash of its architecture.
            seed: of its training; None is its best.

        Raises:
            UserError: it was not trained, or the name is not that of an architecture.
        """
        folder = self._folder
        if not _HASH.fullmatch(name):
            raise UserError(f"{name!r} does not name an architecture: twelve of the characters 0 to 9 and a to f do.")
        by_seed = {int(at): score for at, score in self._scores.get(name, {}).items()}
        if not by_seed:
            raise UserError(
                f"{folder.name} has no trained architecture {name}: `measurements.csv` lists those that it has."
            )
        chosen = max(by_seed, key=by_seed.__getitem__) if seed is None else seed
        if chosen not in by_seed:
            known = ", ".join(str(each) for each in by_seed)
            raise UserError(
                f"architecture {name} of {folder.name} was not trained at seed {chosen}: choose from {known}."
            )
        home = StudyFolder(folder).home(name, "trained", chosen)
        return Finalist(self.architecture(name), chosen, by_seed[chosen], _checked(folder, home))

    def architecture(self, name: str) -> Architecture:
        """The architecture of a hash.

        Args:
            name: the hash.

        Raises:
            UserError: the study has no such architecture, or its options are another's.
        """
        folder = self._folder
        if name not in self._options:
            raise UserError(f"{folder.name} has no architecture {name}: `measurements.csv` lists those that it has.")
        architecture = Architecture.create(self._options[name], f"{folder.name}, architecture {name}")
        if architecture.hash != name:
            raise UserError(f"{folder.name}: the options of architecture {name} belong to {architecture.hash}.")
        return architecture


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
    searched = Searched(folder)
    if finish is not None:
        return sorted(_finalists(folder, searched, finish), key=lambda each: -each.score)[:top]
    searched.require()
    known: dict[str, list[Finalist]] = {}
    for each in _finalists(folder, searched):
        known.setdefault(each.architecture.hash, []).append(each)
    trained_on = ((name, each.score) for name, networks in known.items() for each in networks)
    found = []
    for name in _ranked(searched.means, trained_on)[:top]:
        networks = known.get(name, []) + ([searched.find(name)] if name in searched.means else [])
        found.append(max(networks, key=lambda each: each.score))
    return found


def best_of_all(folder: Path, finish: str | None = None) -> str | None:
    """The hash of the best architecture, also of rules by which nothing can be built any more; None without training.

    Args:
        folder: the study's folder.
        finish: whose networks alone count; None is whatever is best.

    Raises:
        UserError: the finish has no weights, or a file does not make sense.
    """
    means = Searched(folder).means if finish is None else {}
    ranked = _ranked(means, ((each.architecture, best.score) for each, best in _trained_on(folder, finish)))
    return next(iter(ranked), None)


def best_searched(folder: Path, top: int) -> list[Finalist]:
    """The best networks of the search alone; see `Searched.best`."""
    return Searched(folder).best(top)


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
    searched = Searched(folder)
    known = _finalists(folder, searched, finish)
    if finish is None:
        known.insert(0, searched.find(name, seed))
    fitting = [each for each in known if each.architecture.hash == name and seed in (None, each.seed)]
    if not fitting:
        which = ", ".join(each.network for each in known)
        raise UserError(f"the finish {finish} of {folder.name} has no such network: choose from {which}.")
    return max(fitting, key=lambda each: each.score)


def _ranked(means: Mapping[str, float], networks: Iterable[tuple[str, float]]) -> list[str]:
    """Hashes of all architectures, the best first: by the mean of the search, or by what was trained on if more."""
    scored = dict(means)
    for name, score in networks:
        scored[name] = max(scored.get(name, -math.inf), score)
    return sorted(scored, key=lambda name: -scored[name])


def _finalists(folder: Path, searched: Searched, finish: str | None = None) -> list[Finalist]:
    """What was trained on, as networks that can be used."""
    return [
        Finalist(
            searched.architecture(each.architecture), each.seed, best.score, each.home, each.finish, step=best.step
        )
        for each, best in _trained_on(folder, finish)
    ]


def _trained_on(folder: Path, finish: str | None) -> list[tuple[Finished, Validated]]:
    """What was trained on to the end of a part, or all of one finish as far as it is, each with its best validation."""
    place = StudyFolder(folder).place
    found = [
        (each, each.best)
        for each in read_finished(folder, finish)
        if each.best is not None
        and (finish is not None or each.result is not None)
        and place.has(each.home / WEIGHTS_FILE)
    ]
    if finish is not None and not found:
        raise UserError(
            f"the finish {finish} of {folder.name} has no weights yet: `randsearch finish {folder.name} --as {finish}` "
            "goes on with it."
        )
    return found


def _numbers(series: pd.Series[Any]) -> dict[str, float]:
    return {str(name): float(value) for name, value in series.items()}


def _checked(folder: Path, home: Path) -> Path:
    """Folder of a training's files; a link in a study from elsewhere must not lead out of it."""
    with suppress(FileNotFoundError):
        Place(folder).checked(home / WEIGHTS_FILE)
    return home
