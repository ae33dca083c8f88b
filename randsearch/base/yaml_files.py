"""YAML of unknown origin, read into plain values within bounds: a few lines of it can stand for any amount."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from randsearch.base.errors import UserError, shortened

_LONGEST = 1_000_000
"""Bytes of a file."""

_MOST = 30_000
"""Values in a file, each alias counted as all that it stands for, and every hundred characters of text as one more."""

_DEEPEST = 50
_LONGEST_NUMBER = 400  # reading a number takes the square of its length

# What PyYAML lets through from int(), date() and its own constructors.
_UNREADABLE = (ValueError, ArithmeticError, LookupError, AttributeError, TypeError, RecursionError)


class NotYamlError(UserError):
    """A file that can be read is not YAML, or holds more than any file of ours."""


def read_yaml(path: Path, what: str) -> Any:
    """Reads a YAML file.

    Args:
        path: the file.
        what: it should be, for the sentence that asks for another.

    Raises:
        UserError: it cannot be read.
        NotYamlError: it is not YAML, or holds more than any file of ours.
    """
    try:
        with path.open("rb") as file:
            data = file.read(_LONGEST + 1)
        text = data.decode()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8 text"
        raise UserError(f"{path}: cannot be read ({reason}): give the path of {what}.") from None
    if len(data) > _LONGEST:
        raise NotYamlError(f"{path}: holds more than {_LONGEST:,} bytes: give the path of {what}.")
    try:
        return yaml.load(text, _Loader)
    except yaml.YAMLError as error:
        raise NotYamlError(f"{path}: is not valid YAML{_position(error)}: correct it there.") from None
    except _UNREADABLE:
        raise NotYamlError(f"{path}: holds a value that YAML cannot represent: correct it.") from None


class _Loader(yaml.SafeLoader):
    """Refuses what expands beyond bounds, and a key that is given twice, of which YAML silently drops the first."""

    def __init__(self, stream: str) -> None:
        super().__init__(stream)
        self._values = 0
        self._depth = 0
        self._sizes: dict[yaml.Node, int] = {}

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node:
        mark = self.peek_event().start_mark  # type: ignore[no-untyped-call]
        before = self._values
        self._depth += 1
        if self._depth > _DEEPEST:
            raise _refusal(f"more than {_DEEPEST} levels inside of each other", mark)
        is_alias = self.check_event(yaml.AliasEvent)
        node = super().compose_node(parent, index)
        assert node is not None
        self._depth -= 1
        if isinstance(node, yaml.ScalarNode) and not is_alias:
            self._values += len(node.value) // 100
            if node.tag.endswith((":int", ":float")) and len(node.value) > _LONGEST_NUMBER:
                raise _refusal(f"a number of {len(node.value):,} characters", mark)
        if is_alias and node not in self._sizes:
            raise _refusal("an alias inside of what it stands for", mark)
        self._values += self._sizes[node] if is_alias else 1
        if self._values > _MOST:
            raise _refusal(f"more than {_MOST:,} values, each alias counted as all that it stands for", mark)
        if not is_alias:
            self._sizes[node] = self._values - before
        return node

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen = set()
        for key in (key for key, _ in node.value if isinstance(key, yaml.ScalarNode)):
            if key.value in seen:
                raise _refusal(f"the key {key.value} is given twice", key.start_mark)
            seen.add(key.value)
        return super().construct_mapping(node, deep)


def _refusal(problem: str, mark: yaml.Mark) -> yaml.MarkedYAMLError:
    return yaml.MarkedYAMLError(problem=problem, problem_mark=mark)


def _position(error: yaml.YAMLError) -> str:
    mark = getattr(error, "problem_mark", None)
    return f" in line {mark.line + 1} ({shortened(getattr(error, 'problem', '') or '')})" if mark else ""
