"""What a measure is: a function from (setting, architecture, seed) to an outcome, with a few facts about it."""

from __future__ import annotations

import importlib
import math
import sys
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from randsearch.base.errors import NotAgreedError, UserError, quoted, told
from randsearch.base.files import Place
from randsearch.base.layout import StudyFolder
from randsearch.models.architecture import Architecture, Half
from randsearch.table.measurement import Column, Effort, columns_of

if TYPE_CHECKING:
    from randsearch.data import Dataset, Track
    from randsearch.models.layers import Signal
    from randsearch.training.recipe import Recipe
    from randsearch.training.schedules import ScheduleName


class UnmeasurableError(Exception):
    """A measure has no value for a network; the message is the reason that its measurement records."""


@dataclass(frozen=True)
class Setting:
    """What a study fixes for all of its measurements; travels to the workers.

    Attributes:
        dataset: tracks of the train subset, memory-mapped.
        validation: what networks are scored on: its validation tracks, or excerpts of them.
        signal: sources and channels.
        recipe: how networks train.
        steps: budget of `trained`.
        proxy_steps: budget of the proxies that train.
        matched: what the measures cost that `early` is to cost together; none where it takes `proxy_steps`.
        baseline: score of the best constant-gain mixture on the validation tracks, in dB.
        device: where to compute.
        threads: of each worker.
        folder: of the study, in which measurements keep weights and audio.
        study: its name; the batches that proxies score on derive from it.
        proxy_batch: crops in a batch of the proxies that score on single batches.
        own_measures: functions of a user's own, as `package.module:function`, that were agreed to.
        schedule: of `trained`.
        proxy_schedule: of all other measures that train.
        functions: those of them that were given as functions, by name, as they travel (`measures.given`).
        until: the step at which `trained` pauses, in the measurement at hand; None for its end.
    """

    dataset: Dataset
    validation: tuple[Track, ...]
    signal: Signal
    recipe: Recipe
    steps: int
    proxy_steps: int
    matched: tuple[Cost, ...]
    baseline: float
    device: str
    threads: int
    folder: Path
    study: str
    proxy_batch: int
    own_measures: frozenset[str] = frozenset()
    schedule: ScheduleName = "constant"
    proxy_schedule: ScheduleName = "constant"
    functions: Mapping[str, bytes] = field(default_factory=dict)
    until: int | None = None

    def schedule_of(self, measure: str) -> ScheduleName:
        """The schedule under which a measure trains."""
        return self.schedule if measure == "trained" else self.proxy_schedule

    def home(self, architecture: Architecture, measure: str, seed: int) -> Path:
        """Folder of one measurement's files."""
        return StudyFolder(self.folder).home(architecture.hash, measure, seed)

    @property
    def place(self) -> Place:
        """The study, as the only door through which its measurements' files are written."""
        return Place(self.folder)


@dataclass(frozen=True)
class Outcome(Effort):
    """What a measure returns; `randsearch.table.measurement` says what each field means."""

    score: float

    def checked(self) -> Outcome:
        """The same in plain numbers, such as a table and a database can hold; a measure may be anybody's code.

        Raises:
            UnmeasurableError: one of them is none.
        """
        effort = {column.name: _plain(column, getattr(self, column.name)) for column in columns_of(Effort)}
        return Outcome(_number(self.score, "score"), **effort)


_LARGEST_STEP = 2**31 - 1  # databases keep 32 bits of it


def _plain(column: Column, value: Any) -> Any:
    if value is None and column.default is None:
        return None
    if column.kind == "score":
        return _number(value, column.name)
    if column.kind == "cost":
        return _cost(value, f"value of {column.name}")
    if column.kind == "whole":
        return _step(value, f"number of {column.name}")
    if column.kind == "curve":
        name = f"of its {column.name}"
        return tuple((_step(step, f"step {name}"), _number(score, f"score {name}")) for step, score in value)
    return str(value)


def _number(value: Any, name: str) -> float:
    try:
        # A tensor or an array of one number is one.
        number = None if isinstance(value, str | bytes) else float(getattr(value, "item", lambda: value)())
    except (TypeError, ValueError, ArithmeticError, RuntimeError):
        number = None
    if number is None:
        raise UnmeasurableError(f"the {name} is no number ({quoted(value)})")
    if not math.isfinite(number):
        raise UnmeasurableError(f"the {name} is not finite ({number})")
    return number


def _cost(value: Any, name: str) -> float:
    number = _number(value, name)
    if number < 0:
        raise UnmeasurableError(f"the {name} is negative ({number:g})")
    return number


def _step(value: Any, name: str) -> int:
    number = _number(value, name)
    if not (number.is_integer() and 0 <= number <= _LARGEST_STEP):
        raise UnmeasurableError(f"the {name} is no whole number from 0 to 2^31 - 1 ({number:g})")
    return int(number)


Run = Callable[[Setting, Architecture, int], Outcome | float]


@dataclass(frozen=True)
class Lazy:
    """A function known by its place, imported when it is called, in whichever process that is.

    One that was given as a function is not imported, for its place may be a cell of a notebook.

    Attributes:
        path: `package.module:function`.
        shipped: whether it is one of ours, which needs nobody's agreement.
    """

    path: str
    shipped: bool = False

    def load(self, agreed: Collection[str] = (), functions: Mapping[str, bytes] | None = None) -> Any:
        """Imports the function, the gate that all code of a user's passes; modules in the folder of the command count.

        Args:
            agreed: functions that this user agreed to run.
            functions: those that were given as functions.

        Raises:
            NotAgreedError: this is none of them.
            UserError: there is no such function, or it must be given again.
        """
        if not self.shipped and self.path not in agreed:
            raise NotAgreedError(
                f"the measure {self.path} was not run, for nobody on this machine has agreed to it: if you trust it, "
                f"name it in `randsearch search` with --measures {self.path}."
            )
        module, _, name = self.path.partition(":")
        if functions and self.path in functions:
            return self._given(functions[self.path])
        if module == "__main__":
            raise UserError(
                f"the measure {self.path} is a function of a notebook or script, and must be given again: "
                f"rs.search(..., measures=[{name}])."
            )
        here = str(Path.cwd())
        if here not in sys.path:
            # Last, so that nothing there can hide an installed module.
            sys.path.append(here)
        try:
            found = getattr(importlib.import_module(module), name)
        except (ImportError, AttributeError) as error:
            raise UserError(f"the measure {self.path} cannot be imported: {told(error, kind=False)}.") from error
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # A module may be anybody's code, and even end the process.
            raise UserError(f"the measure {self.path} cannot be imported: {told(error)}.") from error
        if not callable(found):
            raise UserError(f"the measure {self.path} is not a function but {type(found).__name__}.")
        return found

    def _given(self, data: bytes) -> Any:
        from randsearch.measures.given import unpacked

        try:
            return unpacked(data)
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # What it refers to is imported, and may be anybody's code.
            raise UserError(f"the measure {self.path} cannot be used in another process: {told(error)}.") from error

    def __call__(self, setting: Setting, architecture: Architecture, seed: int) -> Outcome | float:
        """Measures."""
        found: Outcome | float = self.load(setting.own_measures, setting.functions)(setting, architecture, seed)
        return found


Cost = Callable[[Setting, Architecture], float]
"""Multiply-adds that a measure takes."""

Group = Literal["cheap", "short", "halves", "full"]
"""What a measure is, as `--measures` names it: nothing is trained; a short training or a readout; the same, but a
variant of the fixed halves that is not measured by `all`; a whole training."""


def _nothing(setting: Setting, architecture: Architecture) -> float:
    return 0.0


@dataclass(frozen=True)
class Measure:
    """An entry of the registry.

    Attributes:
        run: computes the outcome, or the score alone. The score's sign is fixed here: higher is predicted better.
        needs: what it looks at, for people.
        source: paper or idea, for people.
        steps: what it costs in training steps, for people.
        cost: multiply-adds that it will take, for plans and time left.
        fixes: the half that it fixes, for measures that train.
        trains: whether it keeps weights and audio of a trained network.
        seeded: whether its score depends on the seed; if not, it is measured once.
        sign: how the score follows from what the source computes, for people.
        group: under which name it is measured with others of about its cost.
        normalised: what batch normalisation divides by while networks are scored, for people: the deviation in the
            `batch`, its running `mean`, or nothing, where normalisation is taken `out`; "" for measures that run no
            network.
        differs: from the formula of the source or its published code, in a phrase, for people.
    """

    run: Run
    needs: str
    source: str
    steps: str = "0"
    cost: Cost = _nothing
    fixes: Half = "none"
    trains: bool = False
    seeded: bool = True
    sign: str = "+"
    group: Group = "cheap"
    normalised: str = ""
    differs: str = ""
