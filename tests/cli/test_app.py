"""What must be true of the command line: quick help, dry runs without a trace, commands that do what they say."""

from __future__ import annotations

import json
import logging
import re
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from tiny import FINISHED, Answer

import randsearch as rs
from randsearch.api import load_study
from randsearch.running.demo import demo_options
from randsearch.running.driver import Driver
from randsearch.study.config import StudyConfig

COMMANDS = ["search", "train", "analyse", "analyze", "plot", "show", "demo"]


@pytest.fixture
def results(finished_study, tmp_path) -> Path:
    """The results folder of a copy of the finished study."""
    shutil.copytree(finished_study, tmp_path / "results" / "tiny")
    return tmp_path / "results"


def python(code: str, *arguments: object) -> str:
    """What a fresh interpreter prints."""
    command = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=120).stdout


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_helps(run_cli, command):
    answer = run_cli(command, "--help")
    assert (answer.code, answer.err) == (0, "")
    assert f"randsearch {command}" in answer.out
    assert "--results" in answer.out or command == "show"


def test_the_list_of_commands_says_each_in_a_whole_sentence(run_cli, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    short, long = (run_cli(*words) for words in (["-h"], ["--help"]))
    assert (short.code, short.out) == (0, long.out)
    listed = short.out.partition("Commands:\n")[2].splitlines()
    assert len(listed) > 15
    assert all(re.fullmatch(r"  [a-z-]+ +[A-Z].*\w\.", line) for line in listed)


def test_it_says_its_version_and_offers_completion(run_cli):
    assert run_cli("--version") == Answer(0, f"randsearch {rs.__version__}\n", "")
    assert "--install-completion" in run_cli("--help").out


def test_help_does_not_import_torch():
    code = """
import sys
from typer.testing import CliRunner
from randsearch.cli.app import app
for command in [], *([name] for name in sys.argv[1:]):
    assert CliRunner().invoke(app, [*command, "--help"]).exit_code == 0, command
print(sorted({"torch", "numpy", "pandas", "optuna", "matplotlib"} & set(sys.modules)))
"""
    assert python(code, *COMMANDS) == "[]\n"


def test_what_looks_at_studies_does_not_import_torch(results, tiny_space):
    code = """
import sys
from typer.testing import CliRunner
from randsearch.cli.app import app
results, space = sys.argv[1:]
def run(*command):
    answer = CliRunner().invoke(app, command)
    assert answer.exit_code == 0, answer.output
for command in (["list"], ["status", "tiny"], ["export-table", "tiny", "--out", results + "/t.csv"]):
    run(*command, "--results", results)
assert "scipy.stats" not in sys.modules
for command in (["analyse", "tiny"], ["plot", "tiny", "--kind", "rank_rank"]):
    run(*command, "--results", results)
run("show", space, "--segment", "256")
run("measures")
print("torch" in sys.modules)
"""
    (results / "tiny" / "study.db").unlink()  # not even where the database has to be rebuilt
    assert python(code, results, tiny_space) == "False\n"
    assert (results / "tiny" / "study.db").exists()


@pytest.mark.parametrize("command", ["analyse", "analyze"])
def test_analyse_prints_and_writes_the_agreement(run_cli, results, command):
    for name in ("agreement.csv", "agreement.json"):
        (results / "tiny" / name).unlink()
    answer = run_cli(command, "tiny", "--results", results)
    assert answer.code == 0
    assert "Agreement with trained" in answer.out
    table = pd.read_csv(results / "tiny" / "agreement.csv")
    assert set(table["proxy"]) == {"fixed_decoder", "early", "params"}
    assert set(table["n"]) == {4}
    assert len(json.loads((results / "tiny" / "agreement.json").read_text())["rows"]) == 3
    for proxy in table["proxy"]:
        assert proxy in answer.out


def test_details_and_votes_of_a_table(run_cli, tmp_path):
    rng = np.random.default_rng(0)
    truth, depth = rng.normal(size=40), np.repeat(["deep", "shallow"], 20)
    scores = {"depth": depth, "trained": truth, "a": truth + rng.normal(size=40), "b": truth + rng.normal(size=40)}
    pd.DataFrame(scores).to_csv(tmp_path / "scores.csv", index_label="architecture")
    asked = ("analyse", "--table", tmp_path / "scores.csv", "--proxy", "a", "--vote", "a+b", "--resamples", 50)
    short, long = run_cli(*asked), run_cli(*asked, "--details")
    assert short.code == long.code == 0
    assert "vote:a+b" in short.out
    assert "--details says more" in short.out
    headings = ("Among the good ones", "Of the first choices", "What would trusting it have lost?", "shallow")
    assert [heading for heading in headings if heading in short.out] == []
    assert [heading for heading in headings if heading not in long.out] == []
    assert long.out.startswith(short.out.split("Agreement with")[0])


def test_plot_writes_what_it_prints(run_cli, results):
    answer = run_cli("plot", "tiny", "--results", results, "--kind", "rank_rank", "--kind", "bump_chart")
    assert answer.code == 0
    written = [Path(line) for line in answer.out.splitlines() if not line.startswith("not drawn")]
    names = ["bump_chart.png", "bump_chart.svg", "rank_rank.png", "rank_rank.svg"]
    assert sorted(path.name for path in written) == names
    assert sorted(path.name for path in (results / "tiny" / "plots").iterdir()) == names


def test_show_counts_and_sizes_a_space(run_cli, tiny_space):
    answer = run_cli("show", tiny_space, "--segment", 256)
    assert answer.code == 0
    # 3 widths x 2 kernels x (2 subsets of one level + 4 of two)
    assert "36 valid architectures" in answer.out
    for word in ("first_filters", "skips", "smallest", "largest"):
        assert word in answer.out


def test_a_dry_run_writes_nothing_and_says_what_would_run(run_cli, tiny_search, tmp_path):
    answer = run_cli(*tiny_search(tmp_path / "results", trials=4, seeds=[0, 1], train="top:2"), "--dry-run")
    assert answer.code == 0
    assert not (tmp_path / "results").exists()
    assert "4 architectures by random from 36 valid ones" in answer.out
    assert "8 x fixed_decoder, 8 x early, 4 x params, 4 x trained" in answer.out
    assert "4 training and 1 validation tracks" in answer.out
    assert "hours" in answer.out
    assert "MB" in answer.out


def test_a_dry_run_on_a_study_leaves_it_alone(run_cli, tiny_search, results):
    def state() -> dict[Path, tuple[int, bytes]]:
        files = [file for file in results.rglob("*") if file.is_file()]
        return {file: (file.stat().st_mtime_ns, file.read_bytes()) for file in files}

    before = state()
    assert run_cli(*tiny_search(results, trials=9), "--dry-run").code == 0
    assert state() == before


def test_train_extends_a_study_from_its_name_alone(run_cli, tiny_search, tmp_path):
    assert run_cli(*tiny_search(tmp_path, trials=2, train="none")).code == 0
    assert not (tmp_path / "tiny" / "agreement.csv").exists()
    assert run_cli("train", "tiny", "--top", 1, "--results", tmp_path).code == 0
    assert (pd.read_csv(tmp_path / "tiny" / "measurements.csv")["measure"] == "trained").sum() == 1
    answer = run_cli("train", "tiny", "--all", "--results", tmp_path, "--verbose")
    assert " fixed_decoder seed 0" not in answer.err
    assert " trained seed 0: " in answer.err
    assert (pd.read_csv(tmp_path / "tiny" / "measurements.csv")["measure"] == "trained").sum() == 2
    assert answer.out.startswith("tiny: all 2 are trained\nwinner: ")
    again = run_cli("train", "tiny", "--all", "--results", tmp_path, "-q")
    assert again.out.startswith("tiny: all 2 are trained; nothing was left to do\n")
    assert again.err == ""


def test_a_search_ends_with_a_few_lines(run_cli, tiny_search, results):
    """The winner by the mean of its seeds, the cautious opening of the verdict, the files, and the next command."""
    answer = run_cli("-q", *tiny_search(results, **FINISHED))
    assert (answer.code, answer.err) == (0, "")
    lines = [part for line in answer.out.splitlines() for part in textwrap.wrap(line, 100)]
    assert len(lines) <= 12, answer.out
    table = pd.read_csv(results / "tiny" / "measurements.csv")
    trained = table[table["measure"] == "trained"]
    means = trained.groupby("architecture")["score"].mean()
    assert f"winner: {means.idxmax()}, {means.max():.2f} dB (trained, mean of 2 seeds), " in answer.out
    gain = means.max() - trained["baseline"].iloc[0]
    side = "above" if gain >= 0 else "below"
    assert f"{abs(gain):.2f} dB {side} the best constant gain" in answer.out
    params = table[(table["measure"] == "params") & (table["architecture"] == means.idxmax())]["score"].iloc[0]
    assert f"  {params:,.0f} parameters, " in answer.out
    assert f"trust: {load_study('tiny', results=results).agreement().verdict.opening}\n" in answer.out
    assert f"files: {results / 'tiny'} (" in answer.out
    assert f"next: randsearch analyse tiny --results {results}" in answer.out


def test_progress_and_notes_go_to_whoever_listens(run_cli, tiny_search, tmp_path, caplog):
    answer = run_cli(*tiny_search(tmp_path, trials=1, train="none"))
    assert "measurements" not in answer.out
    assert answer.err.splitlines()[-len(caplog.messages) :] == caplog.messages
    assert caplog.messages[-1].startswith("3/3 measurements  best fixed_decoder ")
    assert answer.out.splitlines()[0] == "tiny: 1 scored, none of them trained"
    assert answer.out.splitlines()[-1].startswith("next: randsearch train tiny --top 5 --results ")


def test_the_logger_is_as_it_was_when_a_command_is_done(run_cli):
    logger = logging.getLogger("randsearch")
    before = (logger.level, *logger.handlers)
    assert run_cli("list", "-v").code == 0
    assert (logger.level, *logger.handlers) == before
    assert any(isinstance(handler, logging.NullHandler) for handler in logger.handlers)


def test_a_configuration_file_and_the_saved_one_serve_as_options(run_cli, tiny_options, tiny_space, tmp_path):
    lines = [f"{name}: {json.dumps(value)}" for name, value in tiny_options.items()]
    (tmp_path / "study.yaml").write_text("\n".join([*lines, "train: none", "learning_rate: 2e-3"]))
    options = ("--config", tmp_path / "study.yaml", "--results", tmp_path / "results")
    assert run_cli("search", *options, "--trials", 2).code == 0  # an option overrules the file
    table = tmp_path / "results" / "tiny" / "measurements.csv"
    assert pd.read_csv(table)["architecture"].nunique() == 2
    before = table.read_bytes()
    saved = tmp_path / "results" / "tiny" / "config.yaml"
    assert "data_digest: null" not in saved.read_text()
    assert "sample_rate: 1000" in saved.read_text()
    answer = run_cli("search", "--config", saved, "--results", tmp_path / "results")
    assert (answer.code, answer.err) == (0, "")
    assert table.read_bytes() == before
    again = run_cli("search", "--config", saved, "--results", tmp_path / "elsewhere", "--study", "again")
    assert again.code == 0
    columns = ["architecture", "measure", "seed", "score"]
    copy = pd.read_csv(tmp_path / "elsewhere" / "again" / "measurements.csv")
    pd.testing.assert_frame_equal(copy[columns], pd.read_csv(table)[columns])


def test_interrupted_it_says_how_to_go_on(run_cli, tiny_search, tmp_path, monkeypatch):
    def interrupt(driver: Driver, **_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Driver, "run", interrupt)
    answer = run_cli(*tiny_search(tmp_path))
    assert (answer.code, answer.err) == (130, "randsearch: stopped; the same command continues where it stood.\n")


def test_the_demo_asks_for_what_a_study_takes():
    config = StudyConfig.create(demo_options(), "demo")
    assert (config.data, config.train, config.bias) == ("synthetic", "all", None)
    assert config.trials >= 12
