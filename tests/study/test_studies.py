"""What a study must hold for those who open it without randsearch: Optuna's own API and its dashboard."""

from __future__ import annotations

import io
import json
import math
from pathlib import Path
from wsgiref.util import setup_testing_defaults

import needs
import numpy as np
import optuna
import pandas as pd
import pytest
from optuna.trial import TrialState

from randsearch.base.errors import UserError
from randsearch.models.architecture import Architecture
from randsearch.statistics import COLUMNS
from randsearch.study import trust
from randsearch.study.candidates import bind_space
from randsearch.study.config import StudyConfig
from randsearch.study.studies import Studies
from randsearch.table.measurement import Measurement
from randsearch.table.tidy import read_measurements

MEASURES = ["early", "fixed_decoder", "params", "trained"]


@pytest.fixture
def url(finished_study) -> str:
    return f"sqlite:///{finished_study / 'study.db'}"


@pytest.fixture
def table(finished_study) -> pd.DataFrame:
    return read_measurements(finished_study / "measurements.csv")


def load(url: str, name: str) -> optuna.Study:
    return optuna.load_study(study_name=name, storage=url)


def test_the_names_of_the_studies(url):
    names = optuna.get_all_study_names(url)
    assert sorted(names) == ["tiny", "tiny/agreement", *(f"tiny/{measure}" for measure in MEASURES)]


def test_one_trial_an_architecture_told_the_mean_of_the_primary_proxy(url, table):
    trials = load(url, "tiny").trials
    order = list(table["architecture"].unique())
    assert [trial.user_attrs["architecture"] for trial in trials] == order
    assert len(order) == 4
    expected = table[table["measure"] == "fixed_decoder"].groupby("architecture")["score"].mean()
    for trial in trials:
        assert trial.state == TrialState.COMPLETE
        assert trial.value == pytest.approx(expected[trial.user_attrs["architecture"]], abs=1e-12)
        row = table[table["architecture"] == trial.user_attrs["architecture"]].iloc[0]
        assert trial.params["levels"] == row["levels"]
        assert trial.params["first_filters"] == row["first_filters"]
        assert sum(name.startswith("skips.") for name in trial.params) == row["levels"]
    study = load(url, "tiny")
    assert study.directions == [optuna.study.StudyDirection.MAXIMIZE]
    assert study.metric_names == ["fixed_decoder"]
    assert study.best_value == pytest.approx(expected.max(), abs=1e-12)


@pytest.mark.parametrize("measure", MEASURES)
def test_one_trial_a_measurement_with_its_score_and_curve(url, table, measure):
    rows = table[table["measure"] == measure].set_index(["architecture", "seed"])
    trials = load(url, f"tiny/{measure}").trials
    assert len(trials) == len(rows) == (4 if measure == "params" else 8)
    for trial in trials:
        row = rows.loc[(trial.user_attrs["architecture"], trial.user_attrs["seed"])]
        assert trial.value == row["score"]
        assert trial.intermediate_values == dict(json.loads(row["curve"]))
        for name in ("seconds", "steps", "multiply_adds", "validation_seconds", "data_seconds", "threads", "device"):
            assert trial.user_attrs[name] == row[name]
        assert (trial.user_attrs["baseline"] is None) == math.isnan(row["baseline"]) == (measure == "params")


def test_the_agreement_study_holds_the_pairs_of_scores(url, table):
    study = load(url, "tiny/agreement")
    means = table.groupby(["measure", "architecture"])["score"].mean()
    assert study.metric_names == ["fixed_decoder", "trained"]
    assert len(study.trials) == 4
    for trial in study.trials:
        name = trial.user_attrs["architecture"]
        assert trial.values == pytest.approx([means["fixed_decoder", name], means["trained", name]], abs=1e-12)


def test_every_coefficient_is_logged_in_the_study(url, finished_study):
    logged = load(url, "tiny").user_attrs
    rows = pd.read_csv(finished_study / "agreement.csv")
    assert sorted(rows["proxy"]) == MEASURES[:-1]
    for row in rows.to_dict(orient="records"):
        for name in COLUMNS:
            if name == "proxy":
                continue
            value = logged["agreement"]["proxies"][row["proxy"]][name]
            if isinstance(row[name], float) and math.isnan(row[name]):
                assert value is None
            else:
                assert value == (row[name] if isinstance(row[name], str) else pytest.approx(row[name]))
    assert logged["agreement"]["bias"] is None
    assert (logged["proxy"], logged["sampler"]) == ("fixed_decoder", "random")


def test_the_headline_stands_beside_the_rest_and_in_the_note(url, finished_study):
    study = load(url, "tiny")
    logged = {name: value for name, value in study.user_attrs.items() if name.startswith("agreement")}
    assert len(logged) <= 8
    assert logged["agreement:proxy"] == "fixed_decoder"
    row = logged["agreement"]["proxies"]["fixed_decoder"]
    assert all(logged[f"agreement:{name}"] == row[name] for name in ("n", "spearman", "spearman_low", "spearman_high"))
    written = study._storage.get_study_system_attrs(study._study_id)["dashboard:note_str:0"]
    assert logged["agreement"]["verdict"]["opening"] in written


def test_a_trial_says_how_large_its_network_is_and_how_long_it_took(url, table):
    sizes = table[table["measure"] == "params"].set_index("architecture")["score"]
    for trial in load(url, "tiny").trials:
        assert trial.user_attrs["params"] == sizes[trial.user_attrs["architecture"]]
        assert trial.user_attrs["macs"] > 0
    for trial in load(url, "tiny/trained").trials:
        assert trial.duration.total_seconds() == pytest.approx(trial.user_attrs["seconds"], abs=2e-6)


def test_a_duration_that_no_calendar_holds_is_cut(config, tmp_path):
    studies = Studies(config, tmp_path)
    drawn = bind_space(config).draw(0, 0)
    candidate = studies.add(drawn.architecture, drawn.params, drawn.distributions)
    studies.record(Measurement(drawn.architecture, "early", 0, "complete", score=1.0, seconds=1e300), candidate)
    (read,) = Studies(config, tmp_path).measurements([candidate])
    assert read.seconds == 1e300


def test_numbers_of_former_analyses_and_releases_give_way(config, tmp_path):
    studies = Studies(config, tmp_path)
    for name in ("agreement:early:spearman", "agreement:verdict", "agreements"):
        studies.main.set_user_attr(name, 0.5)
    studies.log_agreement({"agreement": {}, "agreement:n": 4}, "found", [])
    logged = load(f"sqlite:///{tmp_path / 'study.db'}", "study").user_attrs
    assert {name for name in logged if name.startswith("agree")} == {"agreement", "agreement:n", "agreements"}


def test_logged_spearman_is_that_of_the_agreement_study(url):
    pairs = np.array([trial.values for trial in load(url, "tiny/agreement").trials])
    ranks = pairs.argsort(axis=0).argsort(axis=0)
    spearman = np.corrcoef(ranks.T)[0, 1]
    assert load(url, "tiny").user_attrs["agreement:spearman"] == pytest.approx(spearman)


def test_the_dashboard_opens_the_study(url):
    dashboard = needs.package("optuna_dashboard", "dashboard")
    app = dashboard.wsgi(optuna.storages.RDBStorage(url))

    def get(path: str) -> dict:
        environment = {"PATH_INFO": path, "wsgi.input": io.BytesIO()}
        setup_testing_defaults(environment)
        status = []
        body = b"".join(app(environment, lambda code, headers, info=None: status.append(code)))
        assert status == ["200 OK"]
        return json.loads(body)

    studies = {entry["study_name"]: entry["study_id"] for entry in get("/api/studies")["study_summaries"]}
    assert set(studies) == {"tiny", "tiny/agreement", *(f"tiny/{measure}" for measure in MEASURES)}
    assert len(get(f"/api/studies/{studies['tiny/trained']}")["trials"]) == 8
    assert len(get(f"/api/studies/{studies['tiny/agreement']}")["trials"]) == 4


@pytest.fixture
def config(finished_study) -> StudyConfig:
    space = {"parameters": {"levels": {"int": [1, 2]}, "first_filters": {"int": [2, 4]}}}
    return StudyConfig(space=space, sample_rate=1000, segment=256)


@pytest.mark.parametrize("seed", [-1, 2**63])
def test_a_seed_that_no_table_holds_is_damage(config, tmp_path, seed):
    studies = Studies(config, tmp_path)
    drawn = bind_space(config).draw(0, 0)
    candidate = studies.add(drawn.architecture, drawn.params, drawn.distributions)
    studies.record(Measurement(drawn.architecture, "early", seed, "failed"), candidate)
    with pytest.raises(UserError, match=r"is damaged .a seed is a whole number from 0 to 2\^63 - 1"):
        studies.measurements([candidate])


def test_what_is_recorded_comes_back(config, tmp_path):
    studies = Studies(config, tmp_path)
    drawn = bind_space(config).draw(0, 0)
    candidate = studies.add(drawn.architecture, drawn.params, drawn.distributions)
    made = [
        Measurement(
            drawn.architecture,
            "early",
            7,
            "complete",
            score=-1.25,
            baseline=0.1 + 0.2,
            seconds=0.1,
            steps=4,
            multiply_adds=2e9,
            validation_seconds=1.5,
            data_seconds=1e-5,
            threads=3,
            device="cuda:1",
            curve=((2, -3.0), (4, -1.25)),
        ),
        Measurement(drawn.architecture, "macs", 0, "failed", reason='diverged, "quoted"\nand more'),
    ]
    for measurement in made:
        studies.record(measurement, candidate)
    opened = Studies(config, tmp_path)
    assert opened.candidates() == [candidate]
    assert sorted(opened.measurements(opened.candidates()), key=lambda m: m.measure) == made
    failed = load(f"sqlite:///{tmp_path / 'study.db'}", "study/macs").trials[0]
    assert (failed.state, failed.value) == (TrialState.FAIL, None)


def test_a_candidate_is_told_once_its_score_is(config, tmp_path):
    studies = Studies(config, tmp_path)
    space = bind_space(config)
    first, second = (space.draw(0, index) for index in range(2))
    candidates = [studies.add(d.architecture, d.params, d.distributions) for d in (first, second)]
    studies.tell(candidates[0], [2.5])
    studies.tell(candidates[1], None)
    assert [candidate.told for candidate in studies.candidates()] == [True, True]
    trials = load(f"sqlite:///{tmp_path / 'study.db'}", "study").trials
    assert [(trial.state, trial.value) for trial in trials] == [(TrialState.COMPLETE, 2.5), (TrialState.FAIL, None)]
    assert Architecture.create(json.loads(trials[0].user_attrs["options"])) == first.architecture


def test_a_number_is_remembered_and_not_computed_again(config, tmp_path):
    assert Studies(config, tmp_path).remembered("baseline", lambda: 1.5) == 1.5
    assert Studies(config, tmp_path).remembered("baseline", lambda: 1 / 0) == 1.5


@pytest.mark.parametrize(
    ("storage", "named"),
    [
        (None, "study.db cannot be opened"),
        ("nosuchdatabase://me:secret@host/name", "nosuchdatabase://me@host/name cannot be opened"),
        ("sqlite:////proc/no/such/folder/study.db", "/proc/no/such/folder/study.db cannot be opened"),
        ("postgresql+psycopg2://me:secret@host/name", "needs a driver"),
    ],
)
def test_a_storage_that_cannot_be_opened(config, tmp_path, storage, named):
    (tmp_path / "study.db").write_bytes(b"this is no database, and long enough to be told from one" * 20)
    trust.agree(tmp_path, config.study, storage=storage)
    with pytest.raises(UserError, match=named) as refusal:
        Studies(config.model_copy(update={"storage": storage}), tmp_path)
    assert "secret" not in str(refusal.value)


def test_another_storage_than_the_study_s_own_file(config, tmp_path):
    elsewhere = config.model_copy(update={"storage": f"sqlite:///{tmp_path / 'elsewhere.db'}"})
    trust.agree(tmp_path / "folder", config.study, storage=elsewhere.storage)
    Studies(elsewhere, tmp_path / "folder")
    assert [Path(file).name for file in tmp_path.iterdir()] == ["elsewhere.db"]
