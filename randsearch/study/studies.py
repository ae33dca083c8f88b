"""A study in its storage: linked Optuna studies, of which one process at a time is the writer.

`NAME` has one trial an architecture, told the primary proxy; `NAME/MEASURE` one trial a measurement, its value the
score and its intermediate values the curve, pruned if it is a training that was stopped on the way; `NAME/agreement` is
derived from the two. Finished trials are immutable in Optuna, and measures join a study later, hence several studies.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any

import optuna
from optuna.distributions import BaseDistribution
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState, create_trial

from randsearch.base.errors import UserError
from randsearch.base.layout import StudyFolder
from randsearch.models import sizing
from randsearch.models.architecture import Architecture
from randsearch.study.candidates import signal
from randsearch.study.config import StudyConfig
from randsearch.study.config_file import as_copy, from_copy
from randsearch.study.database import database_url
from randsearch.study.notes import write_note
from randsearch.study.storage import PatientStorage, open_storage
from randsearch.study.votes import Standing
from randsearch.table.measurement import Key, Measurement, State, finite

optuna.logging.set_verbosity(optuna.logging.WARNING)
# Metric names have been called experimental since Optuna 3.2; the dashboard shows them.
warnings.filterwarnings("ignore", message=".*set_metric_names.*", category=optuna.exceptions.ExperimentalWarning)


_STATES: Mapping[State, TrialState] = {
    "complete": TrialState.COMPLETE,
    "failed": TrialState.FAIL,
    "pruned": TrialState.PRUNED,
}
_NAMES = {told: state for state, told in _STATES.items()}

AGREEMENT = "agreement"
"""The attribute that holds what was found; what begins with it and a colon is of it."""

STANDING = "standing"
"""How attributes begin that hold the samples by which votes are told; a colon and the vote follow."""

_LONGEST = timedelta(days=10_000)
"""That a trial is said to have taken: a table from elsewhere may claim more than a calendar holds."""


@dataclass(frozen=True)
class Candidate:
    """An architecture of a study.

    Attributes:
        number: of its trial in the study `NAME`.
        architecture: what it is.
        params: as Optuna holds them.
        distributions: that they were drawn from.
        told: whether the primary proxy's score is known to Optuna.
    """

    number: int
    architecture: Architecture
    params: Mapping[str, Any]
    distributions: Mapping[str, BaseDistribution]
    told: bool


class Studies:
    """The Optuna studies of one randsearch study.

    Args:
        config: the study's configuration.
        folder: of the study; the file `study.db` in it is the storage unless the configuration names another.

    Attributes:
        main: the study `NAME`.
        tabulated: whether its table was found to hold just what they hold.

    Raises:
        UserError: the storage cannot be opened, or holds a study of that name with another configuration.
    """

    def __init__(self, config: StudyConfig, folder: Path) -> None:
        self._config = config
        self._storage = open_storage(database_url(config, folder))
        self._opened: dict[str, optuna.Study] = {}
        self._ids: dict[str, int] = {}
        self._measurements: dict[str, dict[Key, Measurement]] = {}  # by study, once they were read
        self.tabulated = False
        self._directions = ["maximize", "minimize"] if config.sampler == "nsga2" else ["maximize"]
        with self._storage.undamaged():
            self._names = set(optuna.get_all_study_names(self._storage))
            self.main = self._study(config.study, self._directions)
            if not self.main.user_attrs:
                self.main.set_user_attr("proxy", config.proxy)
                self.main.set_user_attr("data", config.data)
                self.main.set_user_attr("sampler", config.sampler)
                names = [config.proxy, "macs"] if config.sampler == "nsga2" else [config.proxy]
                self.main.set_metric_names(names)
            self._check_config(folder)

    def _check_config(self, folder: Path) -> None:
        """Refuses another configuration than that of the study, and keeps a copy of it with the study.

        The copy decides in a database, where somebody may keep a study of the same name, and in the study's own file
        where `config.yaml` is gone.
        """
        stored, gone = self.main.user_attrs.get("config"), not StudyFolder(folder).config.exists()
        if stored is None and gone and (StudyFolder(folder).table.exists() or self.main.get_trials(deepcopy=False)):
            raise UserError(
                f"{folder} holds measurements but no config.yaml, and nothing else says with which options they were "
                "made: put it back from a copy (report.html holds one), or choose another --study."
            )
        if stored is not None and (gone or self._config.storage is not None):
            where = f"the configuration of {self._config.study} in its database"
            fields = {**from_copy(stored, StudyConfig, where), "storage": self._config.storage}
            StudyConfig.create(fields, where).continued_by(self._config)
        current = as_copy(self._config)
        if stored is None or (self._config.storage is None and stored != current):
            self.main.set_user_attr("config", current)

    def _study(self, name: str, directions: list[str]) -> optuna.Study:
        self._names.add(name)
        if name not in self._opened:  # Opening takes Optuna as long as adding a trial does.
            self._opened[name] = self._create(name, directions)
        return self._opened[name]

    def _create(self, name: str, directions: list[str]) -> optuna.Study:
        return optuna.create_study(
            storage=self._storage,
            study_name=name,
            directions=[StudyDirection.MAXIMIZE if d == "maximize" else StudyDirection.MINIMIZE for d in directions],
            load_if_exists=True,
        )

    @property
    def storage(self) -> PatientStorage:
        """Where they lie."""
        return self._storage

    def _add(self, trial: FrozenTrial, name: str, directions: list[str]) -> int:
        """Adds a trial to a study; returns its number."""
        trial_id = self._storage.create_new_trial(self._id(name, directions), trial)
        return self._storage.get_trial_number_from_id(trial_id)

    def _id(self, name: str, directions: list[str]) -> int:
        """The storage's id of a study."""
        if name not in self._ids:
            self._study(name, directions)
            self._ids[name] = self._storage.get_study_id_from_name(name)
        return self._ids[name]

    def remembered(self, name: str, compute: Callable[[], float]) -> float:
        """A number of the whole study, computed once."""
        if name not in self.main.user_attrs:
            self.main.set_user_attr(name, compute())
        with self._storage.undamaged():
            return finite(self.main.user_attrs[name])

    def standing(self, vote: str) -> Standing | None:
        """The sample by which a vote is told, as it was kept; None if none was.

        Raises:
            UserError: the storage is damaged.
        """
        with self._storage.undamaged():
            stored = self.main.user_attrs.get(f"{STANDING}:{vote}")
            return None if stored is None else Standing.stored(stored, vote)

    def keep_standing(self, vote: str, standing: Standing) -> None:
        """Keeps the sample by which a vote is told from now on."""
        self.main.set_user_attr(f"{STANDING}:{vote}", standing.to_attribute())

    def annotate(self, name: str, text: str) -> None:
        """Writes what a reader must know into the study itself."""
        if self.main.user_attrs.get(name) != text:
            self.main.set_user_attr(name, text)

    def candidates(self) -> list[Candidate]:
        """The architectures of the study, in the order in which they joined it.

        Raises:
            UserError: the storage is damaged.
        """
        with self._storage.undamaged():
            trials = self.main.get_trials(deepcopy=False)
            if [trial.number for trial in trials] != list(range(len(trials))):
                raise ValueError("a trial is missing")
            return [
                Candidate(
                    trial.number,
                    _architecture(trial.user_attrs["options"], trial.number),
                    trial.params,
                    trial.distributions,
                    trial.state.is_finished(),
                )
                for trial in trials
                if "options" in trial.user_attrs and "repeats" not in trial.user_attrs
            ]

    def add(
        self, architecture: Architecture, params: Mapping[str, Any], distributions: Mapping[str, BaseDistribution]
    ) -> Candidate:
        """Adds an architecture that the driver drew; its trial runs until the primary proxy's score is told."""
        trial = _trial(TrialState.RUNNING, params, distributions, attributes_of(architecture, self._config))
        with self._storage.undamaged():
            number = self._add(trial, self._config.study, self._directions)
        return Candidate(number, architecture, params, distributions, told=False)

    def tell(self, candidate: Candidate, values: list[float] | None) -> None:
        """Tells Optuna what the primary proxy made of an architecture; None if it failed."""
        with self._storage.undamaged():
            if values is None:
                self.main.tell(candidate.number, state=TrialState.FAIL)
            else:
                self.main.tell(candidate.number, values)

    def record(self, measurement: Measurement, candidate: Candidate) -> None:
        """Adds a measurement, which is in the study wholly or not at all.

        A training that was stopped and went on later has two trials, for the first is immutable; the last counts.
        """
        name, state = f"{self._config.study}/{measurement.measure}", _STATES[measurement.state]
        trial = _trial(
            state, candidate.params, candidate.distributions, measurement.to_attributes(), measurement.seconds
        )
        # As Optuna tells a pruned trial: its value is the last of its curve.
        pruned = measurement.curve[-1][1] if measurement.state == "pruned" and measurement.curve else None
        trial.value = measurement.score if measurement.state == "complete" else pruned
        trial.intermediate_values = dict(measurement.curve)
        with self._storage.undamaged():
            self._add(trial, name, ["maximize"])
        if name in self._measurements:
            self._measurements[name][measurement.key] = measurement

    def measurements(self, candidates: Iterable[Candidate]) -> list[Measurement]:
        """Every measurement of these architectures.

        Raises:
            UserError: the storage is damaged.
        """
        with self._storage.undamaged():
            return list(self._read_measurements(candidates))

    def _read_measurements(self, candidates: Iterable[Candidate]) -> Iterator[Measurement]:
        architectures = {candidate.architecture.hash: candidate.architecture for candidate in candidates}
        prefix = f"{self._config.study}/"
        for name in sorted(self._names):
            measure = name.removeprefix(prefix)
            if not name.startswith(prefix) or measure == "agreement":
                continue
            if name not in self._measurements:
                trials = self._storage.read_without_params(self._id(name, ["maximize"]))
                located = ((trial, architectures.get(trial.user_attrs.get("architecture", ""))) for trial in trials)
                found = [_measurement(trial, measure, where) for trial, where in located if where is not None]
                self._measurements[name] = {measurement.key: measurement for measurement in found}
            known = self._measurements[name].values()
            yield from (measurement for measurement in known if measurement.architecture.hash in architectures)

    def log_agreement(
        self, found: Mapping[str, Any], note: str, pairs: Iterable[tuple[Candidate, float, float]]
    ) -> None:
        """Writes the agreement into the study: as user attributes and the note of `NAME`, scores as `NAME/agreement`.

        Args:
            found: attributes, all that the agreement has: those of former analyses and releases give way to them.
            note: the same for people, in Markdown.
            pairs: architecture, primary proxy's score, trained score.

        Raises:
            UserError: the storage is damaged.
        """
        with self._storage.undamaged():
            self._log_found(found)
            write_note(self._storage, self._id(self._config.study, self._directions), note)
            self._log_pairs(list(pairs))

    def _log_found(self, found: Mapping[str, Any]) -> None:
        logged = self.main.user_attrs
        for name, value in found.items():
            if name not in logged or logged[name] != value:
                self.main.set_user_attr(name, value)
        former = [name for name in logged if name.startswith(f"{AGREEMENT}:") and name not in found]
        self._storage.forget_study_user_attrs(self._id(self._config.study, self._directions), former)

    def _log_pairs(self, pairs: Sequence[tuple[Candidate, float, float]]) -> None:
        name = f"{self._config.study}/agreement"
        if name in self._names:
            known = self._study(name, ["maximize", "maximize"]).get_trials(deepcopy=False)
            told = [(trial.user_attrs.get("architecture"), tuple(trial.values or ())) for trial in known]
            if told == [(candidate.architecture.hash, (proxy, trained)) for candidate, proxy, trained in pairs]:
                return
            optuna.delete_study(study_name=name, storage=self._storage)
            self._opened.pop(name, None)
            self._ids.pop(name, None)
        study = self._study(name, ["maximize", "maximize"])
        study.set_metric_names([self._config.proxy, "trained"])
        study.add_trials(
            create_trial(
                values=[proxy, trained],
                params=dict(candidate.params),
                distributions=dict(candidate.distributions),
                user_attrs={"architecture": candidate.architecture.hash},
            )
            for candidate, proxy, trained in pairs
        )


def _trial(
    state: TrialState,
    params: Mapping[str, Any],
    distributions: Mapping[str, BaseDistribution],
    attributes: dict[str, Any],
    seconds: float = 0.0,
) -> FrozenTrial:
    """A trial as `optuna.trial.create_trial` makes it, less its checks, which take longer than writing it.

    It ends now and began so many seconds before, for it is told once it is done.
    """
    now = datetime.now()
    return FrozenTrial(
        number=-1,  # The storage knows better.
        state=state,
        value=None,
        datetime_start=now - timedelta(seconds=min(seconds, _LONGEST.total_seconds())),
        datetime_complete=now if state.is_finished() else None,
        params=dict(params),
        distributions=dict(distributions),
        user_attrs=attributes,
        system_attrs={},
        intermediate_values={},
        trial_id=-1,
    )


def is_standing(attribute: str) -> bool:
    """Whether an attribute of a study holds the sample by which a vote is told."""
    return attribute.startswith(f"{STANDING}:")


def attributes_of(architecture: Architecture, config: StudyConfig) -> dict[str, Any]:
    """User attributes by which a trial is recognised as an architecture, and its size, which every study knows.

    Args:
        architecture: of the trial.
        config: of the study, resolved.
    """
    layers = sizing.convolutions(architecture, signal(config), sizing.lengths(architecture, config.segment).input)
    return {
        "architecture": architecture.hash,
        "options": architecture.model_dump_json(exclude_defaults=True),
        "params": sum(sizing.parameters(layers).values()),
        "macs": sizing.multiply_adds_per_second(architecture, signal(config), config.segment, config.audio.rate),
    }


@lru_cache(maxsize=1 << 16)
def _architecture(options: str, number: int) -> Architecture:
    return Architecture.create(json.loads(options), f"trial {number}")


def _measurement(trial: FrozenTrial, measure: str, architecture: Architecture) -> Measurement:
    """A trial as the measurement that it was recorded for.

    Raises:
        ValueError: it never was one; TypeError and KeyError say the same.
    """
    complete = trial.state == TrialState.COMPLETE
    return Measurement.from_attributes(
        trial.user_attrs,
        architecture,
        measure=measure,
        state=_NAMES.get(trial.state, "failed"),
        score=finite(trial.value) if complete else None,
        curve=tuple((int(step), finite(score)) for step, score in sorted(trial.intermediate_values.items())),
    )
