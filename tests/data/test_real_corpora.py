"""The two corpora beside the checkout, and what `musdb:` asks of the machine."""

import shutil

import needs
import numpy as np
import pytest
import soundfile

from randsearch.base.errors import UserError
from randsearch.data import STEMS, AudioFormat, open_dataset, open_test


def test_popvoice(real_corpora, tmp_path):
    root = real_corpora / "popvoice"
    data = open_dataset(f"musdbhq:{root}", AudioFormat(task="multi"))
    assert (len(data.train), len(data.validation), data.sample_rate) == (36, 12, 8000)
    track = data.validation[0]
    expected = [soundfile.read(root / "train" / track.name / f"{stem}.wav", dtype="float32")[0] for stem in STEMS]
    np.testing.assert_array_equal(track.sources(0, track.length)[:, 0], expected)
    same = open_dataset(f"stems:{root}", AudioFormat(task="multi"), cache=tmp_path / "checked_against_mixtures")
    assert same.digest == data.digest


@needs.ffmpeg
def test_musdb_sample(real_corpora):
    import musdb

    spec = f"musdb:{real_corpora / 'musdb-sample'}"
    data = open_dataset(spec, AudioFormat(task="multi", sample_rate=44100, channels=2))
    (train,), (validation,) = data.train, data.validation
    assert "carved out by time" in data.note
    (reference,) = musdb.DB(root=str(real_corpora / "musdb-sample"), subsets="train").tracks
    assert train.name == validation.name == reference.name
    stems = np.stack([reference.sources[stem].audio.T for stem in STEMS])
    cut = stems.shape[-1] * 3 // 4
    np.testing.assert_allclose(train.sources(0, train.length), stems[..., :cut], atol=1e-6)
    np.testing.assert_allclose(validation.sources(0, validation.length), stems[..., cut:], atol=1e-6)


@needs.ffmpeg
def test_musdb_defaults_and_test_track(real_corpora):
    spec = f"musdb:{real_corpora / 'musdb-sample'}"
    assert open_dataset(spec).sample_rate == 22050
    (track,) = open_test(spec)
    assert track.name == "The Easton Ellises - Falcon 69"
    assert track.sources(0, track.length).std() > 0.01


@needs.ffmpeg
def test_damaged_stem_files(real_corpora, corpus):
    (corpus / "train").mkdir(parents=True)
    file = corpus / "train" / "A.stem.mp4"
    file.write_bytes(b"not a movie")
    with pytest.raises(UserError, match=r"A\.stem\.mp4 cannot be read as a stem file"):
        open_dataset(f"musdb:{corpus}")
    (source,) = (real_corpora / "musdb-sample" / "train").glob("*.mp4")
    whole = source.read_bytes()
    file.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(UserError, match=r"A\.stem\.mp4"):
        open_dataset(f"musdb:{corpus}")


@needs.ffmpeg
def test_folders_without_stem_files(corpus, make_track):
    make_track("a")
    with pytest.raises(UserError, match=r"has no tracks: .*which musdbhq:PATH reads"):
        open_dataset(f"musdb:{corpus}")


@pytest.mark.parametrize("missing", ["ffmpeg", "ffprobe"])
def test_musdb_without_ffmpeg(corpus, monkeypatch, missing):
    (corpus / "train").mkdir(parents=True)
    monkeypatch.setattr(shutil, "which", lambda name: None if name == missing else f"/usr/bin/{name}")
    with pytest.raises(UserError, match="install the Debian package ffmpeg"):
        open_dataset(f"musdb:{corpus}")
