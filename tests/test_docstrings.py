"""Docstrings speak one dialect: Google's, whose entries begin lower case, end with a full stop and say something."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterator
from pathlib import Path

import randsearch

PACKAGE = Path(randsearch.__file__).parent
SECTION = re.compile(r"^(Args|Attributes|Raises|Returns):\n((?:(?: {4}.*)?\n)+)", re.MULTILINE)
ENTRY = re.compile(r"^ {4}(?=\S)(.*(?:\n {5,}.*)*)", re.MULTILINE)
FILLER = re.compile(r"^(config|folder): of the study\.$")
CAPITAL = re.compile(r"[A-Z][a-z]+\b")
NAMES = re.compile(r"Kendall|None|Optuna|Pearson|Py|Ray|Spearman")


def entries(docstring: str) -> Iterator[tuple[str, str]]:
    """Names, and what is said of them; a value that is returned has no name."""
    for section, body in SECTION.findall(inspect.cleandoc(docstring) + "\n"):
        if section == "Returns":
            yield "", " ".join(body.split())
            continue
        for entry in ENTRY.findall(body):
            name, _, said = " ".join(entry.split()).partition(": ")
            yield name, said


def test_docstrings_speak_one_dialect():
    wrong = []
    for path in sorted(PACKAGE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef | ast.ClassDef):
                wrong += [
                    f"{path}:{node.lineno}: {name}: {said}"
                    for name, said in entries(ast.get_docstring(node) or "")
                    if FILLER.match(f"{name}: {said}")
                    or (CAPITAL.match(said) and not NAMES.match(said))
                    or not said.endswith(".")
                ]
    assert not wrong, "\n".join(wrong)
