"""A study may come from somebody else: nothing in it is run, and nothing in it names a file outside of it."""

from __future__ import annotations

import ast
import io
import shutil
from collections.abc import Iterator
from pathlib import Path

import needs
import pandas as pd
import pytest
from jinja2 import Template

import randsearch
from randsearch.base.errors import UserError
from randsearch.report.audio import listen
from randsearch.study.config import StudyConfig, without_password
from randsearch.table.segments import read_segments

SOURCES = sorted(Path(randsearch.__file__).parent.rglob("*.py"))

GIVEN = Path(randsearch.__file__).parent / "measures" / "given.py"

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
        found = {name.partition(".")[0] for name in imported} & RUNS_CODE
        # Functions that this process's own user handed in, as they travel to the workers.
        assert found <= ({"cloudpickle"} if source == GIVEN else set())
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


def test_no_pickle_comes_from_a_file():
    """What is unpacked was packed in this process, or was sent by the one that started this worker."""
    text = GIVEN.read_text()
    assert not {"open", "Path", "read", "read_bytes"} & {name.rpartition(".")[2] for name, _ in calls(ast.parse(text))}
    users = {source.relative_to(GIVEN.parents[1]).as_posix() for source in SOURCES if "unpacked" in source.read_text()}
    assert users == {"measures/given.py", "measures/contract.py"}
    makers = {source.relative_to(GIVEN.parents[1]).as_posix() for source in SOURCES if "packed(" in source.read_text()}
    assert makers == {"measures/given.py", "measures/contract.py", "api/runs.py"}


def test_the_loader_is_a_safe_one():
    import yaml

    from randsearch.base.yaml_files import _Loader

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
    assert read_segments(measured.parent, [name], ["trained"]).empty
    assert listen(measured.parent, name).excerpts == ()


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


@pytest.fixture
def study(finished_study, tmp_path) -> Path:
    """A copy of the finished study, as it came from somebody else."""
    return Path(shutil.copytree(finished_study, tmp_path / "results" / "tiny"))


@pytest.fixture
def mine(study, tmp_path) -> Path:
    """Files of this user's, which a study would like to be its own."""
    folder = Path(shutil.copytree(study, tmp_path / "mine"))
    shutil.copytree(next(folder.glob("measured/*/trained-0")), folder / "trained-0")
    names = ("report.html", "agreement.csv", "rank_rank.png", ".lock", ".driver", "study.db-journal", "0123")
    for name in (*names, *(f"trained-0/{file}" for file in ("checkpoint.safetensors", "checkpoint.part"))):
        (folder / name).write_text("mine")
    return folder


def contents(folder: Path) -> dict[Path, tuple[bytes, int]]:
    return {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in folder.rglob("*") if path.is_file()}


def plant(link: Path, target: Path) -> None:
    """Puts a link in the place of a file or a folder."""
    assert target.exists()
    if link.is_dir():
        shutil.rmtree(link)
    link.unlink(missing_ok=True)
    link.parent.mkdir(parents=True, exist_ok=True)
    link.symlink_to(target)


MORE = ["search", "--study", "tiny", "--seeds", "0,1,2", "--keep", "none"]
"""Measures what is there at another seed, and keeps neither weights nor audio."""


FINISH = ["finish", "tiny", "--steps", "2"]


@pytest.mark.parametrize(
    ("link", "target", "words"),
    [
        ("measured/HASH/fixed_decoder-2", "trained-0", MORE),
        ("measured/HASH", "measured/HASH", MORE),
        ("measured", "measured", MORE),
        ("measured/reference", "measured/reference", MORE),
        ("measured/HASH/fixed_decoder-2/checkpoint.safetensors", "trained-0/checkpoint.safetensors", MORE),
        ("measured/HASH/fixed_decoder-2/weights.safetensors", "trained-0/weights.safetensors", MORE),
        ("measured/HASH/fixed_decoder-2/excerpt-1-vocals.flac", "trained-0/excerpt-1-vocals.flac", MORE),
        ("measured/HASH/fixed_decoder-2/segments.csv", "trained-0/segments.csv", MORE),
        ("study.db", "study.db", MORE),
        ("study.db-journal", "study.db-journal", MORE),
        (".lock", ".lock", MORE),
        (".driver", ".driver", MORE),
        ("", "", MORE),
        ("", "", ["status", "tiny"]),
        ("config.yaml", "config.yaml", MORE),
        ("config.yaml", "config.yaml", ["status", "tiny"]),
        ("measurements.csv", "measurements.csv", MORE),
        ("measurements.csv", "measurements.csv", ["export-table", "tiny"]),
        ("agreement.csv", "agreement.csv", ["analyse", "tiny", "--resamples", "10"]),
        ("plots", "plots", ["plot", "tiny", "--kind", "rank_rank"]),
        ("plots/rank_rank.png", "rank_rank.png", ["plot", "tiny", "--kind", "rank_rank"]),
        ("report.html", "report.html", ["report", "tiny"]),
        ("artifacts", "artifacts", ["dashboard", "tiny"]),
        ("plots", "plots", ["dashboard", "tiny"]),
        ("exported", "exported", ["export", "tiny"]),
        ("finishes", "exported", FINISH),
        ("finishes/finish", "exported", FINISH),
        ("finishes/finish/.lock", ".lock", FINISH),
        ("finishes/finish/config.yaml", "config.yaml", FINISH),
    ],
)
def test_no_link_of_a_study_leads_a_write_out_of_it(run_cli, study, mine, monkeypatch, link, target, words):
    for folder in ("plots", "artifacts", "exported"):
        (mine / folder).mkdir(exist_ok=True)
    name = pd.read_csv(study / "measurements.csv")["architecture"].iloc[0]
    plant(study / link.replace("HASH", name), mine / target.replace("HASH", name))
    before = contents(mine)
    if words[0] == "dashboard":
        needs.package("optuna_dashboard", "dashboard")
        monkeypatch.setattr("randsearch.finalists.dashboard.serve", lambda *_, **__: None)
    # What a page shows and a program computes is not what this looks at.
    monkeypatch.setattr("randsearch.report.build._context", lambda *_: {})
    monkeypatch.setattr("randsearch.report.build._template", lambda: Template(""))
    monkeypatch.setattr("randsearch.finalists.export._program", lambda *_: b"")
    answer = run_cli(*words, "--results", study.parent)
    assert (answer.code, answer.err.count("\n")) == (1, 1), answer
    assert f"{study / link.replace('HASH', name)} is a link" in answer.err
    assert "remove it" in answer.err
    assert contents(mine) == before


def test_no_artifact_is_written_over_a_file_elsewhere(study, mine, monkeypatch):
    needs.package("optuna_dashboard", "dashboard")
    from optuna.artifacts.exceptions import ArtifactNotFound

    from randsearch.finalists.dashboard import Artifacts, prepare
    from randsearch.study.folders import load_config

    monkeypatch.setattr("randsearch.finalists.dashboard.save_plots", lambda *_, **__: [])
    prepare(load_config(study), study, lambda _: None)
    artifact = min((study / "artifacts").iterdir())
    plant(artifact, mine / "0123")
    before = contents(mine)
    with pytest.raises(UserError, match="is a link"):
        prepare(load_config(study), study, lambda _: None)
    store = Artifacts(study)
    for name in (artifact.name, "../measurements.csv/../../x", "../../mine/0123", str(mine / "0123")):
        with pytest.raises((ArtifactNotFound, UserError)):
            store.open_reader(name)
        with pytest.raises(UserError):
            store.write(name, io.BytesIO(b"theirs"))
        with pytest.raises((ArtifactNotFound, UserError)):
            store.remove(name)
    assert contents(mine) == before


def test_the_root_of_all_studies_may_be_a_link(run_cli, study, tmp_path):
    (tmp_path / "linked").symlink_to(study.parent)
    (study / "agreement.csv").unlink()
    for words in (["status", "tiny"], ["analyse", "tiny", "--resamples", "10"], ["search", "--study", "tiny"]):
        answer = run_cli(*words, "--results", tmp_path / "linked")
        assert answer.code == 0, answer.err
    assert (study / "agreement.csv").is_file()
