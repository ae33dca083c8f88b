"""What must be true of options: one declaration brings help, parsing, checking, saving, and comparison."""

from __future__ import annotations

from typing import Annotated

import pytest
import typer
from pydantic import Field
from typer.testing import CliRunner

from randsearch.base.errors import UserError
from randsearch.cli.declared import Given, takes
from randsearch.running.machine import Machine
from randsearch.study.config import StudyConfig
from randsearch.study.config_file import load_options, read_study
from randsearch.study.options import Option, latest_version

SPACE = {"parameters": {"levels": {"int": [1, 2]}}}
NEXT = latest_version(StudyConfig) + 1


class Longer(StudyConfig):
    """A study with three options more."""

    decay: Annotated[float, Option(since=NEXT, before=0.0)] = Field(0.01, ge=0, lt=1, description="Of weights.")
    rates: Annotated[tuple[int, ...], Option(since=NEXT, before=(), joined=max)] = Field((3, 4), description="Many.")
    quiet: Annotated[bool, Option(since=NEXT, before=False)] = Field(False, description="Not a word.")


@pytest.fixture
def parsed() -> list[Given]:
    """What the command below got."""
    return []


@pytest.fixture
def invoke(parsed):
    app = typer.Typer(rich_markup_mode=None)

    @app.command()
    @takes(options=Longer, machine=Machine)
    def command(*, options: Given, machine: Given) -> None:
        parsed.extend((options, machine))

    return lambda *words: CliRunner().invoke(app, words)


def longer(**options: object) -> Longer:
    return Longer.create({"space": SPACE, **options}, "options")


def test_help_says_what_was_declared(invoke):
    told = " ".join(invoke("--help").output.split())
    assert "--decay <float> Of weights. [default: 0.01; 0<=x<1]" in told
    assert "--rates <str> Many. [default: 3, 4]" in told
    assert "--quiet Not a word." in told
    assert "--no-quiet" not in told


def test_only_what_is_given_is_an_option(invoke, parsed):
    assert invoke("--decay", "0.5", "--rates", "1, 2", "--quiet", "--devices", "cpu").exit_code == 0
    assert parsed[0] == {"decay": 0.5, "rates": ["1", "2"], "quiet": True}
    assert parsed[1]["devices"] == ["cpu"]
    made = longer(**parsed[0])
    assert (made.decay, made.rates, made.quiet) == (0.5, (1, 2), True)


def test_every_option_that_a_user_gives_is_on_the_command_line(run_cli):
    found = run_cli("search", "--help").out
    untold = {"space", "control", "data_digest", "whole", "batches_of", "rules"}
    for name in [*(StudyConfig.model_fields.keys() - untold), *Machine.declared()]:
        assert f"--{name.replace('_', '-')} " in found, name
    for name in untold:
        assert f"--{name.replace('_', '-')} " not in found


def test_bounds_are_checked_where_all_options_are():
    with pytest.raises(UserError, match=r"decay: input should be less than 1 \(got 1\.5\)"):
        longer(decay=1.5)


def test_it_is_saved_and_read(tmp_path):
    longer(decay=0.5).save(tmp_path / "config.yaml")
    text = (tmp_path / "config.yaml").read_text()
    assert text.startswith(f"version: {NEXT}\n")
    assert "decay: 0.5\n" in text
    for read in (read_study, load_options):
        assert Longer.create(read(tmp_path / "config.yaml", Longer), "file") == longer(decay=0.5)
    (tmp_path / "config.yaml").write_text(text.replace("decay: 0.5\n", ""))
    with pytest.raises(UserError, match="torn"):
        read_study(tmp_path / "config.yaml", Longer)


def test_an_earlier_study_has_what_its_time_took_for_granted(tmp_path):
    StudyConfig(space=SPACE).save(tmp_path / "config.yaml")
    assert Longer.create(read_study(tmp_path / "config.yaml", Longer), "file").decay == 0
    longer().save(tmp_path / "config.yaml")
    with pytest.raises(UserError, match=f"written by a later randsearch \\(version {NEXT} of its fields\\)"):
        read_study(tmp_path / "config.yaml", StudyConfig)


def test_it_is_compared_unless_it_says_how_it_is_joined():
    with pytest.raises(UserError, match=r"another decay \(0\.01 there, 0\.5 here\)"):
        longer().continued_by(longer(decay=0.5))
    assert longer(rates=(1,)).continued_by(longer(rates=(2,))).rates == (2,)
