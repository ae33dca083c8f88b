"""How options are declared: as annotated fields of a class, with help, default and bounds; all else follows from there.

The command line, files of options, a study's file and the comparison of a study that is continued read them here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Self

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from randsearch.base.errors import explain


@dataclass(frozen=True)
class Option:
    """What type, bounds, default and description of a field do not say; stands in its `Annotated` type.

    Attributes:
        asked: whether a user gives it on the command line; other fields are found out, or read from a file.
        joined: makes one value of that of a study and that asked for when it is continued; None if they must be equal.
        since: version of a study's file that has it first.
        before: what it is in studies whose file is of an earlier version.
        default: in words, where a new study gets another value than the field's default.
        unset: whether the word `none` says that there is none.
    """

    asked: bool = True
    joined: Callable[[Any, Any], Any] | None = None
    since: int = 1
    before: Any = None
    default: str | None = None
    unset: bool = False


class Options(BaseModel):
    """What declares options as its fields."""

    @classmethod
    def create(cls, options: dict[str, Any], where: str) -> Self:
        """Validates options from outside.

        Raises:
            UserError: an option is unknown or has an impossible value.
        """
        try:
            return cls(**options)
        except ValidationError as error:
            raise explain(error, where) from None


def option_of(field: FieldInfo) -> Option:
    """What a field's declaration says beyond its type."""
    return next((entry for entry in field.metadata if isinstance(entry, Option)), Option())


def extendable(kind: type[BaseModel]) -> dict[str, Callable[[Any, Any], Any]]:
    """How the fields are joined that may differ when a study is continued: all of them add, and change nothing.

    Args:
        kind: the class that declares them.
    """
    found = {name: option_of(field).joined for name, field in kind.model_fields.items()}
    return {name: joined for name, joined in found.items() if joined is not None}


def latest_version(kind: type[BaseModel]) -> int:
    """The version of the fields of a class."""
    return max(option_of(field).since for field in kind.model_fields.values())


def version_of(options: BaseModel) -> int:
    """The earliest version of the fields that says all of some options: those that came later are as they were before.

    Args:
        options: of which a file is to be written.
    """
    entries = {name: option_of(field) for name, field in type(options).model_fields.items()}
    return max(1, *(entry.since for name, entry in entries.items() if getattr(options, name) != entry.before))


def fields_of(kind: type[BaseModel], version: int) -> frozenset[str]:
    """The names of the fields that files of a version have."""
    return frozenset(name for name, field in kind.model_fields.items() if option_of(field).since <= version)


def added_since(kind: type[BaseModel], version: int) -> dict[str, Any]:
    """The fields that files of a version lack, and what they were in its time."""
    entries = {name: option_of(field) for name, field in kind.model_fields.items()}
    return {name: entry.before for name, entry in entries.items() if entry.since > version}
