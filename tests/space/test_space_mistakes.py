"""One sentence for every mistake in a search space, whoever wrote the file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from randsearch.base.errors import UserError
from randsearch.models.sizing import Signal
from randsearch.space import BoundSpace, SearchSpace, grammar, sampling


def bind(parameters: dict[str, Any], *constraints: str, segment: int = 2048) -> BoundSpace:
    raw = {"parameters": parameters, "constraints": list(constraints)}
    return SearchSpace.from_dict(raw, "s.yaml").bind(Signal(), 8000, segment)


LEVELS = {"levels": {"int": [2, 5]}}
MISTAKES: list[tuple[Any, str]] = [
    (None, "must be a mapping with the keys description, parameters, constraints, not nothing"),
    (["levels"], "not a list"),
    ({"parameters": LEVELS, "constraint": []}, "constraint is not a known key: did you mean constraints?"),
    ({"description": "x"}, "parameters must map options"),
    ({"parameters": {"level": 3}}, "parameters: level is not a known option: did you mean levels?"),
    ({"parameters": {"levels": {"ints": [2, 3]}}}, "parameters.levels: ints is not a known key: did you mean int?"),
    ({"parameters": {"levels": {"int": [2, 3], "choices": [2]}}}, "needs exactly one of int, log_int, choices, subset"),
    ({"parameters": {"levels": {"when": {}}}}, "needs exactly one of"),
    ({"parameters": {"levels": {"int": [5, 2]}}}, r"parameters.levels: the range \[5, 2\] is empty: write the smaller"),
    ({"parameters": {"levels": {"int": [2]}}}, "int takes two whole numbers"),
    ({"parameters": {"levels": {"int": [2, 5.5]}}}, "int takes two whole numbers"),
    ({"parameters": {"levels": {"int": [2, 5], "step": 0}}}, "step must be a whole number of at least 1, not 0"),
    ({"parameters": {"levels": {"log_int": [2, 5], "step": 2}}}, "step belongs to int"),
    ({"parameters": {"filter_increment": {"log_int": [0, 8]}}}, "a log_int starts at 1 or above, not at 0"),
    ({"parameters": {"levels": {"int": [1, 10**12]}}}, "holds more than 10,000 values: narrow it"),
    ({"parameters": {"levels": {"int": [2, 25]}}}, "levels: input should be less than or equal to 20 .got 21."),
    ({"parameters": {"levels": 0}}, "levels: input should be greater than or equal to 1 .got 0."),
    ({"parameters": {"levels": {"choices": []}}}, "choices must be a list of at least one value"),
    ({"parameters": {"levels": {"choices": [2, 3, 2]}}}, "the choice 2 is given twice"),
    ({"parameters": {"skips": {"choices": [[0, 1], "all", [1, 0]]}}}, "the choice 0 1 is given twice"),
    ({"parameters": {"skips": {"choices": [[30]]}}}, "skips name level 30"),
    ({"parameters": {"output": {"choices": ["direct", "sideways"]}}}, "output: input should be .* .got 'sideways'."),
    ({"parameters": {"encoder_kernel": {"int": [3, 5]}}}, "encoder_kernel must be odd.* not 4"),
    ({"parameters": {"levels": {"choices": ["3"]}}}, "levels: write 3 instead of '3'"),
    ({"parameters": {"levels": None}}, "None is not a value of levels"),
    ({"parameters": {"levels": [2, 3]}}, r"\[2, 3\] is not a value of levels"),
    ({"parameters": {"levels": {"subset": "levels"}}}, "levels is not a set of levels: subset serves fixed_dec"),
    ({"parameters": {"skips": {"subset": "first_filters"}}}, "write levels, not 'first_filters'"),
    ({"parameters": {"skips": {"subset": "levels"}, **LEVELS}}, "is a subset of levels, which is listed after it"),
    ({"parameters": {"levels": {"int": [2, 3], "else": 3}}}, "else needs a when"),
    ({"parameters": {"output": {"choices": ["direct"], "when": {"levels": [2]}}, **LEVELS}}, "not listed before it"),
    ({"parameters": {**LEVELS, "output": {"choices": ["direct"], "when": {"level": 2}}}}, "name one of levels"),
    ({"parameters": {**LEVELS, "output": {"choices": ["direct"], "when": [2]}}}, "when maps an earlier parameter"),
    ({"parameters": {**LEVELS, "output": {"choices": ["direct"], "when": {"levels": [9]}}}}, "to be 9, which it never"),
    (
        {"parameters": {"skips": {"subset": "levels"}, "output": {"choices": ["direct"], "when": {"skips": "all"}}}},
        "when names skips, a subset",
    ),
    ({"parameters": LEVELS, "constraints": "params <= 3"}, "constraints must be a list of comparisons"),
    ({"parameters": LEVELS, "constraints": [3]}, "constraint 1: a constraint is a comparison .* not 3"),
    ({"parameters": LEVELS, "constraints": ["levels <= 4", "params <="]}, "constraint 2: `params <=` cannot be read"),
    ({"parameters": LEVELS, "constraints": ["parms <= 2"]}, "names the unknown parms: did you mean params?"),
    ({"parameters": LEVELS, "constraints": ["params + 2"]}, "compares nothing"),
    ({"parameters": LEVELS, "constraints": ["params <= " + "1" * 500]}, "at most 300 characters"),
    ({"parameters": LEVELS, "constraints": ["levels > 1"] * 101}, "are at most 100, not 101: join them with `and`"),
    ({"parameters": {"levels": {"choices": list(range(10**5))}}}, "at most 1,000 values, not 100,000: name fewer"),
    ({"parameters": {"levels": {"int": [1, [[[[[9]]]]]]}}}, r"such as \[2, 5\], not \[1, \[\[\[\.\.\.\]\]\]\]"),
    ({"parameters": {"levels": {"int": [1, 10**5000]}}}, "a number of thousands of digits holds more than 10,000"),
    ({"parameters": {"levels": "x" * 10**6}}, r"levels: .* .got 'x+\.\.\.x+'\)"),
    ({"parameters": {"x" * 10**6: 3}}, r"parameters: x{200}\.\.\. is not a known option"),
    ({"parameters": LEVELS, "constraints": [["x" * 10**6] * 10**6]}, r"such as `params <= 2e6`, not \['xx"),
]


@pytest.mark.parametrize(("raw", "sentence"), MISTAKES)
def test_every_mistake_has_its_sentence(raw: Any, sentence: str) -> None:
    with pytest.raises(UserError, match=sentence) as caught:
        SearchSpace.from_dict(raw, "s.yaml")
    assert str(caught.value).startswith("s.yaml: ")
    assert str(caught.value)[-1] in ".?"
    assert len(str(caught.value)) < 600


def test_values_that_need_company_do_not_each_try_all_companies(monkeypatch):
    tries = []
    attempt = grammar._try
    monkeypatch.setattr(grammar, "_try", lambda values: tries.append(values) or attempt(values))
    sides = {name: {"choices": [False, True]} for name in ("context", "nested")} | {"dilation": {"choices": [1, 2]}}
    deep = [[10, 11, a, b] for a in range(10) for b in range(a)]  # of 20 levels, which come last of all companies
    SearchSpace.from_dict({"parameters": {"levels": {"choices": [20, 1]}, **sides, "skips": {"choices": deep}}})
    assert len(deep) < len(tries) < 2 * len(deep)


@pytest.mark.parametrize(
    "text",
    [
        "__import__('os').system('true') == 0",
        "levels.__class__ == 3",
        "(lambda: levels)() == 3",
        "[level for level in skips] == []",
        "skips[0] == 1",
        "f'{levels}' == '3'",
        "(levels := 3) == 3",
        "levels << 99999 > 3",
        "None == levels",
        "2j < levels",
        "{**{}} == levels",
        "levels\x00 < 3",
    ],
)
def test_constraints_hold_nothing_but_comparisons(text: str) -> None:
    with pytest.raises(UserError, match=r"which a constraint may not|cannot be read|names the unknown"):
        bind(LEVELS, text)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("levels < 9**9**9", "a power this large"),
        ("levels < (9**60)**60", "a power this large"),
        ("levels < 1e6**64", "cannot be computed"),
        ("levels < (0 - 8)**0.5", "cannot be computed"),
        ("'a' * 1000000000 == output", "arithmetic takes numbers"),
        ("(1, 2) * 1000000000 == levels", "arithmetic takes numbers"),
        ("levels / (levels - levels) > 1", "division by zero"),
        ("output < 3", "not supported"),
        ("levels in output", "constraint 1: `levels in output` cannot be computed"),
    ],
)
def test_constraints_that_cannot_be_computed_are_refused(text: str, reason: str) -> None:
    with pytest.raises(UserError, match=reason):
        bind(LEVELS, text)


def test_a_space_without_a_valid_architecture_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sampling, "PATIENCE", 500)
    with pytest.raises(UserError, match=r"s.yaml: no architecture is valid .most often: `params <= 10` does not hold."):
        bind(LEVELS, "params <= 10")
    with pytest.raises(UserError, match="too deep for a segment of 4 samples"):
        bind(LEVELS, segment=4)
    with pytest.raises(UserError, match="500 draws gave no valid architecture"):
        bind(
            {"levels": {"int": [2, 10]}, "first_filters": {"int": [1, 512]}, "skips": {"subset": "levels"}}, "macs < 0"
        )


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("parameters: {levels: [", "is not valid YAML in line 1 .*: correct it there"),
        ("parameters:\n  levels: 2\n  levels: 3\n", "line 3 .the key levels is given twice."),
        ("a: !!python/object/apply:os.getcwd []", "is not valid YAML in line 1"),
        ("a: 2001-99-99", "holds a value that YAML cannot represent"),
        ("[" * 1000, "holds a value that YAML cannot represent|is not valid YAML"),
        ("just text", "must be a mapping .* not text"),
        ("", "not nothing"),
    ],
)
def test_files_that_are_no_space(tmp_path: Path, text: str, sentence: str) -> None:
    path = tmp_path / "s.yaml"
    path.write_text(text)
    with pytest.raises(UserError, match=sentence):
        SearchSpace.load(path)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="No such file or directory"):
        SearchSpace.load(tmp_path / "none.yaml")
    with pytest.raises(UserError, match="cannot be read"):
        SearchSpace.load(tmp_path)
    (tmp_path / "s.yaml").write_bytes(b"\xff\xfe\x00\xd8")
    with pytest.raises(UserError, match="not UTF-8 text"):
        SearchSpace.load(tmp_path / "s.yaml")
