"""What this user's machine has agreed to: which database a study is opened in, and which of a user's own code it runs.

A study may come from somebody else, and with it the URL of a database or the name of a function in its `config.yaml`.
Neither is used unless a command of this user's named it. What was named once is remembered here, in the user's own
state folder and never in the study's: for the folder that the study lies in and the name that it has, so that a copy
elsewhere is asked about again, and so is another database or function in the same place.
"""

from __future__ import annotations

import json
import os
import shlex
import sys
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from platformdirs import user_state_dir

from randsearch.base.errors import NotAgreedError, UserError
from randsearch.base.files import replace_file
from randsearch.measures.own import is_own
from randsearch.study.config import StudyConfig, without_password

STATE_FILE = "agreed.json"

_PATIENCE_SECONDS = 5.0


@dataclass(frozen=True)
class Consent:
    """What was agreed to for one study.

    Attributes:
        storages: databases, as URLs without a password.
        measures: functions, as `package.module:function`.
    """

    storages: frozenset[str] = frozenset()
    measures: frozenset[str] = frozenset()

    def __or__(self, other: Consent) -> Consent:
        return Consent(self.storages | other.storages, self.measures | other.measures)


_unkept: dict[str, Consent] = {}
"""What could not be remembered, and holds for this command."""


def state_folder() -> Path:
    """Where agreements are kept: `RANDSEARCH_STATE`, else the user's state folder."""
    return Path(os.environ.get("RANDSEARCH_STATE") or user_state_dir("randsearch")).expanduser().resolve()


def agree(folder: Path, study: str, *, storage: str | None = None, measures: Iterable[str] = ()) -> None:
    """Remembers that this user named a database or functions for a study.

    Args:
        folder: of the study; need not be there yet.
        study: its name.
        storage: URL of the database.
        measures: of which those of the registry need no agreement.
    """
    named = Consent(
        frozenset() if storage is None else frozenset({_address(storage)}),
        frozenset(name for name in measures if is_own(name)),
    )
    key, known = _key(folder, study), consent(folder, study)
    if known | named == known:
        return
    from filelock import Timeout

    from randsearch.base.locks import file_lock

    path = state_folder() / STATE_FILE
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with file_lock(path.with_suffix(".lock"), timeout=_PATIENCE_SECONDS):
            kept = _load(path)
            kept[key] = kept.get(key, Consent()) | named
            plain = {
                name: {"storages": sorted(each.storages), "measures": sorted(each.measures)}
                for name, each in kept.items()
            }
            replace_file(path, json.dumps(plain, indent=1) + "\n", private=True)
    except (OSError, Timeout, UserError) as error:
        _unkept[key] = _unkept.get(key, Consent()) | named
        print(f"randsearch: what was named holds for this command only ({error})", file=sys.stderr, flush=True)


def consent(folder: Path, study: str) -> Consent:
    """What was agreed to for a study.

    Args:
        folder: the study's folder.
        study: its name.
    """
    key = _key(folder, study)
    return _load(state_folder() / STATE_FILE).get(key, Consent()) | _unkept.get(key, Consent())


def agreed_storage(config: StudyConfig, folder: Path) -> str | None:
    """The URL of the database that a study is stored in; None if that is its own file.

    Args:
        config: the study's configuration.
        folder: the study's folder.

    Raises:
        NotAgreedError: the user has not agreed to that database.
    """
    if config.storage is None or _address(config.storage) in consent(folder, config.study).storages:
        return config.storage
    shown = without_password(config.storage)
    raise NotAgreedError(
        f"the study {config.study} says that it is stored in {shown}, to which nobody on this machine has agreed, so "
        f"that it was not opened: if you trust it, give the same command with --storage {shlex.quote(shown)}."
    )


def agreed_measures(config: StudyConfig, folder: Path) -> frozenset[str]:
    """The functions of a user's own that a study measures by.

    Args:
        config: the study's configuration.
        folder: the study's folder.

    Raises:
        NotAgreedError: the user has not agreed to one of them.
    """
    own = [name for name in config.all_measures if is_own(name)]
    missing = [name for name in own if name not in consent(folder, config.study).measures]
    if missing:
        names = ",".join(missing)
        raise NotAgreedError(
            f"the study {config.study} would run code that nobody on this machine has agreed to: {', '.join(missing)}, "
            f"imported from {Path.cwd()} or what is installed; if you trust it, name it in `randsearch search` with "
            f"--measures {shlex.quote(names)}."
        )
    return frozenset(own)


def _key(folder: Path, study: str) -> str:
    return json.dumps([str(folder.resolve()), study])


def _address(storage: str) -> str:
    """A database's URL without its password; the path of a file in full, for it depends on where a command is given."""
    from sqlalchemy import make_url

    url = make_url(storage)
    if url.get_backend_name() == "sqlite" and url.database:
        url = url.set(database=str(Path(url.database).resolve()))
    return without_password(url)


def _load(path: Path) -> dict[str, Consent]:
    """What is remembered; what is damaged was never agreed to."""
    found: dict[str, Consent] = {}
    with suppress(OSError, ValueError, RecursionError):
        raw: Any = json.loads(path.read_text(encoding="utf-8"))
        for key, each in raw.items() if isinstance(raw, dict) else ():
            with suppress(KeyError, TypeError):
                found[key] = Consent(frozenset(map(str, each["storages"])), frozenset(map(str, each["measures"])))
    return found
