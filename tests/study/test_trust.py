"""What must be true of a study from elsewhere: it has nothing opened and nothing run that this user did not name."""

from __future__ import annotations

import ast
import shutil
import socket
import stat
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import needs
import pytest
from tiny import Answer

import randsearch
from randsearch.base.errors import NotAgreedError
from randsearch.measures import find
from randsearch.measures.contract import Lazy
from randsearch.study import trust
from randsearch.study.config import StudyConfig
from randsearch.study.database import database_url

PACKAGE = Path(randsearch.__file__).parent
TREES = {path.relative_to(PACKAGE).as_posix(): ast.parse(path.read_text()) for path in PACKAGE.rglob("*.py")}


@pytest.fixture(autouse=True)
def state(tmp_path, monkeypatch) -> Path:
    """A machine that has agreed to nothing yet."""
    monkeypatch.setenv("RANDSEARCH_STATE", str(tmp_path / "state"))
    monkeypatch.setattr(trust, "_unkept", {})
    return tmp_path / "state" / trust.STATE_FILE


@pytest.fixture
def study(finished_study, tmp_path) -> Path:
    """A study that somebody sent."""
    folder = tmp_path / "results" / "tiny"
    shutil.copytree(finished_study, folder, ignore=shutil.ignore_patterns("*.flac"))
    return folder


def change(study: Path, old: str, new: str) -> None:
    config = study / "config.yaml"
    assert old in config.read_text()
    config.write_text(config.read_text().replace(old, new, 1))


def refused(answer: Answer, *named: str) -> None:
    assert (answer.code, answer.err.count("\n")) == (1, 1), answer
    for name in named:
        assert name in answer.err


class Host:
    """A server that nobody should come to; it hangs up on those who do."""

    def __init__(self) -> None:
        self.visits = 0
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"postgresql+psycopg://u@127.0.0.1:{self._socket.getsockname()[1]}/x"
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        while True:
            try:
                visitor, _ = self._socket.accept()
            except OSError:
                return
            self.visits += 1
            visitor.close()

    def close(self) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()


@pytest.fixture
def host(monkeypatch) -> Iterator[Host]:
    needs.package("psycopg", "postgres")
    monkeypatch.setenv("PGPASSWORD", "hush")
    server = Host()
    yield server
    server.close()


def test_no_command_goes_to_a_host_that_a_study_names_alone(run_cli, study, host, tmp_path):
    (study / "study.db").unlink()
    change(study, "storage: null", f"storage: {host.url}")
    where = ("--results", study.parent)
    how = "nobody on this machine has agreed, so that it was not opened: if you trust it, give the same command with "
    said = run_cli("status", "tiny", *where)
    assert said.code == 0
    assert (
        f"whether somebody is at work elsewhere is not known: the study tiny says that it is stored in {host.url}"
        in (said.out)
    )
    said = run_cli("analyse", "tiny", "--resamples", 50, *where)
    assert said.code == 0, said.err
    assert f"the numbers are not logged in the study: the study tiny says that it is stored in {host.url}" in said.out
    assert f"{how}--storage {host.url}." in said.out
    assert (study / "agreement.csv").exists()
    for words in (["list"], ["export-table", "tiny"]):
        assert run_cli(*words, *where).code == 0, words
    for words in (["search", "--study", "tiny"], ["train", "tiny", "--all"], ["dashboard", "tiny", "--no-browser"]):
        if words[0] == "dashboard":
            needs.package("optuna_dashboard", "dashboard")
        refused(run_cli(*words, *where), how, host.url)
    shutil.copytree(study, tmp_path / "other" / "tiny")
    said = run_cli("merge", "tiny", tmp_path / "other" / "tiny", "--into", "both", *where)
    assert said.code == 0, said.err
    assert f"{study} was read from its measurements.csv, and whether somebody is at work on it elsewhere" in said.out
    assert not (study / "study.db").exists()
    assert host.visits == 0
    # Named, it is gone to, with the password that only this user knows; and so it is from then on.
    for words in (["--storage", host.url.replace("u@", "u:hush@")], []):
        before = host.visits
        said = run_cli("status", "tiny", *where, *words)
        assert "whether somebody is at work elsewhere is not known: the database" in said.out
        assert "hush" not in said.out
        assert host.visits > before
    refused(run_cli("status", "tiny", *where, "--storage", "postgresql://u@elsewhere/x"), "with another storage")


def test_another_database_is_not_touched_unless_it_was_named_for_this_study_in_this_place(run_cli, study, tmp_path):
    decoy = tmp_path / "elsewhere.db"
    decoy.write_bytes(b"")
    url = f"sqlite:///{decoy}"
    change(study, "storage: null", f"storage: {url}")

    def asked(folder: Path, command: str = "status", *words: object) -> bool:
        answer = run_cli(command, "tiny", "--results", folder.parent, *words)
        assert answer.code == 0, answer.err
        return "give the same command with --storage" in answer.out

    assert asked(study)
    assert asked(study, "analyse", "--resamples", 50)
    assert decoy.read_bytes() == b""
    assert not asked(study, "analyse", "--resamples", 50, "--storage", url)
    assert decoy.read_bytes() != b""
    assert not asked(study)
    other = tmp_path / "copied" / "tiny"
    shutil.copytree(study, other)
    assert asked(other)
    change(study, url, f"{url}2")
    assert asked(study)
    assert not Path(f"{decoy}2").exists()


@pytest.fixture
def code(tmp_path, monkeypatch) -> Path:
    """Code in the folder of the command; the file that it leaves where it is imported."""
    mark = tmp_path / "ran"
    (tmp_path / "theirs.py").write_text(
        f"from pathlib import Path\nPath({str(mark)!r}).touch()\ndef run(setting, architecture, seed): return 1.0\n"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.delitem(sys.modules, "theirs", raising=False)
    return mark


def test_no_code_runs_that_a_study_names_alone(run_cli, study, code, tmp_path):
    change(study, "- params\n", "- params\n- theirs:run\n")
    where = ("--results", study.parent)
    for words in (
        ["search", "--study", "tiny"],
        ["search", "--study", "tiny", "--measures", "macs"],
        ["search", "--study", "tiny", "--dry-run"],
        ["train", "tiny", "--all"],
    ):
        refused(run_cli(*words, *where), "agreed to: theirs:run, imported from", "with --measures theirs:run.")
    assert run_cli("status", "tiny", *where).code == 0
    assert not code.exists()
    answer = run_cli("search", "--study", "tiny", "--measures", "theirs:run", *where)
    assert answer.code == 0, answer.err
    assert code.exists()
    assert run_cli("train", "tiny", "--all", *where).code == 0
    shutil.copytree(study, tmp_path / "copied" / "tiny")
    refused(run_cli("search", "--study", "tiny", "--results", tmp_path / "copied"), "theirs:run")
    change(study, "theirs:run", "theirs:walk")
    refused(run_cli("search", "--study", "tiny", *where), "agreed to: theirs:walk, imported")


def test_the_user_s_own_file_of_options_names_what_it_holds(tmp_path):
    from randsearch.running.session import _agree

    options = {"measures": ["mine:run", "params"], "storage": "sqlite:///mine.db"}
    asked = StudyConfig(space={}, proxy="theirs:proxy", **options)
    _agree(options, asked, tmp_path)
    found = trust.consent(tmp_path, "study")
    assert found.measures == {"mine:run"}
    assert found.storages == {f"sqlite:///{Path('mine.db').resolve()}"}
    with pytest.raises(NotAgreedError, match="agreed to: theirs:proxy, imported"):
        trust.agreed_measures(asked, tmp_path)


def test_what_was_agreed_is_kept_for_this_user_alone_and_without_a_password(tmp_path, state):
    url = "postgresql://me:hush@host/name"
    trust.agree(tmp_path / "a", "one", storage=url)
    trust.agree(tmp_path / "b", "two", measures=["m:f", "params"])
    assert stat.S_IMODE(state.stat().st_mode) == 0o600
    assert "hush" not in state.read_text()
    config = StudyConfig(study="one", space={}, storage=url)
    assert trust.agreed_storage(config, tmp_path / "a") == url
    assert trust.consent(tmp_path / "b", "two") == trust.Consent(measures=frozenset({"m:f"}))
    for folder, changed in (
        ("b", config),
        ("a", config.model_copy(update={"study": "two"})),
        ("a", config.model_copy(update={"storage": url.replace("me", "you")})),
        ("a", config.model_copy(update={"storage": f"{url}?host=elsewhere"})),
    ):
        with pytest.raises(NotAgreedError) as refusal:
            trust.agreed_storage(changed, tmp_path / folder)
        assert "hush" not in str(refusal.value)


@pytest.mark.parametrize("content", [b"", b"\xff", b"[]", b"{", b'{"x": 1}', b'{"x": {"storages": 1, "measures": []}}'])
def test_a_damaged_state_agrees_to_nothing_and_takes_new_agreements(tmp_path, state, content):
    state.parent.mkdir()
    state.write_bytes(content)
    assert trust.consent(tmp_path, "one") == trust.Consent()
    trust.agree(tmp_path, "one", measures=["m:f"])
    assert trust.consent(tmp_path, "one").measures == {"m:f"}
    assert state.read_bytes() != content


def test_where_nothing_can_be_kept_an_agreement_holds_for_this_command(tmp_path, monkeypatch, capsys):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("RANDSEARCH_STATE", str(tmp_path / "file" / "state"))
    trust.agree(tmp_path, "one", measures=["m:f"])
    assert trust.consent(tmp_path, "one").measures == {"m:f"}
    assert "holds for this command only" in capsys.readouterr().err


def called(tree: ast.AST) -> list[str]:
    return [ast.unparse(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)]


def test_databases_are_opened_in_one_place_which_takes_what_was_agreed_to_alone():
    """A new command cannot forget the gate: nothing else connects, and mypy refuses a URL that did not pass it."""
    opens = {"create_engine", "RDBStorage", "optuna.storages.RDBStorage", "get_storage", "optuna.storages.get_storage"}
    for name, tree in TREES.items():
        if name != "study/database.py":
            assert not opens & set(called(tree)), name
            assert "AgreedURL" not in called(tree), name
        imported = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
        assert not {"psycopg", "sqlite3"} & imported, name
    trees = [node for name in ("database", "storage") for node in ast.walk(TREES[f"study/{name}.py"])]
    functions = {node.name: node for node in trees if isinstance(node, ast.FunctionDef)}
    makers = {name for name, function in functions.items() if "AgreedURL" in called(function)}
    assert makers == {"database_url"}
    for name in ("open_engine", "open_storage", "connect"):
        assert ast.unparse(functions[name].args) == "url: AgreedURL"
    assert called(functions["database_url"])[0] == "agreed_storage"
    with pytest.raises(NotAgreedError):
        database_url(StudyConfig(space={}, storage="sqlite:///x.db"), Path())


def test_a_user_s_code_is_imported_in_one_place_which_takes_what_was_agreed_to_alone():
    for name, tree in TREES.items():
        imports = {"importlib.import_module", "import_module", "__import__", "runpy.run_path", "runpy.run_module"}
        assert not imports & set(called(tree)) or name in ("measures/contract.py", "__init__.py"), name
        shipped = any(word.arg == "shipped" for node in ast.walk(tree) for word in getattr(node, "keywords", ()))
        assert not shipped or name == "measures/catalogue.py", name
    ours = [ast.unparse(node) for node in ast.walk(TREES["__init__.py"]) if isinstance(node, ast.Call)]
    assert "import_module(f'{__name__}.{_HOMES[name]}')" in ours
    assert sum(call.startswith("import_module") for call in ours) == 1
    own = find("theirs:run").run
    assert own == Lazy("theirs:run")
    with pytest.raises(NotAgreedError, match="theirs:run was not run"):
        own.load(["other:run"])
