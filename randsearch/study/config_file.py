"""The file `config.yaml` of a study, and files of options that a user writes.

Its version and its fields follow from how the options are declared (`study.options`). The file must be whole, for an
option that is lost would be taken for its default, and the numbers that follow for those of the study. It opens with
the version of its fields, names every one of them, and closes with `end: true`. The version is the earliest that says
all, so that a study by former rules, of which studies are merged too, can be continued by the version that had them.

Files of the first releases have no version. They named every field of their time in a fixed order, so that a file cut
short names a set of fields that no release ever wrote; a value cut short lacks the end of its line.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel

from randsearch.base.errors import UserError
from randsearch.base.files import Place
from randsearch.base.yaml_files import NotYamlError, read_yaml
from randsearch.study.options import added_since, fields_of, latest_version, version_of

_FIRST = (
    *("study", "space", "data", "data_digest", "task", "sample_rate", "channels", "upmix_mono", "sampler", "trials"),
    *("measures", "proxy", "train", "steps", "proxy_steps", "seed", "seeds", "learning_rate", "batch", "segment"),
    *("validate_every", "device", "threads", "storage"),
)

_LATER: dict[str, Any] = {
    "whole": False,
    "proxy_batch": 16,
    "train_seeds": None,
    "validation": "whole",
    "batches_of": None,
}
"""The fields that releases without a version added, and what they were before."""

UNVERSIONED = tuple(
    frozenset((*_FIRST, *added))
    for added in (
        (),
        ("whole",),
        ("whole", "proxy_batch"),
        ("whole", "proxy_batch", "train_seeds", "batches_of"),
        ("whole", "proxy_batch", "train_seeds", "validation", "batches_of"),
    )
)
"""Every set of fields that a file without a version may have."""

_UNTOLD = tuple(fields - {"batches_of"} for fields in UNVERSIONED if "batches_of" in fields)
"""For some days files ended one field earlier; such a file cannot be told from a later one without its last line."""


def write_study(path: Path, config: BaseModel) -> None:
    """Writes a study's file, which outlives a loss of power.

    Args:
        path: where.
        config: the study's configuration.

    Raises:
        UserError: it cannot be written.
    """
    Place(path.parent).write(path, study_text(config), fsync=True)


def study_text(config: BaseModel) -> str:
    """The content of a study's file."""
    return yaml.safe_dump({**_as_told(config), "end": True}, sort_keys=False, allow_unicode=True)


def read_study(path: Path, kind: type[BaseModel]) -> dict[str, Any]:
    """The fields of a study's file; those that it is too old to have are what they were in its time.

    Args:
        path: of the file.
        kind: the class that declares the fields.

    Raises:
        UserError: the file is missing, is torn, or was written by a later randsearch.
    """
    try:
        text, raw = _read(path)
    except _NoOptionsError as error:
        raise _torn(path, str(error).removeprefix(f"{path}: ").rstrip(".")) from None
    if "version" in raw:
        return _versioned(path, raw, kind)
    named = raw.keys()
    # A name that no release knew is told by name where the options are validated.
    known = named & {*_FIRST, *_LATER}
    if known in _UNTOLD and text.endswith("\n"):
        raise UserError(
            f"{path} lacks its last line, unless an early randsearch wrote it: add the line `batches_of: null` if the "
            "study was not made by `randsearch merge`; if it was, put the file back from a copy."
        )
    if known not in UNVERSIONED or not text.endswith("\n"):
        raise _torn(path, "its last options are missing")
    return {**added_since(kind, 1), **{name: value for name, value in _LATER.items() if name not in known}, **raw}


def load_options(path: Path, kind: type[BaseModel]) -> dict[str, Any]:
    """Reads a file of options as a user writes it, or a study's; not yet validated.

    Args:
        path: of the file.
        kind: the class that declares the fields of a study.

    Raises:
        UserError: the file is missing, is not a YAML mapping, or is a study's and torn.
    """
    try:
        _, raw = _read(path)
    except _NoOptionsError as error:
        raise UserError(f"{str(error).rstrip('.')}.") from None
    return _versioned(path, raw, kind) if "version" in raw else raw


def _versioned(path: Path, raw: dict[str, Any], kind: type[BaseModel]) -> dict[str, Any]:
    version, latest = raw["version"], latest_version(kind)
    # Python's True is 1.
    if type(version) is int and version > latest and raw.get("end") is True:
        raise UserError(f"{path} was written by a later randsearch (version {version} of its fields): use that one.")
    fields = {name: value for name, value in raw.items() if name not in ("version", "end")}
    known = type(version) is int and 1 <= version <= latest
    if raw.get("end") is not True or not known or fields_of(kind, version) - fields.keys():
        raise _torn(path, "its last options are missing")
    return {**added_since(kind, version), **fields}


def as_copy(config: BaseModel) -> dict[str, Any]:
    """A configuration as a study's database keeps a copy of it, without the database's own address."""
    return {name: value for name, value in _as_told(config).items() if name != "storage"}


def from_copy(copy: dict[str, Any], kind: type[BaseModel], where: str) -> dict[str, Any]:
    """The fields of a copy; those that it is too old to have are what they were in its time.

    Args:
        copy: from `as_copy`, or of a release whose copies had no version.
        kind: the class that declares the fields.
        where: the copy is, for messages.

    Raises:
        UserError: a later randsearch wrote it.
    """
    version = copy.get("version", 1)
    if isinstance(version, int) and version > latest_version(kind):
        raise UserError(f"{where} was written by a later randsearch (version {version} of its fields): use that one.")
    older = added_since(kind, version) if isinstance(version, int) else {}
    return {**older, **{name: value for name, value in copy.items() if name != "version"}}


def _as_told(config: BaseModel) -> dict[str, Any]:
    version = version_of(config)
    return {"version": version, **config.model_dump(mode="json", include=set(fields_of(type(config), version)))}


class _NoOptionsError(Exception):
    """A file does not hold a mapping of options."""


def _torn(path: Path, why: str) -> UserError:
    return UserError(
        f"{path} is torn or damaged ({why}): put it back from a copy (report.html holds one), or delete it and give "
        "the search command of the study again with all of its options; what was measured is kept, and options that "
        "differ are refused."
    )


def _read(path: Path) -> tuple[str, dict[str, Any]]:
    """The text of a YAML file, and the mapping that it is.

    Raises:
        UserError: it cannot be read.
        _NoOptionsError: it is no mapping.
    """
    try:
        raw = read_yaml(path, "a configuration's YAML file")
    except NotYamlError as error:
        raise _NoOptionsError(str(error)) from None
    if not isinstance(raw, dict):
        raise _NoOptionsError(f"{path}: must hold a mapping of options, such as `trials: 24`")
    return path.read_text(encoding="utf-8"), {str(name): value for name, value in raw.items()}
