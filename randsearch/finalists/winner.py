"""Which trained networks of a study are the best, and where their files lie."""

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
    """

    architecture: Architecture
    seed: int
    score: float
    home: Path

    @property
    def name(self) -> str:
        """What its files are named after."""
        return f"{self.architecture.hash}-{self.seed}"

    @property
    def place(self) -> Place:
        """The study, in which `measured/HASH/trained-SEED` is its home."""
        return Place(self.home.parents[2])


def best(folder: Path, top: int) -> list[Finalist]:
    """The best trained architectures by the mean of their validation scores over seeds, each at its best seed.

    Args:
        folder: the study's folder.
        top: how many; fewer if fewer were trained.

    Raises:
        UserError: nothing was trained, or the table does not make sense.
    """
    table = read_measurements(StudyFolder(folder).table)
    trained = means(table).get("trained", pd.Series(dtype=float)).dropna().sort_values(ascending=False, kind="stable")
    if trained.empty:
        raise UserError(f"nothing was trained in {folder.name}: `randsearch train {folder.name} --top 5` trains some.")
    return [_finalist(folder, table, str(name), None) for name in trained.index[:top]]


def find(folder: Path, name: str | None, seed: int | None) -> Finalist:
    """One trained network.

    Args:
        folder: the study's folder.
        name: hash of its architecture; None is the best.
        seed: of its training; None is the architecture's best.

    Raises:
        UserError: it was not trained, or the name is not that of an architecture.
    """
    if name is None:
        name = best(folder, 1)[0].architecture.hash
    return _finalist(folder, read_measurements(StudyFolder(folder).table), name, seed)


def _finalist(folder: Path, table: pd.DataFrame, name: str, seed: int | None) -> Finalist:
    if not _HASH.fullmatch(name):
        raise UserError(f"{name!r} does not name an architecture: twelve of the characters 0 to 9 and a to f do.")
    trained = scores(table, "trained")
    row = trained.to_dict(orient="index").get(name, {})
    by_seed = {int(str(at)): float(score) for at, score in row.items() if not math.isnan(score)}
    if not by_seed:
        raise UserError(
            f"{folder.name} has no trained architecture {name}: `measurements.csv` lists those that it has."
        )
    chosen = max(by_seed, key=by_seed.__getitem__) if seed is None else seed
    if chosen not in by_seed:
        known = ", ".join(str(each) for each in by_seed)
        raise UserError(f"architecture {name} of {folder.name} was not trained at seed {chosen}: choose from {known}.")
    described = table.loc[table["architecture"] == name].iloc[0]
    # As text, as the file has it: a column in which all subsets have one element is read as one of numbers.
    options: dict[str, Any] = {column: str(described[column]) for column in parameters(table)}
    architecture = Architecture.create(options, f"{folder.name}, architecture {name}")
    if architecture.hash != name:
        raise UserError(f"{folder.name}: the options of architecture {name} belong to {architecture.hash}.")
    return Finalist(architecture, chosen, by_seed[chosen], _home(folder, name, chosen))


def _home(folder: Path, name: str, seed: int) -> Path:
    """Folder of a training's files; a link in a study from elsewhere must not lead out of it."""
    home = StudyFolder(folder).home(name, "trained", seed)
    with suppress(FileNotFoundError):
        Place(folder).checked(home / WEIGHTS_FILE)
    return home
