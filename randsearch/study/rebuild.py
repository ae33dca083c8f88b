"""Opening the Optuna studies of a study; what they lack is rebuilt from its `config.yaml` and `measurements.csv`."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import pandas as pd

from randsearch.base.errors import UserError
from randsearch.base.files import Place
from randsearch.base.layout import StudyFolder
from randsearch.models.architecture import Architecture
from randsearch.space import BoundSpace, Drawn
from randsearch.study.candidates import bind_space, planned_candidates
from randsearch.study.config import StudyConfig
from randsearch.study.studies import Candidate, Studies
from randsearch.study.tabulate import tabulate
from randsearch.table.measurement import Measurement
from randsearch.table.tidy import TornTableError, is_marked, parameters, read_measurements, write_measurements

SPARE = 1000
"""Candidates without any measurement that a table is believed to lack at most, beyond as many again as it has."""


def open_studies(config: StudyConfig, folder: Path, *, refill: bool = True) -> Studies:
    """The Optuna studies of a study; what its table holds and they do not is added to them.

    Args:
        config: resolved.
        folder: the study's folder.
        refill: whether a file is compared with the table too, which takes reading all of both; it is written first
            and lacks something only if it was damaged or put back from a copy.

    Raises:
        UserError: the storage cannot be opened, the table cannot be read, or both are torn.
    """
    study = StudyFolder(folder)
    table, file = study.table, study.database
    # Without `config.yaml` nothing says with which options the table was made; `Studies` says so.
    if table.exists() and config.storage is None and not file.exists() and study.config.exists():
        # Built aside, for half a study in its place would be taken for a whole one, and the table be cut to it.
        place = Place(folder)
        with place.aside(".rebuild-") as aside:
            _fill(Studies(config, aside), config, table)
            place.rename(StudyFolder(aside).database, file)
        return Studies(config, folder)
    studies = Studies(config, folder)
    if table.exists() and (refill or config.storage is not None):
        try:
            _fill(studies, config, table)
        except TornTableError:
            # A database that holds the study is the truth, and the table will be written anew from it. Of a torn table
            # not even what looks whole is taken: its last number may be half of one.
            if not studies.candidates():
                raise
    return studies


def write_table(studies: Studies, config: StudyConfig, folder: Path) -> None:
    """Writes a study's table anew, unless it holds just what its storage holds, or there is nothing to write.

    Args:
        studies: opened with their table compared.
        config: the study's configuration.
        folder: the study's folder.

    Raises:
        UserError: it cannot be written.
    """
    candidates = studies.candidates()
    measurements = studies.measurements(candidates)
    if measurements and not studies.tabulated:
        hashes = [candidate.architecture.hash for candidate in candidates]
        write_measurements(tabulate(config, hashes, measurements), StudyFolder(folder).table)
        studies.tabulated = True


def _fill(studies: Studies, config: StudyConfig, table: Path) -> None:
    space = bind_space(config)
    rebuild(studies, space, table, () if config.adaptive else planned_candidates(config, space))


def rebuild(studies: Studies, space: BoundSpace, table: Path, drawn: Iterable[Drawn]) -> None:
    """Adds to studies what a table holds and they do not.

    Args:
        studies: empty, or stopped at any point of this.
        space: of the study; tells which Optuna parameters an architecture has.
        table: `measurements.csv`.
        drawn: the candidates in their order, where it can be told without the table: a table that was interrupted
            lacks those of which nothing had been measured. Only as many are drawn as it takes.

    Raises:
        UserError: the table does not parse, or holds an architecture that is not of the space.
    """
    rows = read_measurements(table)
    keys = list(zip(rows["architecture"], rows["measure"], rows["seed"].tolist(), strict=True))
    candidates = {candidate.architecture.hash: candidate for candidate in studies.candidates()}
    measured = {
        found.key: (found.score, found.state, found.steps) for found in studies.measurements(candidates.values())
    }
    told = zip(map(_number, rows["score"]), rows["state"].astype(str), rows["steps"].tolist(), strict=True)
    known = dict(zip(keys, told, strict=True))
    lacking = rows[[_says_more(known[key], measured.get(key)) for key in keys]]
    studies.tabulated = is_marked(table) and known == measured
    if not lacking.empty:
        with studies.storage.late():
            _add(studies, space, table, lacking, candidates, _until({*rows["architecture"]}, drawn))


def _until(names: set[str], drawn: Iterable[Drawn]) -> list[Drawn]:
    """The first candidates, as many as hold all of these; none if some are not among them.

    Args:
        names: hashes.
        drawn: all candidates in their order.
    """
    found, missing = [], set(names)
    for each in islice(drawn, 2 * len(names) + SPARE):
        found.append(each)
        missing.discard(each.architecture.hash)
        if not missing:
            return found
    return []


def _add(
    studies: Studies,
    space: BoundSpace,
    table: Path,
    rows: pd.DataFrame,
    candidates: dict[str, Candidate],
    known: list[Drawn],
) -> None:
    options = parameters(rows)
    for each in known:
        if each.architecture.hash not in candidates:
            candidates[each.architecture.hash] = studies.add(each.architecture, each.params, each.distributions)
    for row in _records(rows):
        name = row["architecture"]
        if name not in candidates:
            architecture = Architecture.create({key: row[key] for key in options}, f"{table}, architecture {name}")
            if architecture.hash != name:
                raise UserError(f"{table}: the options of architecture {name} belong to {architecture.hash}.")
            located = space.locate(architecture)
            candidates[name] = studies.add(architecture, located.params, located.distributions)
        studies.record(Measurement.from_row(row, candidates[name].architecture), candidates[name])


def _records(rows: pd.DataFrame) -> Iterator[dict[str, Any]]:
    for record in rows.to_dict(orient="records"):
        yield {str(name): value for name, value in record.items()}


_Told = tuple[float | None, str, int]
"""Score, state and steps of a measurement."""


def _says_more(told: _Told, known: _Told | None) -> bool:
    """Whether a row of the table is to be added: its measurement is not known, or its training was stopped before."""
    if known is None:
        return True
    return known[1] == "pruned" and (told[1] != "pruned" or told[2] > known[2])


def _number(value: float) -> float | None:
    return None if math.isnan(value) else float(value)
