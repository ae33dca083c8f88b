import random
from pathlib import Path

import numpy as np
import pytest

from randsearch.data import Track, open_dataset
from randsearch.data.split import musdb_validation_names, split_tracks


def track(name):
    return Track(name, Path("x.npy"), 0, 1000, 8000, 1, ((0,),))


def names(tracks):
    return {track.name for track in tracks}


@pytest.mark.parametrize(("n", "expected"), [(2, 1), (3, 1), (4, 1), (6, 2), (8, 2), (48, 12)])
def test_a_quarter_is_kept_for_validation(n, expected):
    train, validation, note = split_tracks(tuple(track(f"song {i}") for i in range(n)))
    assert len(validation) == expected
    assert names(train) | names(validation) == {f"song {i}" for i in range(n)}
    assert not names(train) & names(validation)
    assert note == ""


def test_the_quarter_does_not_depend_on_order():
    tracks = [track(f"song {i}") for i in range(20)]
    expected = names(split_tracks(tuple(tracks))[1])
    random.Random(0).shuffle(tracks)
    assert names(split_tracks(tuple(tracks))[1]) == expected


def test_the_quarter_is_frozen():
    """Published scores depend on it: a change of the rule must be noticed."""
    assert names(split_tracks(tuple(track(f"song {i}") for i in range(8)))[1]) == {"song 2", "song 5"}


def test_musdb_names_all_of_its_validation_tracks():
    assert len(musdb_validation_names()) == 14


def test_named_tracks_do_not_leave_training_empty():
    tracks = tuple(track(name) for name in sorted(musdb_validation_names()))
    train, validation, _ = split_tracks(tracks)
    assert len(validation) == round(14 / 4)
    assert len(train) == 14 - len(validation)


def test_a_lone_track_gives_its_last_quarter(corpus, make_track):
    stems = make_track("alone", samples=4000)
    data = open_dataset(f"musdbhq:{corpus}")
    (train,), (validation,) = data.train, data.validation
    assert (train.start, train.stop, validation.start, validation.stop) == (0, 3000, 3000, 4000)
    assert "'alone' is the only training track" in data.note
    assert "carved out by time" in data.note

    heard = train.sources(2900, 3100)[1, 0]
    np.testing.assert_array_equal(heard[:100], stems["vocals"][2900:3000, 0])
    assert not heard[100:].any(), "training must not hear the validation part"
    heard = validation.sources(-100, 100)[1, 0]
    assert not heard[:100].any(), "validation must not hear the training part"
    np.testing.assert_array_equal(heard[100:], stems["vocals"][3000:3100, 0])
