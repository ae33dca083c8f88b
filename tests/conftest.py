"""A tiny corpus, a tiny search of it, and the command line that runs it."""

from __future__ import annotations

import random
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import hypothesis
import pytest
import torch
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import event
from sqlalchemy.engine import Engine
from tiny import FINISHED, SEGMENT, SPACE, Answer, Cli, write_tracks

from randsearch import cli
from randsearch.data import open_dataset
from randsearch.measures import MEASURES, Setting
from randsearch.models.sizing import Signal
from randsearch.running import executors, machine
from randsearch.training.recipe import Recipe

pytest_plugins = ["needs"]

# Networks of the tests are tiny: a second thread costs more than it brings, and far more on a busy machine.
torch.set_num_threads(1)

# The same examples every time; `pytest --hypothesis-profile default` looks for others.
hypothesis.settings.register_profile("same", derandomize=True, deadline=None)
hypothesis.settings.register_profile("fuzz", max_examples=3000, deadline=None)
hypothesis.settings.load_profile("same")


@event.listens_for(Engine, "connect")
def _write_without_waiting(connection, _) -> None:
    """Half of a tiny search would be spent waiting for the disk; no test pulls the machine's plug."""
    if type(connection).__module__.startswith("sqlite3"):
        connection.execute("PRAGMA synchronous = OFF")


@pytest.fixture(autouse=True, scope="session")
def _migrations_are_read_once() -> Iterator[None]:
    """Optuna runs the files of all its migrations whenever it opens a database: a tenth of a tiny search."""
    read, known = ScriptDirectory.from_config, {}

    def from_config(config: Config) -> ScriptDirectory:
        folder = config.get_main_option("script_location")
        if folder not in known:
            known[folder] = read(config)
        return known[folder]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ScriptDirectory, "from_config", from_config)
        yield


@pytest.fixture(autouse=True)
def _same_draws_every_time() -> None:
    """A test may draw from the global generators, and draws the same in any order and beside any other test."""
    random.seed(0)
    torch.manual_seed(0)


@pytest.fixture(autouse=True, scope="session")
def _folders_of_the_session(tmp_path_factory) -> Iterator[None]:
    """No test touches the user's cache, or what the user's machine has agreed to."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RANDSEARCH_CACHE", str(tmp_path_factory.mktemp("cache")))
        patch.setenv("RANDSEARCH_STATE", str(tmp_path_factory.mktemp("state")))
        yield


@pytest.fixture(scope="session")
def tiny_corpus(tmp_path_factory) -> Path:
    return write_tracks(tmp_path_factory.mktemp("corpus"))


@pytest.fixture(scope="session")
def tiny_space(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("space") / "tiny.yaml"
    path.write_text(SPACE)
    return path


@pytest.fixture(scope="session", autouse=True)
def _one_worker_by_default() -> Iterator[None]:
    """Tests run side by side, and processes of their own would cost each of them seconds."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(machine, "cores", lambda: 1)
        yield


@pytest.fixture(scope="session")
def tiny_options(tiny_corpus, tiny_space) -> dict[str, object]:
    """What a tiny search is asked for, as its configuration names it."""
    return {
        "study": "tiny",
        "space": str(tiny_space),
        "data": f"musdbhq:{tiny_corpus}",
        "trials": 3,
        "measures": ["params"],
        "steps": 6,
        "proxy_steps": 4,
        "validate_every": 2,
        "batch": 2,
        "segment": SEGMENT,
        "threads": 1,
    }


@pytest.fixture(scope="session")
def tiny_setting(tiny_corpus) -> Setting:
    """What workers know of a tiny study; its folder is to be replaced."""
    dataset = open_dataset(f"musdbhq:{tiny_corpus}")
    return Setting(
        dataset=dataset,
        validation=dataset.validation,
        signal=Signal(),
        recipe=Recipe(learning_rate=5e-3, batch=2, segment=SEGMENT, validate_every=2),
        steps=4,
        proxy_steps=2,
        matched=(MEASURES["fixed_decoder"].cost,),
        baseline=0.0,
        device="cpu",
        threads=1,
        folder=Path("unused"),
        study="tiny",
        proxy_batch=2,
    )


@pytest.fixture
def setting(tiny_setting, tmp_path) -> Setting:
    return replace(tiny_setting, folder=tmp_path / "study")


@pytest.fixture
def nothing_measured(monkeypatch) -> None:
    """A search that must find all that it needs."""

    def refuse(setting, job):
        raise AssertionError(f"{job} is measured again")

    monkeypatch.setattr(executors, "measure", refuse)


@pytest.fixture(scope="session")
def tiny_search(tiny_options) -> Callable[..., list[str]]:
    """The command line of a tiny search; any option can be given differently, or left out by None."""

    def arguments(results: Path, **changed: object) -> list[str]:
        options = {**tiny_options, "results": results, **changed}
        space = options.pop("space")
        words = ["search", *([] if space is None else [str(space)])]
        for name, value in options.items():
            if value is not None:
                text = ",".join(map(str, value)) if isinstance(value, list) else str(value)
                words += [f"--{name.replace('_', '-')}", text]
        return words

    return arguments


@pytest.fixture
def run_cli(monkeypatch, capsys) -> Cli:
    """Runs the real command line, `main` included, in this process."""

    def run(*arguments: object) -> Answer:
        monkeypatch.setattr(sys, "argv", ["randsearch", *map(str, arguments)])
        capsys.readouterr()
        try:
            cli.main()
            code = 0
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else int(end.code is not None)
        said = capsys.readouterr()
        return Answer(code, said.out, said.err)

    return run


@pytest.fixture(scope="session")
def finished_study(tmp_path_factory, tiny_search) -> Path:
    """The folder of a finished study of four architectures at two seeds, all trained; not to be changed."""
    results = tmp_path_factory.mktemp("results")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["randsearch", *tiny_search(results, **FINISHED)])
        with pytest.raises(SystemExit) as end:
            cli.main()
    assert end.value.code == 0
    return results / "tiny"
