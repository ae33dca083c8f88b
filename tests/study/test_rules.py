"""A study of other rules is read like any; to continue it, or to use its weights, takes the version that is named."""

from __future__ import annotations

import shutil
import tomllib
from pathlib import Path

import pytest
import yaml
from tiny import FINISHED, Answer

import randsearch as rs
from randsearch import plots
from randsearch.plots import PLOTS
from randsearch.running.machine import Machine
from randsearch.running.session import resolve
from randsearch.study.config import StudyConfig
from randsearch.study.config_file import load_options
from randsearch.study.folders import load_config
from randsearch.study.options import fields_of
from randsearch.study.rules import RULES, VERSIONS

INSTALL = 'install that version with `pip install "randsearch==0.1.*"` to '

CONTINUING = (
    "the study tiny was made by the rules of randsearch 0.1 and would mix scores of two kinds if it went on: "
    f"{INSTALL}continue it, or start another --study."
)

WEIGHTS = (
    "the study tiny was made by the rules of randsearch 0.1, whose networks may compute otherwise than those of "
    f"this version: {INSTALL}use its weights."
)


def as_first(config: Path) -> None:
    """Writes a study's configuration as the version did that had the first rules."""
    named = {"version", "end", *fields_of(StudyConfig, 1)}
    fields = {name: value for name, value in yaml.safe_load(config.read_text()).items() if name in named}
    config.write_text(yaml.safe_dump({**fields, "version": 1}, sort_keys=False))


@pytest.fixture
def results(finished_study, tmp_path) -> Path:
    """A root that holds the finished study as if it had been made by the first rules."""
    shutil.copytree(finished_study, tmp_path / "tiny")
    as_first(tmp_path / "tiny" / "config.yaml")
    return tmp_path


@pytest.fixture
def run(run_cli, results):
    """Runs a command on those results."""

    def run(*words: object) -> Answer:
        return run_cli(*words, "--results", results)

    return run


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def refused(answer: Answer, sentence: str) -> None:
    assert (answer.code, answer.err) == (1, f"randsearch: {sentence}\n")


def test_the_rules_of_this_version_are_those_of_the_package():
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]
    assert project["version"] == rs.__version__
    assert StudyConfig(space={}).rules == RULES

    def order(version: str) -> list[int]:
        return [int(part) for part in version.split(".")]

    assert order(VERSIONS[RULES]) <= order(rs.__version__)
    assert sorted(VERSIONS.values(), key=order) == [VERSIONS[rules] for rules in sorted(VERSIONS)]


def test_a_study_of_former_rules_is_read_and_stays_one_that_its_version_goes_on_with(run, results, monkeypatch):
    monkeypatch.setattr(plots, "PLOTS", {"claim3": PLOTS["claim3"]})  # drawing takes most of a report's time
    before = (results / "tiny" / "config.yaml").read_bytes()
    shutil.copytree(results / "tiny", results / "new")
    load_config(results / "tiny").model_copy(update={"study": "new", "rules": RULES}).save(
        results / "new" / "config.yaml"
    )
    said = {}
    for words in (
        *(("status", "tiny"), ("analyse", "tiny", "--resamples", 50), ("plot", "tiny", "--kind", "claim3")),
        *(("report", "tiny"), ("export-table", "tiny"), ("compare", "tiny", "new")),
    ):
        answer = run(*words)
        assert answer.code == 0, answer.err
        said[words[0]] = answer.out
    assert (results / "tiny" / "config.yaml").read_bytes() == before
    line = f"made by the rules of randsearch 0.1: {INSTALL}continue it or to use its weights"
    assert said["status"].count(line) == 1
    assert "tiny was made by the rules of randsearch 0.1 and new by those of randsearch 0.2" in said["compare"]
    told = line.replace('"', "&#34;")
    assert (results / "tiny" / "report.html").read_text().count(f"This study was {told}.") == 1

    assert run("list").code == 0
    assert "made by" not in run("status", "new").out


@pytest.mark.parametrize("words", [["search"], ["search", "--trials", 9], ["search", "--seeds", 7], ["train", "--all"]])
def test_a_study_of_former_rules_does_not_go_on(run, results, words):
    before = files(results)
    command, *options = words
    refused(run(command, *(["--study"] if command == "search" else []), "tiny", *options), CONTINUING)
    assert files(results) == before


def test_nor_does_it_where_its_configuration_is_gone(run_cli, tiny_search, results):
    study = results / "tiny"
    assert run_cli("analyse", "tiny", "--resamples", 50, "--results", results).code == 0  # brings the copy up to date
    (study / "config.yaml").unlink()
    refused(run_cli(*tiny_search(results, **FINISHED)), CONTINUING)
    assert not (study / "config.yaml").exists()


def test_weights_of_former_rules_are_not_used(run, results):
    before = files(results)
    for words in (["evaluate", "tiny"], ["separate", "tiny", results / "song.wav"], ["export", "tiny"]):
        refused(run(*words), WEIGHTS)
    study = rs.load_study("tiny", results=results)
    for use in (study.network, study.evaluate, study.export):
        with pytest.raises(rs.UserError) as refusal:
            use()
        assert str(refusal.value) == WEIGHTS
    with pytest.raises(rs.UserError) as refusal:
        study.train("all")
    assert str(refusal.value) == CONTINUING
    assert files(results) == before


def test_later_rules_take_a_later_version(run, results, finished_study):
    config = results / "tiny" / "config.yaml"
    text = (finished_study / "config.yaml").read_text()
    config.write_text(text.replace(f"\nrules: {RULES}\n", f"\nrules: {RULES + 1}\n"))
    install = "install the latest version with `pip install --upgrade randsearch` to"
    assert f"made by the rules of a later randsearch: {install} continue it" in run("status", "tiny").out
    assert f"{install} continue it, or start another --study." in run("search", "--study", "tiny").err
    assert f"{install} use its weights." in run("export", "tiny").err


def test_another_study_takes_the_options_and_not_the_rules(run, results):
    config = results / "tiny" / "config.yaml"
    answer = run("search", "--config", config, "--study", "other", "--dry-run")
    assert answer.code == 0, answer.err
    assert "note: the options are those of a study by the rules of randsearch 0.1; this one goes by" in answer.err
    options = load_options(config, StudyConfig)
    assert options["rules"] == 1
    made, _ = resolve({**options, "study": "other"}, Machine(results))
    assert made.rules == RULES


def test_studies_of_the_same_rules_alone_are_merged(run, results):
    for name in ("copy", "new"):
        shutil.copytree(results / "tiny", results / name)
    config = load_config(results / "new")
    config.model_copy(update={"rules": RULES}).save(results / "new" / "config.yaml")
    answer = run("merge", "tiny", "new", "--into", "both")
    assert answer.code == 1
    assert "differ in rules (randsearch 0.1 and randsearch 0.2), which changes the numbers." in answer.err

    answer = run("merge", "tiny", "copy", "--into", "both")
    assert answer.code == 0, answer.err
    assert f"both was made by the rules of randsearch 0.1: {INSTALL}continue it or to use its weights; " in answer.out
    assert "go on with it" not in answer.out
    written = yaml.safe_load((results / "both" / "config.yaml").read_text())
    assert (written["version"], "rules" in written) == (1, False)
    refused(run("search", "--study", "both"), CONTINUING.replace("tiny", "both"))
