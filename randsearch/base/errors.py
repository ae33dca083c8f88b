"""The one kind of error that reaches a user as a sentence instead of a traceback."""

from __future__ import annotations

import reprlib
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


class NotAgreedError(UserError):
    """A study would have this machine open a database, or run code, that its user has not agreed to."""


def printable(text: str) -> str:
    """Text of unknown origin as a terminal may show it: line breaks, control characters and their like as escapes."""
    return "".join(mark if mark.isprintable() else mark.encode("unicode_escape").decode() for mark in text)


LONGEST_QUOTE = 200
"""Characters of somebody's text that a sentence repeats."""

_LONGEST_REASON = 400

_FAULTS = 5  # of a configuration that one sentence tells

_brief = reprlib.Repr()
_brief.maxlevel = 3
_brief.maxstring = _brief.maxother = LONGEST_QUOTE


def shortened(text: str, longest: int = LONGEST_QUOTE) -> str:
    """Text of unknown origin and length as a sentence may hold it: in one line, printable, cut where it is too long.

    Args:
        text: of any length.
        longest: characters that stay.
    """
    told = printable(
        " ".join(text[: 4 * longest].split())
    )  # cut first: a gigantic text would be copied again and again
    cut = len(told) > longest or len(text) > 4 * longest
    return f"{told[:longest]}..." if cut else told


def quoted(value: object) -> str:
    """A value of unknown origin and size as a sentence may quote it: as Python writes it, cut where it is too long."""
    try:
        return shortened(_brief.repr(value))
    except ValueError:  # Python writes no whole number of more than some thousand digits
        return "a number of thousands of digits"


def named(value: object) -> str:
    """A value as `quoted` has it, but text without quotation marks."""
    return shortened(value) if isinstance(value, str) else quoted(value)


def told(error: BaseException, *, kind: bool = True) -> str:
    """An error of somebody's code in one line that can be printed, stored and quoted, whatever it holds.

    Args:
        error: what was raised.
        kind: whether its class is named, where it is not one of sentences for users.
    """
    try:
        message = str(error)
    except BaseException:  # Anybody's code too.
        message = "its message cannot be printed"
    if kind and not isinstance(error, UserError):
        message = f"{type(error).__name__}: {message}".removesuffix(": ")
    return shortened(message, _LONGEST_REASON)


def refused_file(error: OSError, again: str) -> UserError:
    """What to say where the machine refused a file: a full disk, a folder that may not be written.

    Args:
        error: as the system raised it.
        again: what to do once that is mended, such as `run the same command again`.

    Returns:
        the error to raise in its place.
    """
    place = f" at {error.filename}" if error.filename else ""
    return UserError(
        f"the machine refused a file{place} ({error.strerror or error}): "
        f"mend that and {again}, which continues where it stood."
    )


def explain(error: ValidationError, where: str) -> UserError:
    """Turns what pydantic found wrong into one sentence.

    Args:
        error: what pydantic raised.
        where: what was being read, as the user knows it (a file, an option, a network).

    Returns:
        the error to raise in its place.
    """
    found = []
    details = error.errors()
    # What is wrong with one value of several is told, and not that too few are left without it.
    within = {detail["loc"][:-1] for detail in details} - {()}
    details = [detail for detail in details if detail["loc"] not in within]
    for detail in details[:_FAULTS]:
        place = shortened(".".join(str(part) for part in detail["loc"]))
        message = shortened(detail["msg"].removeprefix("Value error, ").removeprefix("Assertion failed, "), 400)
        if detail["type"] == "extra_forbidden":
            message = "is not a known option"
        elif place == "storage":
            message = f"{message[0].lower()}{message[1:]}"  # a URL may hold a password
        elif place:
            message = f"{message[0].lower()}{message[1:]} (got {quoted(detail['input'])})"
        found.append(f"{place} {message}" if detail["type"] == "extra_forbidden" else f"{place}: {message}".strip(": "))
    if len(details) > _FAULTS:
        found.append(f"and {len(details) - _FAULTS:,} more")
    return UserError(f"{where}: {'; '.join(dict.fromkeys(found))}.")
