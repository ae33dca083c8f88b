"""From a finished study to use: choosing, evaluating, separating, exporting, the dashboard."""

from __future__ import annotations

import io
import json
import queue
import shutil
import subprocess
import sys
import threading
import urllib.parse
import urllib.request
from pathlib import Path

import needs
import numpy as np
import pandas as pd
import pytest
import soundfile
import torch
from safetensors import safe_open
from safetensors.torch import load_file
from tiny import RATE, write_tracks

from randsearch.base.errors import UserError
from randsearch.base.files import Place
from randsearch.finalists import bsseval, separation
from randsearch.finalists.evaluation import file_name, summarise
from randsearch.finalists.loading import load_network
from randsearch.finalists.winner import Finalist, best, find
from randsearch.models.architecture import Architecture
from randsearch.models.build import build
from randsearch.models.inference import separate
from randsearch.models.layers import Signal
from randsearch.study.rules import RULES
from randsearch.table.tidy import means, read_measurements

SAMPLE = needs.SHARED / "data" / "musdb-sample"


@pytest.fixture
def study(finished_study, tmp_path) -> Path:
    """A copy of the finished study, to write into."""
    return Path(shutil.copytree(finished_study, tmp_path / "results" / "tiny"))


def test_the_best_have_the_highest_mean_and_come_at_their_best_seed(finished_study):
    trained = means(read_measurements(finished_study / "measurements.csv"))["trained"]
    found = best(finished_study, 2)
    assert [each.architecture.hash for each in found] == list(trained.nlargest(2).index)
    first, name = found[0], found[0].architecture.hash
    other = find(finished_study, name, 1 - first.seed)
    assert other.score <= first.score
    assert (first.score + other.score) / 2 == pytest.approx(trained[name])


@pytest.mark.parametrize("name", ["../../etc", "0123456789ab", "ABCDEFABCDEF", "0123456789a/"])
def test_only_trained_architectures_are_found(finished_study, name):
    with pytest.raises(UserError, match=r"trained architecture|does not name"):
        find(finished_study, name, None)


def test_weights_behind_a_link_out_of_the_study_are_not_read(study, finished_study):
    home = best(study, 1)[0].home
    shutil.rmtree(home)
    home.symlink_to(finished_study / home.relative_to(study))
    with pytest.raises(UserError, match="is a link, and none is followed"):
        best(study, 1)


def test_damaged_and_foreign_weights_are_refused(study):
    first, second = best(study, 4)[:2]
    weights = first.home / "weights.safetensors"
    other = next(each for each in best(study, 4) if _shapes(each) != _shapes(first))
    shutil.copy(other.home / "weights.safetensors", weights)
    with pytest.raises(UserError, match="another network"):
        load_network(first)
    weights.write_bytes(b"not safetensors")
    with pytest.raises(UserError, match="damaged"):
        load_network(first)
    weights.unlink()
    with pytest.raises(UserError, match="cannot be read"):
        load_network(first)
    assert load_network(second).training is False


def _shapes(finalist: Finalist) -> dict[str, torch.Size]:
    return {name: weight.shape for name, weight in load_file(finalist.home / "weights.safetensors").items()}


# --- evaluate


@needs.ffmpeg
def test_scores_are_museval_s_own_and_silence_is_left_out():
    museval = bsseval.require_museval()
    random = np.random.default_rng(0)
    references = random.standard_normal((2, 1, 4 * RATE))
    references[1, :, RATE : 2 * RATE] = 0
    estimates = references + 0.3 * random.standard_normal(references.shape)
    text = bsseval.score_track("song", ("a", "b"), references, estimates, RATE)
    expected, *_ = museval.evaluate(references.transpose(0, 2, 1), estimates.transpose(0, 2, 1), win=RATE, hop=RATE)
    sdr = np.array([[frame["metrics"]["SDR"] for frame in target["frames"]] for target in json.loads(text)["targets"]])
    np.testing.assert_allclose(sdr, expected, atol=1e-5)
    np.testing.assert_array_equal(np.isnan(sdr).any(axis=0), [False, True, False, False])


@needs.ffmpeg
def test_a_track_with_a_source_that_is_silent_throughout_has_windows_without_numbers(tmp_path):
    references = np.random.default_rng(0).standard_normal((2, 1, 2 * RATE + 10))
    references[1] = 0
    path = tmp_path / "song.json"
    bsseval.write_scores(Place(tmp_path), path, bsseval.score_track("song", ("a", "b"), references, references, RATE))
    scores = bsseval.read_scores(Place(tmp_path), path, ("a", "b"))
    assert scores.sdr.shape == (2, 2)
    assert not scores.counted.any()


def _museval_file(path: Path, **sources: list[float]) -> Path:
    targets = [
        {"name": name, "frames": [{"time": t, "duration": 1.0, "metrics": {"SDR": v}} for t, v in enumerate(values)]}
        for name, values in sources.items()
    ]
    path.write_text(json.dumps({"targets": targets}))
    return path


def test_the_summary_pools_windows_and_counts_what_it_leaves_out(tmp_path):
    nan = float("nan")
    paths = [
        _museval_file(tmp_path / "1.json", a=[1.0, 2.0, 9.0, nan], b=[0.0, 0.0, 0.0, 5.0]),
        _museval_file(tmp_path / "2.json", a=[4.0], b=[8.0]),
        _museval_file(tmp_path / "3.json", a=[nan], b=[nan]),
    ]
    finalist = Finalist(Architecture(), 0, 1.0, tmp_path)
    a, b = summarise(Place(tmp_path), finalist, ("a", "b"), paths)
    assert (a["median"], a["mad"], a["mean"], a["median_of_medians"]) == (3.0, 1.5, 4.0, 3.0)
    assert a["sd"] == pytest.approx(np.std([1, 2, 9, 4]))
    assert (a["tracks"], a["windows"], a["windows_left_out"]) == (2, 4, 2)
    assert (b["median"], b["median_of_medians"]) == (0.0, 4.0)


@pytest.mark.parametrize("name", ["a/b", "..", "", "a\x00b", "x" * 300, "Ünï/../côde", "a\\b", "nul:"])
def test_track_names_cannot_leave_the_folder(name, tmp_path):
    made = file_name(name)
    assert (tmp_path / f"{made}.json").resolve().parent == tmp_path.resolve()
    assert len(made) < 120
    assert not set(made) & set("/\\:\x00")


def test_plain_track_names_stay_and_changed_ones_stay_apart():
    assert file_name("The Easton Ellises - Falcon 69") == "The Easton Ellises - Falcon 69"
    assert file_name("a/b") != file_name("a:b") != file_name("a_b")


@needs.ffmpeg
@pytest.mark.parametrize("workers", [1, 2])
def test_evaluate_scores_the_test_subset_and_keeps_what_is_scored(study, tmp_path, tiny_corpus, run_cli, workers):
    corpus = shutil.copytree(tiny_corpus, tmp_path / "corpus")
    write_tracks(corpus, 2, subset="test")
    config = study / "config.yaml"
    config.write_text(config.read_text().replace(str(tiny_corpus), str(corpus)))
    command = ["evaluate", "tiny", "--top", 2 if workers == 1 else 1, "--results", study.parent, "--workers", workers]
    answer = run_cli(*command)
    assert answer.code == 0, answer.err
    files = sorted((study / "evaluation").rglob("*.json"))
    assert [file.name for file in files] == ["track 0.json", "track 1.json"] * (3 - workers)
    table = pd.read_csv(study / "evaluation.csv")
    assert list(table["windows"]) == [6] * len(table)
    assert "vocals" in answer.out
    files[0].unlink()
    stamps = {file: file.stat().st_mtime_ns for file in files[1:]}
    assert run_cli(*command).code == 0
    assert files[0].is_file()
    assert {file: file.stat().st_mtime_ns for file in files[1:]} == stamps
    pd.testing.assert_frame_equal(pd.read_csv(study / "evaluation.csv"), table)


def _numbers(scores: dict, metric: str) -> dict[str, list[float]]:
    return {t["name"]: [float(frame["metrics"][metric]) for frame in t["frames"]] for t in scores["targets"]}


@needs.ffmpeg
@needs.shared("data", "musdb-sample")
def test_our_path_reproduces_museval_and_its_published_scores_on_musdb():
    """Ours reads tracks through the cache; museval's own reads them by musdb."""
    import musdb
    import museval

    from randsearch.data.dataset import _open_subset
    from randsearch.data.format import AudioFormat

    (track,) = musdb.DB(root=str(SAMPLE), subsets="train")
    ((_, (ours,)),) = _open_subset(f"musdb:{SAMPLE}", "train", AudioFormat("voice", track.rate, 2), None, False)
    references = ours.sources(0, ours.length)
    # What museval's authors made their published scores from: noise, the voice's drawn first.
    random = np.random.RandomState(0)
    noise = {name: random.random_sample((ours.length, 2)) for name in ("vocals", "accompaniment")}
    mixture = references.sum(axis=0).T
    names = ("accompaniment", "vocals")
    near = {name: 0.8 * mixture + 0.01 * noise[name] - 0.3 * references[1 - i].T for i, name in enumerate(names)}
    for estimates in (near, noise):
        arrays = np.stack([estimates[name].T for name in names])
        found = json.loads(bsseval.score_track(track.name, names, references, arrays, track.rate))
        expected = [museval.eval_mus_track(track, estimates).scores]
        if estimates is noise:
            expected.append(json.loads((SAMPLE / f"{track.name}.json").read_text()))
        for theirs in expected:
            for metric in bsseval.METRICS:
                a, b = _numbers(found, metric), _numbers(theirs, metric)
                for name in names:
                    assert len(a[name]) == 6
                    np.testing.assert_allclose(a[name], b[name], rtol=0, atol=0.01)


# --- separate

NETWORKS = [
    Architecture(levels=3, first_filters=3, filter_increment=2),
    Architecture(levels=2, first_filters=3, context=True, decimation="blur", upsampling="learned"),
]


@pytest.mark.parametrize("architecture", NETWORKS)
@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("block", [17, 1000])
def test_a_stream_is_separated_as_in_one_pass(architecture, channels, block):
    network = build(architecture, Signal(2, channels), 0).eval()
    mixture = np.random.default_rng(0).standard_normal((channels, 3001)).astype(np.float32)
    expected = separate(network, torch.from_numpy(mixture), chunk=10**6).numpy()
    blocks = (mixture[:, start : start + block] for start in range(0, 3001, block))
    found = np.concatenate(list(separation.separate_stream(network, blocks, chunk=100)), axis=-1)
    np.testing.assert_allclose(found, expected, atol=1e-6)


@pytest.mark.parametrize("frames", [0, 1, 5, 4001])
@pytest.mark.parametrize("rate", [800, 1000, 44_100])
@pytest.mark.parametrize(("trained_on", "given"), [(1, 1), (1, 2), (2, 1), (2, 2)])
def test_stems_have_the_length_rate_and_channels_of_the_song(tmp_path, frames, rate, trained_on, given):
    network = build(NETWORKS[0], Signal(2, trained_on), 0).eval()
    audio = 0.1 * np.random.default_rng(0).standard_normal((frames, given))
    soundfile.write(tmp_path / "song.wav", audio, rate)
    separator = separation.Separator(network, ("a", "b"), RATE)
    paths = separation.separate_file(separator, tmp_path / "song.wav", tmp_path / "out")
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["a.wav", "b.wav"]
    for path in paths:
        info = soundfile.info(path)
        assert (info.frames, info.samplerate, info.channels, info.subtype) == (frames, rate, given, "PCM_16")


def test_resampling_there_and_back_keeps_time(tmp_path):
    """Difference outputs sum to the mixture, so the stems sum to what resampling leaves of a low tone."""
    network = build(Architecture(levels=2, first_filters=2), Signal(2, 1), 0).eval()
    tone = 0.3 * np.sin(2 * np.pi * 50 * np.arange(3 * 8000) / 8000)
    soundfile.write(tmp_path / "song.wav", tone, 8000, subtype="FLOAT")
    paths = separation.separate_file(separation.Separator(network, ("a", "b"), RATE), tmp_path / "song.wav", tmp_path)
    total = sum(soundfile.read(path)[0] for path in paths)
    np.testing.assert_allclose(total[2000:-2000], tone[2000:-2000], atol=1e-3)


def test_the_command_separates_with_the_best_network(study, tmp_path, run_cli):
    song = tmp_path / "song.wav"
    soundfile.write(song, np.zeros((500, 2)), 8000)
    answer = run_cli("separate", "tiny", song, "--results", study.parent, "--output", tmp_path / "out")
    assert answer.code == 0, answer.err
    assert soundfile.info(tmp_path / "out" / "vocals.wav").frames == 500
    assert run_cli("separate", "tiny", study / "config.yaml", "--results", study.parent).code == 1


def test_stems_overwrite_nothing(study, tmp_path, run_cli, monkeypatch):
    """Songs of one name in one call have folders of their own; a stem that is there already stays as it is."""
    monkeypatch.chdir(tmp_path)
    for folder in ("one", "two"):
        Path(folder).mkdir()
        soundfile.write(f"{folder}/mixture.wav", np.zeros(50), 8000)
    command = ("separate", "tiny", "--results", study.parent)
    answer = run_cli(*command, "one/mixture.wav", "two/mixture.wav")
    written = [Path("separated") / f"{folder}-mixture" for folder in ("one", "two")]
    assert (answer.code, {Path(line).parent for line in answer.out.splitlines()}) == (0, set(written))
    (written[0] / "vocals.wav").write_bytes(b"mine")
    again = run_cli(*command, "one/mixture.wav", "--output", written[0])
    assert (again.code, again.err.count("is there already and stays: move it away")) == (1, 1)
    assert (written[0] / "vocals.wav").read_bytes() == b"mine"
    alike = run_cli(*command, "one/mixture.wav", "one/mixture.wav")
    assert (alike.code, alike.err.count("would both go to separated/one-mixture")) == (1, 1)


def test_a_stem_that_comes_meanwhile_stays(tmp_path, monkeypatch):
    """A network may be at work for an hour: what is written there until it is done is not its to replace."""
    soundfile.write(tmp_path / "song.wav", np.zeros(50), 8000)
    write = separation._write

    def meanwhile(*given):
        write(*given)
        (tmp_path / "b.wav").write_bytes(b"mine")

    monkeypatch.setattr(separation, "_write", meanwhile)
    separator = separation.Separator(build(NETWORKS[0], Signal(2, 1), 0).eval(), ("a", "b"), RATE)
    with pytest.raises(UserError, match=r"b\.wav is there already"):
        separation.separate_file(separator, tmp_path / "song.wav", tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["b.wav", "song.wav"]
    assert (tmp_path / "b.wav").read_bytes() == b"mine"


def test_weights_are_as_readable_as_other_files(study):
    modes = {path.suffix: path.stat().st_mode for path in study.rglob("*") if path.is_file() and path.name[0] != "."}
    assert modes[".safetensors"] == modes[".csv"]


def test_samples_that_are_no_numbers_are_refused_and_leave_nothing(tmp_path):
    soundfile.write(tmp_path / "song.wav", np.array([0.0, np.nan]), 8000, subtype="FLOAT")
    separator = separation.Separator(build(NETWORKS[0], Signal(2, 1), 0).eval(), ("a", "b"), RATE)
    with pytest.raises(UserError, match="no numbers"):
        separation.separate_file(separator, tmp_path / "song.wav", tmp_path / "out")
    assert not list((tmp_path / "out").iterdir())


# --- export

ALONE = """
import sys; sys.modules["randsearch"] = None
import numpy, torch
program = torch.export.load(sys.argv[1]).module()
audio = torch.from_numpy(numpy.load(sys.argv[2]))
numpy.savez(sys.argv[3], three=program(audio).detach().numpy(), one=program(audio[:1]).detach().numpy())
"""


def test_an_exported_program_runs_without_randsearch(study, tmp_path, run_cli):
    import yaml

    finalist = best(study, 1)[0]
    name = finalist.architecture.hash
    answer = run_cli("export", "tiny", "--architecture", name, "--results", study.parent)
    assert answer.code == 0, answer.err
    home = study / "exported" / finalist.name
    described = yaml.safe_load((home / "network.yaml").read_text())
    assert Architecture.create(described["architecture"]).hash == name
    with safe_open(home / "weights.safetensors", framework="pt") as file:
        assert int(file.metadata()["rules"]) == described["rules"] == RULES
    assert (described["sources"], described["sample_rate"]) == (["accompaniment", "vocals"], RATE)
    piece, network = described["program"], load_network(finalist)
    for weight, kept in load_file(home / "weights.safetensors").items():
        torch.testing.assert_close(kept, network.state_dict()[weight], rtol=0, atol=0)
    audio = torch.randn(3, 1, 37 * piece["multiple"] + piece["plus"], generator=torch.Generator().manual_seed(0))
    np.save(tmp_path / "in.npy", audio.numpy())
    arguments = [str(home / "network.pt2"), str(tmp_path / "in.npy"), str(tmp_path / "out.npz")]
    subprocess.run([sys.executable, "-I", "-c", ALONE, *arguments], check=True, cwd=tmp_path)
    with torch.inference_mode():
        expected, found = network(audio).numpy(), np.load(tmp_path / "out.npz")
    np.testing.assert_allclose(found["three"], expected, atol=1e-6)
    np.testing.assert_allclose(found["one"], expected[:1], atol=1e-6)


# --- dashboard


def _get(app, path: str) -> tuple[str, bytes]:
    seen: list[str] = []
    environment = {"REQUEST_METHOD": "GET", "PATH_INFO": path, "wsgi.input": io.BytesIO(), "wsgi.errors": io.StringIO()}
    environment |= {"SERVER_NAME": "x", "SERVER_PORT": "80", "wsgi.url_scheme": "http", "QUERY_STRING": ""}
    body = b"".join(app(environment, lambda status, headers, *_: seen.append(status)))
    return seen[0], body


def test_the_dashboard_offers_plots_and_excerpts_once(study):
    needs.package("optuna_dashboard", "dashboard")
    from randsearch.finalists.dashboard import prepare
    from randsearch.study.folders import load_config

    notes: list[str] = []
    config = load_config(study)
    for _ in range(2):
        app = prepare(config, study, notes.append)
        stored = sorted(path.read_bytes() for path in (study / "artifacts").iterdir())
        assert len(set(stored)) == len(stored)
    assert not notes
    excerpts = [path.read_bytes() for each in best(study, 3) for path in each.home.glob("*.flac")]
    assert excerpts
    assert set(excerpts) <= set(stored)
    studies = json.loads(_get(app, "/api/studies")[1])["study_summaries"]
    number = next(each["study_id"] for each in studies if each["study_name"] == "tiny")
    detail = json.loads(_get(app, f"/api/studies/{number}")[1])
    names = [artifact["filename"] for artifact in detail["artifacts"]]
    assert len(set(names)) == len(names) == len(stored)
    assert f"{best(study, 1)[0].name}-excerpt-1-vocals.flac" in names
    plot = next(artifact for artifact in detail["artifacts"] if artifact["filename"] == "rank_rank.png")
    status, image = _get(app, f"/artifacts/{number}/{plot['artifact_id']}")
    assert status.startswith("200")
    assert image.startswith(b"\x89PNG")


def test_a_dashboard_that_is_not_installed_is_one_sentence(study, run_cli, monkeypatch):
    monkeypatch.setitem(sys.modules, "optuna_dashboard", None)
    answer = run_cli("dashboard", "tiny", "--results", study.parent)
    assert (answer.code, answer.err.count("\n")) == (1, 1)
    assert "randsearch[dashboard]" in answer.err


def test_the_dashboard_answers_at_a_port_that_is_free_and_says_when_none_is():
    from randsearch.finalists.dashboard import serve

    def app(environment, start_response):
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [b"here"]

    ready: queue.Queue[str] = queue.Queue()
    options = {"browser": False, "on_ready": ready.put}
    threading.Thread(target=serve, args=(app, 0), kwargs=options, daemon=True).start()
    address = ready.get(timeout=10)
    with urllib.request.urlopen(address, timeout=10) as answer:
        assert answer.read() == b"here"
    with pytest.raises(UserError, match="cannot be used"):
        serve(app, urllib.parse.urlsplit(address).port, **options)
