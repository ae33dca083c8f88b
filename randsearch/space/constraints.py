"""Constraints of a search space: comparisons over options and sizes, read from files nobody vouches for.

A constraint is parsed into Python's syntax tree, every node of which must be on a short list, and evaluated by walking
that tree: no text is ever executed.
"""

from __future__ import annotations

import ast
import difflib
import operator
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from randsearch.base.errors import UserError, quoted
from randsearch.models.architecture import Architecture
from randsearch.space.parameters import SETS

SIZES = ("params", "macs", "receptive_field")
NAMES = (*Architecture.model_fields, *SIZES)
_LONGEST = 300  # also keeps the tree shallow enough to be walked by recursion
_LARGEST_BASE, _LARGEST_EXPONENT = 1e6, 64

_ARITHMETIC: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.Pow: operator.pow,
}
_SIGNS: dict[type[ast.unaryop], Callable[[Any], Any]] = {
    ast.USub: operator.neg,
    ast.UAdd: operator.pos,
    ast.Not: operator.not_,
}
_COMPARISONS: dict[type[ast.cmpop], Callable[[Any, Any], bool]] = {
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.In: lambda item, among: item in among,
    ast.NotIn: lambda item, among: item not in among,
}


@dataclass(frozen=True)
class Constraint:
    """One condition that every architecture of a space meets.

    Attributes:
        text: as written.
        names: the options and sizes that it names.
        where: file and key, for errors.
    """

    text: str
    names: frozenset[str] = field(compare=False)
    where: str = field(compare=False)
    _tree: ast.expr = field(compare=False, repr=False)

    @classmethod
    def parse(cls, text: object, where: str) -> Constraint:
        """Reads a constraint.

        Raises:
            UserError: it is no comparison, names something unknown, or holds what a constraint may not.
        """
        if not isinstance(text, str):
            raise UserError(f"{where}: a constraint is a comparison such as `params <= 2e6`, not {quoted(text)}.")
        if len(text) > _LONGEST:
            raise UserError(f"{where}: a constraint has at most {_LONGEST} characters: split this one of {len(text)}.")
        try:
            with warnings.catch_warnings(action="ignore"):  # Python's own remarks on `1or` and the like
                tree = ast.parse(text.strip(), mode="eval").body
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            raise UserError(f"{where}: `{text}` cannot be read: write a comparison such as `params <= 2e6`.") from None
        found: set[str] = set()
        _inspect(tree, text, where, found)
        logical = isinstance(tree, ast.Compare | ast.BoolOp) or _is_not(tree)
        if not logical:
            raise UserError(f"{where}: `{text}` compares nothing: write a comparison such as `{text} <= 2e6`.")
        return cls(text, frozenset(found), where, tree)

    @property
    def needs_sizes(self) -> bool:
        """Whether the network must be sized."""
        return not self.names.isdisjoint(SIZES)

    @property
    def bounds(self) -> str | None:
        """`above` or `below` if it bounds a size from that side alone, as `params <= 2e6` does from above."""
        tree = self._tree
        if not (isinstance(tree, ast.Compare) and len(tree.ops) == 1 and isinstance(tree.left, ast.Name)):
            return None
        others = {node.id for node in ast.walk(tree.comparators[0]) if isinstance(node, ast.Name)}
        if tree.left.id not in SIZES or others & {*SIZES, *SETS}:
            return None
        return {ast.Lt: "above", ast.LtE: "above", ast.Gt: "below", ast.GtE: "below"}.get(type(tree.ops[0]))

    def fails_for(self, options: Mapping[str, Any]) -> bool:
        """Whether options break it; not if it cannot be computed, of which `holds` makes a sentence.

        Args:
            options: by name, as an architecture has them.
        """
        try:
            return not _evaluate(self._tree, options)
        except (ArithmeticError, TypeError, ValueError):
            return False

    def holds(self, architecture: Architecture, sizes: Mapping[str, float]) -> bool:
        """Whether an architecture meets it.

        Args:
            architecture: whose options the names stand for; a set of levels is a tuple.
            sizes: those of `SIZES` that it needs.

        Raises:
            UserError: it cannot be computed, for instance for a division by zero.
        """
        names = {name: sizes[name] if name in SIZES else _value(architecture, name) for name in self.names}
        try:
            return bool(_evaluate(self._tree, names))
        except (ArithmeticError, TypeError, ValueError) as error:
            raise UserError(f"{self.where}: `{self.text}` cannot be computed: {error}.") from None


def _is_not(tree: ast.expr) -> bool:
    return isinstance(tree, ast.UnaryOp) and isinstance(tree.op, ast.Not)


def _value(architecture: Architecture, name: str) -> Any:
    value = getattr(architecture, name)
    return tuple(range(architecture.levels)) if name in SETS and value == "all" else value


def _inspect(node: ast.expr, text: str, where: str, found: set[str]) -> None:
    """Refuses every node that is not on the list, and collects the names."""
    match node:
        case ast.Name(id=name):
            if name not in NAMES:
                close = difflib.get_close_matches(name, NAMES, 1)
                hint = f"did you mean {close[0]}?" if close else f"use {', '.join(NAMES)}."
                raise UserError(f"{where}: `{text}` names the unknown {name}: {hint}")
            found.add(name)
            return
        case ast.Constant(value=int() | float() | str()):
            return
        case ast.BinOp(op=operation) if type(operation) in _ARITHMETIC:
            parts = [node.left, node.right]
        case ast.UnaryOp(op=sign) if type(sign) in _SIGNS:
            parts = [node.operand]
        case ast.Compare(ops=ops) if all(type(comparison) in _COMPARISONS for comparison in ops):
            parts = [node.left, *node.comparators]
        case ast.BoolOp(values=parts):
            pass
        case ast.Tuple(elts=parts) | ast.List(elts=parts):
            pass
        case _:
            raise UserError(
                f"{where}: `{text}` holds `{ast.unparse(node)}`, which a constraint may not: use numbers, options, "
                f"{', '.join(SIZES)}, arithmetic, comparisons, and, or, not, in."
            )
    for part in parts:
        _inspect(part, text, where, found)


def _evaluate(node: ast.expr, names: Mapping[str, Any]) -> Any:
    match node:
        case ast.Name(id=name):
            return names[name]
        case ast.Constant(value=value):
            return value
        case ast.Compare(left=left, ops=ops, comparators=comparators):
            terms = [_evaluate(term, names) for term in (left, *comparators)]
            return all(
                _COMPARISONS[type(comparison)](a, b) for comparison, a, b in zip(ops, terms, terms[1:], strict=False)
            )
        case ast.BoolOp(op=ast.And(), values=values):
            return all(_evaluate(value, names) for value in values)
        case ast.BoolOp(values=values):
            return any(_evaluate(value, names) for value in values)
        case ast.UnaryOp(op=sign, operand=operand):
            return _SIGNS[type(sign)](_evaluate(operand, names))
        case ast.BinOp(left=left, op=operation, right=right):
            return _calculate(operation, _evaluate(left, names), _evaluate(right, names))
        case ast.Tuple(elts=elements) | ast.List(elts=elements):
            return tuple(_evaluate(element, names) for element in elements)
    raise AssertionError(f"{ast.dump(node)} passed the inspection")


def _calculate(operation: ast.operator, left: Any, right: Any) -> Any:
    for term in (left, right):
        # `"a" * 10**9` and `(0,) * 10**9` are arithmetic to Python.
        if not isinstance(term, int | float):
            raise TypeError(f"arithmetic takes numbers, not {quoted(term)}")
    if isinstance(operation, ast.Pow) and (abs(left) > _LARGEST_BASE or abs(right) > _LARGEST_EXPONENT):
        raise OverflowError(f"a power this large ({quoted(left)}**{quoted(right)}) is refused")
    return _ARITHMETIC[type(operation)](left, right)
