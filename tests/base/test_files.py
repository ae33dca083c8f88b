"""What is written lands in its folder or nowhere, whatever somebody put in its way."""

from __future__ import annotations

import ast
import io
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import randsearch
from randsearch.base import files
from randsearch.base.errors import PlaceError, UserError
from randsearch.base.files import Place, replace_file

PACKAGE = Path(randsearch.__file__).parent


def contents(folder: Path) -> dict[str, tuple[bytes, int]]:
    """All that is in a folder, with its time."""
    found = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): (path.read_bytes(), path.stat().st_mtime_ns) for path in found}


@pytest.fixture(params=[True, False], ids=["by handle", "by path"])
def by_handle(request, monkeypatch) -> bool:
    """Both ways to work in a folder: that of this machine, and that of one which knows no handles of folders."""
    monkeypatch.setattr(files, "_BY_HANDLE", request.param)
    return bool(request.param)


@pytest.fixture
def outside(tmp_path) -> Path:
    """A folder of somebody's files that look like a study's."""
    folder = tmp_path / "outside"
    folder.mkdir()
    for name in ("a.flac", "b.txt"):
        (folder / name).write_text(f"mine: {name}")
    return folder


@pytest.fixture
def study(tmp_path) -> Path:
    folder = tmp_path / "results" / "study"
    (folder / "deep" / "er").mkdir(parents=True)
    for name in ("a.flac", "b.txt"):
        (folder / "deep" / "er" / name).write_text(name)
    return folder


OPERATIONS: dict[str, Callable[[Place, Path], object]] = {
    "write": lambda place, folder: place.write(folder / "b.txt", "new"),
    "write for good": lambda place, folder: place.write(folder / "b.txt", b"new", part="b.part", fsync=True),
    "copy": lambda place, folder: place.copy(io.BytesIO(b"new"), folder / "b.txt"),
    "make": lambda place, folder: place.make(folder / "still" / "deeper"),
    "remove": lambda place, folder: place.remove(folder / "a.flac"),
    "clear": lambda place, folder: place.clear(folder, ["*.flac"]),
    "rename": lambda place, folder: place.rename(folder / "a.flac", folder / "b.txt"),
    "rename a folder": lambda place, folder: place.rename(folder, place.root / "other"),
    "has": lambda place, folder: place.has(folder / "a.flac"),
    "read": lambda place, folder: place.read(folder / "a.flac"),
    "checked": lambda place, folder: place.checked(folder / "a.flac"),
}


@pytest.mark.usefixtures("by_handle")
@pytest.mark.parametrize("name", OPERATIONS)
def test_what_is_done_in_a_place_is_done_there(study, name):
    place, folder = Place(study), study / "deep" / "er"
    found = OPERATIONS[name](place, folder)
    names = sorted(str(path.relative_to(folder)) for path in folder.rglob("*")) if folder.exists() else None
    expected = {
        "write": ["a.flac", "b.txt"],
        "make": ["a.flac", "b.txt", "still", "still/deeper"],
        "remove": ["b.txt"],
        "clear": ["b.txt"],
        "rename": ["b.txt"],
        "rename a folder": None,
    }
    assert names == expected.get(name, ["a.flac", "b.txt"])
    if "write" in name or name == "copy":
        assert (folder / "b.txt").read_text() == "new"
    assert {"has": True, "read": b"a.flac", "checked": (folder / "a.flac").resolve()}.get(name) == found


@pytest.mark.usefixtures("by_handle")
@pytest.mark.parametrize("link", ["", "deep", "deep/er"])
@pytest.mark.parametrize("name", OPERATIONS)
def test_no_link_is_followed(study, outside, name, link):
    (outside / "deep" / "er").mkdir(parents=True)
    shutil.copytree(outside, outside / "er", dirs_exist_ok=True)
    before = contents(outside)
    moved = study.parent / "moved"
    (study / link).rename(moved)
    (study / link).symlink_to(outside)
    with pytest.raises(PlaceError, match=r"is a link, and none is followed within .*: remove it") as refusal:
        OPERATIONS[name](Place(study), study / "deep" / "er")
    assert str(study / link) in str(refusal.value)
    assert contents(outside) == before


@pytest.mark.usefixtures("by_handle")
@pytest.mark.parametrize("dangling", [False, True])
@pytest.mark.parametrize("name", ["write", "copy", "rename", "has", "read", "checked", "remove", "clear"])
def test_a_file_that_is_a_link_is_left_alone_or_removed_itself(study, outside, name, dangling):
    folder = study / "deep" / "er"
    for file in ("a.flac", "b.txt"):
        (folder / file).unlink()
        (folder / file).symlink_to(outside / ("nothing" if dangling else file))
    before = contents(outside)
    if name in ("remove", "clear"):
        OPERATIONS[name](Place(study), folder)
        assert os.listdir(folder) == ["b.txt"]  # noqa: PTH208
    else:
        with pytest.raises(PlaceError, match="is a link"):
            OPERATIONS[name](Place(study), folder)
    assert contents(outside) == before


@pytest.mark.skipif(not files._BY_HANDLE, reason="this platform knows no handles of folders")
@pytest.mark.parametrize("name", ["write", "copy", "remove", "clear", "rename"])
def test_a_folder_that_is_swapped_between_check_and_use(study, outside, monkeypatch, name):
    folder, before = study / "deep" / "er", contents(outside)

    def swapping(method: Callable[..., object]) -> Callable[..., object]:
        def call(*arguments: object) -> object:
            result = method(*arguments)
            if not folder.is_symlink():
                folder.rename(study / "away")
                folder.symlink_to(outside)
            return result

        return call

    monkeypatch.setattr(files._Folder, "entries", swapping(files._Folder.entries))
    monkeypatch.setattr(files._Folder, "named", swapping(files._Folder.named))
    monkeypatch.setattr(Place, "_refuse_link", swapping(Place._refuse_link))
    OPERATIONS[name](Place(study), folder)
    assert folder.is_symlink()
    assert contents(outside) == before
    left = {"remove": ["b.txt"], "clear": ["b.txt"], "rename": ["b.txt"]}.get(name, ["a.flac", "b.txt"])
    assert sorted(path.name for path in (study / "away").iterdir()) == left


@pytest.mark.usefixtures("by_handle")
def test_what_leads_to_a_place_may_be_a_link(study, tmp_path):
    (tmp_path / "linked").symlink_to(study.parent)
    Place(tmp_path / "linked" / "study").write(tmp_path / "linked" / "study" / "new" / "c.txt", "ü")
    assert (study / "new" / "c.txt").read_text(encoding="utf-8") == "ü"
    (tmp_path / "own").symlink_to(study)
    Place(tmp_path / "own", own=True).write(tmp_path / "own" / "d.txt", "d")
    assert (study / "d.txt").read_text() == "d"
    with pytest.raises(PlaceError, match="is a link"):
        Place(tmp_path / "own").write(tmp_path / "own" / "e.txt", "e")


def test_a_place_may_be_where_one_stands(study, monkeypatch):
    monkeypatch.chdir(study)
    for root in (Path(), Path("../study"), Path("deep/..")):
        Place(root).write(root / "here.txt", str(root))
        assert (study / "here.txt").read_text() == str(root)


def test_nothing_is_touched_beside_a_place(study):
    for path in (study / ".." / "x", study.parent / "x", Path("x"), study / "deep" / ".." / ".." / "x"):
        with pytest.raises(PlaceError, match="lies outside of"):
            Place(study).write(path, "new")
    assert not (study.parent / "x").exists()
    assert Place(study).files(study / ".." / "study") == []


@pytest.mark.usefixtures("by_handle")
def test_only_files_are_listed(study, outside):
    (study / "linked").symlink_to(outside)
    (study / "c.txt").symlink_to(outside / "b.txt")
    (study / "a.txt").touch()
    os.mkfifo(study / "d.txt")
    assert Place(study).files(study, "*.txt") == [study / "a.txt", study / "deep" / "er" / "b.txt"]
    assert Place(study).files(study / "linked") == Place(study).files(study / "none") == []


@pytest.mark.usefixtures("by_handle")
def test_what_is_no_file_or_no_folder_is_refused(study):
    os.mkfifo(study / "pipe")
    for refused in (lambda: Place(study).read(study / "pipe"), lambda: Place(study).checked(study / "deep")):
        with pytest.raises(PlaceError, match="is no file"):
            refused()
    with pytest.raises(PlaceError, match="is no folder"):
        Place(study).write(study / "deep" / "er" / "b.txt" / "c", "new")


@pytest.mark.usefixtures("by_handle")
def test_what_is_made_aside_goes_at_the_end(study, outside):
    with Place(study).aside(".made-") as aside:
        (aside / "linked").symlink_to(outside)
        Place(study).write(aside / "x" / "y", "kept")
        Place(study).rename(aside / "x", study / "x")
    assert (study / "x" / "y").read_text() == "kept"
    assert sorted(path.name for path in study.iterdir()) == ["deep", "x"]
    assert len(contents(outside)) == 2


@pytest.mark.usefixtures("by_handle")
def test_what_is_added_goes_behind_what_is_there_and_through_no_link(study, outside):
    place, path = Place(study), study / "log"
    with pytest.raises(PlaceError, match="cannot be written"):
        place.append(path, b"more")
    place.write(path, b"some")
    place.append(path, b" more")
    assert path.read_bytes() == b"some more"
    target = outside / "target"
    target.write_bytes(b"mine")
    (study / "linked").symlink_to(target)
    with pytest.raises(PlaceError, match="is a link"):
        place.append(study / "linked", b"theirs")
    assert target.read_bytes() == b"mine"


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    path = tmp_path / "m.csv"
    replace_file(path, "old")

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files, "_rename", full)
    for write in (replace_file, Place(tmp_path).write):
        with pytest.raises(UserError, match=r"m\.csv cannot be written: No space left"):
            write(path, "new")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.usefixtures("by_handle")
def test_what_the_system_refuses_is_named_by_its_whole_path(study):
    folder = study / "deep" / "er"
    for refused in (
        lambda: Place(study).read(study / "deep" / "none"),
        lambda: Place(study).checked(study / "x" / "y"),
        lambda: Place(study).rename(folder / "a.flac", study / "deep"),
    ):
        with pytest.raises(OSError, match=r"No such file|not empty|Is a directory") as refusal:
            refused()
        assert refusal.value.filename.startswith(str(study))


def test_what_the_user_names_may_be_a_link(tmp_path):
    (tmp_path / "there").write_text("old")
    (tmp_path / "here").symlink_to(tmp_path / "there")
    replace_file(tmp_path / "here", "new")
    assert (tmp_path / "there").read_text() == "new"


# What changes files, by its name, wherever it is called.
CHANGES = {
    *(
        "write_text",
        "write_bytes",
        "unlink",
        "rename",
        "mkdir",
        "rmdir",
        "rmtree",
        "touch",
        "symlink_to",
        "hardlink_to",
    ),
    *("makedirs", "removedirs", "renames", "truncate", "chmod", "copyfile", "copy2", "copytree", "move", "mkfifo"),
    *("save_file", "save_model", "savefig", "SoundFile", "savez", "savez_compressed", "savetxt", "tofile", "memmap"),
    *("to_parquet", "to_pickle", "to_hdf", "to_excel", "to_feather", "dump_to_file", "write_image"),
    *(
        "TemporaryDirectory",
        "NamedTemporaryFile",
        "mkdtemp",
        "mkstemp",
        "FileLock",
        "file_lock",
        "FileSystemArtifactStore",
    ),
    *("os.open", "os.remove", "os.replace", "os.link", "os.symlink", "shutil.copy", "soundfile.write"),
    *("torch.save", "torch.export.save", "np.save", "numpy.save"),
}

ALLOWED = {
    ("data/cache.py", "mkdir"): "the cache is the user's own",
    ("data/cache.py", "open"): "the cache is the user's own",
    ("data/cache.py", "replace"): "the cache is the user's own",
    ("data/cache.py", "unlink"): "the cache is the user's own",
    ("data/cache.py", "file_lock"): "the cache is the user's own",
    ("data/audio_files.py", "SoundFile"): "reads",
    ("measures/own.py", "open"): "nothing but /dev/null",
    ("base/locks.py", "FileLock"): "is handed a path by those that are looked at here",
    ("study/trust.py", "mkdir"): "the state folder is the user's own",
    ("study/trust.py", "file_lock"): "the state folder is the user's own",
    ("data/synthetic.py", "mkdir"): "generated songs lie in the cache",
    ("data/synthetic.py", "open"): "generated songs lie in the cache",
    ("data/synthetic.py", "rename"): "generated songs lie in the cache",
    ("data/synthetic.py", "rmtree"): "generated songs lie in the cache",
    ("data/synthetic.py", "soundfile.write"): "generated songs lie in the cache",
    ("measures/excerpts.py", "soundfile.write"): "into memory",
    ("plots/style.py", "savefig"): "into memory",
    ("table/formats.py", "to_parquet"): "into memory",
    ("finalists/separation.py", "SoundFile"): "stems may be longer than memory; into a folder made for them",
    ("finalists/export.py", "TemporaryDirectory"): "of the system; what is in it is read into memory",
    ("finalists/export.py", "torch.export.save"): "of the system; what is in it is read into memory",
    ("finalists/dashboard.py", "TemporaryDirectory"): "of the system; Optuna names an artifact after its file",
}


def changes(tree: ast.AST) -> Iterator[tuple[str, ast.Call]]:
    """The calls that change files."""
    for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call)):
        name = ast.unparse(call.func)
        last = name.rpartition(".")[2]
        modes = [ast.unparse(argument) for argument in call.args + [word.value for word in call.keywords]]
        if last == "open" and any(mark in mode for mode in modes for mark in ("'w", "'a", "'x", "+'", "O_")):
            yield "open", call
        elif last == "replace" and len(call.args) == 1 and not call.keywords and "." in name:
            yield last, call  # that of a path: those of text take two, those of data classes take names
        elif last in ("to_csv", "to_json", "to_html") and (call.args or "path_or_buf" in ast.unparse(call)):
            yield last, call
        elif name in CHANGES or last in CHANGES:
            yield name if name in CHANGES else last, call


def test_only_one_module_changes_files():
    found = set()
    for source in sorted(PACKAGE.rglob("*.py")):
        module = source.relative_to(PACKAGE).as_posix()
        if module == "base/files.py":
            continue
        for name, call in changes(ast.parse(source.read_text(encoding="utf-8"))):
            # What opens a file by itself is handed a path that was just checked.
            through = [ast.unparse(call.func), *map(ast.unparse, call.args)]
            if name == "file_lock" and any(".checked(" in each for each in through):
                continue
            if name in ("rename", "copy") and through[0].rpartition(".")[0].rpartition(".")[2] in ("place", "results"):
                continue
            assert (module, name) in ALLOWED, f"{module}, line {call.lineno}: {ast.unparse(call)}"
            found.add((module, name))
    assert found == ALLOWED.keys()


@pytest.mark.parametrize(
    "line",
    [
        "path.write_text('x')",
        "path.open('wb')",
        "open(path, mode='a')",
        "os.open(path, os.O_RDWR | os.O_CREAT)",
        "part.replace(target)",
        "shutil.rmtree(path)",
        "table.to_csv(path, index=False)",
        "safetensors.torch.save_file(tensors, path)",
        "FileLock(folder / '.lock')",
    ],
)
def test_what_changes_files_is_noticed(line):
    assert len(list(changes(ast.parse(line)))) == 1


@pytest.mark.parametrize(
    "line", ["text.replace('a', 'b')", "path.open('rb')", "table.to_csv(index=False)", "place.copy(f, p)"]
)
def test_what_changes_none_is_let_be(line):
    assert not list(changes(ast.parse(line)))
