"""The YAML of a search space: read, checked at the door, and written back."""

from __future__ import annotations

import difflib
import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

from randsearch.base.errors import UserError, named, quoted
from randsearch.base.yaml_files import read_yaml
from randsearch.models.architecture import Architecture
from randsearch.models.sizing import Signal
from randsearch.space.constraints import Constraint
from randsearch.space.counting import JUDGED
from randsearch.space.parameters import DEFAULTS, SETS, Choices, Fixed, Parameter, Range, Scalar, Subset, Values
from randsearch.space.sampling import BoundSpace
from randsearch.space.shipped import located, shipped, shipped_names

Sides: TypeAlias = dict[str, int]  # option to -1 or 0: whether it is at its last or at its first value

_KEYS = ("description", "parameters", "constraints")
_KINDS = ("int", "log_int", "choices", "subset")
_LONGEST = 10_000  # values of a range, each of which is tried at the door
_MOST_CHOICES = 1_000  # no option has as many values; Optuna stores all with every trial
_MOST_CONSTRAINTS = 100  # all are computed for every architecture that is looked at


@dataclass(frozen=True)
class SearchSpace:
    """Which architectures can be sampled; what a study fixes does not enter until `bind`.

    Attributes:
        description: the question that the space answers.
        parameters: what is drawn, in the order in which it is drawn; an option left out keeps its default.
        constraints: what every architecture of the space must meet.
        where: the file, for errors.
    """

    description: str
    parameters: tuple[Parameter, ...]
    constraints: tuple[Constraint, ...]
    where: str = field(default="search space", compare=False)

    @classmethod
    def load(cls, path: str | Path) -> SearchSpace:
        """Reads a YAML file.

        Args:
            path: of the file, or the name of a shipped space.

        Raises:
            UserError: the file is missing, is not YAML, or describes no search space.
        """
        found = located(path)
        return cls.from_dict(read_yaml(found, "a search space's YAML file"), str(found))

    @classmethod
    def shipped(cls, name: str) -> SearchSpace:
        """A search space that comes with randsearch.

        Args:
            name: such as `small`.

        Raises:
            UserError: there is none of that name.
        """
        if name not in shipped_names():
            raise UserError(
                f"there is no shipped search space {quoted(name)}: choose from {', '.join(shipped_names())}."
            )
        return cls.load(shipped(f"{name}.yaml"))

    @classmethod
    def from_dict(cls, raw: object, where: str = "search space") -> SearchSpace:
        """Checks what a YAML file, or `to_dict`, holds.

        Args:
            raw: the mapping.
            where: the file, for errors.

        Raises:
            UserError: says which key is wrong and what to do.
        """
        if not isinstance(raw, Mapping):
            raise UserError(f"{where}: must be a mapping with the keys {', '.join(_KEYS)}, not {_kind(raw)}.")
        _refuse_unknown(raw, _KEYS, where, "key")
        options = raw.get("parameters")
        if not isinstance(options, Mapping) or not options:
            raise UserError(
                f"{where}: parameters must map options to what they can be, such as levels: {{int: [2, 5]}}."
            )
        _refuse_unknown(options, tuple(DEFAULTS), f"{where}: parameters", "option")
        texts = raw.get("constraints") or []
        if not isinstance(texts, list):
            raise UserError(f"{where}: constraints must be a list of comparisons such as `- params <= 2e6`.")
        if len(texts) > _MOST_CONSTRAINTS:
            raise UserError(
                f"{where}: constraints are at most {_MOST_CONSTRAINTS}, not {len(texts):,}: join them with `and`."
            )
        parameters: dict[str, Parameter] = {}
        for name, entry in options.items():
            parameters[name] = _parameter(name, entry, parameters, f"{where}: parameters.{name}")
        _check_values(parameters, where)
        constraints = tuple(Constraint.parse(text, f"{where}: constraint {i}") for i, text in enumerate(texts, 1))
        return cls(str(raw.get("description") or "").strip(), tuple(parameters.values()), constraints, where)

    def to_dict(self) -> dict[str, Any]:
        """A plain mapping that `from_dict` takes back."""
        return {
            "description": self.description,
            "parameters": {parameter.name: _entry(parameter) for parameter in self.parameters},
            "constraints": [constraint.text for constraint in self.constraints],
        }

    def bind(self, signal: Signal, sample_rate: int, segment: int) -> BoundSpace:
        """Adds what a study fixes, so that sizes and depth can be judged.

        Args:
            signal: sources and channels.
            sample_rate: samples a second; `macs` are multiply-adds for one second of output.
            segment: samples of a training example; deeper networks than it allows are excluded.

        Raises:
            UserError: no architecture of the space is valid then.
        """
        bound = BoundSpace(self.parameters, self.constraints, signal, sample_rate, segment, self.where)
        bound.draw(0, 0)
        return bound


def _kind(raw: object) -> str:
    return {"NoneType": "nothing", "list": "a list", "str": "text"}.get(type(raw).__name__) or quoted(raw)


def _refuse_unknown(given: Iterable[object], known: tuple[str, ...], where: str, what: str) -> None:
    for key in given:
        if key not in known:
            close = difflib.get_close_matches(named(key), known, 1)
            hint = f"did you mean {close[0]}?" if close else f"use {', '.join(known)}."
            raise UserError(f"{where}: {named(key)} is not a known {what}: {hint}")


def _parameter(name: str, entry: object, earlier: Mapping[str, Parameter], where: str) -> Parameter:
    """Reads what one option can be."""
    if not isinstance(entry, Mapping):
        return Parameter(name, Fixed(_scalar(entry, name, where)), DEFAULTS[name])
    _refuse_unknown(entry, (*_KINDS, "step", "when", "else"), where, "key")
    kinds = [kind for kind in _KINDS if kind in entry]
    if len(kinds) != 1:
        raise UserError(f"{where}: needs exactly one of {', '.join(_KINDS)}, or a bare value to fix it.")
    kind = kinds[0]
    if "step" in entry and kind != "int":
        raise UserError(f"{where}: step belongs to int: remove it.")
    if "else" in entry and "when" not in entry:
        raise UserError(f"{where}: else needs a when that says under which condition {name} is drawn.")
    domain: Range | Choices | Subset
    if kind == "choices":
        domain = _choices(entry[kind], name, where)
    elif kind == "subset":
        domain = _subset(entry[kind], name, where)
    else:
        domain = _range(entry[kind], entry.get("step", 1), kind, where)
    otherwise = _scalar(entry["else"], name, where) if "else" in entry else DEFAULTS[name]
    return Parameter(name, domain, otherwise, _when(entry.get("when"), earlier, where))


def _scalar(value: object, name: str, where: str) -> Scalar:
    """One value of an option; a list of levels becomes the text of a table's cell, so that Optuna can store it."""
    if name in SETS and isinstance(value, list) and all(type(level) is int for level in value):
        return " ".join(str(level) for level in sorted(set(value))) or "none"
    if not isinstance(value, int | float | str):
        raise UserError(f"{where}: {quoted(value)} is not a value of {name}: write a number or a name.")
    return value


def _range(ends: object, step: object, kind: str, where: str) -> Range:
    if not (isinstance(ends, list) and len(ends) == 2 and all(type(end) is int for end in ends)):
        raise UserError(f"{where}: {kind} takes two whole numbers such as [2, 5], not {quoted(ends)}.")
    if type(step) is not int or step < 1:
        raise UserError(f"{where}: step must be a whole number of at least 1, not {quoted(step)}.")
    low, high = ends
    if low > high:
        raise UserError(f"{where}: the range {quoted(ends)} is empty: write the smaller number first.")
    if (high - low) // step >= _LONGEST:
        raise UserError(f"{where}: the range {quoted(ends)} holds more than {_LONGEST:,} values: narrow it.")
    if kind == "log_int" and low < 1:
        raise UserError(f"{where}: a log_int starts at 1 or above, not at {quoted(low)}.")
    return Range(low, low + (high - low) // step * step, step, kind == "log_int")


def _choices(values: object, name: str, where: str) -> Choices:
    if not isinstance(values, list) or not values:
        raise UserError(f"{where}: choices must be a list of at least one value, not {quoted(values)}.")
    if len(values) > _MOST_CHOICES:
        raise UserError(f"{where}: choices take at most {_MOST_CHOICES:,} values, not {len(values):,}: name fewer.")
    found: dict[Scalar, None] = {}
    for value in (_scalar(value, name, where) for value in values):
        if value in found:
            raise UserError(f"{where}: the choice {named(value)} is given twice: remove one.")
        found[value] = None
    return Choices(tuple(found))


def _subset(of: object, name: str, where: str) -> Subset:
    if name not in SETS:
        raise UserError(f"{where}: {name} is not a set of levels: subset serves {', '.join(sorted(SETS))}.")
    if of != "levels":
        raise UserError(f"{where}: subset takes the option that counts the levels: write levels, not {quoted(of)}.")
    return Subset("levels")


def _when(raw: object, earlier: Mapping[str, Parameter], where: str) -> dict[str, tuple[Scalar, ...]]:
    """Reads a condition; a bare value stands for a list of one."""
    if raw is None:
        return {}
    if not isinstance(raw, Mapping) or not raw:
        raise UserError(
            f"{where}: when maps an earlier parameter to its values, such as {{levels: [2, 3]}}, not {quoted(raw)}."
        )
    found = {}
    for name, wanted in raw.items():
        if name not in earlier:
            listed = f"one of {', '.join(earlier)}" if earlier else "a parameter listed before it"
            raise UserError(f"{where}: when names {named(name)}, which is not listed before it: name {listed}.")
        if isinstance(earlier[name].domain, Subset):
            raise UserError(
                f"{where}: when names {name}, a subset, on which nothing can depend: name another parameter."
            )
        values = tuple(_scalar(value, name, where) for value in (wanted if isinstance(wanted, list) else [wanted]))
        possible = frozenset(earlier[name].possible())
        for value in values:
            if value not in possible:
                raise UserError(
                    f"{where}: when waits for {name} to be {named(value)}, which it never is: use its own values."
                )
        found[name] = values
    return found


def _check_values(parameters: Mapping[str, Parameter], where: str) -> None:
    """Builds an architecture with every value, so that one which can never be used is found before any draw."""
    names = list(parameters)
    for name, parameter in parameters.items():
        if isinstance(parameter.domain, Subset) and parameter.domain.of in names[names.index(name) :]:
            of = parameter.domain.of
            raise UserError(
                f"{where}: parameters.{name}: is a subset of {of}, which is listed after it: list {of} first."
            )
    worked: list[Sides] = []
    for name, parameter in parameters.items():
        conditions = {option: wanted[0] for option, wanted in parameter.when.items()}
        for value in parameter.possible():
            _check_value(name, value, parameters, conditions, worked, f"{where}: parameters")


def _check_value(
    name: str,
    value: Any,
    parameters: Mapping[str, Parameter],
    conditions: Mapping[str, Any],
    worked: list[Sides],
    where: str,
) -> None:
    """Refuses a value that the architecture refuses, alone as well as in any company that the space has for it.

    What worked for one value is tried first for the next: there may be thousands of companies and of values.
    """
    try:
        built = Architecture.create({name: value}, where)
    except UserError as alone:
        companies = itertools.chain(
            _companies(parameters, {**conditions, name: value}, worked), _companies(parameters, {name: value}, worked)
        )
        tried = ((sides, _try(values)) for sides, values in companies)
        found = next(((sides, good) for sides, good in tried if good is not None), None)
        if found is None:
            raise alone from None
        sides, built = found
        if sides not in worked:
            worked.append(sides)
    if name not in SETS and type(getattr(built, name)) is not type(value):
        raise UserError(f"{where}: {name}: write {quoted(getattr(built, name))} instead of {quoted(value)}.")


def _try(values: Values) -> Architecture | None:
    try:
        return Architecture.create(values)
    except UserError:
        return None


def _companies(
    parameters: Mapping[str, Parameter], given: Mapping[str, Any], worked: Sequence[Sides]
) -> Iterator[tuple[Sides, Values]]:
    """Points with these values, each other option that matters at its first or at its last value."""
    free = [name for name in parameters if name in JUDGED and name not in given]
    every = (dict(zip(free, sides, strict=True)) for sides in itertools.product((-1, 0), repeat=len(free)))
    for side in itertools.chain(list(worked), every):
        values = dict(DEFAULTS)
        for name, parameter in parameters.items():
            if name in given:
                values[name] = given[name]
            elif parameter.is_drawn(values):
                values[name] = parameter.drawn()[side.get(name, -1)]
            else:
                values[name] = parameter.otherwise
        yield side, values


def _entry(parameter: Parameter) -> Any:
    entry: dict[str, Any]
    match parameter.domain:
        case Fixed(value):
            return value
        case Range(low, high, step, log):
            entry = {"log_int" if log else "int": [low, high]} | ({"step": step} if step > 1 else {})
        case Choices(values):
            entry = {"choices": list(values)}
        case Subset(of):
            entry = {"subset": of}
    if parameter.when:
        entry["when"] = {name: list(wanted) for name, wanted in parameter.when.items()}
        entry["else"] = parameter.otherwise
    return entry
