"""Rooms: which may import which, and which heavy libraries importing them must not bring."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import randsearch

PACKAGE = Path(randsearch.__file__).parent
MODULES = sorted(
    ".".join(("randsearch", *path.relative_to(PACKAGE).with_suffix("").parts)).removesuffix(".__init__")
    for path in PACKAGE.rglob("*.py")
    if path.name != "__main__.py"
)
ROOMS = {path.parent.name for path in PACKAGE.glob("*/__init__.py")}

COMPUTING = {"finalists", "measures", "models", "running", "training"}
"""Rooms that need torch somewhere; what nevertheless must not bring it is named here."""
STRUCTURE = [f"randsearch.models.{name}" for name in ("architecture", "layers", "operations", "presets", "structure")]
SIZES = ["randsearch.models.frozen", "randsearch.models.sizing"]
REGISTRY = [
    "randsearch.measures",
    *(f"randsearch.measures.{name}" for name in ("baseline", "catalogue", "contract", "costs", "excerpts", "own")),
    *("randsearch.measures.ridge", "randsearch.measures.sizes"),
]
OTHERS = [
    *("randsearch.finalists.dashboard", "randsearch.finalists.winner", "randsearch.training.validation"),
    *("randsearch.running.demo", "randsearch.running.executors", "randsearch.running.progress"),
]


def of(*rooms: str) -> list[str]:
    return [module for module in MODULES if module.split(".")[1:2] in ([room] for room in rooms)]


DRAWN = ["randsearch.plots.shown"]
"""Imported when a figure is made."""

LIGHT = {
    "torch": ["randsearch", *of(*ROOMS - COMPUTING, "api"), *STRUCTURE, *SIZES, *REGISTRY, *OTHERS],
    "optuna scipy matplotlib musdb": [
        *(module for module in of("base", "data", "plots", "statistics", "table") if module not in DRAWN),
        *(*STRUCTURE, *SIZES),
    ],
    "pandas numpy": ["randsearch", "randsearch.cli.app", *of("base"), *STRUCTURE[:-2], STRUCTURE[-1]],
}
"""What the modules behind it must not bring, together or alone."""


@pytest.mark.parametrize("heavy", LIGHT)
def test_importing_does_not_bring(heavy):
    code = (
        "import importlib, sys\n"
        "heavy, *modules = sys.argv[1:]\n"
        "for module in modules:\n"
        "    importlib.import_module(module)\n"
        "    for name in heavy.split():\n"
        "        assert name not in sys.modules, f'{module} brings {name}'\n"
    )
    command = [sys.executable, "-c", code, heavy, *LIGHT[heavy]]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_rooms_that_are_named_are_there():
    assert set().union(*LIGHT.values()) <= set(MODULES)
    assert COMPUTING < ROOMS


def test_the_top_of_the_package_can_be_looked_over():
    entries = [path.name for path in PACKAGE.iterdir() if path.name != "__pycache__"]
    assert len(entries) <= 19, sorted(entries)


def test_no_public_name_is_that_of_a_room():
    """Importing a room would overwrite it."""
    assert not ROOMS & set(getattr(randsearch, "__all__", ()))
