"""The database that a study lies in: opened by its URL, which the user agreed to, and never named with its password."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NewType

from optuna.exceptions import OptunaError
from optuna.storages import RDBStorage
from sqlalchemy import URL, create_engine, exc, make_url
from sqlalchemy.engine import Engine

from randsearch.base.errors import UserError
from randsearch.base.layout import StudyFolder
from randsearch.study.config import StudyConfig, without_password
from randsearch.study.trust import agreed_storage

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
        config: the study's configuration.
        folder: of the study; the file `study.db` in it is the storage unless the configuration names another.

    Raises:
        UserError: that file, or one that SQLite keeps beside it, is a link.
        NotAgreedError: the configuration names a database that this user has not agreed to.
    """
    agreed = agreed_storage(config, folder)
    if agreed is None:
        study = StudyFolder(folder)
        place = study.place
        database, *_ = [place.checked(path) for path in study.database_files]
        return AgreedURL(URL.create("sqlite", database=str(database)))
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


def connect(url: AgreedURL) -> RDBStorage:
    """Connects Optuna to a study's database, and makes its tables where they are missing."""
    # Optuna takes the URL for a template to be filled.
    text = url.render_as_string(hide_password=False).replace("{", "{{").replace("}", "}}")
    return RDBStorage(text, _engine_options(url))


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
        raise UserError(f"{shown(url)} needs a driver that is not installed: install '{package}'.") from None
    # RuntimeError is what Optuna raises for a file of another of its versions.
    except (OptunaError, exc.SQLAlchemyError, ValueError, RuntimeError) as error:
        raise UserError(f"{shown(url)} cannot be opened as an Optuna storage ({reason_of(error, url)}).") from None


def shown(url: URL) -> str:
    """The database as messages name it."""
    if url.get_backend_name() == "sqlite":
        return f"the study's file {url.database}"
    return f"the database {without_password(url)}"


def reason_of(error: BaseException, url: URL | None = None) -> str:
    """What went wrong in one line, as the database said it where it did, and without the password."""
    said = getattr(error, "orig", None) or error
    line = next(iter(str(said).splitlines()), "").strip().rstrip(".") or type(said).__name__
    secret = url.password if url is not None else None
    return line.replace(str(secret), "***") if secret else line
