"""Networks that are trained on: they go on to the bit, lie side by side, and are what is used where they are best."""

from __future__ import annotations

import json
import re
import shutil
import signal
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest
import soundfile
import torch
from safetensors.torch import load_file, save_file
from tiny import RATE, write_tracks

import randsearch as rs
from randsearch.base.layout import StudyFolder
from randsearch.data import open_dataset
from randsearch.finalists import evaluation, export, finishing
from randsearch.finalists.winner import best, best_searched, find
from randsearch.report import build
from randsearch.study.finishes import held, read_finished
from randsearch.study.folders import load_config
from randsearch.study.rules import RULES
from randsearch.study.status import describe
from randsearch.training import checkpoints, loop
from randsearch.training.loop import DivergedError, take_step

STEPS = 8
OPTIONS = {"steps": STEPS, "validate_every": 2, "batch": 2, "ema": 0.5, "progress": False}
FILES = ("weights.safetensors", "segments.csv", "excerpt-1-vocals.flac")


@pytest.fixture
def study(finished_study, tmp_path) -> rs.Study:
    """A copy of the finished study, to write into."""
    return rs.load_study(shutil.copytree(finished_study, tmp_path / "results" / "tiny"))


@pytest.fixture(scope="module")
def finished(finished_study, tmp_path_factory) -> Path:
    """The study with a finish `whole`; not to be changed."""
    folder = shutil.copytree(finished_study, tmp_path_factory.mktemp("results") / "tiny")
    rs.load_study(folder).finish(name="whole", learning_rate=3e-3, **OPTIONS)
    return Path(folder)


def home(folder: Path, name: str) -> Path:
    (network,) = read_finished(folder, name)
    return network.home


def curve(folder: Path, name: str) -> pd.DataFrame:
    return pd.read_csv(home(folder, name) / "curve.csv").drop(columns="time")


def same(folder: Path, name: str, other: Path, known: str) -> bool:
    pd.testing.assert_frame_equal(curve(folder, name), curve(other, known))
    return all((home(folder, name) / file).read_bytes() == (home(other, known) / file).read_bytes() for file in FILES)


def test_a_finish_goes_on_from_the_best_weights_and_keeps_its_own_best(finished):
    network = best_searched(finished, 1)[0]
    (found,) = read_finished(finished, "whole")
    assert (found.architecture, found.seed, found.state) == (network.architecture.hash, network.seed, "finished")
    rows = curve(finished, "whole")
    assert rows["step"].tolist() == [2, 4, 6, 8]
    assert rows["score"].iloc[0] > network.score - 1.0  # it begins where the search left it
    assert rows["learning_rate"].iloc[-1] < rows["learning_rate"].max() / 2  # a cosine
    table = rs.load_study(finished).finishes("whole")
    assert table.loc[0, "score"] == rows["score"].max()
    assert table.loc[0, "over_searched_db"] == pytest.approx(rows["score"].max() - network.score)
    trained = pd.read_csv(finished / "measurements.csv").query("measure == 'trained'")
    assert table.loc[0, "over_gain_db"] == pytest.approx(rows["score"].max() - trained["baseline"].iloc[0])


@pytest.mark.parametrize("stopped", [3, 5])
def test_one_that_was_stopped_goes_on_to_the_bit(study, finished, monkeypatch, capsys, stopped):
    taken = []

    def interrupted(*arguments, **more):
        taken.append(1)
        if len(taken) == stopped:
            signal.raise_signal(signal.SIGINT)
        return take_step(*arguments, **more)

    with monkeypatch.context() as patch:
        patch.setattr(loop, "take_step", interrupted)
        with pytest.raises(KeyboardInterrupt):
            study.finish(name="whole", learning_rate=3e-3, **OPTIONS)
    (left,) = read_finished(study.folder, "whole")
    assert (left.state, left.steps) == ("unfinished", stopped // 2 * 2)
    capsys.readouterr()
    study.finish(name="whole")
    assert f"it goes on at step {stopped}\n" in capsys.readouterr().out
    assert same(study.folder, "whole", finished, "whole")
    assert not list(home(study.folder, "whole").glob("checkpoint*"))


class Killed(BaseException):
    """What no part of a training expects."""


def test_one_that_was_killed_goes_on_to_the_bit_from_its_last_checkpoint(study, finished, monkeypatch):
    def killed(*arguments, **more):
        killed.steps += 1
        if killed.steps == 6:
            raise Killed
        return take_step(*arguments, **more)

    killed.steps = 0
    with monkeypatch.context() as patch:
        patch.setattr(checkpoints.Checkpoint, "due", lambda _: killed.steps == 4)
        patch.setattr(loop, "take_step", killed)
        with pytest.raises(Killed):
            study.finish(name="whole", learning_rate=3e-3, **OPTIONS)
    assert read_finished(study.folder, "whole")[0].steps == 4
    assert best(study.folder, 1, "whole")[0].step in (2, 4)  # what there is can be used
    onward = f"go on with its finish: randsearch finish tiny --as whole --results {study.folder.parent}"
    assert onward in list(describe(study.status()))
    events = (home(study.folder, "whole") / "tensorboard").iterdir()
    before = next(events).read_bytes()
    study.finish(name="whole", progress=False)
    assert same(study.folder, "whole", finished, "whole")
    (events,) = (home(study.folder, "whole") / "tensorboard").iterdir()
    assert events.read_bytes().startswith(before)
    assert len(events.read_bytes()) > len(before)


def test_more_steps_are_a_part_with_a_schedule_of_its_own_from_the_best_weights(finished, tmp_path, run_cli):
    folder = shutil.copytree(finished, tmp_path / "results" / "tiny")
    where = ("--results", folder.parent)
    answer = run_cli("finish", "tiny", "--as", "whole", "--steps", 12, *where)
    assert answer.code == 0, answer.err
    assert "12 steps instead of 8; what is added is a part with a schedule (cosine) of its own" in answer.err
    first = find(finished, None, None, "whole")
    assert f"from the best weights so far (step {first.step}, {first.score:.2f} dB)" in answer.err
    rows = curve(folder, "whole")
    pd.testing.assert_frame_equal(rows[rows["part"] == 0], curve(finished, "whole"))
    assert rows.loc[rows["part"] == 1, "step"].tolist() == [10, 12]
    rates = rows.loc[rows["part"] == 1, "learning_rate"].tolist()
    assert rates[0] > 2 * rates[1]
    found = find(folder, None, None, "whole")
    assert found.score == rows["score"].max()
    weights = [load_file(each.home / "weights.safetensors") for each in (first, found)]
    unchanged = all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])
    assert unchanged == (found.step == first.step)


def test_a_part_that_was_stopped_goes_on_to_the_bit(finished, tmp_path, monkeypatch):
    whole, stopped = (rs.load_study(shutil.copytree(finished, tmp_path / name / "tiny")) for name in "ab")
    whole.finish(name="whole", steps=12, progress=False)

    def interrupted(*arguments, **more):
        signal.raise_signal(signal.SIGINT)
        return take_step(*arguments, **more)

    with monkeypatch.context() as patch:
        patch.setattr(loop, "take_step", interrupted)
        with pytest.raises(KeyboardInterrupt):
            stopped.finish(name="whole", steps=12, progress=False)
    assert read_finished(stopped.folder)[0].steps == 8
    stopped.finish(name="whole", steps=12, progress=False)
    assert same(stopped.folder, "whole", whole.folder, "whole")


def test_patience_ends_a_finish_and_its_state_says_so(study, run_cli):
    standing = {**OPTIONS, "learning_rate": 1e-30, "ema": 0.0, "steps": 20}
    found = study.finish(name="idle", patience=2, schedule="constant", **standing)
    # The first validation is the best there will be: no step changes a weight.
    assert found.loc[0, ["steps", "planned", "state"]].tolist() == [6, 20, "finished"]
    assert found.loc[0, "over_searched_db"] == pytest.approx(0, abs=1e-9)
    answer = run_cli("status", "tiny", "--results", study.folder.parent)
    assert "6 of 20" in answer.out
    assert "finished early: patience ran out" in answer.out


def test_finishes_lie_side_by_side_and_the_best_there_is_is_used(finished, tmp_path, run_cli, monkeypatch):
    monkeypatch.setattr(export, "_program", lambda *_: b"")  # which takes its time, and is tested elsewhere
    folder = shutil.copytree(finished, tmp_path / "results" / "tiny")
    where = ("--results", folder.parent)
    jnet = ("--schedule", "jnet", "--steps", 2, "--from-scratch", "--threads", 1, "--clip", "none", "--no-compiled")
    answer = run_cli("finish", "tiny", "--as", "new", "--top", 2, *jnet, *where)
    assert answer.code == 0, answer.err
    assert "from new weights" in answer.err
    assert "learning rate 0.0001, batch 16" in answer.err
    assert "patience 20" in answer.err
    assert "randsearch evaluate tiny --finish new" in answer.out
    networks = [each.network for each in best_searched(folder, 2)]
    found = read_finished(folder)
    assert [(each.finish, f"{each.architecture}-{each.seed}") for each in found] == [
        *(("new", network) for network in networks),
        ("whole", networks[0]),
    ]
    known = [*((each.architecture, each.best.score) for each in found)]
    known += [(each.architecture.hash, each.score) for each in best_searched(folder, 4)]
    for each in best(folder, 4):
        assert each.score == max(score for name, score in known if name == each.architecture.hash)
    assert {each.finish for each in best(folder, 4)} == {"whole", None}  # what is new has gained nothing
    assert {each.finish for each in best(folder, 2, "new")} == {"new"}
    study = rs.load_study(folder)
    chosen, kept = study.network(networks[0][:12]).state_dict(), load_file(home(folder, "whole") / FILES[0])
    assert all(torch.equal(chosen[name], kept[name]) for name in kept)
    song = tmp_path / "song.wav"
    soundfile.write(song, [[0.1, 0.2]] * 500, RATE)
    named = {"architecture": networks[0][:12]}
    stems = [
        study.separate(song, output=tmp_path / str(name), finish=name, **named)[0] for name in (None, "whole", "new")
    ]
    heard = [path.read_bytes() for path in stems]
    assert heard[0] == heard[1] != heard[2]
    answer = run_cli("export", "tiny", "--finish", "new", "--output", tmp_path / "exported", *where)
    assert answer.code == 0, answer.err
    assert "finish: new" in (tmp_path / "exported" / "network.yaml").read_text()


def test_a_finish_is_evaluated_under_a_name_of_its_own(finished, tmp_path, monkeypatch, run_cli):
    """So that scores of what is trained on further are not taken for those of before."""
    folder = shutil.copytree(finished, tmp_path / "results" / "tiny")
    frames = [{"metrics": {"SDR": 1.0}}]
    scores = {"targets": [{"name": name, "frames": frames} for name in ("accompaniment", "vocals")]}
    monkeypatch.setattr(evaluation, "require_museval", lambda: None)
    monkeypatch.setattr(evaluation, "score_track", lambda *_: json.dumps(scores))
    monkeypatch.setattr(evaluation, "open_test", lambda data, *_, **__: open_dataset(data).validation)
    words = ("evaluate", "tiny", "--finish", "whole", "--workers", 1, "--results", folder.parent)
    answer = run_cli(*words)
    assert answer.code == 0, answer.err
    network = find(folder, None, None, "whole")
    assert f"{network.network}-whole" in answer.out
    (scored,) = (folder / "evaluation").iterdir()
    assert scored.name.startswith(f"{network.name}-")
    scores["targets"][0]["frames"] = [{"metrics": {"SDR": 2.0}}]
    weights = network.home / "weights.safetensors"
    save_file(load_file(weights), weights, metadata={"made": "anew"})
    run_cli(*words)
    assert pd.read_csv(folder / "evaluation.csv")["median"].tolist() == [2.0, 1.0]
    assert set(pd.read_csv(folder / "evaluation.csv")["finish"]) == {"whole"}


def test_data_of_the_same_kind_may_come_from_elsewhere(study, tmp_path, tiny_corpus, monkeypatch, capsys):
    """A song that the study is validated or tested on is no song to train on, whatever else it lies with."""
    corpus = write_tracks(tmp_path / "more", 6)
    for number, path in enumerate(sorted((tiny_corpus / "train").iterdir())):
        shutil.rmtree(corpus / "train" / path.name)
        shutil.copytree(path, corpus / "train" / f"song {number}")
    (corpus / "train" / "track 5").rename(corpus / "train" / "song 5")
    monkeypatch.setattr(finishing, "list_test", lambda *_, **__: {Path("of another rate"): "song 1 (2)"})
    study.finish(name="more", data=f"musdbhq:{corpus}", **{**OPTIONS, "steps": 2, "progress": True})
    said = capsys.readouterr().out
    assert "left out of training, for the study is validated on them (the same file or name): song 3\n" in said
    assert "left out of training, for the study is tested on them (the same file or name): song 1\n" in said
    assert f"data musdbhq:{corpus}" in said
    again = study.finish(name="more", steps=4, progress=False)
    assert again.loc[0, "steps"] == 4
    shutil.rmtree(corpus / "train" / "song 5")
    with pytest.raises(rs.UserError, match="begun with another content of its data"):
        study.finish(name="more", steps=6, progress=False)


def test_songs_that_the_study_is_validated_on_alone_are_nothing_to_train_on(study, tmp_path, tiny_corpus):
    for track in open_dataset(f"musdbhq:{tiny_corpus}").validation:
        shutil.copytree(tiny_corpus / "train" / track.name, tmp_path / "heard" / "train" / track.name)
    with pytest.raises(rs.UserError, match="has no other training tracks than songs that the study is validated on"):
        study.finish(name="heard", data=f"musdbhq:{tmp_path / 'heard'}", **OPTIONS)


def test_without_weights_a_finish_begins_anew_and_says_so(study, capsys):
    shutil.rmtree(study.folder / "measured" / best_searched(study.folder, 1)[0].architecture.hash)
    study.finish(**{**OPTIONS, "steps": 2, "progress": True})
    said = " ".join(capsys.readouterr().out.split())
    assert "from new weights, for the search kept none" in said
    (found,) = read_finished(study.folder)
    assert found.result.over_searched.point == pytest.approx(found.best.score - found.result.searched)


def test_a_training_that_goes_wrong_is_told_and_ends_its_network_alone(study, monkeypatch, run_cli):
    """What it was until then is kept, although no checkpoint was due."""
    losses = []

    def wrong(done):
        losses.append(done.step)
        if losses == [2, 4]:
            raise DivergedError("diverged: the training loss is nan by step 4")

    monkeypatch.setattr(loop, "_check_loss", wrong)
    found = study.finish(2, name="wild", **{**OPTIONS, "steps": 4})
    assert found[["state", "steps"]].to_numpy().tolist() == [["finished", 2], ["finished", 4]]
    assert (found.loc[0, "step"], find(study.folder, found.loc[0, "architecture"], None, "wild").step) == (2, 2)
    assert read_finished(study.folder, "wild")[0].result.seconds > 0
    answer = run_cli("status", "tiny", "--results", study.folder.parent)
    assert "finished early: it diverged" in answer.out
    again = study.finish(2, name="wild", progress=False)
    pd.testing.assert_frame_equal(again, found)
    assert [each.finish for each in best(study.folder, 4, "wild")] == ["wild", "wild"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["finish", "nosuch"], "there is no study nosuch"),
        (["finish", "tiny", "--as", "../x"], "cannot be the name of a finish"),
        (["finish", "tiny", "--as", "whole", "--schedule", "jnet"], "exists with another schedule ('cosine' there"),
        (["finish", "tiny", "--architecture", "0123456789ab"], "has no trained architecture 0123456789ab"),
        (["finish", "tiny", "--top", "1", "--architecture", "0123456789ab"], "either a number of the best"),
        (["finish", "tiny", "--seed", "7"], "give that too (--architecture HASH)"),
        (["finish", "tiny", "--as", "y", "--learning-rate", "5"], "learning_rate: input should be less than 1"),
        (["finish", "tiny", "--as", "y", "--augment", "swap"], "swap exchanges the channels of stereo"),
        (["finish", "tiny", "--as", "y", "--segment", "100000"], "shorter than a segment"),
        (["finish", "tiny", "--as", "y", "--device", "cuda:99"], "the device cuda:99 is not on this machine"),
        (["evaluate", "tiny", "--finish", "y"], "tiny has no finish y: choose from whole"),
        (["export", "tiny", "--finish", "whole", "--seed", "7"], "the finish whole of tiny has no such network"),
    ],
)
def test_mistakes_are_sentences_and_leave_nothing(finished, run_cli, words, said):
    answer = run_cli(*words, "--results", finished.parent)
    assert (answer.code, answer.err.count("\n")) == (1, 1)
    assert said in answer.err
    assert [path.name for path in StudyFolder(finished).finishes.iterdir()] == ["whole"]


def test_options_that_there_are_not_are_refused_and_no_finish_is_an_empty_table(study):
    for option in ("trails", "networks", "parts"):
        with pytest.raises(rs.UserError, match=f"a finish knows no option {option}: choose from steps"):
            study.finish(**{option: 3})
    for wrong, said in (
        ({"top": 2.5}, "top is a whole number from 1, and not 2.5"),
        ({"name": 3}, "name is text, and not 3"),
        ({"architecture": 3}, "architecture is text, and not 3"),
        ({"data": 3}, "data is text such as musdbhq:/data/musdb18hq, or a musdb.DB, and not 3"),
        ({"data": SimpleNamespace(root="/nowhere", is_wav=True)}, "/nowhere"),
        ({"augment": [["x"]]}, "options: augment.0: input should be"),
        ({"augment": 3}, "options: augment: input should be a valid tuple"),
        ({"clip": "much"}, "options: clip: input should be a valid number"),
    ):
        with pytest.raises(rs.UserError, match=re.escape(said)):
            study.finish(**wrong)
    assert study.finishes().empty


def test_nothing_trained_is_nothing_to_finish(study, run_cli):
    table = pd.read_csv(study.folder / "measurements.csv", dtype=str, keep_default_na=False)
    kept = table[table["measure"] != "trained"].to_csv(index=False)
    (study.folder / "measurements.csv").write_text(kept + "\n")
    answer = run_cli("finish", "tiny", "--results", study.folder.parent)
    assert "nothing was trained in tiny: `randsearch train tiny --top 5` trains some" in answer.err


def test_one_command_at_a_time_works_on_a_finish(study):
    working = pytest.raises(rs.UserError, match="another randsearch process is at work on the finish whole")
    with held(study.folder, "whole"), working:
        study.finish(name="whole", **OPTIONS)


def test_a_study_of_other_rules_is_not_finished(study):
    config = load_config(study.folder)
    config.model_copy(update={"rules": RULES - 1}).save(study.folder / "config.yaml")
    with pytest.raises(rs.UserError, match="made by the rules of"):
        study.finish(**OPTIONS)


def test_the_report_says_how_far_above_and_lets_one_hear_it(finished, monkeypatch, tmp_path, run_cli):
    monkeypatch.setattr(build, "examine", lambda folder: None)
    monkeypatch.setattr(build, "_found", lambda found, folder: build._nothing_trained(load_config(folder)))
    folder = shutil.copytree(finished, tmp_path / "tiny")
    study = rs.load_study(folder)
    text = study.report().read_text(encoding="utf-8")
    section = text[text.index('id="trained-on"') :]
    assert "above the searched network" in section
    assert section.count("data:image/svg+xml") == 1
    assert "finish whole" in text
    first, second = best_searched(folder, 2)
    assert f"Listen to <code>{first.architecture.hash}" in text
    monkeypatch.setattr(build, "trained_on", lambda folder: None)
    config = shutil.copytree(folder / "finishes" / "whole", folder / "finishes" / "other") / "config.yaml"
    config.write_text(config.read_text().replace(first.network, second.network))
    (config.parent / first.network).rename(config.parent / second.network)
    answer = run_cli("report", "tiny", "--finish", "other", "--results", folder.parent)
    assert answer.code == 0, answer.err
    text = StudyFolder(folder).report.read_text(encoding="utf-8")
    assert f"Listen to <code>{second.architecture.hash}" in text
    assert "finish other" in text
    assert "finish whole" not in text


def test_a_finish_from_elsewhere_names_no_file_outside(finished, tmp_path):
    folder = shutil.copytree(finished, tmp_path / "tiny")
    config = StudyFolder(folder).finish("whole").config
    config.write_text(config.read_text().replace(best_searched(folder, 1)[0].network, "../../../../etc-0"))
    with pytest.raises(rs.UserError, match="networks"):
        best(folder, 1)
    shutil.rmtree(folder / "finishes" / "whole")
    (folder / "finishes" / "whole").symlink_to(finished / "finishes" / "whole")
    assert read_finished(folder) == []
    with pytest.raises(rs.UserError, match=r"is a link, and none is followed|no finish whole"):
        rs.load_study(folder).finish(name="whole", **OPTIONS)


def test_a_torn_result_is_one_sentence(finished, tmp_path):
    folder = shutil.copytree(finished, tmp_path / "tiny")
    path = home(folder, "whole") / "result.json"
    for content in ("", "[]", "{}", json.dumps({**json.loads(path.read_text()), "ended": "never"})):
        path.write_text(content)
        with pytest.raises(rs.UserError, match="cannot be read as the result of a training"):
            read_finished(folder)
