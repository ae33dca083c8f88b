"""What must be true of any input: a command does its work or says in one sentence why not, and no traceback comes.

`make fuzz` looks far longer, at other examples each time.
"""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tiny import SPACE, write_tracks

from randsearch.space.parameters import DEFAULTS
from randsearch.study.config import StudyConfig

UNCHECKED = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
often = settings(max_examples=settings.default.max_examples // 2, suppress_health_check=UNCHECKED)
rarely = settings(max_examples=settings.default.max_examples // 8, suppress_health_check=UNCHECKED)

NUMBERS = st.one_of(
    st.integers(-3, 12), st.sampled_from([0.5, 1e-300, 1e300, 2**31, 2**64, float("nan"), float("inf"), True, None])
)
NAMES = st.sampled_from([*DEFAULTS, "vocals", "none", "relu", "levels", "1 2", "", "\u202e", "[", "${x}", "a" * 300])
LEAVES = st.one_of(NUMBERS, NAMES, st.text(max_size=6))
KEYS = st.sampled_from(["int", "log_int", "choices", "subset", "step", "when", "else", "levels", "skips", "x"])
ENTRIES = st.recursive(
    LEAVES,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(KEYS, inner, max_size=3)),
    max_leaves=5,
)


LIKELY = st.one_of(
    st.builds(lambda low, more: {"int": [low, low + more]}, st.integers(0, 12), st.integers(0, 70)),
    st.builds(lambda values: {"choices": values}, st.lists(NUMBERS | NAMES, min_size=1, max_size=3)),
    st.builds(lambda values: {"log_int": values}, st.lists(st.sampled_from([1, 4, 64, 2**20]), min_size=2, max_size=2)),
    st.just({"subset": "levels"}),
    st.builds(
        lambda values, when: {"choices": values, "when": when},
        st.lists(NUMBERS, min_size=1, max_size=3),
        st.dictionaries(st.sampled_from([*DEFAULTS]), NUMBERS, max_size=2),
    ),
)


@pytest.fixture
def command(run_cli) -> Callable[..., None]:
    """Runs the command line, and expects work done or one sentence."""

    def run(*arguments: object) -> None:
        answer = run_cli(*arguments)
        said = [line for line in answer.err.splitlines() if line.startswith("randsearch:")]
        if answer.code == 1:
            assert len(said) == 1, answer.err
            assert len(said[0]) > len("randsearch: ") + 10
        else:  # 2 is a mistake in the options themselves
            assert answer.code in (0, 2), answer.err
            assert not said, answer.err
        assert "Traceback" not in answer.err

    return run


@st.composite
def damaged(draw: st.DrawFn, content: bytes, most: int = 4) -> bytes:
    """Bytes of which some are changed, cut out or put in; or only their beginning."""
    changed = bytearray(content)
    for _ in range(draw(st.integers(1, most))):
        place = draw(st.integers(0, max(0, len(changed) - 1)))
        length = draw(st.sampled_from([0, 1, 1, 2, 8, 100]))
        changed[place : place + length] = draw(st.binary(max_size=8))
    return bytes(changed[: draw(st.integers(0, len(changed)))]) if draw(st.booleans()) else bytes(changed)


SPACES = st.fixed_dictionaries(
    {"parameters": st.dictionaries(st.sampled_from([*DEFAULTS]), LIKELY | ENTRIES, max_size=4)},
    optional={
        "description": LEAVES,
        "constraints": st.one_of(
            ENTRIES,
            st.lists(st.sampled_from(["params <= 1e5", "macs<1", "params <= levels", "levels ==", "2 < 3", "é > 1"])),
        ),
        "other": LEAVES,
    },
)


@often
@given(content=st.one_of(SPACES.map(lambda raw: yaml.dump(raw).encode()), damaged(SPACE.encode()), st.binary()))
def test_search_spaces(command, tmp_path, content):
    file = tmp_path / "space.yaml"
    file.write_bytes(content)
    command("show", file)


OPTIONS = st.dictionaries(
    st.one_of(st.sampled_from([*StudyConfig.model_fields]), st.text(max_size=4)),
    st.one_of(ENTRIES, st.sampled_from(["top:2", "grid", "tpe", "musdb:/nowhere", "sqlite://", "postgresql://a:b@/"])),
    max_size=4,
)


@often
@given(options=OPTIONS)
def test_configurations(command, tmp_path, tiny_options, options):
    file = tmp_path / "study.yaml"
    file.write_text(yaml.dump({**tiny_options, **options}))
    command("search", "--config", file, "--dry-run", "--results", tmp_path / "results")


@often
@given(data=st.data())
def test_configuration_files(command, tmp_path, tiny_options, data):
    file = tmp_path / "study.yaml"
    file.write_bytes(data.draw(damaged(yaml.dump(tiny_options).encode())))
    command("search", "--config", file, "--dry-run", "--results", tmp_path / "results")


CELLS = st.one_of(
    st.floats(width=16).map(str), st.sampled_from(["", "nan", "failed", "é", '"', "a,b", "1e999", "-", "0"])
)
COLUMNS = ["architecture", "measure", "score", "seed", "seconds", "trained", "params", "trained_seconds", "state", "x"]


@st.composite
def sheets(draw: st.DrawFn) -> bytes:
    """A table from elsewhere, more or less."""
    header = draw(st.lists(st.sampled_from(COLUMNS), min_size=1, max_size=6))
    header += draw(st.sampled_from([[], ["trained"], ["measure", "score"]]))
    rows = draw(st.lists(st.lists(CELLS, min_size=len(header), max_size=len(header)), max_size=8))
    return "\n".join(draw(st.sampled_from(",;\t")).join(row) for row in [header, *rows]).encode()


@often
@given(content=st.one_of(sheets(), st.binary()))
def test_tables_from_elsewhere(command, tmp_path, content):
    file = tmp_path / "scores.csv"
    file.write_bytes(content)
    command("analyse", "--table", file, "--resamples", 50)


@often
@given(data=st.data())
def test_damaged_tables(command, tmp_path, finished_study, data):
    file = tmp_path / "measurements.csv"
    file.write_bytes(data.draw(damaged((finished_study / "measurements.csv").read_bytes())))
    command("analyse", "--table", file, "--resamples", 50)


@pytest.fixture
def study(finished_study, tmp_path) -> Iterator[Path]:
    """A finished study that can be damaged."""
    folder = tmp_path / "results" / "tiny"
    shutil.copytree(finished_study, folder)
    return folder


DAMAGED_COMMANDS = st.sampled_from(["search", "analyse", "status", "list", "export-table", "report", "plan"])


@rarely
@given(data=st.data(), name=st.sampled_from(["measurements.csv", "config.yaml"]), which=DAMAGED_COMMANDS)
def test_damaged_files_of_a_study(command, study, finished_study, data, name, which):
    for each in ("measurements.csv", "config.yaml", "study.db"):
        shutil.copy(finished_study / each, study / each)
    (study / name).write_bytes(data.draw(damaged((finished_study / name).read_bytes())))
    if data.draw(st.booleans()):
        (study / "study.db").unlink()
    command(*asked(which), "--results", study.parent)


def asked(which: str) -> list[str]:
    return {"search": ["search", "--study", "tiny"], "list": ["list"]}.get(which, [which, "tiny"])


@rarely
@given(data=st.data(), which=DAMAGED_COMMANDS)
def test_damaged_databases(command, study, finished_study, data, which):
    for each in ("measurements.csv", "config.yaml"):
        shutil.copy(finished_study / each, study / each)
    (study / "study.db").write_bytes(data.draw(damaged((finished_study / "study.db").read_bytes(), most=12)))
    command(*asked(which), "--results", study.parent)


VALUES = st.sampled_from(
    [None, "", "x", "{", "null", "[]", "{}", "[1, 2]", '"x"', -1, 0, 7, 1e300, float("inf"), b"\xff"]
)


@rarely
@given(data=st.data(), which=DAMAGED_COMMANDS)
def test_databases_of_other_contents(command, study, finished_study, data, which):
    for each in ("measurements.csv", "config.yaml", "study.db"):
        shutil.copy(finished_study / each, study / each)
    with contextlib.closing(sqlite3.connect(study / "study.db", isolation_level=None)) as database:
        tables = [name for (name,) in database.execute("select name from sqlite_master where type = 'table'")]
        for _ in range(data.draw(st.integers(1, 3))):
            table = data.draw(st.sampled_from(sorted(tables)))
            columns = [row[1] for row in database.execute(f"pragma table_info({table})")]
            rows = [row for (row,) in database.execute(f"select rowid from {table}")]
            where = f"where rowid = {data.draw(st.sampled_from(rows))}" if rows and data.draw(st.booleans()) else ""
            with contextlib.suppress(sqlite3.IntegrityError):
                if data.draw(st.booleans()):
                    column = data.draw(st.sampled_from(columns))
                    database.execute(f"update {table} set {column} = ? {where}", [data.draw(VALUES)])
                else:
                    database.execute(f"delete from {table} {where}")
    command(*asked(which), "--results", study.parent)


@rarely
@given(data=st.data())
def test_damaged_audio(command, tmp_path, tiny_options, data):
    corpus = tmp_path / "corpus"
    if not corpus.exists():
        write_tracks(corpus)
        (tmp_path / "space.yaml").write_text(SPACE)
    file = corpus / "train" / "track 1" / "drums.wav"
    whole = tmp_path / "whole.wav"
    if not whole.exists():
        shutil.copy(file, whole)
    header, rest = whole.read_bytes()[:80], whole.read_bytes()[80:]
    file.write_bytes(
        data.draw(damaged(header)) + rest if data.draw(st.booleans()) else data.draw(damaged(header + rest))
    )
    options = {**tiny_options, "data": f"musdbhq:{corpus}", "space": str(tmp_path / "space.yaml")}
    (tmp_path / "study.yaml").write_text(yaml.dump(options))
    command(
        *("search", "--config", tmp_path / "study.yaml", "--dry-run"),
        *("--results", tmp_path / "results", "--cache", tmp_path / "cache"),
    )
