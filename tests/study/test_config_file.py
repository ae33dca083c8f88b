"""What must be true of a study's `config.yaml`: whole, or refused; whatever an earlier release wrote still opens."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import pytest
import yaml
from pydantic import create_model

from randsearch.base.errors import UserError
from randsearch.study.config import StudyConfig
from randsearch.study.config_file import UNVERSIONED, as_copy, from_copy, load_options, read_study
from randsearch.study.options import Option, added_since, fields_of, latest_version

CONFIG = StudyConfig(
    study="both",
    space={"parameters": {"levels": {"int": [1, 12]}}},
    data_digest="cafe",
    sample_rate=8000,
    trials=120,
    measures=("macs",),
    seeds=(10, 11),
    train_seeds=(10,),
    proxy_batch=17,
    validation=120,
    whole=True,
    storage="sqlite:///other.db",
    batches_of="other",
)

LATER = {"whole": False, "proxy_batch": 16, "train_seeds": None, "validation": "whole", "batches_of": None}
"""What the fields were that the first release had not."""


VERSION = latest_version(StudyConfig)

FORMER = CONFIG.model_copy(update=added_since(StudyConfig, 1))
"""The same study as it was while files had no version, or the first."""

FIRST_VERSION = frozenset(LATER) | {
    *("study", "space", "data", "data_digest", "task", "sample_rate", "channels", "upmix_mono", "sampler", "trials"),
    *("measures", "proxy", "train", "steps", "proxy_steps", "seed", "seeds", "learning_rate", "batch", "segment"),
    *("validate_every", "device", "threads", "storage"),
}
"""The fields of version 1, whatever has come since."""


def unversioned(without: set[str] = frozenset()) -> str:
    """The file as it was written before it had a version: the fields of its time, in their order."""
    named = FIRST_VERSION - without
    fields = {name: value for name, value in CONFIG.model_dump(mode="json").items() if name in named}
    return yaml.safe_dump(fields, sort_keys=False, allow_unicode=True)


def cuts(text: str) -> Iterator[int]:
    """Places to cut a text at: the ends of all lines and beside them, and others here and there."""
    ends = [found.end() for found in re.finditer("\n", text)]
    near = {place for end in ends for place in (end - 2, end - 1, end)} | set(range(0, len(text), 29))
    yield from sorted(place for place in near if 0 <= place < len(text))


@pytest.fixture
def file(tmp_path) -> Path:
    return tmp_path / "config.yaml"


RELEASES = [set(LATER) - {"whole", "proxy_batch"}, set(LATER) - {"whole"}, set(LATER), {"validation"}, set()]


def named(without: set[str] | None) -> str:
    """The same in every process, unlike the order of a set."""
    return "today" if without is None else " ".join(sorted(without)) or "all"


@pytest.mark.parametrize("without", [None, *RELEASES], ids=named)
def test_a_file_cut_short_anywhere_is_refused_or_says_the_same(file, without):
    if without is None:
        CONFIG.save(file)
    else:
        file.write_text(unversioned(without))
    text = file.read_text()
    whole = StudyConfig.create(read_study(file, StudyConfig), "file")
    for place in cuts(text):
        file.write_text(text[:place])
        if without is None and text[place:] == "\n":  # which says nothing
            assert StudyConfig.create(read_study(file, StudyConfig), "file") == whole
            continue
        with pytest.raises(UserError, match="put ") as refusal:
            read_study(file, StudyConfig)
        assert str(file) in str(refusal.value), text[:place]


@pytest.mark.parametrize("without", RELEASES, ids=named)
def test_a_file_without_a_version_has_what_its_time_took_for_granted(file, without):
    file.write_text(unversioned(without))
    expected = FORMER.model_copy(update={name: LATER[name] for name in without})
    assert StudyConfig.create(read_study(file, StudyConfig), "file") == expected
    assert FIRST_VERSION - without in UNVERSIONED
    assert len(UNVERSIONED) == len(RELEASES)


def test_a_file_that_cannot_be_told_from_a_torn_one_names_the_line_to_add(file):
    file.write_text(unversioned({"batches_of"}))
    with pytest.raises(UserError, match=r"add the line `batches_of: null` if the study was not made by `randsearch me"):
        read_study(file, StudyConfig)
    file.write_text(file.read_text() + "batches_of: null\n")
    assert StudyConfig.create(read_study(file, StudyConfig), "file") == FORMER.model_copy(update={"batches_of": None})


def test_what_says_nothing_new_is_written_as_the_version_wrote_it_that_goes_on_with_it(file):
    FORMER.save(file)
    written = yaml.safe_load(file.read_text())
    assert (written["version"], written.keys() - {"version", "end"}) == (1, FIRST_VERSION)
    assert as_copy(FORMER).keys() == written.keys() - {"storage", "end"}
    assert StudyConfig.create(read_study(file, StudyConfig), "file") == FORMER
    assert (
        StudyConfig.create({**from_copy(as_copy(FORMER), StudyConfig, "here"), "storage": FORMER.storage}, "") == FORMER
    )


def test_another_field_takes_another_version():
    """A file of an earlier one would lack it, and be refused as torn."""
    assert fields_of(StudyConfig, 1) == FIRST_VERSION
    assert fields_of(StudyConfig, VERSION) == set(StudyConfig.model_fields)


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [
        ("trials: 120\n", "", "is torn or damaged (its last options are missing): put it back from a copy"),
        ("end: true\n", "end: yes please\n", "is torn or damaged"),
        (f"version: {VERSION}\n", "version: 99\n", "was written by a later randsearch (version 99 of its fields)"),
        (f"version: {VERSION}\n", "version: [1]\n", "is torn or damaged"),
        (f"version: {VERSION}\n", "version: true\n", "is torn or damaged"),
        (f"version: {VERSION}\n", "trails: 3\nversion: 1\n", "trails is not a known option"),
        (f"version: {VERSION}\n", "", "end is not a known option"),
    ],
)
def test_what_is_no_whole_file_of_a_study(file, old, new, named):
    CONFIG.save(file)
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))
    with pytest.raises(UserError, match=re.escape(named)):
        StudyConfig.create(read_study(file, StudyConfig), "file")


def test_a_study_s_file_serves_as_options_while_it_is_whole_and_options_need_not_be_all(file):
    CONFIG.save(file)
    assert StudyConfig.create(load_options(file, StudyConfig), "file") == CONFIG
    file.write_text(file.read_text().removesuffix("end: true\n"))
    with pytest.raises(UserError, match="torn"):
        load_options(file, StudyConfig)
    file.write_text("trials: 3\n")
    assert load_options(file, StudyConfig) == {"trials": 3}


def test_it_outlives_a_loss_of_power(file, monkeypatch):
    kept, renamed = [], []
    fsync, replace = os.fsync, os.replace

    def note(handle: int) -> None:
        kept.append(Path(f"/proc/self/fd/{handle}").readlink())
        fsync(handle)

    monkeypatch.setattr(os, "fsync", note)
    monkeypatch.setattr(os, "replace", lambda *names, **at: renamed.append(len(kept)) or replace(*names, **at))
    CONFIG.save(file)
    assert [path.parent for path in kept] == [file.parent, file.parent.parent]
    assert kept[0].name.startswith(".config.yaml.")
    assert renamed == [1]  # after its content, and before its name


def test_a_copy_knows_what_it_is_too_old_to_have():
    option = Option(since=latest_version(StudyConfig) + 1, before=0.5)
    later = create_model("Later", __base__=StudyConfig, dropout=(Annotated[float, option], 0.1))
    copy = as_copy(CONFIG)
    assert from_copy(copy, later, "here")["dropout"] == 0.5
    assert from_copy({**copy, "version": latest_version(later), "dropout": 0.2}, later, "here")["dropout"] == 0.2
    assert "version" not in from_copy(copy, StudyConfig, "here")
    with pytest.raises(UserError, match="here was written by a later randsearch"):
        from_copy(as_copy(later(**CONFIG.model_dump())), StudyConfig, "here")
