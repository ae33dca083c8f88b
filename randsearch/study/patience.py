"""Waiting for a database that is away: what it was asked is done once, however often the connection breaks."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import TypeVar

from sqlalchemy import event, exc
from sqlalchemy.engine import Engine, ExceptionContext

from randsearch.base.errors import UserError
from randsearch.study.database import reason_of

PATIENCE_SECONDS = 600.0
"""How long a search waits for a database that does not answer."""

_FIRST_PAUSE = 1.0
_LONGEST_PAUSE = 30.0

_DAMAGE = ("malformed", "not a database")  # as SQLite says it

T = TypeVar("T")


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
    reason = reason_of(error)
    if context.dialect.name == "sqlite":
        passes = "locked" in reason or "busy" in reason
    else:
        passes = isinstance(error, exc.OperationalError | exc.InterfaceError | exc.InternalError)
    raise _RefusedError(reason, passes=passes or context.is_disconnect)


class Patience:
    """Waits for a database, and says so.

    Args:
        engine: of the database, whose errors from now on tell those that pass.
        place: the database, as messages name it.
        remedy: what to do where it is damaged.
    """

    def __init__(self, engine: Engine, place: str, remedy: str) -> None:
        self._place = place
        self._remedy = remedy
        event.listen(engine, "handle_error", _translate)

    def __call__(self, attempt: Callable[[], T], again: Callable[[], T] | None = None) -> T:
        """Does something, and `again`, where that is something else, as long as the database is away.

        Raises:
            UserError: it refuses, or stays away.
        """
        began, pause = None, _FIRST_PAUSE
        while True:
            try:
                result = attempt()
            except _RefusedError as refusal:
                if not refusal.passes:
                    raise self._refusal(refusal) from None
                if began is None:
                    began = time.monotonic()
                    _say(f"{self._place} does not answer ({refusal.reason}); waiting for it")
                elif time.monotonic() - began > PATIENCE_SECONDS:
                    raise self._refusal(refusal) from None
                time.sleep(pause)
                attempt, pause = again or attempt, min(2 * pause, _LONGEST_PAUSE)
            else:
                if began is not None:
                    _say(f"{self._place} answers again after {time.monotonic() - began:.0f} s")
                return result

    def damage(self, reason: str) -> UserError:
        """That the database holds what it never should."""
        return UserError(f"{self._place} is damaged ({reason}): {self._remedy}.")

    def _refusal(self, refusal: _RefusedError) -> UserError:
        if any(sign in refusal.reason for sign in _DAMAGE):
            return self.damage(refusal.reason)
        waited = f" for {PATIENCE_SECONDS / 60:.0f} minutes" if refusal.passes else ""
        return UserError(
            f"{self._place} cannot be used{waited} ({refusal.reason}): "
            "mend that, and the same command continues where it stood."
        )


def _say(sentence: str) -> None:
    print(f"randsearch: {sentence}", file=sys.stderr, flush=True)
