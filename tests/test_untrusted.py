"""A study may come from somebody else: nothing in it is run, and nothing in it names a file outside of it."""

from __future__ import annotations

import ast
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

import randsearch
from randsearch.architecture import Architecture
from randsearch.config import StudyConfig, without_password
from randsearch.errors import UserError
from randsearch.measurement import home
from randsearch.report.audio import listen
from randsearch.segments import read_segments

SOURCES = sorted(Path(randsearch.__file__).parent.rglob("*.py"))

RUNS_CODE = {"pickle", "cPickle", "dill", "cloudpickle", "joblib", "shelve", "marshal"}


def calls(tree: ast.AST) -> Iterator[tuple[str, ast.Call]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func), node


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.stem)
def test_nothing_that_is_read_is_run(source):
    tree = ast.parse(source.read_text())
    for node in ast.walk(tree):
        imported = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        imported += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        assert not {name.partition(".")[0] for name in imported} & RUNS_CODE
    for name, call in calls(tree):
        options = {keyword.arg: ast.unparse(keyword.value) for keyword in call.keywords}
        assert name not in (
            "eval",
            "exec",
            "yaml.unsafe_load",
            "yaml.full_load",
            "yaml.safe_load",
            "pd.read_pickle",
            "pandas.read_pickle",
        )
        assert options.get("allow_pickle", "False") == "False"
        if name == "torch.load":
            assert options.get("weights_only") == "True"
        if name == "yaml.load":  # the one loader, which keeps to bounds
            assert source.name == "yaml_files.py"
            assert [ast.unparse(argument) for argument in call.args[1:]] == ["_Loader"]
        if name.startswith("subprocess."):
            assert options.get("shell", "False") == "False"


def test_the_loader_is_a_safe_one():
    import yaml

    from randsearch.yaml_files import _Loader

    assert issubclass(_Loader, yaml.SafeLoader)


@pytest.mark.parametrize("tag", ["!!python/object/apply:os.system [touch ran]", "!!python/name:os.system"])
def test_yaml_makes_no_objects(run_cli, tmp_path, monkeypatch, tag):
    monkeypatch.chdir(tmp_path)
    Path("bad.yaml").write_text(f"trials: {tag}\n")
    for words in (["show", "bad.yaml"], ["search", "bad.yaml"], ["search", "--config", "bad.yaml"]):
        answer = run_cli(*words)
        assert (answer.code, answer.err.count("\n")) == (1, 1)
        assert "bad.yaml" in answer.err
    assert not Path("ran").exists()


@pytest.mark.parametrize("name", ["../../x", "a/b", "/etc/passwd", "", "a b", "..", "x:y:z"])
def test_no_measure_s_name_is_a_path(tmp_path, name):
    with pytest.raises(UserError, match="cannot be the name of a measure"):
        home(tmp_path, Architecture(), name, 0)
    assert home(tmp_path, Architecture(), "mine.of_my_own:loudness", 3).name == "mine.of_my_own.loudness-3"


@pytest.fixture
def outside(tmp_path) -> Path:
    """Files beside a study that look like its own."""
    folder = tmp_path / "outside" / "trained-0"
    folder.mkdir(parents=True)
    (folder / "segments.csv").write_text("source,sdr\nvocals,1.00\n")
    (folder / "excerpt-1-vocals.flac").write_bytes(b"secret")
    return folder.parent


@pytest.mark.parametrize("way", ["name", "link to a file", "link to a folder"])
def test_what_lies_outside_is_neither_read_nor_heard(outside, tmp_path, way):
    measured = tmp_path / "study" / "measured"
    name = "../../outside"
    (measured / "0123456789ab" / "trained-0").mkdir(parents=True)
    if way != "name":
        name = "0123456789ab"
    if way == "link to a file":
        for file in (outside / "trained-0").iterdir():
            (measured / name / "trained-0" / file.name).symlink_to(file)
    if way == "link to a folder":
        shutil.rmtree(measured / name)
        (measured / name).symlink_to(outside)
    assert read_segments(measured, [name], ["trained"]).empty
    assert listen(measured, name).excerpts == ()


URL = "postgresql+psycopg://me:hush@host:5/name?sslmode=require&passfile=mine&sslpassword=hush"


def test_no_password_is_saved_shown_or_compared(tmp_path):
    config = StudyConfig(space={}, storage=URL)
    assert without_password(URL) == "postgresql+psycopg://me@host:5/name?passfile=mine&sslmode=require"
    config.save(tmp_path / "config.yaml")
    for text in (repr(config), str(config), config.model_dump_json(), (tmp_path / "config.yaml").read_text()):
        assert "hush" not in text
    stored = StudyConfig.create({"space": {}, "storage": without_password(URL)}, "here")
    assert stored.continued_by(config).storage == URL
    with pytest.raises(UserError, match="another storage") as refusal:
        stored.continued_by(StudyConfig(space={}, storage=URL.replace("host", "elsewhere")))
    assert "hush" not in str(refusal.value)


@pytest.mark.parametrize("url", ["postgresql//me:hush@host/name", "postgresql://me:hush@host:port/name", ["hush"]])
def test_what_is_no_url_is_refused_without_being_shown(url):
    with pytest.raises(UserError, match="storage") as refusal:
        StudyConfig.create({"space": {}, "storage": url}, "options")
    assert "hush" not in str(refusal.value)
