"""Callbacks for the field's trackers: TensorBoard's own package reads what is written; the others are stood in for."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from types import SimpleNamespace

import pytest

import randsearch as rs

CURVE = ((2, 0.5), (4, 1.5))


@pytest.fixture
def measurements() -> list[rs.Measurement]:
    network = rs.Architecture(levels=3)
    return [
        rs.Measurement(network, "early", 1, "complete", 1.5, steps=4, curve=CURVE),
        rs.Measurement(network, "params", 0, "complete", 12.0),
        rs.Measurement(network, "zico", 0, "failed", reason="flat"),
    ]


def test_tensorboard_reads_curves_and_scores(tmp_path, measurements):
    from tensorboard.backend.event_processing.event_file_loader import LegacyEventFileLoader

    study, log = SimpleNamespace(folder=tmp_path, name="tiny"), rs.TensorBoard()
    for measurement in measurements:
        log(study, measurement)
    found = {}
    for path in (tmp_path / "tensorboard").rglob("events*"):
        events = [event for event in LegacyEventFileLoader(str(path)).Load() if event.summary.value]
        found[path.parent.name.partition("-")[2]] = [
            (event.step, event.summary.value[0].tag, event.summary.value[0].simple_value) for event in events
        ]
    assert found == {
        "early-1": [(2, "early", 0.5), (4, "early", 1.5)],
        "params-0": [(0, "params", 12.0)],
        "zico-0": [],
    }


def test_mlflow_gets_a_run_of_each_measurement(monkeypatch, measurements):
    said = []

    @contextmanager
    def start_run(run_name):
        said.append(run_name.partition("-")[2])
        yield

    fake = SimpleNamespace(
        set_tracking_uri=said.append,
        set_experiment=said.append,
        start_run=start_run,
        log_params=lambda given: said.append((given["levels"], given["state"], given["reason"])),
        log_metric=lambda name, value, step: said.append((name, value, step)),
    )
    monkeypatch.setitem(sys.modules, "mlflow", fake)
    log = rs.MLflow("http://somewhere")
    for measurement in measurements:
        log(SimpleNamespace(name="tiny"), measurement)
    assert said == [
        "http://somewhere",
        *("tiny", "early-1", (3, "complete", ""), ("score", 0.5, 2), ("score", 1.5, 4)),
        *("tiny", "params-0", (3, "complete", ""), ("score", 12.0, 0)),
        *("tiny", "zico-0", (3, "failed", "flat")),
    ]


def test_weights_and_biases_get_a_run_of_each_measurement(monkeypatch, measurements):
    said = []
    run = SimpleNamespace(
        log=lambda given, step: said.append((given["score"], step)), finish=lambda: said.append("finished")
    )

    def init(project, group, name, config):
        said.append((project, group, name.partition("-")[2], config["measure"]))
        return run

    monkeypatch.setitem(sys.modules, "wandb", SimpleNamespace(init=init))
    log = rs.WandB("separation")
    for measurement in measurements[:2]:
        log(SimpleNamespace(name="tiny"), measurement)
    assert said == [
        *(("separation", "tiny", "early-1", "early"), (0.5, 2), (1.5, 4), "finished"),
        *(("separation", "tiny", "params-0", "params"), (12.0, 0), "finished"),
    ]


@pytest.mark.parametrize("name", ["MLflow", "TensorBoard", "WandB"])
def test_what_is_missing_is_said(monkeypatch, name):
    monkeypatch.setitem(sys.modules, name.lower(), None)
    monkeypatch.setattr("randsearch.finalists.events.available", lambda: False)
    with pytest.raises(
        rs.UserError, match=rf"{name.lower()} is not installed: pip install 'randsearch\[{name.lower()}\]'"
    ):
        getattr(rs, name)()
