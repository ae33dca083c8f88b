"""Built once, keyed by content, whole or absent, shared by processes."""

import errno
import os
import subprocess
import sys
import time
from pathlib import Path

import needs
import numpy as np
import pytest
import soundfile

from randsearch.base.errors import UserError
from randsearch.data import AudioFormat, open_dataset
from randsearch.data import cache as store
from randsearch.data.layouts import WavFolders

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "cache"


@pytest.fixture
def spec(corpus, make_track):
    for name in ("a", "b", "c"):
        make_track(name)
    return f"musdbhq:{corpus}"


def stored(folder):
    return {path.name: path.stat().st_mtime_ns for path in (folder / "tracks").glob("*.npy")}


def read(spec, **options):
    data = open_dataset(spec, AudioFormat(**options))
    return {track.name: track.sources(0, track.length) for track in data.train + data.validation}


def test_second_opening_decodes_and_hashes_nothing(spec, folder, monkeypatch):
    first = read(spec)
    before = stored(folder)
    assert len(before) == 3

    def forbidden(*_):
        raise AssertionError("the cache should have been used")

    monkeypatch.setattr(WavFolders, "decode", forbidden)
    monkeypatch.setattr(WavFolders, "header", forbidden)
    monkeypatch.setattr(store, "_content_digest", forbidden)
    second = read(spec)
    assert stored(folder) == before
    for name, samples in first.items():
        np.testing.assert_array_equal(samples, second[name])


def test_each_format_has_its_own_file(spec, folder):
    read(spec)
    read(spec, sample_rate=4000)
    assert len(stored(folder)) == 6
    read(spec, channels=2, upmix_mono=True)
    assert len(stored(folder)) == 9
    read(spec, task="multi")
    assert len(stored(folder)) == 9, "tasks share the stems"


def test_changed_samples_are_noticed_at_equal_name_and_size(spec, corpus, folder, make_track):
    old = read(spec)["b"]
    file = corpus / "train" / "b" / "vocals.wav"
    size = file.stat().st_size
    audio = np.full(4000, 0.25, dtype=np.float32)
    soundfile.write(file, audio, 8000, subtype="FLOAT")
    os.utime(file, ns=(0, 10**18))
    assert file.stat().st_size == size
    new = read(spec)["b"]
    assert len(stored(folder)) == 4
    np.testing.assert_array_equal(new[1, 0], audio)
    np.testing.assert_array_equal(new[0], old[0])


def test_a_touched_file_is_hashed_again_but_not_decoded(spec, corpus, folder):
    read(spec)
    before = stored(folder)
    os.utime(corpus / "train" / "b" / "vocals.wav", ns=(0, 10**18))
    read(spec)
    assert stored(folder) == before


@pytest.mark.parametrize("damage", [lambda whole: whole[: len(whole) // 2], lambda _: b"", lambda _: b"garbage" * 99])
def test_a_damaged_track_is_built_again(spec, folder, damage):
    good = read(spec)
    path = sorted((folder / "tracks").glob("*.npy"))[0]
    whole = path.read_bytes()
    path.unlink()  # a new file, so that the memory map of the old one stays valid
    path.write_bytes(damage(whole))
    again = read(spec)
    assert path.read_bytes() == whole
    for name, samples in good.items():
        np.testing.assert_array_equal(samples, again[name])


@pytest.mark.parametrize("damage", [b"", b"{", b"[]", b'{"x": 1}', b'{"x": ["a", 1, 1, "d"]}', b"\xff\xfe"])
def test_a_damaged_memo_is_made_again(spec, folder, damage):
    good = read(spec)
    memo = folder / "files.json"
    whole = memo.read_bytes()
    memo.write_bytes(damage)
    again = read(spec)
    assert memo.read_bytes() == whole
    assert good.keys() == again.keys()


def test_a_killed_build_is_not_trusted(spec, folder):
    """The process dies in the middle of writing the second track."""
    code = (
        "import os, sys, itertools\n"
        "from randsearch.data import cache, open_dataset\n"
        "write, count = cache._write_array, itertools.count()\n"
        "def dying(file, array):\n"
        "    if next(count) == 1:\n"
        "        file.write(b'half'); file.flush(); os._exit(9)\n"
        "    write(file, array)\n"
        "cache._write_array = dying\n"
        "open_dataset(sys.argv[1])\n"
    )
    assert subprocess.run([sys.executable, "-c", code, spec], cwd=ROOT, check=False).returncode == 9
    assert len(stored(folder)) == 1
    assert len(list(folder.rglob("*.tmp"))) == 1
    read(spec)
    assert len(stored(folder)) == 3
    assert not list(folder.rglob("*.tmp"))


def test_old_leftovers_are_removed_and_young_ones_left(spec, folder):
    (folder / "tracks").mkdir(parents=True)
    old, young = folder / "tracks" / "old.npy.tmp", folder / "tracks" / "young.npy.tmp"
    old.touch()
    young.touch()
    two_days_ago = time.time() - 2 * 24 * 3600
    os.utime(old, (two_days_ago, two_days_ago))
    read(spec)
    assert not old.exists()
    assert young.exists(), "it may belong to a build that is under way"


def test_two_processes_build_each_track_once(spec, folder, tmp_path):
    log = tmp_path / "built"
    code = (
        "import sys, time\n"
        "from randsearch.data import cache, open_dataset\n"
        "write = cache._write_array\n"
        "def logged(file, array):\n"
        "    time.sleep(0.3)  # long enough for the other process to arrive\n"
        "    with open(sys.argv[2], 'a') as log: log.write('x')\n"
        "    write(file, array)\n"
        "cache._write_array = logged\n"
        "print(open_dataset(sys.argv[1]).digest)\n"
    )
    processes = [
        subprocess.Popen([sys.executable, "-c", code, spec, log], cwd=ROOT, stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    digests = {process.communicate()[0] for process in processes}
    assert [process.returncode for process in processes] == [0, 0]
    assert digests == {open_dataset(spec).digest + "\n"}
    assert log.read_text() == "xxx"


def test_a_stored_track_is_not_built_again(folder):
    built = np.ones((4, 1, 10), dtype=np.float32)
    store.store_track(folder, "k", lambda: built)

    def forbidden():
        raise AssertionError("it is stored already")

    store.store_track(folder, "k", forbidden)
    np.testing.assert_array_equal(np.load(store.track_path(folder, "k")), built)


def test_unwritable_cache(spec, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match=r"cache folder .*file/cache cannot be written .*RANDSEARCH_CACHE"):
        open_dataset(spec, cache=tmp_path / "file" / "cache")
    with pytest.raises(UserError, match=r"cannot be written"):
        open_dataset("synthetic", cache=tmp_path / "file" / "cache")


def test_full_disk(spec, folder, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(store, "_write_array", full)
    with pytest.raises(UserError, match=r"the disk of the cache folder .* is full: free some space"):
        open_dataset(spec)
    assert not list(folder.rglob("*.tmp"))
    assert not stored(folder)


@needs.device("/dev/full")
def test_writing_an_array_to_a_full_disk_says_so():
    with pytest.raises(OSError, match="No space") as caught, Path("/dev/full").open("wb") as file:
        store._write_array(file, np.zeros((4, 1, 10**6), dtype=np.float32))
    assert caught.value.errno == errno.ENOSPC


def test_which_folder(monkeypatch, tmp_path):
    monkeypatch.setenv("RANDSEARCH_CACHE", str(tmp_path / "env"))
    assert store.cache_folder(None) == tmp_path / "env"
    assert store.cache_folder(tmp_path / "argument") == tmp_path / "argument"
    monkeypatch.delenv("RANDSEARCH_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert "randsearch" in store.cache_folder(None).parts


def test_progress_is_shown_only_when_there_is_work(spec, capfd):
    open_dataset(spec, progress=True)
    out, err = capfd.readouterr()
    assert out == ""
    assert "decoding tracks" in err
    open_dataset(spec, progress=True)
    assert capfd.readouterr() == ("", "")
