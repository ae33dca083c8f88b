"""The one kind of error that reaches a user as a sentence instead of a traceback."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pydantic import ValidationError


class UserError(Exception):
    """A mistake that the user can mend.

    The message is one sentence that says what is wrong, where, and what to do; the command line prints it and exits
    with code 1.
    """


class PlaceError(UserError):
    """A file of a study cannot be written or used where it belongs, which is no result of what wanted it."""


class DamagedAudioError(UserError):
    """A decoded track in the cache is damaged; it can be decoded again."""


def printable(text: str) -> str:
    """Text of unknown origin as a terminal may show it: line breaks, control characters and their like as escapes."""
    return "".join(mark if mark.isprintable() else mark.encode("unicode_escape").decode() for mark in text)


def explain(error: ValidationError, where: str) -> UserError:
    """Turns what pydantic found wrong into one sentence.

    Args:
        error: what pydantic raised.
        where: what was being read, as the user knows it (a file, an option, a network).

    Returns:
        The error to raise in its place.
    """
    found = []
    for detail in error.errors():
        place = ".".join(str(part) for part in detail["loc"])
        message = detail["msg"].removeprefix("Value error, ").removeprefix("Assertion failed, ")
        if detail["type"] == "extra_forbidden":
            message = "is not a known option"
        elif place == "storage":
            message = f"{message[0].lower()}{message[1:]}"  # a URL may hold a password
        elif place:
            message = f"{message[0].lower()}{message[1:]} (got {detail['input']!r})"
        found.append(f"{place} {message}" if detail["type"] == "extra_forbidden" else f"{place}: {message}".strip(": "))
    return UserError(f"{where}: {'; '.join(dict.fromkeys(found))}.")
