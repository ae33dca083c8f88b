"""Joining studies of one configuration that were run in different places."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from randsearch.base.errors import NotAgreedError, UserError
from randsearch.base.files import Place
from randsearch.base.layout import TABLE_FILE, StudyFolder
from randsearch.measures import find
from randsearch.study.config import StudyConfig
from randsearch.study.folders import load_config
from randsearch.study.lease import locked
from randsearch.study.rebuild import open_studies
from randsearch.study.rules import made_by
from randsearch.study.status import leaseholder
from randsearch.study.studies import Candidate, Studies, is_standing
from randsearch.study.tabulate import tabulate
from randsearch.study.trust import agreed_storage
from randsearch.table.measurement import Key, Measurement
from randsearch.table.tidy import write_measurements


@dataclass(frozen=True)
class _Source:
    """A study to be merged, as its storage holds it."""

    folder: Path
    config: StudyConfig
    candidates: list[Candidate]
    measurements: list[Measurement]
    remembered: dict[str, object]


@dataclass(frozen=True)
class Merged:
    """What came of merging.

    Attributes:
        folder: of the new study.
        config: of the new study.
        architectures: of each source, how many no earlier one had.
        measurements: that the new study holds.
        identical: that several sources had, with the same score.
        different: (architecture, measure, seed) of those that several had with different scores; the first was kept.
        notes: what else its user must know, in sentences.
    """

    folder: Path
    config: StudyConfig
    architectures: tuple[int, ...]
    measurements: int
    identical: int
    different: tuple[Key, ...]
    notes: tuple[str, ...] = ()


def merge(folders: Sequence[Path], into: Path) -> Merged:
    """Makes one study of several; they stay as they are.

    Args:
        folders: of the studies, the first of which is right where two have different scores.
        into: folder of the new study, named after it.

    Returns:
        what came of it.

    Raises:
        UserError: the new study exists, somebody is at work on one of the others, or their numbers do not belong
            together.
        OSError: a file cannot be read or written.
    """
    if into.exists():
        raise UserError(f"{into} exists already: choose another name with --into.")
    places = [folder.resolve() for folder in folders]
    twice = next((folder for folder in folders if places.count(folder.resolve()) > 1), None)
    if twice is not None:
        raise UserError(f"{twice} is named twice: name each study once.")
    configs = [load_config(folder) for folder in folders]
    config = merged_config(configs, [str(folder) for folder in folders], into.name)
    results = Place(into.parent, own=True)
    results.make(into.parent)
    with ExitStack() as stack, results.aside(".merge-") as aside:
        sources, notes = [], []
        for number, (folder, source) in enumerate(zip(folders, configs, strict=True)):
            source, note = _without_stranger(folder, source)
            notes += [note] if note else []
            stack.enter_context(_at_rest(folder, source))
            sources.append(_read(folder, source, aside / str(number)))
        # Built aside: what has the study's name is the whole study.
        built = _build(sources, config, aside / into.name)
        results.rename(built.folder, into)
    return replace(built, folder=into, notes=tuple(notes))


def merged_config(configs: Sequence[StudyConfig], places: Sequence[str], name: str) -> StudyConfig:
    """The configuration of studies as one.

    Args:
        configs: of the studies.
        places: of the studies, for people.
        name: of the new study.

    Raises:
        UserError: names the first option that differs and changes numbers.
    """
    first = configs[0]
    merged = first
    for config, place in zip(configs[1:], places[1:], strict=True):
        other = _as_if_run_there(config, first)
        differs = first.difference(other)
        if differs is not None:
            shown = made_by if differs == "rules" else repr
            values = f" ({shown(getattr(first, differs))} and {shown(getattr(other, differs))})"
            detail = "" if differs in ("space", "data_digest") else values
            what = {"data_digest": "the content of their data"}.get(differs, differs)
            raise UserError(
                f"{places[0]} and {place} cannot be merged: they differ in {what}{detail}, which changes the numbers."
            )
        merged = merged.extended_by(other)
    _check_batches(configs, places, merged)
    batches_of = None if first.batch_name == name else first.batch_name
    changed = {"study": name, "storage": None, "batches_of": batches_of, "train": _least_biased_truth(configs)}
    # Validated again: a model's copy is not.
    return StudyConfig.create({**merged.model_dump(), **changed}, f"the study {name}")


def _as_if_run_there(config: StudyConfig, first: StudyConfig) -> StudyConfig:
    """A configuration less what tells where it was run, and which architectures it drew, but changes no number."""
    same: dict[str, object] = {name: getattr(first, name) for name in ("study", "storage", "seed", "batches_of")}
    if config.data_digest is not None:
        same["data"] = first.data
    if config.device.partition(":")[0] == first.device.partition(":")[0]:
        same["device"] = first.device
    return config.model_copy(update=same)


def _check_batches(configs: Sequence[StudyConfig], places: Sequence[str], merged: StudyConfig) -> None:
    """Proxies that look at single batches look at those that derive from the study's name."""
    looking = [name for name in merged.all_measures if find(name).seeded and not find(name).trains]
    for config, place in zip(configs[1:], places[1:], strict=True):
        if looking and config.batch_name != configs[0].batch_name:
            raise UserError(
                f"{places[0]} and {place} cannot be merged: {', '.join(looking)} may score on batches that derive from "
                f"a study's name, and those are {configs[0].batch_name} and {config.batch_name}."
            )


def _least_biased_truth(configs: Sequence[StudyConfig]) -> str:
    """What says of the training of all: if some trained only their best, so did the whole."""
    halved = [config.train for config in configs if config.halved]
    if halved:
        return halved[0]
    tops = [config.top for config in configs if config.top is not None]
    if tops:
        return f"top:{max(tops)}"
    return "all" if any(config.train == "all" for config in configs) else "none"


def _without_stranger(folder: Path, config: StudyConfig) -> tuple[StudyConfig, str | None]:
    """A study as it can be read, and what is to be said of that: its table where its database was not agreed to."""
    try:
        agreed_storage(config, folder)
    except NotAgreedError:
        place = config.model_dump()["storage"]
        note = (
            f"{folder} was read from its {TABLE_FILE}, and whether somebody is at work on it elsewhere is not known: "
            f"nobody on this machine has agreed to open {place}; `randsearch status` with --storage {place} agrees"
        )
        return config.model_copy(update={"storage": None}), note
    return config, None


@contextmanager
def _at_rest(folder: Path, config: StudyConfig) -> Iterator[None]:
    """Keeps drivers off a study that is read."""
    holder = leaseholder(config, folder)
    if holder is not None:
        raise UserError(f"a driver is at work on the study {config.study} ({holder}): wait for it.")
    if not os.access(folder, os.W_OK):
        yield  # Where nothing can be written, nobody works.
        return
    with locked(folder):
        yield


def _read(folder: Path, config: StudyConfig, aside: Path) -> _Source:
    """What a study holds: from a copy of its own file, or of its table where that is gone; nothing there is changed."""
    place = folder
    if config.storage is None:
        place, there, here = aside, Place(folder), Place(aside)
        here.make(aside)
        # Without its journal the file of a driver that was killed may hold half a transaction.
        study = StudyFolder(folder)
        for path in (study.config, study.database, study.journal, study.table):
            if there.has(path):
                with there.open(path) as file:
                    here.copy(file, aside / path.name)
    studies = open_studies(config, place)
    candidates = studies.candidates()
    if not candidates:
        raise UserError(f"nothing was measured in {folder}: leave it out.")
    known = studies.main.user_attrs
    remembered = {
        str(name): value for name, value in known.items() if name in ("baseline", "note") or is_standing(str(name))
    }
    return _Source(folder, config, candidates, studies.measurements(candidates), remembered)


def _build(sources: Sequence[_Source], config: StudyConfig, folder: Path) -> Merged:
    """Writes the new study."""
    Place(folder).make(folder)
    candidates: dict[str, Candidate] = {}
    kept: dict[Key, tuple[Measurement, _Source]] = {}
    fresh, different, identical = [], [], 0
    for source in sources:
        before = len(candidates)
        for candidate in source.candidates:
            candidates.setdefault(candidate.architecture.hash, candidate)
        fresh.append(len(candidates) - before)
        for measurement in source.measurements:
            first, _ = kept.setdefault(measurement.key, (measurement, source))
            if measurement.replaces(first):
                kept[measurement.key] = measurement, source
            elif first is not measurement and not first.replaces(measurement):
                if (first.state, first.score) == (measurement.state, measurement.score):
                    identical += 1
                else:
                    different.append(measurement.key)
    config = config.model_copy(update={"trials": len(candidates)})
    config.save(StudyFolder(folder).config)
    measurements = [measurement for measurement, _ in kept.values()]
    _store(config, folder, candidates, measurements, sources[0].remembered)
    if measurements:
        write_measurements(tabulate(config, candidates, measurements), StudyFolder(folder).table)
    _copy_files(sources, kept, folder)
    return Merged(folder, config, tuple(fresh), len(kept), identical, tuple(dict.fromkeys(different)))


def _store(
    config: StudyConfig,
    folder: Path,
    candidates: dict[str, Candidate],
    measurements: Sequence[Measurement],
    remembered: dict[str, object],
) -> None:
    studies = Studies(config, folder)
    for name, value in remembered.items():
        studies.main.set_user_attr(name, value)
    with studies.storage.late():
        added = {
            name: studies.add(candidate.architecture, candidate.params, candidate.distributions)
            for name, candidate in candidates.items()
        }
        for measurement in measurements:
            studies.record(measurement, added[measurement.architecture.hash])


def _copy_files(sources: Sequence[_Source], kept: dict[Key, tuple[Measurement, _Source]], folder: Path) -> None:
    """Copies what the kept measurements left behind, and the excerpts that all share."""
    into = StudyFolder(folder)
    for source in sources:
        study = StudyFolder(source.folder)
        if not into.place.has(into.references):
            _copy_folder(study.place, study.references, into.place, into.references)
    for measurement, source in kept.values():
        study = StudyFolder(source.folder)
        _copy_folder(study.place, study.home(*measurement.key), into.place, into.home(*measurement.key))


def _copy_folder(there: Place, source: Path, here: Place, target: Path) -> None:
    """Copies the files of a folder; links, which in somebody else's study may lead anywhere, are left out."""
    for path in there.files(source):
        with there.open(path) as file:
            here.copy(file, target / path.relative_to(source))
