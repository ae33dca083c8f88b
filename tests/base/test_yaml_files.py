"""What must be true of YAML from anywhere: it is read within bounds, and what is refused is told in one short line."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import needs
import pytest

from randsearch.base.errors import UserError
from randsearch.base.yaml_files import read_yaml
from randsearch.space import SearchSpace
from randsearch.study.config import StudyConfig
from randsearch.study.config_file import load_options

MOST = "more than 30,000 values, each alias counted as all that it stands for"


def laughs(levels: int = 9) -> str:
    """A list that stands for a billion words."""
    text = f"&a0 [{', '.join(['ha'] * 10)}]"
    for level in range(levels):
        text = f"&a{level + 1} [{text}{f', *a{level}' * 9}]"
    return text


PLACES = [
    "parameters: {{levels: {{int: {0}}}}}",
    "parameters: {{levels: {{choices: {0}}}}}",
    "parameters: {{levels: {{int: [1, 2]}}, skips: {{subset: levels, when: {0}}}}}",
    "parameters: {{levels: 2}}\nconstraints: {0}",
    "parameters: {{levels: 2}}\nconstraints: [{0}]",
    "description: {0}",
    "measures: {0}",
    "space: {{parameters: {{levels: {0}}}}}",
]


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("read", [SearchSpace.load, partial(load_options, kind=StudyConfig)])
def test_a_few_lines_do_not_stand_for_a_billion_values(tmp_path, place, read):
    path = tmp_path / "s.yaml"
    path.write_text(place.format(laughs()))
    with pytest.raises(UserError, match=MOST):
        read(path)


def test_nor_does_a_study_s_own_file(run_cli, finished_study, tmp_path):
    (tmp_path / "tiny").mkdir()
    (tmp_path / "tiny" / "config.yaml").write_text(f"space: {{description: {laughs()}}}\n")
    answer = run_cli("analyse", "tiny", "--results", tmp_path)
    assert (answer.code, answer.err.count("\n")) == (1, 1)
    assert MOST in answer.err


MERGED = "a: &a0 {p: 1}\n" + "".join(f"b{i}: &a{i + 1} {{<<: [{', '.join([f'*a{i}'] * 9)}]}}\n" for i in range(9))


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (MERGED, MOST),
        (f"a: &a {'x' * 300_000}\nb: [{', '.join(['*a'] * 100)}]", MOST),
        (f"a: [{'1,' * 40_000}]", MOST),
        ("a: &a [1, *a]", "an alias inside of what it stands for"),
        ("a: &a {b: *a}", "an alias inside of what it stands for"),
        ("[" * 5000, "more than 50 levels inside of each other"),
        (f"a: {'9' * 5000}", "a number of 5,000 characters"),
        (f"a: 0x{'f' * 5000}", "a number of 5,002 characters"),
        (f"a: 1{':59' * 5000}", "a number of 15,001 characters"),
        ("a: *b", "found undefined alias 'b'"),
        ("a: 1\na: 2", "the key a is given twice"),
        ("a: !!int ''", "holds a value that YAML cannot represent"),
        ("a: !!bool maybe", "holds a value that YAML cannot represent"),
        (f"a: 1{':1' * 190}.5", "holds a value that YAML cannot represent"),
        ("#" * 1_000_001, "holds more than 1,000,000 bytes: give the path of a thing."),
        (f"{'k' * 1000}: 1\n" * 2, f"the key {'k' * 192}..."),
    ],
)
def test_what_is_out_of_bounds_is_refused(tmp_path, text, problem):
    path = tmp_path / "s.yaml"
    path.write_text(text)
    with pytest.raises(UserError) as refusal:
        read_yaml(path, "a thing")
    assert problem in str(refusal.value)
    assert str(refusal.value).startswith(f"{path}: ")
    assert len(str(refusal.value)) < 400 + len(str(path))


def test_aliases_may_be_used_as_anybody_would(tmp_path):
    path = tmp_path / "s.yaml"
    path.write_text(
        "parameters:\n  levels: {int: [1, 2]}\n  encoder_kernel: &kernel {choices: [3, 5]}\n  decoder_kernel: *kernel\n"
    )
    space = SearchSpace.load(path).to_dict()
    assert space["parameters"]["encoder_kernel"] == space["parameters"]["decoder_kernel"] == {"choices": [3, 5]}


@needs.device("/dev/zero")
def test_a_device_that_never_ends_is_no_file():
    with pytest.raises(UserError, match="holds more than 1,000,000 bytes"):
        read_yaml(Path("/dev/zero"), "a thing")
