"""What must be true of corpora of other layouts and of several joined: each is found and split by its own rules."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile

from randsearch.base.errors import UserError
from randsearch.data import STEMS, AudioFormat, Dataset, cache, open_dataset, open_test
from randsearch.data.moisesdb import MOISESDB_STEMS

RATE = 8000


def write(path: Path, *seed: int, samples: int = 2000, rate: int = RATE) -> np.ndarray:
    path.parent.mkdir(parents=True, exist_ok=True)
    audio = np.random.default_rng(seed).uniform(-0.2, 0.2, samples).astype(np.float32)
    soundfile.write(path, audio, rate, subtype="FLOAT")
    return audio


def tracks_of(data: Dataset) -> dict[str, np.ndarray]:
    return {track.name: track.sources(0, track.length)[:, 0] for track in (*data.train, *data.validation)}


def folders(root: Path, *names: str, subset: str = "train", stems: tuple[str, ...] = STEMS, seed: int = 0) -> Path:
    for number, name in enumerate(names):
        for stem_number, stem in enumerate(stems):
            write(root / subset / name / f"{stem}.wav", seed, number, stem_number)
    return root


def test_dsd100(tmp_path):
    root = tmp_path / "DSD100"
    for subset, names in (("Dev", ("051 - A - B", "052 - C - D")), ("Test", ("001 - E - F",))):
        folders(root / "Sources", *names, subset=subset)
        for name in names:
            (root / "Mixtures" / subset / name).mkdir(parents=True)
            (root / "Mixtures" / subset / name / "mixture.wav").write_bytes(b"is not read")
    data = open_dataset(f"dsd100:{root}", AudioFormat(sources=("vocals", "rest=bass+drums+other")))
    assert tracks_of(data).keys() == {"051 - A - B", "052 - C - D"}
    (test,) = open_test(f"dsd100:{root}", AudioFormat("multi"))
    expected = [soundfile.read(root / "Sources/Test/001 - E - F" / f"{stem}.wav", dtype="float32")[0] for stem in STEMS]
    np.testing.assert_array_equal(test.sources(0, test.length)[:, 0], expected)
    with pytest.raises(
        UserError, match=r"Sources has no folder 'Sources/Dev': give the folder that holds Sources/Dev/TRA"
    ):
        open_dataset(f"dsd100:{root / 'Sources'}")
    (root / "Sources/Dev/053").mkdir()
    with pytest.raises(UserError, match=r"Sources/Dev/053 lacks bass\.wav, drums\.wav, other\.wav, vocals\.wav: add"):
        open_dataset(f"dsd100:{root}")


class Moises:
    """A corpus in MoisesDB's layout, of given stems: how many files each has."""

    def __init__(self, root: Path) -> None:
        self.root = root / "moisesdb_v0.1"
        self.written: dict[str, dict[str, np.ndarray]] = {}

    def add(self, name: str, samples: int = 2000, **stems: int) -> Path:
        folder, described = self.root / name, []
        for stem, count in stems.items():
            files = [f"{stem}-{number:08x}" for number in range(count)]
            described.append(
                {"stemName": stem, "tracks": [{"id": id_, "extension": "wav", "trackType": "x"} for id_ in files]}
            )
            audio = [
                write(
                    folder / stem / f"{file}.wav",
                    len(name),
                    number,
                    MOISESDB_STEMS.index(stem),
                    samples=samples - number,
                )
                for number, file in enumerate(files)
            ]
            padded = [np.pad(each, (0, number)) for number, each in enumerate(audio)]
            self.written.setdefault(name, {})[stem] = np.sum(padded, axis=0)
        (folder / "data.json").write_text(json.dumps({"song": "S", "artist": "A", "genre": "rock", "stems": described}))
        return folder


@pytest.fixture
def moises(tmp_path) -> Moises:
    made = Moises(tmp_path)
    made.add("a", drums=3, bass=1, vocals=2)
    made.add("b", guitar=2, piano=1)
    made.add("c", drums=1, vocals=1, samples=1500)
    return made


def test_moisesdb_adds_up_the_files_of_a_stem_and_takes_what_is_not_played_for_silence(moises, tmp_path):
    data = open_dataset(f"moisesdb:{tmp_path}", AudioFormat("multi"))
    assert data.source_names == STEMS
    found = tracks_of(data)
    assert found.keys() == {"a", "b", "c"}
    stems = moises.written["a"]
    expected = [stems["bass"], stems["drums"], np.zeros(2000), stems["vocals"]]
    np.testing.assert_allclose(found["a"], expected, atol=1e-7)
    stems = moises.written["b"]
    np.testing.assert_allclose(found["b"][2], stems["guitar"] + stems["piano"], atol=1e-7)
    assert not found["b"][[0, 1, 3]].any()
    voice = tracks_of(open_dataset(f"moisesdb:{moises.root}"))
    np.testing.assert_allclose(voice["a"][0], found["a"][:3].sum(axis=0), atol=1e-6)
    without = open_dataset(f"moisesdb:{moises.root}", AudioFormat(sources=("vocals", "strings=bowed_strings")))
    assert tracks_of(without).keys() == {"a", "c"}, "a track with none of the sources is left out"


def test_moisesdb_is_split_by_a_hash_of_the_name(moises, tmp_path):
    with pytest.raises(
        UserError, match=r"none of the 3 tracks of .* falls to 'test', which a hash of its name decides"
    ):
        open_test(f"moisesdb:{tmp_path}")
    names = [f"{number}" * 8 for number in range(10)]
    for name in names:
        moises.add(name, vocals=1, drums=1)
    # Published scores depend on it: a change of the rule must be noticed.
    assert [track.name for track in open_test(f"moisesdb:{tmp_path}")] == TEST_NAMES
    assert tracks_of(open_dataset(f"moisesdb:{tmp_path}")).keys() == {"a", "b", "c", *names} - set(TEST_NAMES)


TEST_NAMES = ["33333333"]


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda file: file.write_text("{"), r"a/data\.json cannot be read as JSON"),
        (lambda file: file.write_text('{"stems": []}'), r"a/data\.json: stems: list should have at least 1 item"),
        (
            lambda file: file.write_text(file.read_text().replace("drums-0", "../../x")),
            r"tracks\.0\.id: string should match",
        ),
        (
            lambda file: file.write_text(file.read_text().replace("drums-0", "other-0")),
            r"is missing, and .*data\.json nam",
        ),
        (
            lambda file: file.write_text(file.read_text().replace("drums-00000001", "drums-00000000")),
            r"names drums-00000000\.wav twice: name it once",
        ),
        (
            lambda file: file.write_text(file.read_text().replace('"drums"', '"kazoo"')),
            "kazoo, which is none of MoisesDB",
        ),
        (
            lambda file: file.write_text('{"stems": [{"stemName": "bass", "tracks": []}]}'),
            "names no files: add them or m",
        ),
    ],
)
def test_what_is_wrong_with_a_description(moises, change, sentence, tmp_path):
    change(moises.root / "a" / "data.json")
    with pytest.raises(UserError, match=sentence):
        open_dataset(f"moisesdb:{tmp_path}")


def test_a_folder_that_is_no_moisesdb(tmp_path):
    (tmp_path / "train").mkdir()
    with pytest.raises(
        UserError, match=r"has no tracks: moisesdb:PATH expects TRACK/data\.json there, or in one folder"
    ):
        open_dataset(f"moisesdb:{tmp_path}")


@pytest.fixture
def joined(tmp_path) -> str:
    hq = folders(tmp_path / "a+b", "one", "two", "three", "four")
    own = folders(tmp_path / "own", "one", "six", stems=("vocals", "accompaniment"), seed=1)
    return f"musdbhq:{hq}+stems:{own}"


def test_joined_corpora_are_split_each_by_itself_and_decoded_once(joined, monkeypatch):
    first, second = joined.split("+stems:")
    hq, own = open_dataset(first), open_dataset(f"stems:{second}")
    monkeypatch.setattr(cache, "store_track", None)
    data = open_dataset(joined)
    assert data.source_names == ("accompaniment", "vocals")
    for part, first, second in (("train", hq.train, own.train), ("validation", hq.validation, own.validation)):
        names = [track.name.removesuffix(" (2)") for track in getattr(data, part)]
        assert names == [track.name for track in (*first, *second)]
    assert "one (2)" in tracks_of(data)
    assert len(tracks_of(data)) == 6
    assert len({data.digest, hq.digest, own.digest}) == 3


def test_joined_corpora_come_to_the_lowest_rate(tmp_path):
    hq = folders(tmp_path / "hq", "one", "two")
    for name in ("x", "y"):
        for stem in ("accompaniment", "vocals"):
            write(tmp_path / "own/train" / name / f"{stem}.wav", rate=4000)
    assert open_dataset(f"stems:{tmp_path / 'own'}+musdbhq:{hq}").sample_rate == 4000


def test_joined_corpora_are_tested_on_what_has_a_test_subset(joined, tmp_path):
    with pytest.raises(UserError, match="own has no folder 'test'"):
        open_test(joined)
    folders(tmp_path / "own", "seven", subset="test", stems=("vocals", "accompaniment"))
    assert [track.name for track in open_test(joined)] == ["seven"]


def test_corpora_that_do_not_go_together(joined, tmp_path):
    third = folders(tmp_path / "third", "ten", "eleven", stems=("piano", "violin"))
    with pytest.raises(
        UserError, match=r"offers the sources accompaniment, vocals and stems:.*third piano, violin: name"
    ):
        open_dataset(f"{joined}+stems:{third}")
    with pytest.raises(
        UserError, match=r"no track of musdbhq:.* has a stem 'piano': there are bass, drums, other, voc"
    ):
        open_dataset(joined, AudioFormat(sources=("piano", "vocals")))
    scored = open_dataset(f"musdbhq:{tmp_path / 'a+b'}").validation[0].name
    fourth = tmp_path / "fourth" / "train"
    fourth.mkdir(parents=True)
    (fourth / "again").symlink_to(tmp_path / "a+b" / "train" / scored)
    folders(tmp_path / "fourth", "0", "1", "2", "3", seed=4)
    with pytest.raises(
        UserError, match=r"are the same, and one would be trained on and the other scored on: remove one"
    ):
        open_dataset(f"musdbhq:{tmp_path / 'a+b'}+stems:{tmp_path / 'fourth'}")


def test_a_song_is_not_learnt_in_one_corpus_and_scored_in_another_in_whichever_order_they_are_joined(tmp_path):
    """A lone track is split in time, so that it is learnt in two corpora and scored in one."""
    whole, lone = folders(tmp_path / "whole", "one", "two", "three", "four"), tmp_path / "lone" / "train"
    learnt = open_dataset(f"musdbhq:{whole}").train[0].name
    lone.mkdir(parents=True)
    (lone / "again").symlink_to(whole / "train" / learnt)
    for spec in (f"musdbhq:{whole}+musdbhq:{lone.parent}", f"musdbhq:{lone.parent}+musdbhq:{whole}"):
        with pytest.raises(UserError, match="are the same, and one would be trained on and the other scored on"):
            open_dataset(spec)


def test_a_song_in_another_format_is_known_by_its_name_and_length(tmp_path):
    whole = folders(tmp_path / "whole", "one", "two", "three", "four")
    learnt = open_dataset(f"musdbhq:{whole}").train[0].name
    copy = folders(tmp_path / "copy", learnt, seed=1)
    specs = f"musdbhq:{whole}+musdbhq:{copy}", f"musdbhq:{copy}+musdbhq:{whole}"
    for spec in specs:
        with pytest.raises(UserError, match=f"'{learnt}' of musdbhq:.* have one name and one length, and one would be"):
            open_dataset(spec)
    for stem in STEMS:
        write(copy / "train" / learnt / f"{stem}.wav", samples=2000 + RATE // 10 + 1)
    assert len(open_dataset(specs[0]).train) == 4
