"""Options of commands, made from where they are declared: `StudyConfig` and `Machine`."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Sequence
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import typer
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from typer.models import OptionInfo

from randsearch.running.machine import Machine
from randsearch.study.options import option_of

Given = dict[str, Any]
"""Of the options of one class, those that the user gave."""

Declaring = type[BaseModel] | type[Machine]


def takes(**declaring: Declaring) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Makes a command take all options of classes that declare them.

    Args:
        **declaring: for a parameter of the command, the class whose options stand in its place; the command gets those
            that were given, by name and as the class takes them.
    """

    def decorate(function: Callable[..., None]) -> Callable[..., None]:
        parameters: list[inspect.Parameter] = []
        for parameter in inspect.signature(function, eval_str=True).parameters.values():
            kind = declaring.get(parameter.name)
            parameters += [parameter] if kind is None else _parameters(kind)

        @functools.wraps(function)
        def command(**given: Any) -> None:
            for name, kind in declaring.items():
                values = {option: given.pop(option) for option in _asked(kind)}
                given[name] = {
                    option: listed(value) if _several(_asked(kind)[option]) else value
                    for option, value in values.items()
                    if value is not None
                }
            function(**given)

        command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        command.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
        return command

    return decorate


def option(kind: Declaring, name: str) -> OptionInfo:
    """What Typer needs to know of one option that another command takes too.

    Args:
        kind: the class that declares it.
        name: of the option.
    """
    return _option(name, _asked(kind)[name], _bounds(_asked(kind)[name]) if kind is Machine else {})


def listed(text: str | None) -> list[str] | None:
    """The parts of an option that takes several, separated by commas; None if it was not given."""
    return None if text is None else [part.strip() for part in text.split(",") if part.strip()]


def _declared(kind: Declaring) -> dict[str, FieldInfo]:
    return kind.model_fields if issubclass(kind, BaseModel) else kind.declared()


def _asked(kind: Declaring) -> dict[str, FieldInfo]:
    return {name: field for name, field in _declared(kind).items() if option_of(field).asked}


def _parameters(kind: Declaring) -> list[inspect.Parameter]:
    """The options of a class as parameters of a command.

    A machine's have their defaults and are checked here. A study's are None where they are not given, for a file or the
    study that is continued may tell them; they are checked with those, and their defaults and bounds shown.
    """
    found = []
    for name, field in _asked(kind).items():
        typed, default, bounds = _typed(field), None, _bounds(field)
        if kind is Machine:
            default = None if _several(field) else field.default
            entry = _option(name, field, bounds)
        else:
            entry = _option(name, field, {}, [*_shown_default(field), *_shown_bounds(bounds)])
        annotation: Any = Annotated[typed if default is not None else typed | None, entry]
        found.append(inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation))
    return found


def _option(name: str, field: FieldInfo, bounds: dict[str, float], shown: Sequence[str] = ()) -> OptionInfo:
    help_text = (field.description or "") + (f"  [{'; '.join(shown)}]" if shown else "")
    metavar = "DIR" if Path in _alternatives(field) else None
    flag = f"--{name.replace('_', '-')}"
    # One name: what a flag does not switch on is off, unless it would be as something else has it.
    if field.annotation is bool and field.is_required():
        flag = f"{flag}/{flag.replace('--', '--no-', 1)}"
    found: OptionInfo = typer.Option(flag, help=help_text, metavar=metavar, min=bounds.get("ge"), max=bounds.get("le"))
    return found


def _typed(field: FieldInfo) -> Any:
    """The type of an option on the command line: a number, a path, a flag, one of several words, or text."""
    kind, *others = _alternatives(field)
    if option_of(field).unset:
        return str
    if get_origin(kind) is Literal and not others:
        return kind if isinstance(get_args(kind)[0], str) else type(get_args(kind)[0])
    return kind if kind in (int, float, bool, Path) and not others else str


def _alternatives(field: FieldInfo) -> list[Any]:
    """The types that a field may have, None apart."""
    kind = field.annotation
    kinds = get_args(kind) if get_origin(kind) in (Union, UnionType) else (kind,)
    return [kind for kind in kinds if kind is not type(None)]


def _several(field: FieldInfo) -> bool:
    return any(get_origin(kind) is tuple for kind in _alternatives(field))


def _bounds(field: FieldInfo) -> dict[str, float]:
    names = ("ge", "gt", "le", "lt")
    return {name: getattr(entry, name) for entry in field.metadata for name in names if hasattr(entry, name)}


def _shown_bounds(bounds: dict[str, float]) -> list[str]:
    """As Click shows those that it checks."""
    signs = {"ge": ">=", "gt": ">", "le": "<=", "lt": "<"}
    if len(bounds) < 2:
        return [f"x{signs[name]}{bound}" for name, bound in bounds.items()]
    low = f"{bounds['ge']}<=" if "ge" in bounds else f"{bounds['gt']}<"
    high = f"<={bounds['le']}" if "le" in bounds else f"<{bounds['lt']}"
    return [f"{low}x{high}"]


def _shown_default(field: FieldInfo) -> list[str]:
    words = option_of(field).default
    # A flag is off.
    if words is None and field.default is not None and field.default is not False:
        words = ", ".join(map(str, field.default)) if _several(field) else str(field.default)
    return [] if words is None else [f"default: {words}"]
