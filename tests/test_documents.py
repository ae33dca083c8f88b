"""The READMEs name what is there, and fit a page."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
import typer

from randsearch.cli.app import app

ROOT = Path(__file__).parents[1]
READMES = [ROOT / "README.md", *sorted([*ROOT.glob("[a-z]*/README.md"), *ROOT.glob("randsearch/*/README.md")])]
OTHER_PROGRAMS = ("ray ", "sudo ", "pip ", "optuna-dashboard ", "tensorboard ")

every_readme = pytest.mark.parametrize("readme", READMES, ids=lambda path: str(path.relative_to(ROOT)))


def code_of(text: str) -> str:
    """The lines of code and the spans of it, but for calls of other programs."""
    blocks = re.findall(r"^```(?:sh)?\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    spans = re.findall(r"`([^`]+)`", re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL))
    lines = [line for block in blocks for line in block.splitlines()] + [" ".join(span.split()) for span in spans]
    return "\n".join(line for line in lines if not line.startswith(OTHER_PROGRAMS))


@every_readme
def test_no_line_is_too_long(readme):
    lines = readme.read_text().splitlines()
    assert [line for line in lines if len(line) > 120] == []
    assert len(lines) <= 150


@every_readme
def test_links_and_paths_lead_somewhere(readme):
    text = readme.read_text()
    for target in re.findall(r"\]\(([^)]+)\)", text):
        assert target.startswith("https://") or (readme.parent / target).exists(), target
    for path in re.findall(r"`((?:randsearch|results/reference|tests|search_spaces)/[\w./-]+)`", text):
        assert (ROOT / path).exists(), path


@every_readme
def test_commands_and_options_are_there(readme):
    command = typer.main.get_command(app)
    parameters = [parameter for each in command.commands.values() for parameter in each.params]
    options = {"--help", *(name for each in parameters for name in (*each.opts, *each.secondary_opts))}
    code = code_of(readme.read_text())
    assert set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", code)) <= options
    assert set(re.findall(r"\brandsearch ([a-z][a-z-]*)", code)) <= set(command.commands)
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert set(" ".join(re.findall(r"\bmake ([a-z -]+)", code)).split()) <= set(targets)


def test_what_a_package_index_shows_links_to_no_file():
    """It has the text alone, and none of the files beside it."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["readme"]["content-type"] == "text/markdown"
    links = re.findall(r"\]\(([^)]+)\)", project["readme"]["text"])
    assert links
    assert all(link.startswith("https://") for link in links)
    assert "<img" not in project["readme"]["text"]


def test_documents_that_sources_name_are_in_the_repository():
    for path in [*ROOT.glob("randsearch/**/*.py"), *ROOT.glob("tests/**/*.py"), *READMES]:
        for name in re.findall(r"\b[A-Za-z_/]+\.md\b", path.read_text()):
            assert any((place / name).exists() for place in (ROOT, ROOT / "results/reference")), (path, name)
