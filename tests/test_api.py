"""What must be true of the names that a notebook or a script uses: they are there, stay there, and do what they say."""

from __future__ import annotations

import contextlib
import doctest
import functools
import importlib
import inspect
import os
import pkgutil
import re
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import nbclient
import nbformat
import needs
import numpy as np
import pandas as pd
import pytest
import soundfile
import torch
from mypy import api as mypy

import randsearch as rs
from randsearch.api import agreements, networks, runs, studies
from randsearch.replay import benchmarks
from randsearch.running import session
from randsearch.running.executors import InProcess
from randsearch.study import trust
from randsearch.training import loop
from randsearch.training.loop import take_step

REPOSITORY = Path(rs.__file__).parents[1]

OPTIONS = {"steps": 4, "proxy_steps": 2, "validate_every": 2}


@pytest.fixture
def asked(tiny_options, tmp_path) -> dict[str, object]:
    """What a search of three networks is asked for."""
    return {**tiny_options, **OPTIONS, "results": tmp_path, "progress": False}


@pytest.fixture
def study(finished_study) -> rs.Study:
    return rs.load_study(finished_study)


def test_each_name_means_the_same_after_all_rooms_were_imported():
    before = {name: getattr(rs, name) for name in rs.__all__}
    for room in pkgutil.walk_packages(rs.__path__, "randsearch."):
        if not room.name.endswith("__main__"):
            importlib.import_module(room.name)
    for name, found in before.items():
        assert getattr(rs, name) is found, name
        assert name in dir(rs)
    assert not {room.name for room in pkgutil.iter_modules(rs.__path__)} & set(rs.__all__)
    with pytest.raises(AttributeError, match="has no attribute 'serach'"):
        _ = rs.serach


def test_importing_it_brings_nothing_heavy_and_each_room_of_the_api_no_torch():
    heavy = ("torch", "optuna", "pandas", "numpy", "pydantic", "rich")
    script = (
        "import sys, randsearch\n"
        f"assert not [name for name in {heavy} if name in sys.modules]\n"
        "randsearch.Study, randsearch.UserError, randsearch.SearchSpace\n"
        "assert 'torch' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True)


@pytest.mark.parametrize("module", [agreements, benchmarks, networks, studies], ids=lambda module: module.__name__)
def test_the_examples_of_the_docstrings_are_true(module):
    assert doctest.testmod(module, extraglobs={"rs": rs}).failed == 0


def test_a_user_s_checker_finds_the_types(tmp_path):
    assert (Path(rs.__file__).parent / "py.typed").is_file()
    # All else takes a checker a minute to read.
    (tmp_path / "mypy.ini").write_text(
        "[mypy]\nstrict = true\nfollow_imports = skip\n"
        "[mypy-randsearch,randsearch.api.*,randsearch.base.errors]\nfollow_imports = silent\n"
    )
    (tmp_path / "mine.py").write_text(
        "import randsearch as rs\n"
        "def loudness(setting: rs.Setting, architecture: rs.Architecture, seed: int) -> rs.Outcome:\n"
        "    return rs.Outcome(float(architecture.levels))\n"
        "study = rs.search('small', study='mine', measures=['params', loudness])\n"
        "reveal_type(study)\n"
        "reveal_type(study.separate('song.wav'))\n"
        "rs.load_study(3)\n"
    )
    config, file = (str(tmp_path / name) for name in ("mypy.ini", "mine.py"))
    said, errors, code = mypy.run(["--config-file", config, "--cache-dir", os.devnull, file])
    assert (code, errors) == (1, "")
    told = [line.partition(" ")[2] for line in said.splitlines()]
    assert told[:2] == [
        'note: Revealed type is "randsearch.api.studies.Study"',
        'note: Revealed type is "list[pathlib.Path]"',
    ]
    assert 'Argument 1 to "load_study" has incompatible type "int"' in told[2]
    assert len(told) == 4


@pytest.fixture
def no_workers(monkeypatch):
    """A user's own code has a process of its own, which is tried once below."""
    monkeypatch.setattr(session, "open_executor", lambda setting, *_: InProcess(setting))


def test_a_search_goes_on_and_tells_of_each_measurement(asked, no_workers):
    def depth(setting, architecture, seed):
        return -architecture.levels

    told = []

    def listen(study: rs.Study, measurement: rs.Measurement) -> None:
        told.append((study.name, *measurement.key))

    threads = torch.get_num_threads()
    made = rs.search(**asked, callbacks=[listen], train="none")
    assert torch.get_num_threads() == threads
    table = made.to_frame()
    assert {row[1:] for row in told} == set(zip(table["architecture"], table["measure"], table["seed"], strict=True))
    assert {row[0] for row in told} == {"tiny"}
    assert set(made.best(2)["measure"]) == {"fixed_decoder"}
    before = len(told)
    assert made.train(top=1, callbacks=[listen], progress=False) is made
    assert [row[2] for row in told[before:]] == ["trained"]
    assert made.best()["measure"].tolist() == ["trained"]
    again = rs.search(study="tiny", results=asked["results"], measures=[depth], progress=False)
    frame = again.to_frame(wide=True)
    assert (frame["test_api:depth"] == -frame["levels"]).all()
    assert again.train(top=2, progress=False).status().trained == 2  # with the function that it was given before


@pytest.mark.parametrize("raised", [ZeroDivisionError, ConnectionError, rs.UserError])
def test_what_a_callback_raises_stops_the_search_and_keeps_what_was_measured(asked, raised):
    def full(study, measurement):
        raise raised("as it is")

    with pytest.raises(raised, match=r"^as it is$"):
        rs.search(**asked, callbacks=[full])
    assert len(rs.load_study("tiny", results=asked["results"]).to_frame()) == 1


def test_what_callbacks_hear_of_is_stored(asked, no_workers):
    stored = []

    def look(study: rs.Study, measurement: rs.Measurement) -> None:
        with contextlib.closing(sqlite3.connect(study.folder / "study.db")) as database:
            stored.append(database.execute("select count(*) from trials where state <> 'RUNNING'").fetchone()[0])

    rs.search(**asked, callbacks=[look], train="none")
    assert all(count >= heard for heard, count in enumerate(stored, 1))


def test_an_interrupt_reaches_the_caller_and_the_same_call_goes_on(asked, monkeypatch):
    def interrupted(*arguments, **options):
        signal.raise_signal(signal.SIGINT)
        return take_step(*arguments, **options)

    with monkeypatch.context() as patch:
        patch.setattr(loop, "take_step", interrupted)
        with pytest.raises(KeyboardInterrupt):
            rs.search(**asked)
    assert rs.search(**asked).status().state == "complete"


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"trails": 3}, "rs.search knows no option trails: did you mean trials"),
        ({"trials": 0}, "trials: input should be greater than or equal to 1 (got 0)"),
        ({"measures": ["params", lambda *_: 1.0]}, "has no name for tables: define it with `def`"),
        ({"space": "smal"}, "smal: cannot be read"),
        ({"data": 3}, "data is text such as musdbhq:/data/musdb18hq, or a musdb.DB, and not 3."),
        ({"callbacks": ["f"]}, "callbacks are functions (study, measurement), and 'f' is none."),
    ],
)
def test_mistakes_are_sentences(asked, changed, said):
    with pytest.raises(rs.UserError) as mistake:
        rs.search(**{**asked, **changed})
    assert said in str(mistake.value)


@needs.ffmpeg
def test_a_musdb_db_is_taken_for_its_root(asked, tiny_corpus):
    import musdb

    for is_wav, kind in ((True, "musdbhq"), (False, "musdb")):
        options = {"data": musdb.DB(root=str(tiny_corpus), is_wav=is_wav)}
        runs.settle_data(options)
        assert options == {"data": f"{kind}:{tiny_corpus}"}


def test_two_functions_of_one_name_are_refused():
    def make(value):
        def loudness(setting, architecture, seed):
            return value

        return loudness

    one = make(1.0)
    assert list(runs.packed([one, one])) == ["test_api:loudness"]
    with pytest.raises(rs.UserError, match="two measures are called test_api:loudness"):
        runs.packed([one, make(2.0)])
    held = make(sys.stderr.buffer)
    with pytest.raises(rs.UserError, match="test_api:loudness cannot be sent to worker processes: TypeError"):
        runs.packed([held])


def test_the_signature_names_every_option():
    shown = inspect.signature(rs.search).parameters
    assert {"space", "trials", "train", "measures", "workers", "time_limit", "callbacks"} <= set(shown)
    assert not {"options", "data_digest", "whole", "batches_of"} & set(shown)


def test_what_a_study_says(study, finished_study, tmp_path, monkeypatch):
    assert repr(study) == f"Study('tiny', results='{finished_study.parent}')"
    assert repr(rs.load_study("tiny", results=finished_study.parent)) == repr(study)
    monkeypatch.chdir(finished_study.parent)
    assert rs.load_study("tiny").folder == finished_study
    table, wide = study.to_frame(), study.to_frame(wide=True)
    trained = table[table["measure"] == "trained"].groupby("architecture")["score"].mean()
    pd.testing.assert_series_equal(wide["trained"].sort_index(), trained, check_names=False)
    best = study.best(3)
    assert best["score"].tolist() == sorted(trained, reverse=True)[:3]
    assert best.index[0] == trained.idxmax()
    network = study.network()
    assert not network.training
    assert network.architecture.hash == best.index[0]
    again = study.network(network.architecture, seed=0)
    assert again(torch.zeros(1, 1, 1024)).shape == (1, 2, 1, 1024)
    assert study.optuna.study_name == "tiny"
    assert len(study.optuna.trials) == 4
    assert study.status().state == "complete"
    stems = study.separate(write_song(tmp_path / "song.wav"), output=tmp_path / "stems")
    assert [path.name for path in stems] == ["accompaniment.wav", "vocals.wav"]
    for mistake in (lambda: study.plot("rank"), lambda: study.train(0), lambda: rs.load_study("absent")):
        with pytest.raises(rs.UserError):
            mistake()


def write_song(path: Path) -> Path:
    soundfile.write(path, 0.1 * np.random.default_rng(0).standard_normal(2000), 1000)
    return path


def test_agreement_shows_its_table_and_its_verdict_and_is_the_same_from_any_table(study):
    found = study.agreement(resamples=200)
    assert found.verdict.opening in repr(found)
    assert repr(found).lstrip().startswith("Agreement with trained")
    html = found._repr_html_()
    assert found.verdict.opening.replace("'", "&#x27;") in html
    assert html.count("<tr>") == 1 + len(found.frame)
    points = found.frame.set_index("proxy")["spearman"]
    means = study.to_frame(wide=True)
    for frame in (means, means.reset_index(), study.to_frame()):
        other = rs.agreement(frame, resamples=200)
        pd.testing.assert_series_equal(other.frame.set_index("proxy")["spearman"].loc[points.index], points)
    bare = means[["params", "trained"]].reset_index(drop=True)
    assert rs.agreement(bare, resamples=20).frame["n"].tolist() == [4]
    assert rs.agreement(means, target="early", proxy="params", resamples=20).verdict.proxy == "params"
    with pytest.raises(rs.UserError, match="the table: there is no column truth of numbers"):
        rs.agreement(means, target="truth")


def test_networks_and_spaces():
    one, other = (rs.build(rs.Architecture(levels=1, first_filters=2), channels=2, seed=3) for _ in range(2))
    assert one(torch.zeros(1, 2, 64)).shape == (1, 2, 2, 64)
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), other.parameters(), strict=True))
    assert rs.SearchSpace.shipped("small") == rs.SearchSpace.load("small")
    with pytest.raises(rs.UserError, match=r"no shipped search space 'large': choose from equal-cost, jnet, "):
        rs.SearchSpace.shipped("large")
    with pytest.raises(rs.UserError, match="a network has 2 sources or more"):
        rs.build(rs.Architecture(), sources=1)


def test_a_shipped_space_s_name_serves_as_its_file_does(run_cli, tmp_path, monkeypatch):
    monkeypatch.setattr("randsearch.cli.overview.overview", lambda space, *_: [space.description])
    monkeypatch.chdir(tmp_path)
    named, path = (run_cli("show", each) for each in ("small", REPOSITORY / "search_spaces" / "small.yaml"))
    assert named.out == path.out
    assert named.out.startswith("Small Wave-U-Nets")
    assert run_cli("show", "small.yaml").out == named.out
    assert run_cli("spaces", "copy", "small").out == "small.yaml\n"
    said = "note: small is the shipped search space; the file in this folder is small.yaml\n"
    assert run_cli("show", "small").err == said
    Path("small.yaml").write_text("parameters: 3\n")
    own = run_cli("show", "small.yaml").err
    assert own.startswith("note: small.yaml is the file in this folder, and not the shipped search space")
    assert "parameters must map options" in own
    Path("small.yaml").rename("small")
    assert "parameters must map options" in run_cli("show", "small").err


def test_shipped_spaces_are_listed_and_copied_but_over_nothing(run_cli, tmp_path):
    listed = run_cli("spaces").out.splitlines()[1:]
    assert [line.split()[0] for line in listed] == ["equal-cost", "jnet", "reference", "small", "tricks", "wave-u-net"]
    assert "Small Wave-U-Nets for 8 kHz mono on a CPU" in listed[3]
    command = ("spaces", "copy", "tricks", "--to", tmp_path / "mine.yaml")
    assert run_cli(*command).code == 0
    assert rs.SearchSpace.load(tmp_path / "mine.yaml") == rs.SearchSpace.shipped("tricks")
    (tmp_path / "mine.yaml").write_text("mine")
    again = run_cli(*command)
    assert (again.code, again.err) == (
        1,
        f"randsearch: {tmp_path / 'mine.yaml'} is there already and stays: name another file with --to.\n",
    )
    assert (tmp_path / "mine.yaml").read_text() == "mine"
    assert "no shipped search space 'large'" in run_cli("spaces", "copy", "large").err


@pytest.fixture
def readme_s_example() -> str:
    text = (REPOSITORY / "README.md").read_text()
    (block,) = re.findall(r"## In Python\n.*?```python\n(.*?)```", text, re.DOTALL)
    return block


def test_the_example_of_the_readme_runs(readme_s_example, tiny_options, no_workers, tmp_path, monkeypatch):
    """As it stands, but for how long the search and the finish take, and on what."""
    whole, on, tiny = rs.search, rs.Study.finish, {**tiny_options, **OPTIONS}

    @functools.wraps(whole)
    def search(space, **options):
        assert "small" in str(space)
        return whole(**{**options, **tiny, "study": options["study"], "measures": options["measures"], "workers": 1})

    monkeypatch.setattr(rs, "search", search)
    monkeypatch.setattr(rs.Study, "finish", lambda study, **options: on(study, **{**options, "steps": 4}))
    monkeypatch.chdir(tmp_path)
    write_song(tmp_path / "song.wav")
    exec(compile(readme_s_example, "README.md", "exec"), {"__name__": "test_api"})
    assert [path.name for path in sorted(Path("separated/song").iterdir())] == ["accompaniment.wav", "vocals.wav"]


SCRIPT = """\
import randsearch as rs
def depth(setting, architecture, seed): return -architecture.levels
print("once")
study = rs.search(**{options!r}, measures=["params", depth], workers=2, progress=False)
print((study.to_frame(wide=True)["__main__:depth"] < 0).sum())
"""


def test_a_script_without_a_guard_has_workers_and_measures_of_its_own(asked, tmp_path, run_cli):
    options = {name: str(value) if isinstance(value, Path) else value for name, value in asked.items()}
    del options["measures"], options["progress"]
    # Of what takes no training, for which each worker would import as much again.
    (tmp_path / "script.py").write_text(SCRIPT.format(options={**options, "train": "none", "proxy": "params"}))
    done = subprocess.run([sys.executable, tmp_path / "script.py"], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["once", "3"], done
    assert done.stderr == ""
    # The command line has only the function's name.
    answer = run_cli("search", "--study", "tiny", "--results", tmp_path, "--trials", 4)
    assert answer.code == 1
    assert answer.err == (
        "randsearch: the measure __main__:depth is a function of a notebook or script, and must be given again: "
        "rs.search(..., measures=[depth]).\n"
    )
    assert "__main__:depth" in trust.consent(tmp_path / "tiny", "tiny").measures


def test_a_notebook_shows_a_table_and_a_figure_once_and_searches(asked, finished_study, tmp_path):
    options = {name: str(value) if isinstance(value, Path) else value for name, value in asked.items()}
    del options["measures"], options["progress"]
    options |= {"train": "none", "trials": 2, "proxy": "params"}
    cells = [
        f"import randsearch as rs\nstudy = rs.load_study({str(finished_study)!r})\nstudy.agreement(resamples=100)",
        "study.plot('rank_rank')",
        "def depth(setting, architecture, seed):\n    return -architecture.levels\n"
        f"found = rs.search(**{options!r}, measures=[depth], workers=2)",
        "found.to_frame(wide=True)['__main__:depth'].max() < 0",
    ]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    nbclient.NotebookClient(notebook, timeout=120, kernel_name="python3").execute(cwd=str(tmp_path))
    shown = [[output for output in cell.outputs if "data" in output] for cell in notebook.cells]
    printed = ["".join(output.get("text", "") for output in cell.outputs) for cell in notebook.cells]
    assert "<table>" in shown[0][0].data["text/html"]
    assert [list(output.data).count("image/png") for output in shown[1]] == [1]
    assert len(printed[2].splitlines()) == len(set(printed[2].splitlines()))
    assert "4/4 measurements" in printed[2]
    assert "ipywidgets" not in "".join(printed)
    assert "True" in shown[3][0].data["text/plain"]
    assert not shown[2]
