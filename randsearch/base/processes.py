"""How worker processes are started."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.context import SpawnContext, SpawnProcess
from typing import Any

_one_at_a_time = threading.Lock()


@contextmanager
def _nameless_main() -> Iterator[None]:
    """Hides where the main module lies: a process that is spawned runs it again wherever that is known.

    A script without `if __name__ == "__main__":` would begin its search anew in each worker. Nothing that a worker is
    sent belongs to the main module: functions of a user's own travel as bytes.
    """
    main: dict[str, Any] = vars(sys.modules["__main__"])
    with _one_at_a_time:
        before: dict[str, Any] = {name: main[name] for name in ("__file__", "__spec__") if name in main}
        main.update(dict.fromkeys(before))
        try:
            yield
        finally:
            main.update(before)


class Spawned(SpawnProcess):
    """A process that begins with this package alone, whatever the program is that starts it."""

    def start(self) -> None:
        """Starts it."""
        with _nameless_main():
            super().start()


class Spawning(SpawnContext):
    """Starts processes. Forking one that has run torch's threads deadlocks; spawning does not."""

    Process = Spawned
