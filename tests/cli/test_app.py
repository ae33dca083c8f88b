"""What must be true of the command line: quick help, dry runs without a trace, commands that do what they say."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from randsearch.base.processes import workers_for
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


def test_analysing_plotting_and_showing_do_not_import_torch(results, tiny_space):
    code = """
import sys
from typer.testing import CliRunner
from randsearch.cli.app import app
results, space = sys.argv[1:]
for command in (["analyse", "tiny"], ["plot", "tiny", "--kind", "rank_rank"]):
    answer = CliRunner().invoke(app, [*command, "--results", results])
    assert answer.exit_code == 0, answer.output
assert CliRunner().invoke(app, ["show", space, "--segment", "256"]).exit_code == 0
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


def test_plot_writes_what_it_prints(run_cli, results):
    answer = run_cli("plot", "tiny", "--results", results, "--kind", "rank_rank", "--kind", "bump_chart")
    assert answer.code == 0
    written = [Path(line) for line in answer.out.splitlines() if not line.startswith("left out")]
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


def test_one_worker_a_core_and_one_on_a_gpu(monkeypatch):
    monkeypatch.setattr("os.cpu_count", lambda: 6)
    assert workers_for(None, None) == workers_for(None, "cpu") == 6
    assert workers_for(None, "cuda:1") == 1
    assert workers_for(3, "cuda") == workers_for(3, None) == 3


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
    answer = run_cli("train", "tiny", "--all", "--results", tmp_path)
    assert (pd.read_csv(tmp_path / "tiny" / "measurements.csv")["measure"] == "trained").sum() == 2
    assert "Agreement with trained" in answer.out


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
