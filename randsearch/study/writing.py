"""One transaction that writes trials, done once however often the connection breaks."""

from __future__ import annotations

from collections.abc import Mapping

from optuna.storages import RDBStorage
from optuna.trial import FrozenTrial

from randsearch.study import records

STUDY = 2**32
"""The id of a trial is that of its study, times this, plus its number: known before the database has given it one."""


class Writing:
    """The transaction.

    Args:
        backend: the database.
        trials: as they are to be, by id.
        rows: the database's ids of those that are there.

    Attributes:
        rows: the database's ids of the trials, once they are written.
    """

    def __init__(self, backend: RDBStorage, trials: Mapping[int, FrozenTrial], rows: Mapping[int, int]) -> None:
        self._sessions, self._engine = backend.scoped_session, backend.engine
        self._new = {which: trial for which, trial in trials.items() if which not in rows}
        self._changed = {which: trial for which, trial in trials.items() if which in rows}
        self.rows = {which: rows[which] for which in self._changed}

    def attempt(self) -> None:
        """Writes them."""
        session = self._sessions()
        try:
            connection = session.connection()
            fresh = records.insert(connection, ((which // STUDY, trial) for which, trial in self._new.items()))
            self.rows.update(zip(self._new, fresh, strict=True))
            for which, trial in self._changed.items():
                records.rewrite(connection, self.rows[which], trial)
            session.commit()
        except BaseException:
            session.rollback()
            raise
        finally:
            session.close()

    def again(self) -> None:
        """Writes them unless they are there: all came with the first of them, and to rewrite others changes nothing."""
        if self._new:
            study_id, number = divmod(next(iter(self._new)), STUDY)
            with self._engine.connect() as connection:
                if records.holds(connection, study_id, number):
                    return
        self.attempt()
