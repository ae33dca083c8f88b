"""What must be true of the registry: torch-free to read, whole, right on every kind of network, and open to others."""

from __future__ import annotations

import math
import re
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from randsearch.measures import MEASURES, Job, Setting, find, measure
from randsearch.measures.catalogue import named
from randsearch.measures.contract import Lazy
from randsearch.models.architecture import Architecture
from randsearch.models.sizing import Signal
from randsearch.running import session
from randsearch.running.executors import InProcess
from randsearch.study.config import StudyConfig
from randsearch.study.config_file import load_options
from randsearch.table.tidy import read_measurements

TESTS = Path(__file__).parents[1]
SMALL = {"levels": 2, "first_filters": 4, "filter_increment": 1, "encoder_kernel": 3, "decoder_kernel": 3}
KINDS = {
    "difference": {},
    "direct": {"output": "direct", "output_activation": "linear"},
    "residual": {"output": "residual"},
    "output taps": {"output_kernel": 3, "activation": "relu", "decimation": "strided"},
    "context": {"context": True, "upsampling": "learned", "decimation": "blur"},
    "nested": {"nested": True, "deep_supervision": True},
    "blocks": {"multires": True, "res_path": "trainable"},
    "separable": {"separable": True, "normalisation": "group"},
    "batch": {"normalisation": "batch", "activation": "gelu"},
    "fixed": {"fixed_encoder_levels": (1,), "res_path": "fixed", "activation": "snake"},
    "removed": {"fixed_decoder_levels": (0,), "remove_random": True, "activation": "tanh"},
}
REFUSED = {
    ("blocks", "linearised"),
    ("blocks", "readout_last"),
    ("fixed", "nwot"),
    ("fixed", "swap"),
    ("removed", "linearised"),
    ("removed", "nwot"),
    ("removed", "swap"),
    ("removed", "readout_last"),
    ("removed", "synflow"),
    ("separable", "linearised"),
}


@pytest.fixture(autouse=True)
def _one_draw(monkeypatch):
    """Readouts of one draw are as good to try, and three times as quick; so are fewer steps and weights."""
    monkeypatch.setattr("randsearch.measures.readout.READOUT_DRAWS", 1)
    monkeypatch.setattr("randsearch.measures.regression.REGRESSION_STEPS", 2)
    monkeypatch.setattr("randsearch.measures.regression.REGRESSION_TESTS", 1)
    monkeypatch.setattr("randsearch.measures.vkdnw.VKDNW_WEIGHTS", 3)


@pytest.fixture
def brief(setting) -> Setting:
    """Trainings of two steps, for it is their validations that take long, and one is as good to try as three."""
    return replace(setting, steps=2, proxy_steps=2)


def meetings():
    """Every measure with every kind of network; of twins that fix either half and share all code, one each."""
    for place, kind in enumerate(KINDS):
        other = ("fixed_decoder_", "fixed_encoder_")[place % 2]
        yield from (pytest.param(kind, name, id=f"{kind}-{name}") for name in MEASURES if not name.startswith(other))


@pytest.mark.parametrize(("kind", "name"), list(meetings()))
def test_every_measure_scores_every_kind_of_network_or_refuses_by_name(brief, kind, name):
    made = measure(brief, Job(Architecture(**SMALL, **KINDS[kind]), name, 0))
    if (kind, name) in REFUSED:
        assert made.state == "failed"
        assert made.reason.startswith("refused")
    else:
        assert (made.state, made.reason) == ("complete", "")
        assert math.isfinite(made.score)


@pytest.mark.parametrize("name", [name for name, entry in MEASURES.items() if not entry.trains])
def test_every_proxy_scores_many_sources(setting, name):
    data = many(setting)
    four = replace(setting, signal=Signal(sources=4), dataset=data, validation=data.validation)
    assert measure(four, Job(Architecture(**SMALL), name, 0)).state == "complete"


def many(setting):
    from randsearch.data import AudioFormat, open_dataset

    return open_dataset(setting.dataset.spec, AudioFormat(task="multi"))


@pytest.mark.parametrize("name", [name for name, entry in MEASURES.items() if entry.seeded])
def test_every_score_repeats_to_the_bit_and_differs_between_seeds(brief, name):
    # Eight crops have 256 patterns of signs, which every network shows.
    setting = replace(brief, proxy_batch=8) if name == "swap" else brief
    scores = [measure(setting, Job(Architecture(**SMALL), name, seed)).score for seed in (0, 0, 1)]
    assert scores[0] == scores[1] != scores[2]


@pytest.mark.parametrize("name", MEASURES)
def test_every_entry_names_a_function_of_its_own_with_its_source(name):
    entry = MEASURES[name]
    assert isinstance(entry.run, Lazy)
    assert entry.run.path.endswith(f":{name}")
    assert entry.run.load().__doc__
    assert entry.source
    assert entry.needs
    number = re.search(r"\d{4}\.\d{5}", entry.source)
    if number:
        module = sys.modules[entry.run.load().__module__]
        assert number.group() in entry.run.load().__doc__ + module.__doc__


def test_every_measure_that_runs_networks_tells_what_normalisation_does_meanwhile():
    kinds = {name: entry.normalised for name, entry in MEASURES.items()}
    assert set(kinds.values()) == {"", "batch", "mean", "out"}
    assert {name for name, kind in kinds.items() if not kind} == {"params", "macs", "receptive_field", "l2_norm"}
    assert {kinds[name] for name, entry in MEASURES.items() if entry.trains} == {"mean"}


def test_the_list_of_measures_names_all_with_their_source(run_cli):
    said = run_cli("measures")
    assert said.code == 0, said.err
    for name, entry in MEASURES.items():
        assert re.search(rf"^ *{name} .*{re.escape(entry.source)}", said.out, re.MULTILINE), name
        assert not entry.differs or re.search(rf"^ *{name} .*{re.escape(entry.differs)}", said.out, re.MULTILINE), name
    assert max(map(len, said.out.splitlines())) <= 100


def test_the_receptive_field_is_in_samples(setting):
    # Three taps at level 0, three at every second, three at every fourth sample; the decoder adds to either side.
    field = measure(setting, Job(Architecture(**SMALL), "receptive_field", 0)).score
    plain = measure(
        setting, Job(Architecture(**SMALL | {"encoder_kernel": 1, "decoder_kernel": 1}), "receptive_field", 0)
    )
    assert field > 1 + 2 * (1 + 2 + 4)
    assert plain.score < field


def test_sotl_is_minus_the_sum_of_the_losses(setting, monkeypatch):
    import randsearch.training.loop as room

    losses = []
    kept = room.squared_error
    monkeypatch.setattr(room, "squared_error", lambda *a: losses.append(kept(*a)) or losses[-1])
    made = measure(setting, Job(Architecture(**SMALL), "sotl", 0))
    found = np.array([loss.item() for loss in losses])
    assert len(found) == made.steps == setting.proxy_steps == 5
    assert made.score == pytest.approx(-found.sum(), rel=1e-6)
    assert [step for step, _ in made.curve] == [2, 4, 5]
    np.testing.assert_allclose([value for _, value in made.curve], -np.cumsum(found)[[1, 3, 4]], rtol=1e-6)
    losses.clear()
    last = measure(setting, Job(Architecture(**SMALL), "sotl_e", 0))
    assert last.score == pytest.approx(-losses[-1].item(), rel=1e-6)  # the fifth step, after the validation at 4


def own(tmp_path, monkeypatch, body, name="my_measures"):
    (tmp_path / f"{name}.py").write_text(body)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.delitem(sys.modules, name, raising=False)


def test_the_example_of_the_readme_is_what_is_tested():
    readme = (TESTS.parent / "randsearch/measures/README.md").read_text()
    assert f"```python\n{(TESTS / 'example_measure.py').read_text()}```" in readme


def test_a_measure_of_ones_own_joins_without_a_fork(run_cli, tiny_search, tmp_path, monkeypatch):
    own(tmp_path, monkeypatch, (TESTS / "example_measure.py").read_text(), "mine")
    measures = "params,mine:loudness"
    answer = run_cli(*tiny_search(tmp_path, measures=measures, train="none", trials=2, seeds="0,1", workers=1))
    assert answer.code == 0, answer.err
    table = read_measurements(tmp_path / "tiny/measurements.csv")
    rows = table[table["measure"] == "mine:loudness"]
    assert rows["state"].tolist() == ["complete"] * 4
    assert (rows["score"] > 0).all()
    assert (rows["seconds"] > 0).all()
    assert rows["score"].nunique() == 4


def test_a_measure_of_ones_own_that_fails_is_data(setting, tmp_path, monkeypatch):
    own(tmp_path, monkeypatch, "def nothing(setting, architecture, seed): ...\n", "hollow")
    agreed = replace(setting, own_measures=frozenset({"hollow:nothing"}))
    made = measure(agreed, Job(Architecture(**SMALL), "hollow:nothing", 0))
    assert made.state == "failed"
    assert made.reason == "the score is no number (None)"


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("no_such_module:f", "the measure no_such_module:f cannot be imported: No module named 'no_such_module'."),
        ("math:no_such", "the measure math:no_such cannot be imported: module 'math' has no attribute 'no_such'."),
        ("math:pi", "the measure math:pi is not a function but float."),
        ("refusing:exits", "the measure refusing:exits cannot be imported: SystemExit: 3."),
        ("garbled:f", "the measure garbled:f cannot be imported: SyntaxError: invalid syntax (garbled.py, line 1)."),
        (":f", "the measure :f cannot be imported: ValueError: Empty module name."),
        ("magic", "there is no measure magic: choose from trained, "),
    ],
)
def test_what_is_no_measure_is_refused_at_the_door(run_cli, tiny_search, tmp_path, monkeypatch, name, sentence):
    own(tmp_path, monkeypatch, "import sys\nsys.exit(3)\n", "refusing")
    own(tmp_path, monkeypatch, "def :\n", "garbled")
    answer = run_cli(*tiny_search(tmp_path, measures=f"params,{name}"))
    assert answer.code == 1
    assert sentence in answer.err
    assert not (tmp_path / "tiny").exists()


def test_a_name_with_a_colon_keeps_its_files_in_a_folder_without(setting):
    home = setting.home(Architecture(**SMALL), "package.module:function", 3)
    assert home.name == "package.module.function-3"
    assert find("package.module:function").seeded


def test_all_of_them_by_one_word(run_cli, tiny_search, tmp_path):
    answer = run_cli(*tiny_search(tmp_path, measures="all", trials=1, train="none"))
    assert answer.code == 0, answer.err
    table = read_measurements(tmp_path / "tiny/measurements.csv")
    assert set(table["measure"]) == set(named(["all"]))
    assert "all" not in StudyConfig.create(load_options(tmp_path / "tiny/config.yaml", StudyConfig), "stored").measures


def test_failures_are_counted_with_their_reasons_in_the_tables(run_cli, tiny_search, tmp_path, monkeypatch):
    body = (
        "import torch\n"
        "from randsearch.measures import UnmeasurableError\n"
        "def nan(setting, architecture, seed): return float('nan')\n"
        "def greedy(setting, architecture, seed): torch.empty(2**50)\n"
        "def choosy(setting, architecture, seed): raise UnmeasurableError('refused for its looks')\n"
    )
    own(tmp_path, monkeypatch, body, "failing")
    # A process of its own would take seconds.
    monkeypatch.setattr(session, "open_executor", lambda setting, *_: InProcess(setting))
    measures = "failing:nan,failing:greedy,failing:choosy"
    assert run_cli(*tiny_search(tmp_path, measures=measures, trials=3), "--allow-failures").code == 0
    table = read_measurements(tmp_path / "tiny/measurements.csv")
    reasons = {
        "failing:nan": "the score is not finite (nan)",
        "failing:greedy": "out of memory on cpu",
        "failing:choosy": "refused for its looks",
    }
    agreement = (tmp_path / "tiny/agreement.csv").read_text()
    for name, reason in reasons.items():
        rows = table[table["measure"] == name]
        assert set(zip(rows["state"], rows["reason"], strict=True)) == {("failed", reason)}
        assert re.search(rf"^{name},0,3,", agreement, re.MULTILINE)  # n is 0, and 3 failed
