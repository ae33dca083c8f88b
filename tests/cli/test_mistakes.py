"""Bad input gives one clear sentence and exit code 1, or 2 for a mistake in the command line itself."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import needs
import numpy as np
import pytest
import soundfile
from filelock import FileLock
from tiny import RATE, SPACE, Answer, write_tracks

from randsearch.measures import MEASURES


def refused(answer: Answer, *named: object) -> None:
    """One sentence on stderr that names the things, no traceback, exit code 1."""
    sentences = [line for line in answer.err.splitlines() if line.startswith("randsearch: ")]
    assert answer.code == 1, answer
    assert len(sentences) == 1, answer.err
    assert answer.err.splitlines()[-1] == sentences[0]
    assert "Traceback" not in answer.err + answer.out
    for name in named:
        assert str(name) in sentences[0]


@pytest.fixture
def results(tmp_path) -> Path:
    return tmp_path / "results"


@pytest.fixture
def search(run_cli, tiny_search, results):
    def run(*extra: object, **changed: object) -> Answer:
        return run_cli(*tiny_search(results, **changed), *extra)

    return run


@pytest.fixture
def existing(finished_study, results) -> Path:
    """A copy of the finished study, in the results folder."""
    shutil.copytree(finished_study, results / "tiny")
    return results / "tiny"


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [
        ("first_filters", "first_filter", "first_filter"),
        ("int: [1, 2]", "int: [2, 1]", "levels"),
        ("int: [1, 2]", "ints: [1, 2]", "ints"),
        ("choices: [3, 5]", "choices: []", "encoder_kernel"),
        ("choices: [3, 5]", "choices: [3, 4]", "encoder_kernel"),
        ("parameters:", "parameter:", "parameter"),
        ("description: Tiny", "description: {Tiny", "YAML"),
    ],
)
def test_a_space_with_a_mistake(search, results, tmp_path, old, new, named):
    assert old in SPACE
    (tmp_path / "bad.yaml").write_text(SPACE.replace(old, new, 1))
    refused(search(space=tmp_path / "bad.yaml"), tmp_path / "bad.yaml", named)
    assert not results.exists()


def test_a_space_that_is_not_there(search, tmp_path, run_cli):
    refused(search(space=tmp_path / "gone.yaml"), tmp_path / "gone.yaml")
    refused(run_cli("show", tmp_path / "gone.yaml"), tmp_path / "gone.yaml")


def test_no_space_for_a_new_study(search, results):
    refused(search(space=None), "no study tiny", "give the space that it searches")
    assert not results.exists()


def test_a_network_too_deep_for_the_segment(search, results, tmp_path):
    (tmp_path / "deep.yaml").write_text(SPACE.replace("[1, 2]", "[9, 9]"))
    refused(search(space=tmp_path / "deep.yaml"), "a network of 9 levels is too deep for a segment of 256 samples")
    assert not results.exists()


@pytest.mark.parametrize(
    ("spec", "named"),
    [
        ("musdbhq:{}/nowhere", "nowhere"),
        ("musdbhq:{}", "no folder 'train'"),
        ("musdbhq:{}/empty", "has no tracks"),
        ("musdbhq:", "lacks a path"),
        ("vinyl:{}", "vinyl"),
        ("synthetic:one", "synthetic:one"),
    ],
)
def test_data_without_tracks(search, results, tmp_path, spec, named):
    (tmp_path / "empty" / "train").mkdir(parents=True)
    refused(search(data=spec.format(tmp_path)), named)
    assert not results.exists()


@pytest.mark.parametrize("option", ["--seed", "--seeds", "--train-seeds"])
@pytest.mark.parametrize("seed", [2**63, -1])
def test_a_seed_that_no_table_holds(search, results, option, seed):
    name = option[2:].replace("-", "_")
    refused(search(f"{option}={seed}"), name, seed, "a seed is a whole number from 0 to 2^63 - 1")
    assert not results.exists()


def test_a_seed_of_a_table_that_no_table_holds(run_cli, existing, results):
    refused(
        run_cli("export", "tiny", "--seed", 2**63, "--results", results), f"not trained at seed {2**63}: choose from"
    )
    table = existing / "measurements.csv"
    table.write_text(table.read_text().replace(",trained,1,", f",trained,{2**63},"))
    for command in ("analyse", "evaluate"):
        refused(run_cli(command, "tiny", "--results", results), table, "seed", 2**63, "from 0 to 2^63 - 1")


def damaged(root: Path, change) -> str:
    """A corpus of which one stem is changed."""
    file = write_tracks(root, 3) / "train" / "track 1" / "drums.wav"
    audio, rate = soundfile.read(file, dtype="float32")
    soundfile.write(file, change(audio), rate, subtype="FLOAT")
    return f"musdbhq:{root}"


def with_nan(audio: np.ndarray) -> np.ndarray:
    audio[1234] = np.nan
    return audio


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (lambda audio: audio[:-101], ("track 1", "differ in length", "drums 2899 samples")),
        (with_nan, ("track 1", "drums", "NaN")),
        (lambda audio: audio[:0], ("track 1", "drums.wav", "no samples")),
    ],
    ids=["stems of different lengths", "NaN", "empty"],
)
def test_stems_that_are_damaged(search, results, tmp_path, change, named):
    refused(search(data=damaged(tmp_path / "corpus", change)), *named)
    assert not results.exists()


def test_a_track_shorter_than_a_segment(search, results, tmp_path):
    data = f"musdbhq:{write_tracks(tmp_path / 'corpus', 3, samples=2 * RATE)}"
    refused(search(data=data, segment=2048), "track", "2000 samples", "segment of 2048")
    refused(search("--dry-run", data=data, segment=2048), "segment of 2048")
    assert not results.exists()


def test_tracks_without_a_second_to_score(search, results, tmp_path):
    data = f"musdbhq:{write_tracks(tmp_path / 'corpus', 3, samples=RATE - 1)}"
    refused(search(data=data), "no whole second")
    assert not (results / "tiny" / "config.yaml").exists()


def test_stems_that_are_copies_of_each_other(search, results, tmp_path):
    for vocals in write_tracks(tmp_path / "corpus", 3).rglob("vocals.wav"):
        stems = [soundfile.read(vocals.with_stem(stem), dtype="float32")[0] for stem in ("bass", "drums", "other")]
        soundfile.write(vocals, sum(stems), RATE, subtype="FLOAT")
    said = "accompaniment and vocals are nothing but the mixture at a constant gain"
    refused(search(data=f"musdbhq:{tmp_path / 'corpus'}"), "training tracks", "track 0, track 2", said)
    assert not (results / "tiny" / "config.yaml").exists()


def test_a_rate_or_channels_that_the_data_do_not_have(search):
    refused(search(sample_rate=8000), "8000 Hz were asked for", "1000 Hz")
    refused(search(channels=2), "mono", "--upmix-mono")


def test_missing_ffmpeg(search, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    refused(search(data=f"musdb:{tmp_path}"), "ffmpeg", "install")


@pytest.mark.parametrize("inside", ["", "deeper/still"])
def test_a_results_folder_that_is_a_file(run_cli, tiny_search, results, inside):
    results.write_text("in the way")
    refused(run_cli(*tiny_search(results / inside)), results / inside, "cannot be written", "--results")
    assert results.read_text() == "in the way"


@needs.processes
def test_a_results_folder_that_nobody_can_write(run_cli, tiny_search):
    refused(run_cli(*tiny_search(Path("/proc/results"))), "/proc/results", "cannot be written")


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"seed": 5}, "another seed (0 there, 5 here)"),
        ({"steps": 99}, "another steps (6 there, 99 here)"),
        ({"proxy": "early"}, "another proxy"),
        ({"learning_rate": 0.5}, "another learning_rate"),
        ({"task": "multi"}, "another task"),
        ({"threads": 2}, "another threads"),
    ],
)
def test_a_study_that_exists_with_another_configuration(search, existing, changed, named):
    before = {file: file.read_bytes() for file in existing.rglob("*") if file.is_file()}
    refused(search(**changed), "the study tiny exists with", named, "--study")
    assert {file: file.read_bytes() for file in existing.rglob("*") if file.is_file()} == before


def test_a_study_that_exists_with_another_space_or_other_data(search, existing, tiny_corpus, tmp_path):
    (tmp_path / "other.yaml").write_text(SPACE.replace("[2, 4]", "[2, 5]"))
    refused(search(space=tmp_path / "other.yaml"), "another space")
    refused(search(data=f"musdbhq:{write_tracks(tmp_path / 'corpus', 3)}"), "another data")
    config = existing / "config.yaml"
    lines = [line if "data_digest" not in line else "data_digest: changed" for line in config.read_text().splitlines()]
    config.write_text("\n".join(lines))
    refused(search(), "another content of its data")


@pytest.mark.parametrize("command", ["search", "train"])
def test_a_second_driver_on_the_same_study(search, run_cli, existing, results, command):
    with FileLock(existing / ".lock"):
        refused(
            search() if command == "search" else run_cli("train", "tiny", "--all", "--results", results),
            "another randsearch process is at work on the study tiny",
        )


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"measures": ["params", "guess"]}, "there is no measure guess"),
        ({"proxy": "guess"}, "there is no measure guess"),
        ({"proxy": "trained"}, "proxy"),
        ({"train": "top:0"}, "train"),
        ({"train": "best"}, "'best'"),
        ({"trials": 0}, "trials"),
        ({"trials": 37}, "holds 36 valid architectures and not 37"),
        ({"seeds": ["zero"]}, "'zero'"),
        ({"seeds": [-1]}, "options: seeds.0: a seed is a whole number from 0 to 2^63 - 1 (got '-1')."),
        ({"batch": 0}, "batch"),
        ({"segment": 8}, "segment"),
        ({"learning_rate": 2}, "learning_rate"),
        ({"channels": 3}, "channels"),
        ({"device": "abacus"}, "abacus"),
        ({"device": "cuda:99"}, "cuda:99"),
        ({"study": "a/b"}, "study"),
        ({"study": ".."}, "study"),
        ({"storage": "nonsense"}, "Optuna storage"),
    ],
)
def test_options_that_cannot_be(search, results, changed, named):
    refused(search(**changed), named)
    assert not (results / "tiny" / "study.db").exists()


@pytest.mark.parametrize("measure", MEASURES)
def test_an_unknown_measure_is_told_which_there_are(search, measure):
    refused(search(measures=["guess"]), measure)


@pytest.mark.parametrize(
    ("content", "named"),
    [
        ("trails: 3", "trails is not a known option"),
        ("trials: [", "not valid YAML"),
        ("- trials", "mapping"),
        ("trials: few", "'few'"),
        ("space: 5", "space"),
        ("study: [a]", "study"),
        ("workers: 2", "workers is not a known option"),
    ],
)
def test_a_configuration_file_with_a_mistake(run_cli, tiny_space, results, tmp_path, content, named):
    (tmp_path / "study.yaml").write_text(f"{content}\n")
    space = [] if "space" in content else [tiny_space]
    refused(run_cli("search", *space, "--config", tmp_path / "study.yaml", "--results", results), named)
    assert not results.exists()


def test_a_configuration_file_that_is_not_there(search, tmp_path):
    refused(search("--config", tmp_path / "gone.yaml"), tmp_path / "gone.yaml")


def test_a_corrupt_study_file(search, run_cli, existing, results):
    (existing / "study.db").write_bytes(b"this was a database once " * 100)
    table = (existing / "measurements.csv").read_bytes()
    refused(search(), existing / "study.db", "cannot be opened")
    refused(run_cli("analyse", "tiny", "--results", results), existing / "study.db", "cannot be opened")
    assert (existing / "measurements.csv").read_bytes() == table


def test_a_corrupt_table(run_cli, existing, results):
    (existing / "measurements.csv").write_text("architecture,measure\n1,2,3\n\n")
    for command in ("analyse", "plot"):
        refused(run_cli(command, "tiny", "--results", results), existing / "measurements.csv", "row 1")


def test_a_corrupt_configuration(search, run_cli, existing, results):
    config = existing / "config.yaml"
    config.write_text(config.read_text().replace("\ntrials: ", "\ntrials: some "))
    refused(search(), config, "'some ")
    for command in (["analyse"], ["plot"], ["train", "--all"]):
        refused(run_cli(*command, "tiny", "--results", results), config, "'some ")


@pytest.mark.parametrize("name", ["nobody", "../tiny", "", "."])
@pytest.mark.parametrize("command", [["analyse"], ["analyze"], ["plot"], ["train", "--all"]])
def test_an_unknown_study(run_cli, existing, results, command, name):
    refused(run_cli(*command, name, "--results", results), f"there is no study {name}")


def test_a_study_in_which_nothing_was_trained(search, run_cli, results):
    assert search(trials=1, train="none").code == 0
    for command in ("analyse", "plot"):
        refused(run_cli(command, "tiny", "--results", results), "trained")


def test_an_unknown_plot(run_cli, existing, results):
    refused(run_cli("plot", "tiny", "--kind", "pie", "--results", results), "pie")


@pytest.mark.parametrize(
    "arguments",
    [
        ["serach"],
        ["search", "--tirals", "3"],
        ["search", "--trials", "many"],
        ["search", "--trials"],
        ["search", "--sampler", "dice"],
        ["search", "--task", "drums"],
        ["search", "--workers", "0"],
        ["search", "one.yaml", "two.yaml"],
        ["train", "tiny"],
        ["train", "tiny", "--all", "--top", "2"],
        ["train", "tiny", "--top", "0"],
        ["analyse"],
        ["plot"],
        ["show"],
    ],
    ids=" ".join,
)
def test_usage_errors_of_the_command_line(run_cli, arguments):
    answer = run_cli(*arguments)
    assert answer.code == 2
    assert "Error: " in answer.err
    assert "Traceback" not in answer.err


@pytest.mark.parametrize(("mistake", "code"), [("space", 1), ("usage", 2)])
def test_as_a_program_it_leaves_one_sentence_and_its_exit_code(tmp_path, mistake, code):
    (tmp_path / "bad.yaml").write_text("parameters: {depth: 3}\n")
    arguments = ["search", str(tmp_path / "bad.yaml"), *(["--depth", "3"] if mistake == "usage" else [])]
    command = [sys.executable, "-m", "randsearch", *arguments]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=120, cwd=tmp_path, check=False)
    assert (ended.returncode, ended.stdout) == (code, "")
    if code == 1:
        assert len(ended.stderr.splitlines()) == 1
        assert ended.stderr.startswith(f"randsearch: {tmp_path / 'bad.yaml'}")
        assert "depth" in ended.stderr
    assert "Traceback" not in ended.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["bad.yaml"]
