"""How a study stands: what is measured, what is missing, who is at work on it."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal

import pandas as pd

from randsearch.base.errors import UserError
from randsearch.base.layout import StudyFolder
from randsearch.measures import find
from randsearch.study.config import StudyConfig
from randsearch.study.finish_words import where
from randsearch.study.finishes import Finished, read_finished
from randsearch.study.folders import load_config
from randsearch.study.rules import remark
from randsearch.study.rungs import expected, lowest_scores, open_rung, plan_of, trainings_of
from randsearch.study.votes import voted
from randsearch.table.tidy import STATES, read_measurements

State = Literal["running", "unfinished", "complete"]


@dataclass(frozen=True)
class MeasureStatus:
    """How far one measure of a study is.

    Attributes:
        measure: its name.
        planned: measurements that the configuration asks for.
        complete: those with a score.
        failed: those with a reason instead.
        pruned: trainings that were stopped on the way.
        missing: measurements still to be made.
    """

    measure: str
    planned: int
    complete: int
    failed: int
    pruned: int
    missing: int


@dataclass(frozen=True)
class StudyStatus:
    """A study at a moment.

    Attributes:
        folder: the study's folder.
        config: the study's configuration.
        architectures: of which anything was measured.
        measures: how far each is.
        failures: (measure, reason) and how often, the most frequent first.
        driver: who is at work on it in this folder; None if nobody is.
        changed: when its table or configuration was last written.
        finishes: how the networks stand that are trained on.
    """

    folder: Path
    config: StudyConfig
    architectures: int
    measures: tuple[MeasureStatus, ...]
    failures: tuple[tuple[tuple[str, str], int], ...]
    driver: str | None
    changed: datetime
    finishes: tuple[Finished, ...] = ()

    @property
    def state(self) -> State:
        """Whether it runs, and if not, whether it is done."""
        if self.driver is not None:
            return "running"
        return "unfinished" if any(done.missing for done in self.measures) else "complete"

    @property
    def measurements(self) -> int:
        """All that were made."""
        return sum(done.complete + done.failed + done.pruned for done in self.measures)

    @property
    def failed(self) -> int:
        """Those of them without a score."""
        return sum(done.failed for done in self.measures)

    @property
    def trained(self) -> int:
        """Complete trainings."""
        return sum(done.complete for done in self.measures if done.measure == "trained")


def read_status(folder: Path, storage: str | None = None) -> StudyStatus:
    """Looks at a study.

    Args:
        folder: the study's folder.
        storage: URL of its database, where this command names it.

    Raises:
        UserError: its configuration or table cannot be read.
    """
    from randsearch.study.lease import driver_at_work

    config, path = load_config(folder, storage), StudyFolder(folder).table
    table = read_measurements(path) if path.exists() else None
    newest = max(file.stat().st_mtime for file in (path, StudyFolder(folder).config) if file.exists())
    failures: Counter[tuple[str, str]] = Counter()
    if table is not None:
        failed = table[table["state"] == "failed"]
        failures.update(zip(failed["measure"].astype(str), failed["reason"].astype(str), strict=True))
    return StudyStatus(
        folder,
        config,
        0 if table is None else int(table["architecture"].nunique()),
        tuple(_done(config, table)),
        tuple(failures.most_common()),
        driver_at_work(folder),
        datetime.fromtimestamp(newest).astimezone(),
        tuple(read_finished(folder)),
    )


def _done(config: StudyConfig, table: pd.DataFrame | None) -> Iterator[MeasureStatus]:
    states = Counter[tuple[str, str]]()
    if table is not None:
        states.update(zip(table["measure"].astype(str), table["state"].astype(str), strict=True))
    extra = dict.fromkeys(measure for measure, _ in states)
    for measure in dict.fromkeys((*config.all_measures, "trained", *extra)):
        complete, failed, pruned = (states[measure, state] for state in STATES)
        planned = _planned(config, measure, table)
        missing = max(0, planned - complete - failed)
        if measure == "trained" and config.halved:
            missing = _missing_of_halving(config, table)
            planned = complete + failed + pruned + missing
        yield MeasureStatus(measure, planned, complete, failed, pruned, missing)


def _planned(config: StudyConfig, measure: str, table: pd.DataFrame | None) -> int:
    if measure not in (*config.all_measures, "trained"):
        return 0
    seeds = len(config.seeds_of(measure, seeded=find(measure).seeded))
    if measure != "trained" or config.train == "all":
        return config.trials * seeds
    return min(config.top or 0, _scored(config, table)) * seeds


def _missing_of_halving(config: StudyConfig, table: pd.DataFrame | None) -> int:
    """Trainings of the lowest rung that is open; who trains after it is not known."""
    plan = plan_of(config)
    if table is None:
        return expected(plan, config.trials)[0] * len(plan.seeds)
    rows = table[table["measure"].isin([measure for measure, _ in plan.takes])]
    keys = zip(rows["architecture"].astype(str), rows["measure"].astype(str), rows["seed"].tolist(), strict=True)
    scores = (None if math.isnan(score) else float(score) for score in rows["score"])
    lowest = lowest_scores(plan, dict(zip(keys, scores, strict=True)), rows["architecture"].astype(str).unique())
    trainings = trainings_of(plan, table)
    missing = len(open_rung(plan, lowest, trainings).missing)
    if len(rows) < config.trials * len(plan.takes):
        # The lowest rung itself is open: at least so many will begin.
        return max(missing, expected(plan, config.trials)[0] * len(plan.seeds) - len(trainings))
    return missing


def _scored(config: StudyConfig, table: pd.DataFrame | None) -> int:
    """Architectures that can be among the best by the primary proxy: those without a score cannot."""
    if table is None:
        return config.trials
    table = voted(config, table)
    proxy = table[table["measure"] == config.proxy]
    names = set(proxy["architecture"])
    return config.trials - len(names - set(proxy.loc[proxy["state"] == "complete", "architecture"]))


def studies_in(results: Path) -> list[Path]:
    """The folders of all studies, by name.

    Args:
        results: root of all studies.
    """
    return [study.path for study in StudyFolder.below(results)]


def disk_use(folder: Path) -> dict[str, int]:
    """Bytes of the files of a study by what lies in its folder, the most first; links count for nothing."""
    sizes: Counter[str] = Counter()
    for path in folder.rglob("*"):
        if path.is_file() and not path.is_symlink():
            sizes[path.relative_to(folder).parts[0]] += path.stat().st_size
    return dict(sizes.most_common())


def leaseholder(config: StudyConfig, folder: Path) -> str | None:
    """Who has the lease on a study in a database, in words; None if nobody has.

    Raises:
        UserError: the database cannot be reached, or the user has not agreed to it.
    """
    from randsearch.study.database import database_url, open_engine, sentence_on
    from randsearch.study.lease import read_lease

    if config.storage is None:
        return None
    url = database_url(config, folder)
    with sentence_on(url):
        engine = open_engine(url)
        try:
            return read_lease(engine, config.study)
        finally:
            engine.dispose()


def describe(status: StudyStatus) -> Iterator[str]:
    """Lines that say how a study stands, below the table of its measures."""
    config, folder = status.config, status.folder
    for (measure, reason), count in status.failures:
        yield f"{count} x {measure} failed: {reason or 'no reason given'}"
    at_work = status.driver
    if at_work is None:
        try:
            at_work = leaseholder(config, folder)
        except UserError as error:
            yield f"whether somebody is at work elsewhere is not known: {error}"
    yield f"at work now: {at_work or 'nobody'}"
    sizes = disk_use(folder)
    largest = ", ".join(f"{name} {megabytes(size)}" for name, size in list(sizes.items())[:4])
    yield f"files: {megabytes(sum(sizes.values()))} in {folder} ({largest})"
    if config.storage is not None:
        yield f"stored in {config.model_dump()['storage']}"
    rules = remark(config.rules)
    if rules is not None:
        yield rules
        return
    if at_work is None and any(done.missing for done in status.measures):
        yield f"continue it: randsearch search --study {config.study}{where(folder)}"
    for finish in dict.fromkeys(each.finish for each in status.finishes if each.state == "unfinished"):
        if not any(each.finish == finish and each.state == "running" for each in status.finishes):
            yield f"go on with its finish: randsearch finish {folder.name} --as {finish}{where(folder)}"


def megabytes(size: int) -> str:
    """Bytes in words."""
    return f"{size / 1e6:.2f} MB" if size < 1e7 else f"{size / 1e6:.0f} MB"
