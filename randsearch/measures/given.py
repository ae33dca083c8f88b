"""Measures given as functions: of a notebook's cell, a script, a closure. They travel to the workers as bytes.

This is the one place that reads pickles. None comes from a file: each was written a moment ago, by the process whose
user handed the function in.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from typing import Any

import cloudpickle

from randsearch.base.errors import UserError, quoted, told


def packed(functions: Iterable[Callable[..., Any]]) -> Mapping[str, bytes]:
    """Functions by name, as they travel.

    Args:
        functions: each takes (setting, architecture, seed), as every measure does.

    Raises:
        UserError: one has no name, two have the same, or one holds what cannot travel.
    """
    known: dict[str, Callable[..., Any]] = {}
    for function in functions:
        name = name_of(function)
        if known.setdefault(name, function) is not function:
            raise UserError(f"two measures are called {name}: give one of them another name.")
    return {name: _packed(name, function) for name, function in known.items()}


_before: dict[str, bytes] = {}


def with_those_before(functions: Mapping[str, bytes]) -> Mapping[str, bytes]:
    """Functions that are handed in now, and those that this process was handed before: a study goes on with them."""
    _before.update(functions)
    return dict(_before)


def name_of(function: Callable[..., Any]) -> str:
    """What a function is called in tables: `module:name`, such as `__main__:loudness` for that of a notebook.

    Raises:
        UserError: it has no such name.
    """
    module, name = str(getattr(function, "__module__", "")), str(getattr(function, "__name__", ""))
    if not (f"{module}{name}".isascii() and name.isidentifier() and module.replace(".", "_").isidentifier()):
        raise UserError(
            f"the measure {quoted(function)} has no name for tables: define it with `def`, or set its `__name__`."
        )
    return f"{module}:{name}"


def _packed(name: str, function: Callable[..., Any]) -> bytes:
    try:
        data: bytes = cloudpickle.dumps(function)
    except Exception as error:  # What a function refers to may be anybody's, and refuse in any way.
        raise UserError(f"the measure {name} cannot be sent to worker processes: {told(error)}.") from error
    return data


@lru_cache(maxsize=64)
def unpacked(data: bytes) -> Callable[..., Any]:
    """The function, in a process that was sent it."""
    found: Callable[..., Any] = cloudpickle.loads(data)
    return found
