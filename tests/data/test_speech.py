"""What must be true of noisy and clean speech: noise is what they differ by, pairs are complete, short files serve."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile

from randsearch.base.errors import UserError
from randsearch.data import AudioFormat, Crops, open_dataset, open_test

RATE = 8000
VOICEBANK = ("noisy_trainset_28spk_wav", "clean_trainset_28spk_wav")


def write(root: Path, name: str, samples: int = 4000, folders: tuple[str, str] = VOICEBANK, **noisy: int) -> np.ndarray:
    """Writes a pair and returns (noise, speech)."""
    random = np.random.default_rng([*name.encode()])
    pair = random.uniform(-0.2, 0.2, (2, samples)).astype(np.float32)
    for folder, audio, format_ in ((folders[0], pair.sum(axis=0), noisy), (folders[1], pair[1], {})):
        (root / folder).mkdir(parents=True, exist_ok=True)
        audio = np.tile(audio[: format_.get("length", samples), None], format_.get("channels", 1))
        soundfile.write(root / folder / f"{name}.wav", audio, format_.get("rate", RATE), subtype="FLOAT")
    return pair


@pytest.mark.parametrize(
    "folders", [VOICEBANK, ("noisy_trainset_wav", "clean_trainset_wav"), ("train/noisy", "train/clean")]
)
def test_noise_is_what_noisy_and_clean_differ_by(tmp_path, folders):
    pairs = {f"p1_{number}": write(tmp_path, f"p1_{number}", folders=folders) for number in range(8)}
    dataset = open_dataset(f"speech:{tmp_path}", AudioFormat(task="denoise"))
    assert dataset.source_names == ("noise", "speech")
    assert (len(dataset.train), len(dataset.validation)) == (6, 2)
    for track in (*dataset.train, *dataset.validation):
        np.testing.assert_allclose(track.sources(0, 4000)[:, 0], pairs[track.name], atol=1e-6)


def test_the_test_subset_is_apart(tmp_path):
    write(tmp_path, "a")
    write(tmp_path, "b", folders=("noisy_testset_wav", "clean_testset_wav"))
    assert [track.name for track in open_test(f"speech:{tmp_path}", AudioFormat(task="denoise"))] == ["b"]


def test_files_shorter_than_a_segment_lie_anywhere_within_it(tmp_path):
    speech = write(tmp_path, "short", samples=30)[1]
    write(tmp_path, "other")
    dataset = open_dataset(f"speech:{tmp_path}", AudioFormat(task="denoise"))
    (short,) = (track for track in (*dataset.train, *dataset.validation) if track.name == "short")
    crops = Crops((short,), 200, 60, 40, seed=0, augment=(), pads=True)
    mixture, sources = crops.batch_at(0)
    assert (mixture.shape, sources.shape) == ((200, 1, 60), (200, 2, 1, 40))
    starts = {int(np.flatnonzero(crop)[0]) for crop in sources[:, 1, 0]}
    assert starts == set(range(11))
    for crop in sources[:, 1, 0]:
        start = int(np.flatnonzero(crop)[0])
        np.testing.assert_allclose(crop[start : start + 30], speech, atol=1e-6)
    with pytest.raises(UserError, match="shorter than a segment"):
        Crops((short,), 1, 60, 40, seed=0)


@pytest.mark.parametrize(
    ("noisy", "sentence"),
    [
        ({"length": 3000}, "differ in length .noisy_trainset_28spk_wav 3000 samples, clean_trainset_28spk_wav 4000"),
        ({"rate": 16_000}, "differ in sample rate"),
        ({"channels": 2}, r"differ in channels \(2 and 1\)"),
    ],
)
def test_pairs_that_do_not_fit_are_refused(tmp_path, noisy, sentence):
    write(tmp_path, "a", **noisy)
    with pytest.raises(UserError, match=sentence):
        open_dataset(f"speech:{tmp_path}", AudioFormat(task="denoise"))


def test_what_is_missing_is_named(tmp_path):
    spec = f"speech:{tmp_path}"
    with pytest.raises(UserError, match="no noisy speech for 'train': give the folder that holds noisy_trainset_wav"):
        open_dataset(spec, AudioFormat(task="denoise"))
    write(tmp_path, "a")
    with pytest.raises(UserError, match="task 'voice' needs the stems bass"):
        open_dataset(spec, AudioFormat(task="voice"))
    with pytest.raises(
        UserError, match="holds noise and speech alone: leave --sources out, and separate them by --task"
    ):
        open_dataset(spec, AudioFormat(sources=("speech", "noise")))
    (tmp_path / VOICEBANK[1] / "a.wav").unlink()
    with pytest.raises(UserError, match=r"a.wav has no counterpart in .*clean_trainset_28spk_wav \(1 such file"):
        open_dataset(spec, AudioFormat(task="denoise"))
    write(tmp_path, "a", folders=("train/noisy", "train/clean"))
    with pytest.raises(UserError, match=r"several folders of noisy speech for 'train' \(train/noisy, noisy_train"):
        open_dataset(spec, AudioFormat(task="denoise"))


def test_what_is_no_pair_of_files(tmp_path):
    spec = f"speech:{tmp_path}"
    write(tmp_path, "a")
    for folder in VOICEBANK:
        shutil.copy(tmp_path / folder / "a.wav", tmp_path / folder / "a.WAV")
    with pytest.raises(UserError, match=r"noisy_trainset_28spk_wav has 2 files named a \(.wav, .WAV\): rename one"):
        open_dataset(spec, AudioFormat(task="denoise"))
    for folder in VOICEBANK:
        (tmp_path / folder / "a.WAV").unlink()
        os.mkfifo(tmp_path / folder / "pipe.wav")
    with pytest.raises(UserError, match=r"pipe.wav is a folder, a pipe or the like and not a file: replace or remove"):
        open_dataset(spec, AudioFormat(task="denoise"))
    (tmp_path / VOICEBANK[1] / "lost.wav").symlink_to("/nowhere")
    with pytest.raises(UserError, match=r"lost.wav is a link that leads nowhere"):
        open_dataset(spec, AudioFormat(task="denoise"))
