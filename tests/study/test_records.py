"""What must be true of trials that are read and written in bulk: Optuna reads and writes the same."""

from __future__ import annotations

import math
import sqlite3
from pathlib import Path

import optuna
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import FrozenTrial, TrialState, create_trial
from sqlalchemy import URL, MetaData, create_engine

from randsearch.study import patience, records
from randsearch.study import storage as storage_module
from randsearch.study.storage import PatientStorage, open_storage

DISTRIBUTIONS = {
    "levels": IntDistribution(1, 9, step=2),
    "filters": IntDistribution(1, 512, log=True),
    "rate": FloatDistribution(1e-5, 1.0, log=True),
    "skips.0": CategoricalDistribution((False, True)),
    "increment": CategoricalDistribution((0, 1)),  # equals the one above, and is not the same
    "output": CategoricalDistribution(("direct", "difference")),
}
PARAMS = {"levels": 3, "filters": 24, "rate": 0.1, "skips.0": True, "increment": 1, "output": "difference"}
CURVE = {3: math.inf, 1: 0.1 + 0.2, 2: -math.inf}
ATTRIBUTES = {"architecture": "abc", "baseline": None, "seconds": 0.1, "reason": 'é"\n'}


def trials() -> list[FrozenTrial]:
    return [
        create_trial(values=[0.1 + 0.2, math.inf], params=PARAMS, distributions=DISTRIBUTIONS, user_attrs=ATTRIBUTES),
        create_trial(state=TrialState.FAIL, user_attrs=ATTRIBUTES, system_attrs={"of Optuna": [1, {"a": 2}]}),
        create_trial(state=TrialState.RUNNING, params=PARAMS, distributions=DISTRIBUTIONS),
        create_trial(state=TrialState.PRUNED, values=[-math.inf, 0.0], intermediate_values=CURVE),
        create_trial(state=TrialState.WAITING),
    ]


def contents(found: list[FrozenTrial]) -> list[list[str]]:
    """All of trials but their ids, with the types of what is in them, in an order that Optuna does not promise."""
    return [[_text(name, value) for name, value in vars(t).items() if name != "_trial_id"] for t in found]


def _text(name: str, value: object) -> str:
    return f"{name}: {sorted(map(repr, value.items())) if isinstance(value, dict) else repr(value)}"


@pytest.fixture
def url(tmp_path) -> URL:
    return URL.create("sqlite", database=str(tmp_path / "study.db"))


@pytest.fixture
def opened(url, monkeypatch) -> PatientStorage:
    monkeypatch.setattr(patience, "_FIRST_PAUSE", 0.001)
    return open_storage(url)


def study(storage: PatientStorage | str, name: str = "study") -> optuna.Study:
    return optuna.create_study(
        storage=storage, study_name=name, directions=["maximize", "minimize"], load_if_exists=True
    )


def as_optuna_reads(url: URL, name: str = "study") -> list[FrozenTrial]:
    return optuna.load_study(study_name=name, storage=str(url)).trials


def test_optuna_reads_what_is_written_in_bulk(opened, url):
    ours = study(opened)
    with opened.late():
        ours.add_trials(trials())
        assert as_optuna_reads(url) == []
    assert contents(as_optuna_reads(url)) == contents(ours.trials)
    assert [trial.number for trial in ours.trials] == list(range(5))
    ours.tell(2, [1.0, 2.0])
    asked = ours.ask()  # the one that waited
    asked.suggest_categorical("output", ("direct", "difference"))
    asked.set_user_attr("architecture", "def")
    assert asked.number == 4
    assert contents(as_optuna_reads(url)) == contents(ours.trials)
    ours.tell(asked, [0.0, 1.0])
    assert contents(as_optuna_reads(url)) == contents(ours.trials) == contents(study(open_storage(url)).trials)


def test_what_optuna_writes_is_read_in_bulk(opened, url):
    theirs = study(str(url))
    theirs.add_trials(trials())
    study(str(url), "another").add_trials(trials())
    assert contents(study(opened).trials) == contents(theirs.trials)
    bare = opened.read_without_params(opened.get_study_id_from_name("study"))
    assert [(t.user_attrs, t.values, t.params) for t in bare] == [(t.user_attrs, t.values, {}) for t in theirs.trials]


def test_the_tables_are_optuna_s(opened, url):
    theirs = MetaData()
    theirs.reflect(create_engine(url))
    for name, table in records._METADATA.tables.items():
        assert set(table.c.keys()) == set(theirs.tables[name].c.keys())
        assert [column.name for column in table.primary_key] == [c.name for c in theirs.tables[name].primary_key]


@pytest.mark.parametrize("after", [False, True], ids=["before the commit", "after the commit"])
def test_trials_that_are_written_at_once_arrive_once_each(opened, url, after):
    ours, dialect = study(opened), opened.backend.engine.dialect
    ours.add_trial(create_trial(state=TrialState.RUNNING))
    commit, failures = dialect.do_commit, [True, True]

    def fail(connection) -> None:
        if after or not failures:
            commit(connection)
        if failures:
            failures.pop()
            raise sqlite3.OperationalError("database is locked")

    with opened.late():
        ours.tell(0, [1.0, 1.0])
        ours.add_trials(trials())
        dialect.do_commit = fail
    assert contents(as_optuna_reads(url)) == contents(ours.trials)
    assert len(ours.trials) == 6


def test_late_is_not_for_ever(opened, url, monkeypatch):
    ours = study(opened)
    with opened.late():
        ours.add_trial(trials()[0])
        assert as_optuna_reads(url) == []
        monkeypatch.setattr(storage_module, "LATE_SECONDS", 0.0)
        ours.add_trial(trials()[0])
        assert len(as_optuna_reads(url)) == 2


def test_a_killed_writer_loses_what_waited_and_no_part_of_a_trial(opened, url):
    ours = study(opened)
    ours.add_trial(trials()[0])
    with opened.late():
        ours.add_trials(trials()[:2])
        found = study(open_storage(url))  # as another process finds it meanwhile
        assert contents(found.trials) == contents(ours.trials[:1] if Path(url.database).exists() else [])
    assert len(as_optuna_reads(url)) == 3


def test_a_study_that_was_deleted_is_gone(opened):
    study(opened).add_trials(trials())
    optuna.delete_study(study_name="study", storage=opened)
    fresh = study(opened)
    assert fresh.trials == []
    fresh.add_trial(trials()[0])
    assert [trial.number for trial in fresh.trials] == [0]
