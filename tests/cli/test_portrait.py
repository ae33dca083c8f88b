"""What `randsearch show --preset` says of a network."""

from __future__ import annotations

import pytest
from rich.table import Table

from randsearch.cli.portrait import portrait
from randsearch.models.architecture import Architecture
from randsearch.models.presets import PRESETS, Preset


def cells(table: Table, column: int) -> list[str]:
    return [str(cell) for cell in table.columns[column].cells]


def level_table(preset: Preset) -> Table:
    return next(part for part in portrait("it", preset) if isinstance(part, Table))


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("M1", "input 16384, output 16384, 10,263,028 parameters"),
        ("M2", "input 16384, output 16384, 10,263,002 parameters"),
        ("M3", "input 147443, output 16389, 10,263,002 parameters"),
        ("M4", "input 147443, output 16389, 10,263,390 parameters"),
    ],
)
def test_published_numbers_stand_in_one_line(run_cli, name, line):
    answer = run_cli("show", "--preset", name)
    assert answer.code == 0
    assert line in answer.out.splitlines()


@pytest.mark.parametrize("name", PRESETS)
def test_rows_add_up_to_the_total(name):
    preset = PRESETS[name]
    table = level_table(preset)
    total = sum(int(cell.replace(",", "")) for cell in cells(table, 4))
    assert any(f"{total:,} parameters" in part for part in portrait(name, preset) if isinstance(part, str))
    assert table.row_count == 2 * preset.architecture.levels + 2


def test_what_is_fixed_stands_beside_what_trains():
    architecture = Architecture(levels=3, fixed_decoder_levels=(0, 2), upsampling="learned", normalisation="group")
    preset = Preset(architecture, desired_output=256)
    parts, fixed = cells(level_table(preset), 0), cells(level_table(preset), 5)
    assert [part for part, kept in zip(parts, fixed, strict=True) if kept] == ["decoder", "decoder"]
    kept = sum(int(cell.replace(",", "")) for cell in fixed if cell)
    # Level 2: 72 filters of 5 taps on 96 channels from below and 72 beside; level 0: 24 on 48 and 24.
    assert kept == 72 * ((96 + 72) * 5 + 1) + 24 * ((48 + 24) * 5 + 1)
    assert any(
        f"fixed at random: decoder levels 0 2, {kept:,} parameters" in str(part) for part in portrait("", preset)
    )


def test_given_options_overrule_those_of_the_preset(run_cli):
    answer = run_cli("show", "--preset", "M2", "--channels", "2", "--segment", "32768", "--task", "multi")
    assert "task multi, 2 channel(s), 22050 Hz" in answer.out
    assert "input 32768, output 32768" in answer.out


def test_mistakes_are_told_in_a_sentence(run_cli):
    assert "unknown preset 'M9'; there are M1, M2" in run_cli("show", "--preset", "M9").err
    assert "too deep for a segment of 4096 samples" in run_cli("show", "--preset", "M1", "--segment", "4096").err
    assert run_cli("show").code == 2
