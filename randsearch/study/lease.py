"""Who may write to a study: a lock on its folder, and for a study in a database that others reach a lease in there.

The lock dies with its process. The lease is a row in a table of its own, `randsearch_leases`: taken by one atomic
statement, renewed in the background, void when it runs out. All times are the database's own. Each transaction of its
holder checks, and locks, that row before it commits, so that a driver that slept through its lease cannot write beside
the one that took over.
"""

from __future__ import annotations

import getpass
import json
import os
import secrets
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from filelock import Timeout
from sqlalchemy import Column, ColumnElement, Connection, Double, Engine, MetaData, String, Table, func, inspect, select
from sqlalchemy.exc import IntegrityError, OperationalError, ProgrammingError, SQLAlchemyError
from sqlalchemy.orm import Session

from randsearch.base.errors import PlaceError, UserError
from randsearch.base.files import Place
from randsearch.base.layout import StudyFolder
from randsearch.base.locks import LOCKLESS, file_lock
from randsearch.study.config import StudyConfig
from randsearch.study.database import database_url, open_engine, sentence_on

LEASE_SECONDS = 120.0

_LEASES = Table(
    "randsearch_leases",
    MetaData(),
    Column("study", String(255), primary_key=True),
    Column("token", String(32), nullable=False),
    Column("holder", String(255), nullable=False),
    Column("expires", Double, nullable=False),
)


@dataclass(frozen=True)
class Holder:
    """A driver.

    Attributes:
        name: user, host and process, for people.
        token: by which its lease is known.
    """

    name: str
    token: str

    @classmethod
    def here(cls) -> Holder:
        """This process."""
        return cls(f"{_user()}@{socket.gethostname()}, process {os.getpid()}", secrets.token_hex(16))

    @classmethod
    def of(cls, folder: Path) -> Holder | None:
        """The driver that works, or was killed at work, in a folder."""
        try:
            found = json.loads(Place(folder).read(StudyFolder(folder).driver))
            return cls(str(found["name"]), str(found["token"]))
        except (OSError, PlaceError, ValueError, KeyError, TypeError):
            return None


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # A container may run under a number without a name.
        return str(os.getuid())


@contextmanager
def locked(folder: Path) -> Iterator[Holder | None]:
    """Holds the lock of a study's folder.

    Args:
        folder: of the study; made where it is missing.

    Yields:
        the driver that was killed at work in the folder, if one was.

    Raises:
        UserError: another process holds it, or the folder cannot be written.
    """
    try:
        place = Place(folder)
        place.make(folder)
        lock = file_lock(place.checked(StudyFolder(folder).lock), timeout=0.3)
        lock.acquire()  # `randsearch status` may hold it for a moment.
    except Timeout:
        other = Holder.of(folder)
        who = f" ({other.name})" if other else ""
        raise UserError(
            f"another randsearch process{who} is at work on the study {folder.name}: "
            "wait for it, or choose another --study."
        ) from None
    except OSError as error:
        if error.errno in LOCKLESS:
            raise UserError(
                f"the file system of the results folder {folder} has no file locks ({error.strerror}), which keep two "
                "searches from writing to one study: choose a folder on another with --results."
            ) from None
        raise UserError(
            f"the results folder {folder} cannot be written ({error.strerror}): choose another with --results."
        ) from None
    try:
        yield Holder.of(folder)
    finally:
        lock.release()


@contextmanager
def leased(config: StudyConfig, folder: Path, killed: Holder | None) -> Iterator[Callable[[Session], None] | None]:
    """Holds the lease of a study that is not stored in its own folder, and says in the folder who is at work.

    Args:
        config: the study's configuration.
        folder: of the study, locked.
        killed: what `locked` found.

    Yields:
        the check of every transaction, where there is a lease.

    Raises:
        UserError: another driver has it, or the database cannot be used.
    """
    holder, file, place = Holder.here(), StudyFolder(folder).driver, Place(folder)
    lease = None
    if config.storage is not None:
        url = database_url(config, folder)
        with sentence_on(url):
            lease = Lease(open_engine(url), config.study, holder)
            lease.take(killed)
    with lease.kept() if lease else nullcontext():
        place.write(file, json.dumps({"name": holder.name, "token": holder.token}))
        try:
            yield lease.check if lease else None
        finally:
            # As long as the lease stays in a database that is away, the next driver here must know whose it is.
            if lease is None or lease.give_back():
                place.remove(file)


def driver_at_work(folder: Path) -> str | None:
    """The name of the driver that holds the lock of a folder; None if nobody does."""
    if not StudyFolder(folder).lock.exists():
        return None
    try:
        with file_lock(Place(folder).checked(StudyFolder(folder).lock), timeout=0):
            return None
    except Timeout:
        holder = Holder.of(folder)
        return holder.name if holder else "another process"
    except OSError:  # Who cannot write here cannot lock either.
        return None


@dataclass(frozen=True)
class Lease:
    """The right to write to a study in a database.

    Args:
        engine: of the database.
        study: its name.
        holder: who asks.
        lasts: seconds, from each renewal.
    """

    engine: Engine
    study: str
    holder: Holder
    lasts: float = LEASE_SECONDS

    def take(self, killed: Holder | None = None) -> None:
        """Takes the lease, if nobody has it.

        Args:
            killed: a driver that is known to be dead, whose lease need not run out first.

        Raises:
            UserError: another driver has it.
            SQLAlchemyError: the database cannot be used.
        """
        self._make_table()
        with self.engine.begin() as connection:
            now = _now(connection)
            free = (_LEASES.c.expires < now) | (_LEASES.c.token == (killed or self.holder).token)
            values = {"token": self.holder.token, "holder": self.holder.name, "expires": now + self.lasts}
            # One statement checks and takes: of two at a time the second waits for the first, and finds it taken.
            if connection.execute(_LEASES.update().where(self._mine, free).values(values)).rowcount:
                return
        try:
            with self.engine.begin() as connection:
                connection.execute(_LEASES.insert().values(study=self.study, **values))
        except IntegrityError:
            raise self._refusal() from None

    @property
    def _mine(self) -> ColumnElement[bool]:
        return _LEASES.c.study == self.study

    def _make_table(self) -> None:
        try:
            _LEASES.create(self.engine, checkfirst=True)
        except (IntegrityError, ProgrammingError, OperationalError):  # Another driver may have made it meanwhile.
            _LEASES.create(self.engine, checkfirst=True)

    def _refusal(self) -> UserError:
        held = read_lease(self.engine, self.study)
        until = f" ({held})" if held else ""
        return UserError(
            f"another driver is at work on the study {self.study}{until}: wait for it, or choose another --study."
        )

    def check(self, session: Session) -> None:
        """Makes sure, until a transaction ends, that the lease is held.

        Args:
            session: in the transaction.

        Raises:
            UserError: another driver took it.
        """
        query = select(_LEASES.c.token).where(self._mine).with_for_update(read=True)
        if session.scalar(query) != self.holder.token:
            held = read_lease(self.engine, self.study)
            taken = f"it is held by {held}" if held else "another driver had it meanwhile"
            raise UserError(
                f"the lease on the study {self.study} ran out while this process was held up, and {taken}: nothing "
                "that was told is lost; run the same command again when that driver has ended."
            )

    def renew(self) -> bool:
        """Lets the lease last from now on; False if another driver took it."""
        with self.engine.begin() as connection:
            ours = _LEASES.update().where(self._mine, _LEASES.c.token == self.holder.token)
            return connection.execute(ours.values(expires=_now(connection) + self.lasts)).rowcount > 0

    def give_back(self) -> bool:
        """Ends the lease at once; False if the database is away, so that it must run out."""
        try:
            with self.engine.begin() as connection:
                connection.execute(_LEASES.delete().where(self._mine, _LEASES.c.token == self.holder.token))
        except SQLAlchemyError:
            return False
        return True

    @contextmanager
    def kept(self) -> Iterator[None]:
        """Renews the lease in the background."""
        ended = threading.Event()

        def keep() -> None:
            while not ended.wait(self.lasts / 4):
                try:
                    if not self.renew():
                        return  # The next transaction says so.
                except SQLAlchemyError:
                    continue  # The driver waits for the database too.

        thread = threading.Thread(target=keep, name="lease", daemon=True)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()
            self.engine.dispose()


def read_lease(engine: Engine, study: str) -> str | None:
    """Who holds the lease on a study and until when, in words; None if nobody does.

    Args:
        engine: of the database.
        study: its name.

    Raises:
        SQLAlchemyError: the database cannot be used.
    """
    with engine.connect() as connection:
        if not inspect(connection).has_table(_LEASES.name):
            return None
        now = _now(connection)
        row = connection.execute(select(_LEASES).where(_LEASES.c.study == study)).one_or_none()
    if row is None or row.expires < now:
        return None
    until = datetime.fromtimestamp(row.expires, UTC)
    return f"{row.holder}, whose lease lasts until {until:%H:%M:%S} UTC, {row.expires - now:.0f} s more, unless renewed"


def _now(connection: Connection) -> float:
    """The database's clock, in seconds."""
    found = connection.execute(select(func.current_timestamp())).scalar_one()
    return float((found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp())
