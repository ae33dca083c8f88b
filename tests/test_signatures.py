"""What must be true of functions: a reader can hold their parameters in mind; the command line's own may be more."""

from __future__ import annotations

import ast
from pathlib import Path

import randsearch

MOST = 8


def test_no_function_has_more_than_eight_parameters():
    package = Path(randsearch.__file__).parent
    files = [file for file in package.rglob("*.py") if file.relative_to(package).parts[0] != "cli"]
    assert len(files) > 100
    many = {}
    for file in files:
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                names = [each.arg for each in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)]
                names = [name for name in names if name not in ("self", "cls")]
                if len(names) > MOST:
                    many[f"{file.relative_to(package)}: {node.name}"] = len(names)
    assert many == {}
