"""The database that a study lies in: opened by its URL, waited for while it is away, never named with its password.

Nothing here imports torch.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import wraps
from pathlib import Path
from typing import Any, NewType

import optuna
from optuna.storages import BaseStorage, RDBStorage, _CachedStorage
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy import URL, create_engine, event, exc, make_url
from sqlalchemy.engine import Engine, ExceptionContext
from sqlalchemy.orm import Session

from randsearch.config import StudyConfig, without_password
from randsearch.errors import UserError
from randsearch.files import Place
from randsearch.trust import agreed_storage

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


class PatientStorage(_CachedStorage):
    """Optuna's storage, which waits for a database that is away and then does what it was asked exactly once.

    Args:
        backend: the database.
        place: as messages name it.
    """

    def __init__(self, backend: RDBStorage, place: str) -> None:
        super().__init__(backend)
        self._place = place
        away = "move it away" if backend.engine.dialect.name == "sqlite" else "delete the study there"
        self._remedy = f"{away}, and the same command makes it anew from measurements.csv"
        self._sessions = backend.scoped_session
        event.listen(backend.engine, "handle_error", _translate)

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

    def _patiently(self, attempt: Callable[[], Any], again: Callable[[], Any]) -> Any:
        """Does something, and `again` as long as the database is away."""
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
                attempt, pause = again, min(2 * pause, _LONGEST_PAUSE)
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

    def create_new_trial(self, study_id: int, template_trial: FrozenTrial | None = None) -> int:
        """Adds a trial, once: no study of ours holds two of the same contents, and nobody else writes."""
        wanted = _contents(template_trial)

        def add() -> int:
            return super(PatientStorage, self).create_new_trial(study_id, template_trial)

        def add_unless_there() -> int:
            for trial in super(PatientStorage, self).get_all_trials(study_id, deepcopy=False):
                if _contents(trial) == wanted:
                    return self.get_trial_id_from_study_id_trial_number(study_id, trial.number)
            return add()

        return int(self._patiently(add, add_unless_there))

    def set_trial_state_values(self, trial_id: int, state: TrialState, values: Any = None) -> bool:
        """Tells a trial's result, once."""

        def tell() -> bool:
            return super(PatientStorage, self).set_trial_state_values(trial_id, state, values)

        def tell_unless_told() -> bool:
            return super(PatientStorage, self).get_trial(trial_id).state == state or tell()

        return bool(self._patiently(tell, tell_unless_told))

    def delete_study(self, study_id: int) -> None:
        """Deletes a study that may be gone when it is tried again."""

        def delete() -> None:
            super(PatientStorage, self).delete_study(study_id)

        def delete_if_there() -> None:
            with suppress(KeyError):
                delete()

        self._patiently(delete, delete_if_there)


def _contents(trial: FrozenTrial | None) -> tuple[Any, ...]:
    """By which a trial is known again; those of a trial that was just asked for are empty."""
    if trial is None:
        return TrialState.RUNNING, {}, {}
    return trial.state, trial.params, trial.user_attrs


def _patient(name: str) -> Callable[..., Any]:
    """A method of the storage that may simply be called again."""
    method = getattr(_CachedStorage, name)

    @wraps(method)
    def call(self: PatientStorage, *arguments: Any, **options: Any) -> Any:
        def attempt() -> Any:
            return method(self, *arguments, **options)

        return self._patiently(attempt, attempt)

    return call


_OTHERS = {"get_trial_id_from_study_id_trial_number", "get_best_trial"}
for _name in (BaseStorage.__abstractmethods__ | _OTHERS) - vars(PatientStorage).keys():
    setattr(PatientStorage, _name, _patient(_name))


def _say(sentence: str) -> None:
    print(f"randsearch: {sentence}", file=sys.stderr, flush=True)
