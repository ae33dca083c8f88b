"""Commands that all say less, or more, if they are told to."""

from __future__ import annotations

import functools
import inspect
import logging
from collections.abc import Callable
from typing import Annotated, Any

import typer
from typer.models import CommandFunctionType

from randsearch.base.logs import LOGGER


class Commands(typer.Typer):
    """A Typer whose commands take `--quiet` and `--verbose` too."""

    def command(self, name: str | None = None, **settings: Any) -> Callable[[CommandFunctionType], CommandFunctionType]:
        """Makes a function a command; the function itself stays as it is.

        Args:
            name: of the command; that of the function by default.
            settings: as Typer has them.
        """
        register = super().command(name, **settings)

        def decorate(function: CommandFunctionType) -> CommandFunctionType:
            register(heeding(function))
            return function

        return decorate


def heeding(function: Callable[..., Any]) -> Callable[..., None]:
    """Makes a command take the options that say how much is printed beside its result.

    Args:
        function: the command.
    """
    own = inspect.signature(function, eval_str=True).parameters.values()
    parameters = [*own, *inspect.signature(_said, eval_str=True).parameters.values()]

    @functools.wraps(function)
    def command(*, quiet: bool, verbose: bool, **given: Any) -> None:
        function(**given)

    command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    command.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return command


def _setting(level: int) -> Callable[[bool], None]:
    def choose(chosen: bool) -> None:
        if chosen:
            LOGGER.setLevel(level)

    return choose


def _said(
    *,
    quiet: Annotated[
        bool,
        typer.Option("--quiet", "-q", help="Print errors and the result alone.", callback=_setting(logging.ERROR)),
    ] = False,
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="Print each measurement too.", callback=_setting(logging.DEBUG))
    ] = False,
) -> None: ...
