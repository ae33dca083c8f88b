"""What must be true of anybody's stems: sources by name, files of every kind, and a sentence for whatever is wrong."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from randsearch.base.errors import UserError
from randsearch.data import AudioFormat, Dataset, open_dataset, open_test

RATE = 8000
Written = dict[str, np.ndarray]


@pytest.fixture
def track(corpus) -> Callable[..., Written]:
    """Writes a track of noise, each stem in the file that is named, and returns it by stem."""

    def write(
        name: str, *files: str, subset="train", samples=2000, rate=RATE, channels=1, subtype=None, peak=0.3
    ) -> Written:
        folder, written = corpus / subset / name, {}
        folder.mkdir(parents=True, exist_ok=True)
        for file in files:
            random = np.random.default_rng([*f"{name}/{file}".encode()])
            stem = random.uniform(-peak, peak, (samples, channels)).astype(np.float32)
            known = subtype or {".wav": "FLOAT", ".flac": "PCM_24"}.get(Path(file).suffix)
            soundfile.write(folder / file, stem, rate, subtype=known)
            written[Path(file).stem] = stem
        return written

    return write


def opened(corpus: Path, **options: object) -> Dataset:
    return open_dataset(f"stems:{corpus}", AudioFormat(**options))


def samples_of(data: Dataset, name: str) -> np.ndarray:
    (track,) = (track for track in (*data.train, *data.validation) if track.name == name)
    return track.sources(0, track.length)


def test_sources_are_named_grouped_and_ordered_by_the_user(corpus, track):
    stems = track("a", "violin.wav", "piano.wav", "lead vocals.wav", "notes.aiff")
    track("b", "violin.wav", "piano.wav", "lead vocals.wav", "notes.aiff")
    (corpus / "train" / "a" / "readme.txt").write_text("no stem")
    data = opened(corpus, sources=("vocals=lead vocals", "band=violin+piano"))
    assert data.source_names == ("vocals", "band")
    found = samples_of(data, "a")[:, 0]
    np.testing.assert_array_equal(found[0], stems["lead vocals"][:, 0])
    np.testing.assert_allclose(found[1], (stems["violin"] + stems["piano"])[:, 0], atol=1e-7)
    assert opened(corpus, sources=("band=violin+piano", "vocals=lead vocals")).digest != data.digest


def test_other_sources_of_the_same_tracks_decode_nothing_again(corpus, track, monkeypatch):
    for name in "ab":
        track(name, "piano.wav", "violin.wav", "cello.wav")
    opened(corpus, sources=("piano", "violin"))
    monkeypatch.setattr(soundfile.SoundFile, "read", None)
    assert opened(corpus, sources=("piano", "strings=violin+cello")).source_names == ("piano", "strings")


@pytest.mark.parametrize(
    ("files", "task", "expected"),
    [
        (("bass.wav", "drums.wav", "other.wav", "vocals.wav"), "voice", ("accompaniment", "vocals")),
        (("bass.wav", "drums.wav", "other.wav", "vocals.wav"), "multi", ("bass", "drums", "other", "vocals")),
        (("speech.wav", "noise.wav"), "denoise", ("noise", "speech")),
        (("vocals.wav", "accompaniment.wav"), "voice", ("accompaniment", "vocals")),
        (("vocals.wav", "drums.wav"), "voice", ("drums", "vocals")),
        (("violin.wav", "piano.wav", "drums.wav"), "voice", ("drums", "piano", "violin")),
    ],
)
def test_without_names_the_task_is_taken_where_its_stems_are_and_else_all_there_are(
    corpus, track, files, task, expected
):
    for name in "ab":
        track(name, *files)
    assert opened(corpus, task=task).source_names == expected


def test_where_stems_may_be_missing_the_task_is_taken_if_there_are_no_others(corpus, track):
    for name in "ab":
        track(name, "vocals.wav", "drums.wav")
    assert opened(corpus, missing_stems="silence").source_names == ("accompaniment", "vocals")
    track("b", "piano.wav")
    assert opened(corpus, missing_stems="silence").source_names == ("drums", "piano", "vocals")


def test_what_libsndfile_reads_is_read_as_it_is(corpus, track):
    stems = track("a", "x.flac", "y.aiff", "z.wav")
    loud = np.linspace(-3, 3, 2000, dtype=np.float32)[:, None]
    soundfile.write(corpus / "train" / "a" / "z.wav", loud, RATE, subtype="FLOAT")
    track("b", "x.WAV", "y.flac", "z.ogg")
    found = samples_of(opened(corpus), "a")[:, 0]
    np.testing.assert_allclose(found[0], stems["x"][:, 0], atol=2**-22)  # 24 bits
    np.testing.assert_allclose(found[1], stems["y"][:, 0], atol=2**-14)
    np.testing.assert_array_equal(found[2], loud[:, 0])


def test_a_mono_file_among_stereo_ones_is_the_same_on_both_sides(corpus, track):
    for name in "ab":
        stereo, mono = track(name, "x.wav", channels=2), track(name, "y.wav")
    with pytest.raises(UserError, match=r"track 'a' has mono stems: ask for one channel, or allow doubling with"):
        opened(corpus, channels=2)
    found = samples_of(opened(corpus, channels=2, upmix_mono=True), "b")
    np.testing.assert_array_equal(found, [stereo["x"].T, np.repeat(mono["y"].T, 2, axis=0)])
    np.testing.assert_allclose(samples_of(opened(corpus), "b")[0, 0], stereo["x"].mean(axis=1), atol=1e-7)


def test_tracks_of_different_rates_come_to_the_lowest_and_stems_of_one_track_must_agree(corpus, track):
    track("a", "x.wav", "y.wav", rate=16_000, samples=4000)
    track("b", "x.wav", "y.wav")
    data = opened(corpus)
    assert {(each.sample_rate, each.length) for each in (*data.train, *data.validation)} == {(RATE, 2000)}
    track("b", "y.wav", rate=16_000)
    with pytest.raises(UserError, match=r"track 'b' .* differ in sample rate .x 8000 Hz, y 16000 Hz.: make them equal"):
        opened(corpus)


def test_files_that_are_added_up_have_equally_many_channels_or_one(corpus, track):
    stems = [track("a", "x.wav", channels=2), track("a", "y.wav", channels=1), track("a", "z.wav", channels=3)]
    write_mixture(corpus / "train" / "a", sum(next(iter(stem.values())) for stem in stems[1:]))
    with pytest.raises(UserError, match=r"a do not add up \(x.wav has 2 channels and z.wav has 3 channels\): make"):
        opened(corpus)


def write_mixture(folder: Path, audio: np.ndarray, subtype: str = "PCM_16", name: str = "mixture.wav") -> None:
    soundfile.write(folder / name, audio, RATE, subtype=subtype)


def test_a_mixture_may_be_rounded_and_clipped(corpus, track):
    for name, options in (("a", {"subtype": "PCM_16"}), ("b", {"peak": 2.0})):
        mixture = sum(track(name, "x.wav", "y.wav", "z.wav", **options).values())
        assert (np.abs(mixture).max() > 2) == (name == "b")
        write_mixture(corpus / "train" / name, mixture)
    assert opened(corpus).source_names == ("x", "y", "z")


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        (
            lambda mixture: mixture + 0.01,
            r"^mixture.wav of track 'a' \(.*/train/a\) is not the sum of its stems x, y: it is off by up to 0.01 of "
            r"full scale \(-2\d\.\d dB of the mixture\), more than 16 bits and clipping explain: add the stems that",
        ),
        (lambda mixture: 0 * mixture, "off by up to 0.5[0-9]* of full scale .the mixture is silent."),
        (lambda mixture: mixture[:1199], "has 1199 samples and the stems have 2000: replace or remove mixture.wav"),
        (lambda mixture: np.repeat(mixture, 2, axis=1), r"8000 Hz and 2 channel\(s\) and the stems have 8000 Hz and 1"),
    ],
)
def test_a_mixture_that_is_another_sum_is_refused(corpus, track, wrong, sentence, tmp_path):
    for name in "ab":
        mixture = sum(track(name, "x.wav", "y.wav").values())
        write_mixture(corpus / "train" / name, wrong(mixture) if name == "a" else mixture)
    with pytest.raises(UserError, match=sentence):
        opened(corpus)
    (corpus / "train" / "a" / "mixture.wav").unlink()
    assert opened(corpus)


def test_a_stem_that_a_track_lacks_is_an_error_or_silence(corpus, track):
    track("a", "bass.wav", "drums.wav", "other.wav", "vocals.wav")
    stems = track("b", "drums.wav", "other.wav", "vocals.wav")
    with pytest.raises(UserError, match=r"'b' of stems:.* has no stem bass: add what .* with --missing-stems silence"):
        opened(corpus)
    data = opened(corpus, missing_stems="silence")
    found = samples_of(data, "b")[:, 0]
    np.testing.assert_allclose(found, [(stems["drums"] + stems["other"])[:, 0], stems["vocals"][:, 0]], atol=1e-7)
    assert not samples_of(opened(corpus, task="multi", missing_stems="silence"), "b")[0].any()
    track("c", "kazoo.wav")
    with pytest.raises(
        UserError, match=r"track 'c' .* has none of the stems .* \(it has kazoo\): rename its files or mo"
    ):
        opened(corpus, sources=("drums", "vocals"), missing_stems="silence")


def test_the_test_tracks_need_the_same_stems_and_are_needed_last(corpus, track):
    for name in "ab":
        track(name, "x.wav", "y.wav")
    data = opened(corpus)
    asked = AudioFormat(sources=data.source_names)
    with pytest.raises(UserError, match=r"corpus has no folder 'test': give the folder that holds test/TRACK/STEM.wav"):
        open_test(f"stems:{corpus}", asked)
    track("c", "x.wav", subset="test")
    with pytest.raises(UserError, match=r"no track of .* has a stem 'y': there are x"):
        open_test(f"stems:{corpus}", asked)
    (silent,) = open_test(f"stems:{corpus}", AudioFormat(sources=asked.sources, missing_stems="silence"))
    assert [source.any() for source in silent.sources(0, 100)] == [True, False]
    track("c", "y.wav", subset="test")
    with pytest.raises(UserError, match=r"the test tracks of .* have the stems x, y, and task voice was trained for"):
        open_test(f"stems:{corpus}")


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda train: train.rename(train.with_name("training")), "corpus has no folder 'train': give the folder that"),
        (lambda train: (train / "new").mkdir(), "train/new holds no stems: add audio files named after what is heard"),
        (
            lambda train: (train / "a" / "x.wav").write_bytes(b"RIFF"),
            r"a/x\.wav cannot be read as audio .*: replace the",
        ),
        (
            lambda train: (train / "a" / "y.flac").write_bytes(b""),
            r"train/a has y\.flac and y\.wav side by side: leave",
        ),
        (
            lambda train: (train / "a" / "Y.wav").write_bytes(b""),
            r"train/a has Y\.wav and y\.wav side by side: leave one",
        ),
        (
            lambda train: (train / "a" / "z.wav").symlink_to("/nowhere"),
            r"a/z\.wav is a link that leads nowhere: mend it",
        ),
        (lambda train: (train / "a" / "\udce4.wav").write_bytes(b""), "the name of .* holds bytes that are no UTF-8"),
        (
            lambda train: os.mkfifo(train / "a" / "mixture.wav"),
            r"a/mixture\.wav is a folder, a pipe or the like and not",
        ),
        (
            lambda train: (train / "lost").symlink_to("/nowhere"),
            "train/lost is a link that leads nowhere: mend it or re",
        ),
        (
            lambda train: (train / "a").rename(train / "\udce4"),
            "the name of .* holds bytes that are no UTF-8: rename it",
        ),
    ],
)
def test_each_bad_layout_is_told_in_one_sentence(corpus, track, change, sentence):
    for name in "ab":
        track(name, "x.wav", "y.wav")
    change(corpus / "train")
    with pytest.raises(UserError, match=sentence) as refusal:
        opened(corpus)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    ("sources", "sentence"),
    [
        (("x", "violn"), "no track of stems:.* has a stem 'violn': there are grand piano, x"),
        (None, "grand piano, x cannot be the sources of .* cannot be called 'grand piano'.*: name them with --sources"),
        (("x",), r"x cannot be the sources of .* \(2 to 16 sources can be separated, and 1 are named\)"),
    ],
)
def test_sources_that_are_not_there_or_cannot_be(corpus, track, sources, sentence):
    for name in "ab":
        track(name, "x.wav", "grand piano.wav")
    with pytest.raises(UserError, match=sentence):
        opened(corpus, sources=sources)
