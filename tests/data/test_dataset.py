"""What a corpus turns into, and every way in which it can be wrong."""

import contextlib
import os
import pickle
import shutil
import socket
import tracemalloc
from dataclasses import replace
from typing import get_args

import numpy as np
import pytest
import soundfile

from randsearch.base.errors import UserError
from randsearch.data import STEMS, TASKS, AudioFormat, decoding, open_dataset, open_test
from randsearch.data.audio_files import BLOCK
from randsearch.data.corpora import LAYOUTS
from randsearch.data.dataset import list_test
from randsearch.data.split import musdb_validation_names
from randsearch.data.task import TaskName


def named(tracks):
    return {track.name: track for track in tracks}


def opened(corpus, **options):
    data = open_dataset(f"musdbhq:{corpus}", AudioFormat(**options))
    return named(data.train + data.validation)


def test_samples_are_those_of_the_files(corpus, make_track):
    written = {name: make_track(name) for name in ("a", "b", "c")}
    data = open_dataset(f"musdbhq:{corpus}", AudioFormat(task="multi"))
    assert data.source_names == STEMS
    assert (data.sample_rate, data.channels) == (8000, 1)
    tracks = named(data.train + data.validation)
    assert tracks.keys() == written.keys()
    for name, stems in written.items():
        expected = np.stack([stems[stem].T for stem in STEMS])
        np.testing.assert_array_equal(tracks[name].sources(0, tracks[name].length), expected)


def test_voice_sums_the_accompaniment(corpus, make_track):
    make_track("b")
    stems = make_track("a")
    data = open_dataset(f"musdbhq:{corpus}", AudioFormat(task="voice"))
    assert data.source_names == ("accompaniment", "vocals")
    track = named(data.train + data.validation)["a"]
    accompaniment, vocals = track.sources(100, 300)[:, 0]
    np.testing.assert_allclose(
        accompaniment, (stems["bass"] + stems["drums"] + stems["other"])[100:300, 0], rtol=0, atol=1e-6
    )
    np.testing.assert_array_equal(vocals, stems["vocals"][100:300, 0])


def test_outside_a_track_is_silence(corpus, make_track):
    make_track("b")
    stems = make_track("a", samples=4000)
    track = opened(corpus)["a"]
    read = track.sources(-50, 4020)[1, 0]
    assert not read[:50].any()
    assert not read[4050:].any()
    np.testing.assert_array_equal(read[50:4050], stems["vocals"][:, 0])
    assert not track.sources(5000, 5100).any()
    assert track.sources(-300, -200).shape == (2, 1, 100)


def test_stereo_is_kept_or_averaged(corpus, make_track):
    stems = make_track("a", channels=2)
    make_track("b", channels=2)
    stereo = opened(corpus, channels=2)["a"].sources(0, 4000)[-1]
    np.testing.assert_array_equal(stereo, stems["vocals"].T)
    mono = opened(corpus, channels=1)["a"].sources(0, 4000)[-1]
    np.testing.assert_allclose(mono[0], stems["vocals"].mean(axis=1), atol=1e-7)


def test_mono_is_doubled_only_when_allowed(corpus, make_track):
    make_track("a")
    make_track("b")
    with pytest.raises(UserError, match="'a' has mono stems: ask for one channel"):
        open_dataset(f"musdbhq:{corpus}", AudioFormat(channels=2))
    data = open_dataset(f"musdbhq:{corpus}", AudioFormat(channels=2, upmix_mono=True))
    left, right = data.train[0].sources(0, 4000)[0]
    assert left.any()
    np.testing.assert_array_equal(left, right)


def test_resampling_keeps_a_tone_and_its_time(corpus, make_track):
    def tone(rate, samples, hz):
        return 0.5 * np.sin(2 * np.pi * hz * np.arange(samples) / rate)

    for name in ("a", "b"):
        make_track(name, samples=44100, rate=44100, vocals=tone(44100, 44100, 440.0), bass=tone(44100, 44100, 9000.0))
    data = open_dataset(f"musdbhq:{corpus}", AudioFormat(task="multi", sample_rate=8000))
    read = data.train[0].sources(0, 8000)[:, 0]
    assert data.train[0].length == 8000
    np.testing.assert_allclose(read[3, 200:-200], tone(8000, 8000, 440.0)[200:-200], atol=1e-3)
    assert np.abs(read[0, 200:-200]).max() < 1e-3, "a tone above half the new rate must not fold back"


@pytest.mark.parametrize(("rates", "expected"), [((44100, 44100), 22050), ((16000, 44100), 16000), ((8000,) * 2, 8000)])
def test_default_rate_is_the_lowest_up_to_a_limit(corpus, make_track, rates, expected):
    for name, rate in zip("ab", rates, strict=True):
        make_track(name, rate=rate)
    assert open_dataset(f"musdbhq:{corpus}").sample_rate == expected


def test_more_than_the_data_have_is_refused(corpus, make_track):
    make_track("a", rate=16000)
    make_track("b", rate=8000)
    with pytest.raises(UserError, match="16000 Hz were asked for, but track 'b' has only 8000 Hz"):
        open_dataset(f"musdbhq:{corpus}", AudioFormat(sample_rate=16000))


def test_search_never_opens_test(corpus, make_track):
    make_track("a")
    make_track("b")
    make_track("broken", subset="test")
    (corpus / "test" / "broken" / "vocals.wav").write_bytes(b"not audio")
    assert opened(corpus).keys() == {"a", "b"}
    with pytest.raises(UserError, match=r"vocals\.wav cannot be read"):
        open_test(f"musdbhq:{corpus}")


def test_every_task_is_known_by_the_name_that_it_is_asked_for():
    assert [(name, task.name) for name, task in TASKS.items()] == [(name, name) for name in get_args(TaskName)]


def test_open_test_reads_whole_test_tracks(corpus, make_track):
    make_track("a")
    audio = AudioFormat(sample_rate=8000)
    assert list_test(f"musdbhq:{corpus}", audio) == {}
    stems = make_track("z", subset="test")
    listed = list_test(f"musdbhq:{corpus}", audio)
    assert not any(path.exists() for path in listed)
    (track,) = open_test(f"musdbhq:{corpus}")
    assert listed == {track.path: "z"}
    assert track.name == "z"
    np.testing.assert_array_equal(track.sources(0, track.length)[1, 0], stems["vocals"][:, 0])


def test_named_validation_tracks_are_used(corpus, make_track):
    chosen = "Leaf - Summerghost"
    assert chosen in musdb_validation_names()
    for name in ("a", "b", "c", "d", chosen, "e", "f", "g"):
        make_track(name)
    data = open_dataset(f"musdbhq:{corpus}")
    assert [track.name for track in data.validation] == [chosen]
    assert len(data.train) == 7
    assert data.note == ""


def test_dataset_is_small_and_survives_pickling(synthetic):
    packed = pickle.dumps(synthetic)
    assert len(packed) < 20_000
    again = pickle.loads(packed)
    assert again == synthetic
    np.testing.assert_array_equal(again.train[0].sources(0, 100), synthetic.train[0].sources(0, 100))


def test_digest_follows_content_and_not_place(corpus, make_track, tmp_path):
    make_track("a")
    make_track("b")
    before = open_dataset(f"musdbhq:{corpus}").digest
    moved = shutil.copytree(corpus, tmp_path / "moved")
    assert open_dataset(f"musdbhq:{moved}").digest == before
    assert open_dataset(f"musdbhq:{corpus}", AudioFormat(task="multi")).digest != before
    assert open_dataset(f"musdbhq:{corpus}", AudioFormat(sample_rate=4000)).digest != before
    make_track("b", seed=1)
    assert open_dataset(f"musdbhq:{corpus}").digest != before


@pytest.mark.parametrize(
    ("spec", "sentence"),
    [
        ("wav:/tmp", "unknown kind of data 'wav:/tmp': known are musdb:PATH"),
        ("/some/where", "unknown kind of data"),
        ("musdbhq", "'musdbhq' lacks a path"),
        ("musdbhq:/nowhere/at/all", "there is no folder /nowhere/at/all"),
        ("synthetic:one", "the seed in data 'synthetic:one' is not a whole number"),
        ("synthetic:9223372036854775808", "'synthetic:9223372036854775808' is not a whole number from 0 to 2"),
    ],
)
def test_wrong_specifications(spec, sentence):
    with pytest.raises(UserError, match=sentence):
        open_dataset(spec)


def test_wrong_arguments(corpus, make_track):
    make_track("a")
    with pytest.raises(UserError, match="unknown task 'karaoke': choose one of voice, multi"):
        open_dataset(f"musdbhq:{corpus}", AudioFormat(task="karaoke"))
    with pytest.raises(UserError, match="3 channels were asked for"):
        open_dataset(f"musdbhq:{corpus}", AudioFormat(channels=3))
    with pytest.raises(UserError, match="sample rate of 0 Hz is impossible"):
        open_dataset(f"musdbhq:{corpus}", AudioFormat(sample_rate=0))


def test_task_must_fit_the_stems(corpus, make_track, monkeypatch):
    make_track("a")
    monkeypatch.setitem(LAYOUTS, "musdbhq", replace(LAYOUTS["musdbhq"], stems=("noise", "speech")))
    with pytest.raises(UserError, match="task 'voice' needs the stems bass, drums, other, vocals, but musdbhq"):
        open_dataset(f"musdbhq:{corpus}")


def test_folders_without_tracks(corpus):
    corpus.mkdir()
    with pytest.raises(UserError, match="has no folder 'train'"):
        open_dataset(f"musdbhq:{corpus}")
    (corpus / "train").mkdir()
    with pytest.raises(UserError, match="train has no tracks"):
        open_dataset(f"musdbhq:{corpus}")
    (corpus / "train" / "A.stem.mp4").touch()
    with pytest.raises(UserError, match=r"which musdb:PATH reads"):
        open_dataset(f"musdbhq:{corpus}")


def test_missing_stem(corpus, make_track):
    make_track("a")
    (corpus / "train" / "a" / "bass.wav").unlink()
    with pytest.raises(UserError, match=r"train/a lacks bass\.wav"):
        open_dataset(f"musdbhq:{corpus}")


def replaced_by(make):
    """Puts something else in the place of a stem."""

    def change(train):
        (train / "a" / "bass.wav").unlink()
        make(train / "a" / "bass.wav")

    return change


def bind_socket(path):
    with socket.socket(socket.AF_UNIX) as opened, contextlib.chdir(path.parent):  # such a path must be short
        opened.bind(path.name)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda train: (train / "lost").symlink_to("/nowhere"), "train/lost is a link that leads nowhere: mend it"),
        (lambda train: (train / "loop").symlink_to("loop"), "train/loop is a link that leads nowhere"),
        (lambda train: (train / "new").mkdir(), r"train/new lacks bass\.wav, drums\.wav, other\.wav, vocals\.wav"),
        (replaced_by(lambda path: path.symlink_to("/nowhere")), r"a lacks bass\.wav .what bears the name is no file"),
        (replaced_by(lambda path: path.symlink_to(path)), r"a lacks bass\.wav .what bears the name is no file"),
        (replaced_by(lambda path: path.mkdir()), r"a lacks bass\.wav .what bears the name is no file"),
        (replaced_by(os.mkfifo), r"a lacks bass\.wav .what bears the name is no file"),
        (replaced_by(bind_socket), r"a lacks bass\.wav .what bears the name is no file"),
        (lambda train: (train / "a").rename(train / "\udce4"), "the name of .* holds bytes that are no UTF-8"),
        (lambda train: (train / "a").rename(train / "a\nb"), "(?s)the name of .* holds control characters: rename it"),
    ],
    ids=["link", "loop", "empty", "stem link", "stem loop", "folder", "pipe", "socket", "not UTF-8", "control"],
)
def test_what_is_no_track(corpus, make_track, change, sentence):
    for name in ("a", "b"):
        make_track(name)
    change(corpus / "train")
    with pytest.raises(UserError, match=sentence):
        open_dataset(f"musdbhq:{corpus}")


def test_names_that_are_odd_and_can_be_told_apart(corpus, make_track):
    names = {"x" * 255, "Song", "song", "caf\u00e9", "cafe\u0301", "\U0001f3b5 \u202ex"}
    for name in names:
        make_track(name)
    (corpus / "train" / "notes.txt").write_text("not a track")
    (corpus / "train" / "linked").symlink_to("Song")
    assert opened(corpus).keys() == names | {"linked"}


def test_a_corpus_in_a_folder_whose_name_is_no_text(tmp_path):
    with pytest.raises(UserError, match=r"the path in data .* holds bytes that are no UTF-8: rename the folder"):
        open_dataset(f"musdbhq:{tmp_path}/\udce4")


@pytest.mark.parametrize(("announced", "refused"), [(2**20, True), (0xFFFFFFFF, False), (0x7FFFF000, False)])
def test_a_file_that_announces_more_than_it_holds(corpus, make_track, announced, refused):
    make_track("a")
    file = corpus / "train" / "a" / "bass.wav"
    soundfile.write(file, np.zeros(4000), 8000, subtype="PCM_16")
    content = file.read_bytes()
    file.write_bytes(content[:40] + announced.to_bytes(4, "little") + content[44:])
    if refused:
        with pytest.raises(UserError, match=r"bass\.wav announces 1048576 bytes of samples and holds 8000, as if its"):
            open_dataset(f"musdbhq:{corpus}")
    else:  # as programs write that do not know the length beforehand
        assert opened(corpus)["a"]


def write_sparse(file, frames, rate=96_000):
    """A WAV file of stereo silence that takes no room on the disk."""
    soundfile.write(file, np.zeros((0, 2)), rate, subtype="PCM_16")
    header = bytearray(file.read_bytes())
    header[4:8], header[40:44] = (36 + 4 * frames).to_bytes(4, "little"), (4 * frames).to_bytes(4, "little")
    file.write_bytes(header)
    os.truncate(file, 44 + 4 * frames)


def test_memory_never_holds_a_stem_as_it_lies_on_disk(corpus, make_track):
    make_track("a")
    for stem in STEMS:
        write_sparse(corpus / "train" / "a" / f"{stem}.wav", 1_500_000)
    tracemalloc.start()
    try:
        (track, *_) = open_dataset(f"musdbhq:{corpus}", AudioFormat(sample_rate=8000)).train
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    decoded, stored = 1_500_000 * 2 * 4, 125_000 * 4 * 4
    assert track.path.stat().st_size == stored + 128
    assert peak < 1.5 * stored + 24 * BLOCK < decoded


@pytest.mark.parametrize("known", [True, False])
def test_a_track_too_long_for_this_machine_is_refused(corpus, make_track, monkeypatch, tmp_path, known):
    make_track("a", samples=36_000)
    if known:
        monkeypatch.setattr(decoding, "available_bytes", lambda: 4 * 36_000 * 6 - 1)
    else:  # a container may allow less than the machine has

        def short(*_, **__):
            raise MemoryError

        monkeypatch.setattr(np, "concatenate", short)
    with pytest.raises(UserError, match=r"'a' .* is 0.0 hours long and takes 0.0 GB of memory to decode, more than is"):
        open_dataset(f"musdbhq:{corpus}")
    assert not [*(tmp_path / "cache").rglob("*.npy*")]


def test_stems_of_different_lengths(corpus, make_track):
    make_track("a", vocals=np.ones(3200))
    make_track("b")
    vocals = opened(corpus)["a"].sources(0, 4000)[1, 0]
    assert vocals[:3200].all()
    assert not vocals[3200:].any(), "what is at most a tenth of a second short is padded with silence"
    make_track("a", vocals=np.ones(3199))
    with pytest.raises(UserError, match=r"'a' .* differ in length .*bass 4000 samples.*vocals 3199 samples"):
        open_dataset(f"musdbhq:{corpus}")


def test_stems_of_different_rates(corpus, make_track):
    make_track("a")
    soundfile.write(corpus / "train" / "a" / "drums.wav", np.zeros(4000), 16000)
    with pytest.raises(UserError, match=r"'a' .* differ in sample rate .*bass 8000 Hz, drums 16000 Hz"):
        open_dataset(f"musdbhq:{corpus}")


@pytest.mark.parametrize("poison", [np.nan, np.inf])
def test_samples_that_are_no_numbers(corpus, make_track, poison, tmp_path):
    audio = np.zeros(4000, dtype=np.float32)
    audio[1234] = poison
    make_track("a", other=audio)
    make_track("b")
    with pytest.raises(UserError, match=r"stem 'other' of track 'a' .* holds NaN or infinite samples"):
        open_dataset(f"musdbhq:{corpus}")
    assert not list((tmp_path / "cache").rglob("*.tmp"))


def test_more_than_two_channels(corpus, make_track):
    make_track("a", channels=3)
    make_track("b", channels=3)
    with pytest.raises(UserError, match="has 3 channels"):
        open_dataset(f"musdbhq:{corpus}", AudioFormat(channels=2))


def test_files_that_are_no_audio(corpus, make_track):
    make_track("a")
    file = corpus / "train" / "a" / "other.wav"
    file.write_bytes(b"RIFF....WAVEnot really")
    with pytest.raises(UserError, match=r"other\.wav cannot be read as audio"):
        open_dataset(f"musdbhq:{corpus}")
    file.write_bytes(b"")
    with pytest.raises(UserError, match=r"other\.wav cannot be read as audio"):
        open_dataset(f"musdbhq:{corpus}")


def test_files_without_samples(corpus, make_track):
    make_track("a", samples=0)
    with pytest.raises(UserError, match=r"bass\.wav holds no samples"):
        open_dataset(f"musdbhq:{corpus}")


def test_tasks_cover_every_stem_once():
    for task in TASKS.values():
        assert sorted(stem for group in task.groups_in(task.stems) for stem in group) == list(range(len(task.stems)))
