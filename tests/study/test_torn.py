"""What must be true of a study whose files were cut short: no half number counts, and each sentence's remedy works."""

from __future__ import annotations

import os
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from tiny import FINISHED, Answer

from randsearch.base.errors import UserError
from randsearch.running import session
from randsearch.study.folders import load_config
from randsearch.study.rebuild import open_studies
from randsearch.study.status import read_status
from randsearch.table.tidy import TornTableError, read_measurements


@pytest.fixture
def study(finished_study, tmp_path) -> Path:
    folder = tmp_path / "results" / "tiny"
    shutil.copytree(finished_study, folder, ignore=shutil.ignore_patterns("*.flac", "*.safetensors"))
    return folder


@pytest.fixture
def table(study) -> Path:
    return study / "measurements.csv"


@pytest.fixture
def again(run_cli, tiny_search, study):
    """The search command of the study, given again."""

    def run(**changed: object) -> Answer:
        return run_cli(*tiny_search(study.parent, **{**FINISHED, **changed}))

    return run


def refused(answer: Answer, *named: str) -> None:
    assert (answer.code, answer.err.count("\n")) == (1, 1), answer
    for name in named:
        assert name in answer.err


def line_end(content: bytes) -> int:
    """The end of a line in the middle of a table."""
    return content.index(b"\n", len(content) // 2) + 1


def test_a_table_cut_short_anywhere_is_refused_or_says_the_same(table):
    content = table.read_bytes()
    assert content.endswith(b"\n\n")
    for place in {*range(0, len(content), 97), line_end(content), *range(len(content) - 30, len(content))}:
        table.write_bytes(content[:place])
        with pytest.raises(TornTableError, match="is torn, for the empty line at its end is missing: the search comm"):
            read_measurements(table)
    with pytest.raises(UserError, match="torn"):
        read_status(table.parent)


def test_a_table_cut_within_an_empty_line_of_a_reason_is_torn_too(table):
    header, row, *_ = table.read_text().splitlines()
    table.write_text(f'{header}\n{row}\n{row.split(",")[0]},early,7,,,0,0,failed,"it said\n\n')
    with pytest.raises(TornTableError):
        read_measurements(table)


def test_a_table_without_its_end_is_whole_beside_a_configuration_of_its_time(table):
    config = table.parent / "config.yaml"
    rows = read_measurements(table)
    _version, *lines, _end = config.read_text().splitlines(keepends=True)
    config.write_text("".join(lines))
    content = table.read_bytes()
    table.write_bytes(content.removesuffix(b"\n"))
    assert read_measurements(table).equals(rows)
    table.write_bytes(content.removesuffix(b"\n\n"))
    with pytest.raises(TornTableError):
        read_measurements(table)


def test_of_a_torn_table_nothing_joins_a_whole_database(study, table):
    config, content = load_config(study), table.read_bytes()

    def measured() -> list:
        studies = open_studies(config, study)
        return studies.measurements(studies.candidates())

    whole = measured()
    # To the database the second seed is another one, so that it lacks rows of the table.
    with closing(sqlite3.connect(study / "study.db")) as database, database:
        database.execute("update trial_user_attributes set value_json = '99' where key = 'seed' and value_json = '1'")
    for place in (-1, -4, line_end(content), line_end(content) - 5):
        table.write_bytes(content[:place])
        assert len(measured()) == len(whole)
    table.write_bytes(content)
    assert len(measured()) > len(whole)


@pytest.mark.usefixtures("nothing_measured")
@pytest.mark.parametrize("where", ["at the end of a line", "in a number", "at its end", "at once"])
def test_a_torn_table_is_written_anew_from_a_whole_database(table, again, run_cli, where):
    content = table.read_bytes()
    place = {"at the end of a line": line_end(content), "in a number": content.index(b"complete") - 5, "at its end": -1}
    table.write_bytes(content[: place.get(where, 0)])
    for command in ("status", "export-table"):
        refused(run_cli(command, "tiny", "--results", table.parent.parent), "writes it anew from the study's database")
    answer = again()
    assert answer.code == 0, answer.err
    assert table.read_bytes() == content


def test_where_both_are_torn_one_sentence_says_so(study, table, again):
    torn = table.read_bytes()[:-40]
    table.write_bytes(torn)
    for content in (None, b""):
        (study / "study.db").unlink()
        if content is not None:
            (study / "study.db").write_bytes(content)
        refused(again(), "is torn", "where that is gone too, put one of the two back from a copy, or delete the table")
        assert table.read_bytes() == torn
        if content is None:
            assert not (study / "study.db").exists()
            (study / "study.db").touch()


@pytest.mark.usefixtures("nothing_measured")
def test_a_torn_configuration_is_refused_and_its_remedy_works(study, table, again, run_cli):
    config = study / "config.yaml"
    whole, before = config.read_text(), table.read_bytes()
    config.write_text(whole[: whole.index("proxy_batch")])
    for words in (["status", "tiny"], ["analyse", "tiny"], ["train", "tiny", "--all"], ["search", "--study", "tiny"]):
        refused(
            run_cli(*words, "--results", study.parent), "is torn or damaged", "give the search command of the study"
        )
    config.unlink()
    refused(again(steps=7), "the study tiny exists with another steps (6 there, 7 here)")
    assert not config.exists()
    answer = again()
    assert answer.code == 0, answer.err
    assert config.read_text() == whole
    assert table.read_bytes() == before


@pytest.mark.parametrize("gone", ["the file", "the configuration in it"])
def test_without_any_configuration_the_table_joins_no_other(study, table, again, gone):
    before = table.read_bytes()
    (study / "config.yaml").unlink()
    if gone == "the file":
        (study / "study.db").unlink()
    else:  # as earlier releases left it
        with closing(sqlite3.connect(study / "study.db")) as database, database:
            database.execute("delete from study_user_attributes where key = 'config'")
    refused(again(), "holds measurements but no config.yaml, and nothing else says with which options they were made")
    assert table.read_bytes() == before
    assert not (study / "config.yaml").exists()


def test_a_database_that_lost_trials_and_not_their_values_is_damaged(study, again):
    with closing(sqlite3.connect(study / "study.db")) as connection, connection:
        connection.execute("delete from trials")
    refused(again(), "study.db is damaged (UNIQUE constraint failed", "makes it anew from measurements.csv")


def test_a_table_without_its_mark_has_it_before_the_configuration_asks_for_it(table, again, monkeypatch):
    config = table.parent / "config.yaml"
    rows = read_measurements(table)
    config.unlink()
    table.write_bytes(table.read_bytes().removesuffix(b"\n"))

    def killed(*_):
        assert config.read_text().startswith("version:")
        raise OSError("killed at once")

    monkeypatch.setattr(session, "open_executor", killed)
    assert "killed at once" in again(trials=6).err
    assert read_measurements(table).equals(rows)


def test_a_table_that_is_a_pipe_is_refused_at_once(table):
    table.unlink()
    os.mkfifo(table)
    with pytest.raises(UserError, match="is no file"):
        read_measurements(table)
