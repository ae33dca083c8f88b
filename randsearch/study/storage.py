"""The database that a study lies in: opened by its URL, waited for while it is away, never named with its password."""

from __future__ import annotations

import copy
import sys
import time
from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, NewType, TypeVar

import optuna
from optuna.distributions import BaseDistribution
from optuna.storages import BaseStorage, RDBStorage
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy import URL, Connection, create_engine, event, exc, make_url
from sqlalchemy.engine import Engine, ExceptionContext
from sqlalchemy.orm import Session

from randsearch.base.errors import UserError
from randsearch.base.files import Place
from randsearch.study import records
from randsearch.study.config import StudyConfig, without_password
from randsearch.study.trust import agreed_storage

STUDY_FILE = "study.db"
_BESIDE = ("-journal", "-wal", "-shm")
"""What SQLite adds to the name of a file for those that it keeps beside it."""

PATIENCE_SECONDS = 600.0
"""How long a search waits for a database that does not answer."""

_DAMAGE = ("malformed", "not a database")  # as SQLite says it
_SIGNS_OF_DAMAGE = (ValueError, LookupError, TypeError, AttributeError, AssertionError, OverflowError)
"""What Optuna raises where it reads what it never wrote."""

_FIRST_PAUSE = 1.0
_LONGEST_PAUSE = 30.0

LATE_SECONDS = 0.3
"""How long a trial waits at most for others to be written with, while others come."""

_MOST = 1000
"""Trials that wait at most."""

_STUDY = 2**32
"""The id of a trial is that of its study, times this, plus its number: known before the database has given it one."""

T = TypeVar("T")

# A server that vanished without a word is noticed within a minute, and not after the two hours of the system's default.
# Nor may a driver that was put to sleep in the middle of a transaction hold its locks for ever.
_PSYCOPG = {
    "connect_timeout": 10,
    "keepalives_idle": 20,
    "keepalives_interval": 10,
    "keepalives_count": 3,
    "options": "-c idle_in_transaction_session_timeout=60s",
}


AgreedURL = NewType("AgreedURL", URL)
"""A database that may be opened. `database_url` alone makes one: the gate that every command passes."""


def database_url(config: StudyConfig, folder: Path) -> AgreedURL:
    """Where a study is stored.

    Args:
        config: of the study.
        folder: of the study; the file `study.db` in it is the storage unless the configuration names another.

    Raises:
        UserError: that file, or one that SQLite keeps beside it, is a link.
        NotAgreedError: the configuration names a database that this user has not agreed to.
    """
    agreed = agreed_storage(config, folder)
    if agreed is None:
        place = Place(folder)
        for end in _BESIDE:
            place.checked(folder / f"{STUDY_FILE}{end}")
        return AgreedURL(URL.create("sqlite", database=str(place.checked(folder / STUDY_FILE))))
    url = make_url(agreed)
    # SQLAlchemy 2.0 takes plain `postgresql` for a driver that is not ours, 2.1 for ours.
    return AgreedURL(url.set(drivername="postgresql+psycopg") if url.drivername in ("postgresql", "postgres") else url)


def open_engine(url: AgreedURL) -> Engine:
    """Connects, at its first use, to a study's database."""
    return create_engine(url, **_engine_options(url))


def _engine_options(url: URL) -> dict[str, Any]:
    """Options under which connections that broke while nobody used them are replaced."""
    if url.get_backend_name() == "sqlite":
        return {}
    defaults: dict[str, Any] = _PSYCOPG if url.get_driver_name() == "psycopg" else {}
    return {
        "pool_pre_ping": True,
        "connect_args": {name: value for name, value in defaults.items() if name not in url.query},
    }


def open_storage(url: AgreedURL) -> PatientStorage:
    """Opens a database as an Optuna storage; makes its tables where they are missing.

    Args:
        url: from `database_url`.

    Raises:
        UserError: it cannot be opened.
    """
    with sentence_on(url):
        try:
            return PatientStorage(_connect(url), _place(url))
        except exc.SQLAlchemyError as error:
            # Of two drivers that make the tables at once one fails, and finds them made when it tries again.
            if not isinstance(error, exc.IntegrityError) and "already exists" not in str(error):
                raise
            return PatientStorage(_connect(url), _place(url))


@contextmanager
def sentence_on(url: URL) -> Iterator[None]:
    """Raises as one sentence whatever keeps a database from being opened.

    Raises:
        UserError: in its place.
    """
    try:
        yield
    except ImportError:
        package = "randsearch[postgres]" if url.get_backend_name() == "postgresql" else "its Python package"
        raise UserError(f"{_place(url)} needs a driver that is not installed: install '{package}'.") from None
    # RuntimeError is what Optuna raises for a file of another of its versions.
    except (optuna.exceptions.OptunaError, exc.SQLAlchemyError, ValueError, RuntimeError) as error:
        raise UserError(f"{_place(url)} cannot be opened as an Optuna storage ({_reason(error, url)}).") from None


def _connect(url: AgreedURL) -> RDBStorage:
    # Optuna takes the URL for a template to be filled.
    text = url.render_as_string(hide_password=False).replace("{", "{{").replace("}", "}}")
    return RDBStorage(text, _engine_options(url))


def _place(url: URL) -> str:
    """The database as messages name it."""
    if url.get_backend_name() == "sqlite":
        return f"the study's file {url.database}"
    return f"the database {without_password(url)}"


def _reason(error: BaseException, url: URL | None = None) -> str:
    """What went wrong in one line, as the database said it where it did, and without the password."""
    said = getattr(error, "orig", None) or error
    line = next(iter(str(said).splitlines()), "").strip().rstrip(".") or type(said).__name__
    secret = url.password if url is not None else None
    return line.replace(str(secret), "***") if secret else line


class _RefusedError(Exception):
    """The database did not do what it was asked.

    Deliberately none of SQLAlchemy's exceptions: Optuna answers those of a new trial by writing it again, although
    nobody knows whether the first one arrived.

    Args:
        reason: in one line.
        passes: whether it may do it later.
    """

    def __init__(self, reason: str, *, passes: bool) -> None:
        super().__init__(reason)
        self.reason = reason
        self.passes = passes


def _translate(context: ExceptionContext) -> None:
    """Raises what SQLAlchemy met as a `_RefusedError`; conflicts of keys are left to Optuna, which expects them."""
    error = context.sqlalchemy_exception
    if context.is_pre_ping or not isinstance(error, exc.DatabaseError | exc.InterfaceError):
        return
    if isinstance(error, exc.IntegrityError):
        return
    reason = _reason(error)
    if context.dialect.name == "sqlite":
        passes = "locked" in reason or "busy" in reason
    else:
        passes = isinstance(error, exc.OperationalError | exc.InterfaceError | exc.InternalError)
    raise _RefusedError(reason, passes=passes or context.is_disconnect)


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
        self._place = place
        away = "move it away" if backend.engine.dialect.name == "sqlite" else "delete the study there"
        self._remedy = f"{away}, and the same command makes it anew from measurements.csv"
        self._sessions = backend.scoped_session
        self._studies: dict[int, _Known] = {}
        self._waiting: dict[int, None] = {}  # trials that are not written as they are, in their order
        self._rows: dict[int, int] = {}  # the database's ids of the trials that may still change
        self._late = False
        self._since = 0.0
        event.listen(backend.engine, "handle_error", _translate)

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
            raise UserError(f"{self._place} is damaged ({_reason(error)}): {self._remedy}.") from error

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
        writing = _Writing(self._backend, [self._trial(which) for which in self._waiting], self._rows)
        try:
            self._patiently(writing.attempt, writing.again)
        except BaseException:
            self._forget()
            raise
        for which, row in zip(self._waiting, writing.rows, strict=True):
            study_id, number = divmod(which, _STUDY)
            if not self._trial(which).state.is_finished():
                self._rows[which] = row
                continue
            self._rows.pop(which, None)
            if not self._studies[study_id].whole:
                del self._studies[study_id].trials[number]
        self._waiting.clear()

    def _forget(self) -> None:
        self._waiting.clear()
        self._rows.clear()
        self._studies.clear()

    def _patiently(self, attempt: Callable[[], T], again: Callable[[], T] | None = None) -> T:
        """Does something, and `again`, where that is something else, as long as the database is away."""
        began, pause = None, _FIRST_PAUSE
        while True:
            try:
                result = attempt()
            except _RefusedError as refusal:
                if not refusal.passes:
                    raise UserError(self._sentence(refusal)) from None
                if began is None:
                    began = time.monotonic()
                    _say(f"{self._place} does not answer ({refusal.reason}); waiting for it")
                elif time.monotonic() - began > PATIENCE_SECONDS:
                    raise UserError(self._sentence(refusal)) from None
                time.sleep(pause)
                attempt, pause = again or attempt, min(2 * pause, _LONGEST_PAUSE)
            else:
                if began is not None:
                    _say(f"{self._place} answers again after {time.monotonic() - began:.0f} s")
                return result

    def _sentence(self, refusal: _RefusedError) -> str:
        if any(sign in refusal.reason for sign in _DAMAGE):
            return f"{self._place} is damaged ({refusal.reason}): {self._remedy}."
        waited = f" for {PATIENCE_SECONDS / 60:.0f} minutes" if refusal.passes else ""
        return (
            f"{self._place} cannot be used{waited} ({refusal.reason}): "
            "mend that, and the same command continues where it stood."
        )

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
        self._rows = {which: row for which, row in self._rows.items() if which // _STUDY != study_id}
        self._patiently(lambda: self._backend.delete_study(study_id), delete_if_there)

    def set_study_user_attr(self, study_id: int, key: str, value: Any) -> None:
        """Writes an attribute of a study."""
        self._patiently(lambda: self._backend.set_study_user_attr(study_id, key, value))

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
        number, which = known.count, study_id * _STUDY + known.count
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
        which = study_id * _STUDY + trial_number
        self._trial(which)
        return which

    def get_trial_number_from_id(self, trial_id: int) -> int:
        """The number of a trial in its study."""
        return trial_id % _STUDY

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
        return self._reading(lambda connection: records.read(connection, study_id, params=False))

    def _known(self, study_id: int) -> _Known:
        return self._studies.setdefault(study_id, _Known())

    def _whole(self, study_id: int) -> _Known:
        """A study with all of its trials in memory."""
        known = self._known(study_id)
        if known.whole:
            return known
        self.flush()
        self._patiently(lambda: self._backend.get_study_name_from_id(study_id))  # KeyError: it was deleted.
        trials = self._reading(lambda connection: records.read(connection, study_id))
        rows = {trial.number: trial._trial_id for trial in trials}
        if len(rows) != len(trials):
            raise ValueError("two trials have one number")
        known.trials = {t.number: _numbered(t, t.number, study_id * _STUDY + t.number) for t in trials}
        known.count, known.whole = len(trials), True
        unfinished = (number for number, trial in known.trials.items() if not trial.state.is_finished())
        self._rows.update((study_id * _STUDY + number, rows[number]) for number in unfinished)
        return known

    def _trial(self, trial_id: int) -> FrozenTrial:
        study_id, number = divmod(trial_id, _STUDY)
        trials = self._known(study_id).trials
        return trials[number] if number in trials else self._whole(study_id).trials[number]

    def _changeable(self, trial_id: int) -> FrozenTrial:
        """A copy of a trial, in its place, for who has the trial shall not see it change."""
        trial = copy.copy(self._trial(trial_id))
        self.check_trial_is_updatable(trial_id, trial.state)
        study_id, number = divmod(trial_id, _STUDY)
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


class _Writing:
    """One transaction that writes trials, done once however often the connection breaks.

    Args:
        backend: the database.
        trials: as they are to be.
        rows: the database's ids of those that are there.
    """

    def __init__(self, backend: RDBStorage, trials: Sequence[FrozenTrial], rows: Mapping[int, int]) -> None:
        self._sessions, self._engine = backend.scoped_session, backend.engine
        self._new = [(t._trial_id // _STUDY, t) for t in trials if t._trial_id not in rows]
        self._changed = [(rows[t._trial_id], t) for t in trials if t._trial_id in rows]
        self._order = [t._trial_id for t in trials]
        self._rows = dict(rows)

    @property
    def rows(self) -> list[int]:
        """The database's ids of the trials, once they are written."""
        return [self._rows[which] for which in self._order]

    def attempt(self) -> None:
        """Writes them."""
        session = self._sessions()
        try:
            connection = session.connection()
            fresh = records.insert(connection, self._new)
            self._rows.update((trial._trial_id, row) for (_, trial), row in zip(self._new, fresh, strict=True))
            for row, trial in self._changed:
                records.rewrite(connection, row, trial)
            session.commit()
        except BaseException:
            session.rollback()
            raise
        finally:
            session.close()

    def again(self) -> None:
        """Writes them unless they are there: all came with the first of them, and to rewrite others changes nothing."""
        if self._new:
            study_id, trial = self._new[0]
            with self._engine.connect() as connection:
                if records.holds(connection, study_id, trial.number):
                    return
        self.attempt()


def _numbered(trial: FrozenTrial | None, number: int, which: int) -> FrozenTrial:
    """A trial in its place in a study; one that was just asked for is empty."""
    if trial is None:
        trial = FrozenTrial(
            number=number,
            state=TrialState.RUNNING,
            value=None,
            datetime_start=datetime.now(),
            datetime_complete=None,
            params={},
            distributions={},
            user_attrs={},
            system_attrs={},
            intermediate_values={},
            trial_id=which,
        )
    else:
        trial = copy.copy(trial)
        trial.number, trial._trial_id = number, which
    return trial


def _say(sentence: str) -> None:
    print(f"randsearch: {sentence}", file=sys.stderr, flush=True)
