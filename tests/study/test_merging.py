"""What must be true of studies that are joined: everything once, with its files, and a study like any other."""

from __future__ import annotations

import shutil
from pathlib import Path

import pandas as pd
import pytest
from filelock import FileLock
from tiny import Answer, without_times

from randsearch import plots
from randsearch.base.errors import UserError
from randsearch.plots import PLOTS
from randsearch.running import executors
from randsearch.study.config import StudyConfig
from randsearch.study.folders import load_config
from randsearch.study.merging import merged_config

KEY = ["architecture", "measure", "seed"]


@pytest.fixture
def results(finished_study, tmp_path) -> Path:
    """A root that holds a copy of the finished study."""
    shutil.copytree(finished_study, tmp_path / "here" / "tiny")
    return tmp_path / "here"


@pytest.fixture
def merge(run_cli, results):
    def run(*words: object) -> Answer:
        return run_cli("merge", *words, "--results", results)

    return run


def rows(folder: Path) -> pd.DataFrame:
    return without_times(folder / "measurements.csv")


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def refused(answer: Answer, *named: str) -> None:
    assert (answer.code, answer.err.count("\n")) == (1, 1), answer
    for name in named:
        assert name in answer.err


def test_studies_of_two_places_become_one_that_goes_on(run_cli, tiny_search, merge, results, tmp_path, monkeypatch):
    there = tmp_path / "there"
    # Other architectures of the same space, one of them not trained yet, and one seed of the two.
    assert run_cli(*tiny_search(there, trials=5, seed=1, train="top:3")).code == 0
    ours, theirs = rows(results / "tiny"), rows(there / "tiny")
    before = files(results / "tiny"), files(there / "tiny")
    answer = merge("tiny", there / "tiny", "--into", "both")
    assert answer.code == 0, answer.err
    assert {name: content for name, content in files(results / "tiny").items() if name != ".lock"} == {
        name: content for name, content in before[0].items() if name != ".lock"
    }
    assert files(there / "tiny") == before[1]

    both = rows(results / "both")
    expected = pd.concat([ours, theirs]).drop_duplicates(KEY)
    pd.testing.assert_frame_equal(
        both.sort_values(KEY, ignore_index=True), expected.sort_values(KEY, ignore_index=True), check_like=True
    )
    shared = len(set(ours["architecture"]) & set(theirs["architecture"]))
    assert 0 < shared < 4  # 5 of 36 at another seed: some are drawn by both
    assert f"{9 - shared} architectures (4 of tiny, {5 - shared} of {there / 'tiny'})" in answer.out
    twice = len(ours.merge(theirs, on=KEY))
    assert f"{twice} measurements were there more than once with the same score" in answer.out
    assert "0 were there with different scores" in answer.out

    config = load_config(results / "both")
    assert (config.study, config.trials, config.seeds, config.batch_name) == ("both", 9 - shared, (0, 1), "tiny")
    assert "only the best 3" in str(config.bias)
    measured = results / "both" / "measured"
    for row in both.itertuples():
        home = f"{row.architecture}/{row.measure}-{row.seed}"
        origin = results if (results / "tiny" / "measured" / home).exists() else there
        if (origin / "tiny" / "measured" / home).exists():
            assert files(measured / home) == files(origin / "tiny" / "measured" / home)
    assert files(measured / "reference") == files(results / "tiny" / "measured" / "reference")

    monkeypatch.setattr(plots, "PLOTS", {"claim3": PLOTS["claim3"]})  # drawing takes most of a report's time
    for command in ("report", "status"):
        assert run_cli(command, "both", "--results", results).code == 0
    again = run_cli("search", "--study", "both", "--results", results, "--train", "all")
    assert again.code == 0, again.err
    grown = rows(results / "both")
    assert len(grown) == (9 - shared) * 7
    kept = grown.set_index(KEY).loc[list(both.set_index(KEY).index)].reset_index()
    pd.testing.assert_frame_equal(kept[both.columns], both)
    monkeypatch.setattr(executors, "measure", None)
    (results / "both" / "study.db").unlink()
    assert run_cli("search", "--study", "both", "--results", results).code == 0
    pd.testing.assert_frame_equal(rows(results / "both"), grown)


def test_different_scores_keep_the_first_and_are_counted(merge, results, run_cli, tmp_path):
    shutil.copytree(results / "tiny", tmp_path / "there" / "tiny")
    table = tmp_path / "there" / "tiny" / "measurements.csv"
    (table.parent / "study.db").unlink()
    found = pd.read_csv(table, dtype=str, keep_default_na=False)
    victims = found.index[found["measure"] == "early"][:2]
    found.loc[victims[0], "score"] = "1.5"
    found.loc[victims[1], ["score", "state", "reason"]] = ["", "failed", "it was late"]
    table.write_text(found.to_csv(index=False) + "\n")
    answer = merge("tiny", table.parent, "--into", "both")
    assert answer.code == 0, answer.err
    assert "26 measurements were there more than once with the same score" in answer.out
    assert "2 were there with different scores, of which the first was kept" in answer.out
    assert f"early of {found['architecture'][victims[0]]} at seed {found['seed'][victims[0]]}" in answer.out
    pd.testing.assert_frame_equal(rows(results / "both"), rows(results / "tiny"))


def changed(results: Path, name: str, old: str, new: str) -> Path:
    """A copy of the study with another option."""
    shutil.copytree(results / "tiny", results / name)
    config = results / name / "config.yaml"
    text = config.read_text()
    assert old in text
    config.write_text(text.replace(old, new, 1))
    return results / name


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [
        ("\nsteps: 6", "\nsteps: 7", "differ in steps (6 and 7), which changes the numbers"),
        ("threads: 1", "threads: 2", "differ in threads (1 and 2)"),
        ("device: cpu", "device: cuda:0", "differ in device ('cpu' and 'cuda:0')"),
        ("data_digest: ", "data_digest: x", "differ in the content of their data"),
        ("description: Tiny", "description: Small", "differ in space"),
        ("sampler: random", "sampler: tpe", "differ in sampler"),
    ],
)
def test_what_changes_numbers_must_be_equal(merge, results, old, new, named):
    changed(results, "other", old, new)
    refused(merge("tiny", "other", "--into", "both"), named)
    assert sorted(path.name for path in results.iterdir()) == ["other", "tiny"]


def config(**options: object) -> StudyConfig:
    return StudyConfig(**{"study": "one", "space": {}, "data_digest": "d", "measures": (), **options})


def test_the_place_changes_no_number():
    merged = merged_config(
        [
            config(device="cuda:0", data="musdbhq:/a"),
            config(device="cuda:1", data="musdbhq:/b", seed=9, storage="sqlite://"),
        ],
        ["one", "two"],
        "both",
    )
    assert (merged.data, merged.device, merged.seed, merged.storage) == ("musdbhq:/a", "cuda:0", 0, None)


def test_batches_that_derive_from_different_names_are_no_one_measure():
    pair = [config(measures=("nwot",)), config(study="two", measures=("nwot",))]
    with pytest.raises(UserError, match="nwot may score on batches that derive from a study's name, and those are one"):
        merged_config(pair, ["one", "two"], "both")
    merged = merged_config([pair[0], pair[0]], ["one", "other/one"], "both")
    assert merged.batch_name == "one"
    assert merged_config([merged, pair[0]], ["both", "one"], "one").batches_of is None
    assert merged_config([config(), config(study="two", measures=("params",))], ["one", "two"], "both")


@pytest.mark.parametrize(
    ("trained", "said"),
    [
        (("none", "none"), "none"),
        (("none", "all"), "all"),
        (("top:2", "all"), "top:2"),
        (("top:2", "top:5"), "top:5"),
        (("top:2", "asha"), "asha"),
        (("all", "halving"), "halving"),
    ],
)
def test_a_biased_choice_stays_marked(trained, said):
    assert merged_config([config(train=train) for train in trained], ["one", "two"], "both").train == said


def test_what_cannot_be_merged(merge, results):
    refused(merge("tiny", "tiny", "--into", "tiny"), "exists already")
    refused(merge("tiny", results / "tiny", "--into", "both"), "is named twice")
    refused(merge("tiny", "nobody", "--into", "both"), "there is no study nobody")
    refused(merge("tiny", "tiny", "--into", "../both"), "cannot be the name of a study")
    refused(merge("tiny", "tiny", "--into", "-"), "study")
    assert merge("tiny", "--into", "both").code == 2
    shutil.copytree(results / "tiny", results / "other")
    with FileLock(results / "other" / ".lock"):
        refused(merge("tiny", "other", "--into", "both"), "at work on the study other")
    (results / "other" / "study.db").unlink()
    (results / "other" / "measurements.csv").unlink()
    refused(merge("tiny", "other", "--into", "both"), "nothing was measured")
    assert sorted(path.name for path in results.iterdir()) == ["other", "tiny"]


def test_links_in_somebody_s_study_are_not_followed(merge, results, tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("mine")
    homes = sorted((results / "tiny" / "measured").glob("*/trained-0"))
    (homes[0] / "weights.safetensors").unlink()
    (homes[0] / "weights.safetensors").symlink_to(secret)
    shutil.rmtree(homes[1])
    homes[1].symlink_to(tmp_path)
    shutil.copytree(results / "tiny", tmp_path / "other", symlinks=True)
    assert merge("tiny", tmp_path / "other", "--into", "both").code == 0
    copied = results / "both" / "measured"
    assert not any(b"mine" in content for content in files(copied).values())
    assert not any(path.is_symlink() for path in copied.rglob("*"))
    assert not (copied / homes[1].parent.name / "trained-0").exists()
