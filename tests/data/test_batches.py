import pickle
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from randsearch.base.errors import UserError
from randsearch.data import AudioFormat, Crops, open_dataset


@pytest.fixture
def tracks(corpus, make_track):
    """Two tracks of different lengths whose vocals count the samples, so that a crop tells where it was taken."""
    for name, samples, base in (("a", 1000, 0), ("b", 3000, 10_000), ("c", 500, 20_000)):
        count = base + np.arange(1, samples + 1, dtype=np.float32)
        make_track(name, samples=samples, vocals=count)
    data = open_dataset(f"musdbhq:{corpus}", AudioFormat(task="multi"))
    return data.train + data.validation


def plain(tracks, **options):
    return Crops(tracks, **{"batch": 64, "input_length": 100, "output_length": 100, "seed": 3} | options)


def test_shapes_and_types(synthetic):
    mixture, sources = Crops(synthetic.train, batch=5, input_length=300, output_length=101, seed=0).batch_at(0)
    assert mixture.shape == (5, 1, 300)
    assert sources.shape == (5, 2, 1, 101)
    assert mixture.dtype == sources.dtype == np.float32


def test_mixture_is_the_sum_of_the_sources(synthetic):
    mixture, sources = Crops(synthetic.train, batch=8, input_length=500, output_length=500, seed=0).batch_at(2)
    assert np.abs(mixture).max() > 0.01
    np.testing.assert_allclose(mixture, sources.sum(axis=1), atol=1e-6)


def test_each_source_has_its_own_gain_within_the_range(tracks):
    """Crops of one seed fall on the same places whatever the gains, so the gains can be read off."""
    _, bare = plain(tracks, augment=()).batch_at(0)
    _, gained = plain(tracks).batch_at(0)
    ratio = (gained.astype(float) * bare).sum(axis=(2, 3)) / (bare.astype(float) ** 2).sum(axis=(2, 3))
    np.testing.assert_allclose(gained, bare * ratio[:, :, None, None], rtol=1e-4, atol=1e-4)
    assert ratio.min() >= 0.7 - 1e-6
    assert ratio.max() <= 1.0 + 1e-6
    assert ratio.min() < 0.72
    assert ratio.max() > 0.98
    assert np.unique(ratio.round(4)).size > 0.9 * ratio.size


@pytest.mark.parametrize(("input_length", "output_length"), [(300, 100), (301, 100), (1200, 200)])
def test_context_is_real_audio_and_zeros_beyond_the_ends(tracks, input_length, output_length):
    crops = plain(tracks, input_length=input_length, output_length=output_length, augment=())
    mixture, sources = crops.batch_at(0)
    margin = (input_length - output_length) // 2
    crossed = 0
    for mixed, cropped in zip(mixture, sources, strict=True):
        first = int(cropped[3, 0, 0]) - 1  # the vocals count the samples from 1
        track = tracks_by_base(tracks)[first // 10_000]
        whole = np.pad(track.sources(0, track.length).sum(axis=0)[0], input_length)
        start = first % 10_000 - margin
        np.testing.assert_allclose(mixed[0], whole[start + input_length :][:input_length], rtol=1e-6, atol=1e-3)
        crossed += start < 0 or start + input_length > track.length
    assert crossed, "no crop reached beyond an end: the test has shown nothing about the zeros"


def tracks_by_base(tracks):
    return {int(track.sources(0, 1)[3, 0, 0]) // 10_000: track for track in tracks}


def test_every_track_is_as_likely_and_so_is_every_window_of_it(tracks):
    """With windows of 400 samples the tracks offer 601, 2601 and 101 of them."""
    crops = plain(tracks, batch=500, input_length=400, output_length=400, augment=())
    first = np.concatenate([crops.batch_at(index)[1][:, 3, 0, 0] for index in range(20)]).astype(int) - 1
    for base, windows in {0: 601, 1: 2601, 2: 101}.items():
        starts = first[first // 10_000 == base] % 10_000
        assert starts.min() >= 0
        assert starts.max() < windows
        assert abs(len(starts) - len(first) / 3) < 5 * np.sqrt(len(first) / 3)
        assert abs(starts.mean() - (windows - 1) / 2) < 5 * windows / np.sqrt(12 * len(starts))
    assert set(first[first < 10_000].tolist()) >= {0, 600}, "both ends can be drawn"


def test_signs_turn_sources_each_by_themselves(tracks):
    bare, signed = plain(tracks, augment=()).batch_at(0), plain(tracks, augment=("signs",)).batch_at(0)
    turned = np.sign(signed[1]).min(axis=(2, 3))[:, 3]  # the vocals count samples and are positive
    np.testing.assert_array_equal(np.abs(signed[1]), np.abs(bare[1]))
    assert 16 < (turned < 0).sum() < 48
    np.testing.assert_allclose(signed[0], signed[1].sum(axis=1), rtol=1e-6, atol=1e-3)


def test_swap_exchanges_the_channels_of_sources_each_by_themselves():
    data = open_dataset("synthetic", AudioFormat(task="multi", channels=2, upmix_mono=True))
    bare = Crops(data.train, 32, 64, 64, seed=1, augment=())
    kept = Crops._crop
    # Channels that differ, whatever the corpus: the second is turned.
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Crops, "_crop", lambda *a: kept(*a) * np.float32([[1], [-2]]))
        plainly, swapped = bare.batch_at(0)[1], replace(bare, augment=("swap",)).batch_at(0)[1]
    same = (swapped == plainly).all(axis=(2, 3))
    exchanged = (swapped == plainly[:, :, ::-1]).all(axis=(2, 3))
    assert (same | exchanged).all()
    audible = np.abs(plainly).max(axis=(2, 3)) > 0
    assert 0.3 < (exchanged & ~same)[audible].mean() < 0.7


def test_remixed_sources_come_from_places_of_their_own(corpus, make_track):
    for number in range(3):
        count = 10_000 * number + np.arange(1, 1001, dtype=np.float32)
        make_track(f"t{number}", samples=1000, vocals=count, drums=count)
    data = open_dataset(f"musdbhq:{corpus}", AudioFormat(task="multi"))
    crops = Crops(data.train + data.validation, 64, 100, 100, seed=3, augment=("remix",))
    mixture, sources = crops.batch_at(0)
    starts = sources[:, :, 0, 0]
    names = data.source_names
    drums, vocals = starts[:, names.index("drums")], starts[:, names.index("vocals")]
    assert (drums != vocals).mean() > 0.9
    assert 0.5 < (drums // 10_000 != vocals // 10_000).mean() < 0.85
    np.testing.assert_allclose(mixture, sources.sum(axis=1), rtol=1e-6, atol=1e-2)
    same = replace(crops, augment=()).batch_at(0)[1][:, :, 0, 0]
    np.testing.assert_array_equal(same[:, names.index("drums")], same[:, names.index("vocals")])


def test_a_batch_depends_on_seed_and_index_alone(tracks):
    crops = plain(tracks)
    late = crops.batch_at(7)
    for index in range(3):
        crops.batch_at(index)
    again = pickle.loads(pickle.dumps(plain(tracks))).batch_at(7)
    for one, two in zip(late, again, strict=True):
        np.testing.assert_array_equal(one, two)
    assert not np.array_equal(crops.batch_at(8)[1], late[1])
    assert not np.array_equal(plain(tracks, seed=4).batch_at(7)[1], late[1])


def test_another_process_draws_the_same_batch(tracks, tmp_path):
    crops = plain(tracks, seed=2**63 + 5)
    packed, out = tmp_path / "crops.pickle", tmp_path / "out.npy"
    packed.write_bytes(pickle.dumps(crops))
    code = (
        "import pickle, sys, pathlib, numpy as np\n"
        "crops = pickle.loads(pathlib.Path(sys.argv[1]).read_bytes())\n"
        "np.save(sys.argv[2], crops.batch_at(11)[1])"
    )
    root = Path(__file__).resolve().parents[2]
    subprocess.run([sys.executable, "-c", code, packed, out], check=True, cwd=root)
    np.testing.assert_array_equal(np.load(out), crops.batch_at(11)[1])


def test_a_track_shorter_than_a_segment_is_refused(tracks):
    assert plain(tracks, input_length=500, output_length=500).batch_at(0)
    with pytest.raises(UserError, match=r"'c' has 500 samples \(0.06 s\), shorter than a segment of 501"):
        plain(tracks, input_length=501, output_length=501)


def test_no_tracks_are_refused():
    with pytest.raises(UserError, match="no tracks"):
        plain(())


def test_output_longer_than_input_is_a_mistake_of_the_caller(tracks):
    with pytest.raises(ValueError, match="output_length"):
        plain(tracks, output_length=101)
