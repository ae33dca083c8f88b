"""An Optuna storage for the one writer of its studies: what it read or wrote it knows, and it writes many at a time."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Collection, Container, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeVar

from optuna.distributions import BaseDistribution
from optuna.storages import BaseStorage, RDBStorage
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy import Connection, event, exc
from sqlalchemy.orm import Session

from randsearch.base.layout import TABLE_FILE
from randsearch.study import records
from randsearch.study.database import AgreedURL, connect, reason_of, sentence_on, shown
from randsearch.study.patience import Patience
from randsearch.study.writing import STUDY, Writing

_SIGNS_OF_DAMAGE = (ValueError, LookupError, TypeError, AttributeError, AssertionError, OverflowError)
"""What Optuna raises where it reads what it never wrote."""

LATE_SECONDS = 0.3
"""How long a trial waits at most for others to be written with, while others come."""

_MOST = 1000
"""Trials that wait at most."""

T = TypeVar("T")


def open_storage(url: AgreedURL) -> PatientStorage:
    """Opens a database as an Optuna storage; makes its tables where they are missing.

    Args:
        url: from `database_url`.

    Raises:
        UserError: it cannot be opened.
    """
    with sentence_on(url):
        try:
            return PatientStorage(connect(url), shown(url))
        except exc.SQLAlchemyError as error:
            # Of two drivers that make the tables at once one fails, and finds them made when it tries again.
            if not isinstance(error, exc.IntegrityError) and "already exists" not in str(error):
                raise
            return PatientStorage(connect(url), shown(url))


class PatientStorage(BaseStorage):
    """An Optuna storage for the one writer of its studies: it knows what it wrote, waits, and writes many at a time.

    Trials that were read or written once are answered from memory, for nobody else writes them. Every write is in the
    database when the call returns, unless the writer asked to be `late`. While the database is away it waits, and then
    does what it was asked exactly once.

    Args:
        backend: the database.
        place: as messages name it.
    """

    def __init__(self, backend: RDBStorage, place: str) -> None:
        self._backend = backend
        away = "move it away" if backend.engine.dialect.name == "sqlite" else "delete the study there"
        remedy = f"{away}, and the same command makes it anew from {TABLE_FILE}"
        self._patiently = Patience(backend.engine, place, remedy)
        self._sessions = backend.scoped_session
        self._studies: dict[int, _Known] = {}
        self._waiting: dict[int, None] = {}  # trials that are not written as they are, in their order
        self._rows: dict[int, int] = {}  # the database's ids of the trials that may still change
        self._late = False
        self._since = 0.0

    @property
    def backend(self) -> RDBStorage:
        """The database itself, for who shows what another process writes."""
        return self._backend

    @contextmanager
    def undamaged(self) -> Iterator[None]:
        """Takes what reading raises for damage: the database holds what neither Optuna nor randsearch ever wrote.

        Raises:
            UserError: in its place.
        """
        try:
            yield
        except (*_SIGNS_OF_DAMAGE, exc.SQLAlchemyError) as error:
            raise self._patiently.damage(reason_of(error)) from error

    def guard(self, check: Callable[[Session], None]) -> None:
        """Has every transaction checked, in that transaction itself, before it is committed.

        Args:
            check: raises if it must not be.
        """
        event.listen(self._sessions, "before_commit", check)

    @contextmanager
    def late(self) -> Iterator[None]:
        """Lets writes of trials wait for those that come within `LATE_SECONDS`, so that one transaction takes all.

        A writer that is killed meanwhile loses them, and nothing that was written before.
        """
        self._late = True
        try:
            yield
        finally:
            self._late = False
            self.flush()

    def flush(self) -> None:
        """Writes what waits, in one transaction.

        Raises:
            UserError: the database refuses it; what waited is then forgotten, as if it had never been told.
        """
        if not self._waiting:
            return
        writing = Writing(self._backend, {which: self._trial(which) for which in self._waiting}, self._rows)
        try:
            with self.undamaged():  # Nobody else writes: a conflict of keys comes from rows that nobody wrote.
                self._patiently(writing.attempt, writing.again)
        except BaseException:
            self._forget()
            raise
        for which in self._waiting:
            study_id, number = divmod(which, STUDY)
            if not self._trial(which).state.is_finished():
                self._rows[which] = writing.rows[which]
                continue
            self._rows.pop(which, None)
            if not self._studies[study_id].whole:
                del self._studies[study_id].trials[number]
        self._waiting.clear()

    def _forget(self) -> None:
        self._waiting.clear()
        self._rows.clear()
        self._studies.clear()

    def create_new_study(self, directions: Sequence[StudyDirection], study_name: str | None = None) -> int:
        """Adds a study; one of that name may be there when it is tried again, which Optuna takes for its own."""
        return self._patiently(lambda: self._backend.create_new_study(directions, study_name))

    def delete_study(self, study_id: int) -> None:
        """Deletes a study that may be gone when it is tried again."""

        def delete_if_there() -> None:
            with suppress(KeyError):
                self._backend.delete_study(study_id)

        self.flush()
        self._studies.pop(study_id, None)
        self._rows = {which: row for which, row in self._rows.items() if which // STUDY != study_id}
        self._patiently(lambda: self._backend.delete_study(study_id), delete_if_there)

    def set_study_user_attr(self, study_id: int, key: str, value: Any) -> None:
        """Writes an attribute of a study."""
        self._patiently(lambda: self._backend.set_study_user_attr(study_id, key, value))

    def forget_study_user_attrs(self, study_id: int, keys: Collection[str]) -> None:
        """Deletes attributes of a study; such as are not there are none to delete."""

        def attempt() -> None:
            session = self._sessions()
            try:
                records.forget(session.connection(), study_id, keys)
                session.commit()
            except BaseException:
                session.rollback()
                raise
            finally:
                session.close()

        if keys:
            self._patiently(attempt)

    def set_study_system_attr(self, study_id: int, key: str, value: Any) -> None:
        """Writes an attribute of Optuna's own of a study."""
        self._patiently(lambda: self._backend.set_study_system_attr(study_id, key, value))

    def get_study_id_from_name(self, study_name: str) -> int:
        """The id of a study."""
        return self._patiently(lambda: self._backend.get_study_id_from_name(study_name))

    def get_study_name_from_id(self, study_id: int) -> str:
        """The name of a study."""
        known = self._known(study_id)
        known.name = known.name or self._patiently(lambda: self._backend.get_study_name_from_id(study_id))
        return known.name

    def get_study_directions(self, study_id: int) -> list[StudyDirection]:
        """The directions of a study."""
        known = self._known(study_id)
        known.directions = known.directions or self._patiently(lambda: self._backend.get_study_directions(study_id))
        return known.directions

    def get_study_user_attrs(self, study_id: int) -> dict[str, Any]:
        """The attributes of a study."""
        return self._patiently(lambda: self._backend.get_study_user_attrs(study_id))

    def get_study_system_attrs(self, study_id: int) -> dict[str, Any]:
        """The attributes of Optuna's own of a study."""
        return self._patiently(lambda: self._backend.get_study_system_attrs(study_id))

    def get_all_studies(self) -> list[Any]:
        """All studies of the database, which need not be ours."""
        return self._patiently(self._backend.get_all_studies)

    def create_new_trial(self, study_id: int, template_trial: FrozenTrial | None = None) -> int:
        """Adds a trial."""
        known = self._known(study_id)
        if known.count is None:
            known.count = self._reading(lambda connection: records.count(connection, study_id))
        number, which = known.count, study_id * STUDY + known.count
        known.trials[number] = _numbered(template_trial, number, which)
        known.count += 1
        self._written(which)
        return which

    def set_trial_param(
        self, trial_id: int, param_name: str, param_value_internal: float, distribution: BaseDistribution
    ) -> None:
        """Writes what a sampler chose."""
        trial = self._changeable(trial_id)
        trial.params = {**trial.params, param_name: distribution.to_external_repr(param_value_internal)}
        trial.distributions = {**trial.distributions, param_name: distribution}
        self._written(trial_id)

    def set_trial_state_values(self, trial_id: int, state: TrialState, values: Sequence[float] | None = None) -> bool:
        """Tells a trial's result; False if it is to run and was taken already."""
        trial = self._changeable(trial_id)
        if state == TrialState.RUNNING and trial.state != TrialState.WAITING:
            return False
        trial.state = state
        if values is not None:
            trial.values = list(values)
        if state == TrialState.RUNNING:
            trial.datetime_start = datetime.now()
        if state.is_finished():
            trial.datetime_complete = datetime.now()
        self._written(trial_id)
        return True

    def set_trial_intermediate_value(self, trial_id: int, step: int, intermediate_value: float) -> None:
        """Writes a point of a trial's curve."""
        trial = self._changeable(trial_id)
        trial.intermediate_values = {**trial.intermediate_values, step: intermediate_value}
        self._written(trial_id)

    def set_trial_user_attr(self, trial_id: int, key: str, value: Any) -> None:
        """Writes an attribute of a trial."""
        trial = self._changeable(trial_id)
        trial.user_attrs = {**trial.user_attrs, key: value}
        self._written(trial_id)

    def set_trial_system_attr(self, trial_id: int, key: str, value: Any) -> None:
        """Writes an attribute of Optuna's own of a trial."""
        trial = self._changeable(trial_id)
        trial.system_attrs = {**trial.system_attrs, key: value}
        self._written(trial_id)

    def get_trial_id_from_study_id_trial_number(self, study_id: int, trial_number: int) -> int:
        """The id of a trial."""
        which = study_id * STUDY + trial_number
        self._trial(which)
        return which

    def get_trial_number_from_id(self, trial_id: int) -> int:
        """The number of a trial in its study."""
        return trial_id % STUDY

    def get_trial(self, trial_id: int) -> FrozenTrial:
        """A trial; not to be changed."""
        return self._trial(trial_id)

    def get_all_trials(
        self, study_id: int, deepcopy: bool = True, states: Container[TrialState] | None = None
    ) -> list[FrozenTrial]:
        """All trials of a study by number."""
        found = [trial for trial in self._whole(study_id).trials.values() if states is None or trial.state in states]
        return copy.deepcopy(found) if deepcopy else found

    def read_without_params(self, study_id: int) -> list[FrozenTrial]:
        """All trials of a study but for their parameters, and without keeping them in memory."""
        self.flush()
        found = self._reading(lambda connection: records.read(connection, study_id, params=False))
        return [trial for _, trial in found]

    def _known(self, study_id: int) -> _Known:
        return self._studies.setdefault(study_id, _Known())

    def _whole(self, study_id: int) -> _Known:
        """A study with all of its trials in memory."""
        known = self._known(study_id)
        if known.whole:
            return known
        self.flush()
        self._patiently(lambda: self._backend.get_study_name_from_id(study_id))  # KeyError: it was deleted.
        found = self._reading(lambda connection: records.read(connection, study_id))
        trials = {t.number: _numbered(t, t.number, study_id * STUDY + t.number) for _, t in found}
        if len(trials) != len(found):
            raise ValueError("two trials have one number")
        known.trials, known.count, known.whole = trials, len(found), True
        unfinished = ((row, trial.number) for row, trial in found if not trial.state.is_finished())
        self._rows.update((study_id * STUDY + number, row) for row, number in unfinished)
        return known

    def _trial(self, trial_id: int) -> FrozenTrial:
        study_id, number = divmod(trial_id, STUDY)
        trials = self._known(study_id).trials
        return trials[number] if number in trials else self._whole(study_id).trials[number]

    def _changeable(self, trial_id: int) -> FrozenTrial:
        """A copy of a trial, in its place, for who has the trial shall not see it change."""
        trial = copy.copy(self._trial(trial_id))
        self.check_trial_is_updatable(trial_id, trial.state)
        study_id, number = divmod(trial_id, STUDY)
        self._studies[study_id].trials[number] = trial
        return trial

    def _written(self, trial_id: int) -> None:
        """Takes note of a trial that was changed, and writes it unless it may wait."""
        if not self._waiting:
            self._since = time.monotonic()
        self._waiting[trial_id] = None
        if not self._late or len(self._waiting) >= _MOST or time.monotonic() - self._since > LATE_SECONDS:
            self.flush()

    def _reading(self, read: Callable[[Connection], T]) -> T:
        def attempt() -> T:
            with self._backend.engine.connect() as connection:
                return read(connection)

        return self._patiently(attempt)


@dataclass
class _Known:
    """What the storage knows of a study.

    Attributes:
        name: None until it was asked for.
        directions: none until they were asked for.
        count: of its trials; None until it was asked for.
        trials: by number: all of them, or those that are not yet written or may still change.
        whole: which of the two.
    """

    name: str | None = None
    directions: list[StudyDirection] = field(default_factory=list)
    count: int | None = None
    trials: dict[int, FrozenTrial] = field(default_factory=dict)
    whole: bool = False


def _numbered(trial: FrozenTrial | None, number: int, which: int) -> FrozenTrial:
    """A trial in its place in a study; one that was just asked for is empty."""
    return FrozenTrial(
        number=number,
        state=trial.state if trial else TrialState.RUNNING,
        value=None,
        values=trial.values if trial else None,
        datetime_start=trial.datetime_start if trial else datetime.now(),
        datetime_complete=trial.datetime_complete if trial else None,
        params=trial.params if trial else {},
        distributions=trial.distributions if trial else {},
        user_attrs=trial.user_attrs if trial else {},
        system_attrs=trial.system_attrs if trial else {},
        intermediate_values=trial.intermediate_values if trial else {},
        trial_id=which,
    )
