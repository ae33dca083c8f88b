"""Runs a search for a notebook or a script: what its user gave becomes a study's options and a machine."""

from __future__ import annotations

import difflib
import signal
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from randsearch.base.errors import UserError, quoted, refused_file
from randsearch.base.logs import LOGGER, printed
from randsearch.measures.given import name_of, packed, with_those_before
from randsearch.running.machine import Machine
from randsearch.space.grammar import SearchSpace
from randsearch.study.config import StudyConfig
from randsearch.study.options import option_of

if TYPE_CHECKING:
    from rich.console import Console

    from randsearch.table.measurement import Measurement

MACHINE_OPTIONS = tuple(name for name in Machine.declared() if name not in ("results", "cache", "workers"))
"""Where and how a search runs, beside its workers and its cache; nothing in them changes a number."""

_NAMED = ("study", "space")

STUDY_OPTIONS = tuple(
    name for name, field in StudyConfig.model_fields.items() if option_of(field).asked and name not in _NAMED
)
"""What a search can be asked for."""


class CallbackError(Exception):
    """What a callback raised, on its way to the caller: it is none of what a search itself raises.

    Args:
        raised: by the callback.
    """

    def __init__(self, raised: Exception) -> None:
        super().__init__(raised)
        self.raised = raised


def run(
    options: Mapping[str, Any],
    *,
    results: Path,
    cache: Path | None,
    workers: int | None,
    progress: bool,
    on_measured: Callable[[Measurement], None] | None = None,
) -> Path:
    """Runs or continues a search, and logs the agreement in the study if anything was trained.

    Args:
        options: of the study, and any of `MACHINE_OPTIONS`.
        results: root of all studies.
        cache: of decoded audio.
        workers: processes.
        progress: whether to print how far it is.
        on_measured: told of each measurement once it is recorded.

    Returns:
        the folder of the study.

    Raises:
        UserError: an option is wrong, or the search cannot go on.
        KeyboardInterrupt: it was interrupted; all that was measured is kept, and the same call goes on.
    """
    known = (*STUDY_OPTIONS, "study", "space", *MACHINE_OPTIONS)
    for name in options:
        if name not in known:
            close = difflib.get_close_matches(name, known, 3)
            hint = f"did you mean {' or '.join(close)}?" if close else f"choose from {', '.join(sorted(known))}."
            raise UserError(f"rs.search knows no option {name}: {hint}")
    asked = {name: value for name, value in options.items() if name not in MACHINE_OPTIONS and value is not None}
    settle_data(asked)
    functions = with_those_before(_settle_measures(asked))
    _settle_space(asked)
    place = {name: value for name, value in options.items() if name in MACHINE_OPTIONS and value is not None}
    if isinstance(place.get("devices"), str):
        place["devices"] = _listed(place["devices"])
    place |= {"results": results, "cache": cache, "workers": workers}
    with shown(progress=progress) as console:
        machine = Machine.create(place, console)
        return _run(asked, replace(machine, functions=functions, on_measured=on_measured))


def _run(options: dict[str, Any], machine: Machine) -> Path:
    from randsearch.running.session import resolve, search
    from randsearch.study.findings import analyse_study

    with interruptible():
        config, dataset = resolve(options, machine)
        folder = search(config, dataset, machine)
    if config.train != "none":
        try:
            said = analyse_study(folder, storage=config.storage).unlogged
        except UserError as reason:  # Every training failed, and the table says why.
            said = str(reason)
        if said:
            LOGGER.warning("%s", said)
    return folder


@contextmanager
def interruptible() -> Iterator[None]:
    """Raises what stops a command, or fails in it, as the caller of a function expects it."""
    from randsearch.base.stopping import StoppedError

    try:
        yield
    except StoppedError as stop:
        if stop.number == signal.SIGTERM:
            sys.exit(128 + signal.SIGTERM)
        raise KeyboardInterrupt from None
    except CallbackError as error:
        raise error.raised from None
    except OSError as error:
        raise refused_file(error, "make the same call again") from error


def _settle_measures(asked: dict[str, Any]) -> Mapping[str, bytes]:
    """Replaces functions among the measures by their names, and returns them as they travel."""
    functions: list[Callable[..., Any]] = []

    def named(measure: object) -> object:
        if not callable(measure):
            return measure
        functions.append(measure)
        return name_of(measure)

    if "measures" in asked:
        measures = asked["measures"]
        each = _listed(measures) if isinstance(measures, str) else [measures] if callable(measures) else measures
        asked["measures"] = [named(measure) for measure in each]
    for name in ("proxy", "rung"):
        if name in asked:
            asked[name] = named(asked[name])
    return packed(functions)


def settle_data(asked: dict[str, Any]) -> None:
    """Replaces a `musdb.DB` by its root, so that the command line can continue the study.

    Args:
        asked: options, of which `data` is changed.

    Raises:
        UserError: it is neither text nor a `musdb.DB`.
    """
    data = asked.get("data")
    if data is None or isinstance(data, str):
        return
    if not (hasattr(data, "root") and hasattr(data, "is_wav")):
        raise UserError(f"data is text such as musdbhq:/data/musdb18hq, or a musdb.DB, and not {quoted(data)}.")
    asked["data"] = f"{'musdbhq' if data.is_wav else 'musdb'}:{data.root}"


def _settle_space(asked: dict[str, Any]) -> None:
    if isinstance(asked.get("space"), SearchSpace):
        asked["space"] = asked["space"].to_dict()


def _listed(value: str | Iterable[str]) -> tuple[str, ...]:
    """The parts of what may also be given as one text, separated by commas."""
    parts = value.split(",") if isinstance(value, str) else value
    return tuple(part.strip() for part in parts if part.strip())


@contextmanager
def shown(*, progress: bool) -> Iterator[Console]:
    """Prints what a run logs, if that is wanted; otherwise it is there for handlers of the caller's alone.

    Args:
        progress: whether it is.

    Yields:
        where to show progress.
    """
    console = make_console(progress=progress)
    if not progress:
        yield console
        return
    with printed(lambda: console) as at_work:
        yield at_work()


def make_console(*, progress: bool) -> Console:
    """Where a search prints: plain lines in a notebook, whose widgets nobody needs to have installed."""
    from rich.console import Console

    bounds: dict[str, Any] = {} if sys.stdout.isatty() else {"soft_wrap": True, "width": 120, "force_terminal": False}
    return Console(quiet=not progress, force_jupyter=False, **bounds)
