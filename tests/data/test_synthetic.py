"""The songs must be repeatable, varied, and hard enough that a volume knob does not solve them."""

import multiprocessing

import numpy as np
import pytest
import soundfile

from randsearch.data import STEMS, open_test
from randsearch.data.synthetic import SONGS, make_song, synthetic_corpus


def power_db(samples):
    return 10 * np.log10(np.mean(samples**2))


@pytest.fixture(scope="module")
def songs(synthetic_cache, synthetic):
    """All songs as `(sources, samples)`: accompaniment and vocals."""
    tracks = synthetic.train + synthetic.validation + open_test("synthetic", cache=synthetic_cache)
    return [track.sources(0, track.length)[:, 0].astype(float) for track in tracks]


def test_corpus_has_the_layout_of_musdb_hq(synthetic_cache, synthetic):
    root = synthetic_corpus(0, synthetic_cache)
    for subset, number in SONGS.items():
        folders = sorted((root / subset).iterdir())
        assert len(folders) == number
        for folder in folders:
            assert sorted(file.stem for file in folder.iterdir()) == sorted(STEMS)
            info = soundfile.info(folder / "vocals.wav")
            assert (info.samplerate, info.channels, info.subtype, info.frames) == (8000, 1, "PCM_16", 96000)
    assert len(synthetic.train) == 12
    assert len(synthetic.validation) == 4


def test_the_seed_decides_everything(synthetic_cache, synthetic):
    song = make_song(0, 3)
    folder = synthetic_corpus(0, synthetic_cache) / "train" / "Synthetic 0 - 04"
    for stem in STEMS:
        written, _ = soundfile.read(folder / f"{stem}.wav")
        np.testing.assert_allclose(written, song[stem], atol=1.01 / 2**15)
        assert np.abs(song[stem] - make_song(1, 3)[stem]).max() > 0.05
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        elsewhere = pool.apply(make_song, (0, 3))
    for stem in STEMS:
        np.testing.assert_array_equal(elsewhere[stem], song[stem])


def test_an_unfinished_corpus_is_not_used(tmp_path, monkeypatch):
    from randsearch.data import synthetic as room

    monkeypatch.setattr(room, "SONGS", {"train": 2, "test": 1})

    def dying(seed, number):
        if number == 1:
            raise KeyboardInterrupt
        return make_song(seed, number)

    with monkeypatch.context() as patch:
        patch.setattr(room, "make_song", dying)
        with pytest.raises(KeyboardInterrupt):
            room.synthetic_corpus(5, tmp_path)
    assert not (tmp_path / "synthetic-v1-seed5").exists()
    root = room.synthetic_corpus(5, tmp_path)
    assert len(list(root.rglob("*.wav"))) == 12
    assert [path.name for path in tmp_path.iterdir() if path.is_dir()].count("synthetic-v1-seed5.tmp") == 0


def test_nothing_clips_and_nothing_is_nearly_silent(songs):
    for accompaniment, vocals in songs:
        assert np.abs(accompaniment + vocals).max() < 0.95
        assert power_db(accompaniment) > -35
        assert power_db(vocals) > -35


def test_levels_are_comparable(songs):
    differences = [power_db(vocals) - power_db(accompaniment) for accompaniment, vocals in songs]
    assert max(map(abs, differences)) < 6
    assert np.std(differences) > 0.3, "songs should differ in balance"


def constant_gain_sdr(songs):
    """SDR of the best constant gains, fitted over all songs at once."""
    mixtures = [song.sum(axis=0) for song in songs]
    energy = sum((mixture**2).sum() for mixture in mixtures)
    gains = [sum((song[k] * mixture).sum() for song, mixture in zip(songs, mixtures, strict=True)) for k in (0, 1)]
    return [
        10 * np.log10((song[k] ** 2).sum() / ((song[k] - gains[k] / energy * mixture) ** 2).sum())
        for song, mixture in zip(songs, mixtures, strict=True)
        for k in (0, 1)
    ]


def short_spectra(samples):
    """Power over time and frequency, shape `(frames, bins)`, in windows of 64 ms."""
    frames = samples[: len(samples) // 512 * 512].reshape(-1, 512) * np.hanning(512)
    return np.abs(np.fft.rfft(frames)) ** 2


def test_a_volume_knob_is_not_enough_but_masks_would_be(songs):
    assert 1.5 < np.median(constant_gain_sdr(songs)) < 4.5
    separable = []
    for accompaniment, vocals in songs:
        a, v = short_spectra(accompaniment), short_spectra(vocals)
        error = (a * v / (a + v + 1e-12)).sum()  # what the ideal Wiener mask leaves
        separable.append(10 * np.log10(v.sum() / error))
    assert np.median(separable) > 10, "there is something to learn"


def test_a_fixed_filter_leaves_much_to_learn(songs):
    """The long-term spectra overlap: the best filter that does not move gains something, but far less than a mask."""
    for accompaniment, vocals in songs:
        a, v = short_spectra(accompaniment).sum(axis=0), short_spectra(vocals).sum(axis=0)
        sdr = 10 * np.log10(v.sum() / (a * v / (a + v)).sum())
        assert sdr < 12
    a = sum(short_spectra(song[0]).sum(axis=0) for song in songs)
    v = sum(short_spectra(song[1]).sum(axis=0) for song in songs)
    assert 3 < 10 * np.log10(v.sum() / (a * v / (a + v)).sum()) < 8


def test_the_voice_sings_in_the_range_of_other():
    for number in range(6):
        song = make_song(0, number)
        shares = []
        for stem in ("other", "vocals"):
            spectrum = short_spectra(song[stem]).sum(axis=0)
            hz = np.fft.rfftfreq(512, 1 / 8000)
            shares.append(spectrum[(hz >= 150) & (hz <= 1500)].sum() / spectrum.sum())
        assert min(shares) > 0.5


def test_vocals_pause_and_every_second_is_not_alike(songs):
    for _, vocals in songs:
        loud = np.abs(vocals[: 96000 // 400 * 400].reshape(-1, 400)).max(axis=1) > 0.02 * np.abs(vocals).max()
        assert 0.4 < loud.mean() < 0.97


def test_no_two_songs_are_copies(songs):
    """Neither the samples nor the loudness over time of any two songs are alike."""
    mixtures = [song.sum(axis=0) for song in songs]
    envelopes = [np.log(short_spectra(mixture)[:, 1:].sum(axis=1) + 1e-6) for mixture in mixtures]
    for curves, limit in ((mixtures, 0.3), (envelopes, 0.9)):
        likeness = np.corrcoef(curves) - np.eye(len(curves))
        assert np.abs(likeness).max() < limit
