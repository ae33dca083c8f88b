"""Stops a search in its midst, without a signal."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from randsearch.base import stopping
from randsearch.measures import measure
from randsearch.running import executors


def interrupt(number: int, search: Callable[[], Path]) -> None:
    """Stops a search instead of having it make its so manieth measurement."""
    made = []

    def counted(setting, job):
        made.append(job)
        if len(made) == number:
            raise stopping.StoppedError
        return measure(setting, job)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(executors, "measure", counted)
        with pytest.raises(stopping.StoppedError):
            search()
