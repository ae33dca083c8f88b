"""What must be true of where a command runs: as many jobs as fit, and options checked at one door."""

from __future__ import annotations

from pathlib import Path

import pytest

from randsearch.base.errors import UserError
from randsearch.running import machine
from randsearch.running.machine import Machine


def test_one_worker_a_core_and_one_on_a_gpu(monkeypatch):
    monkeypatch.setattr(machine, "cores", lambda: 6)
    assert Machine().jobs() == Machine().jobs("cpu") == 6
    assert Machine().jobs("cuda:1") == 1
    assert Machine(devices=("cuda:0", "cuda:1")).jobs("cuda") == 2
    assert Machine(workers=3).jobs("cuda") == Machine(workers=3, devices=("cpu",)).jobs() == 3


def test_jobs_share_the_cores(monkeypatch):
    monkeypatch.setattr(machine, "cores", lambda: 6)
    assert (Machine().threads(), Machine(workers=2).threads(), Machine(workers=9).threads()) == (1, 3, 1)


def test_what_was_given_is_taken_and_the_rest_is_as_declared():
    made = Machine.create({"results": "elsewhere", "devices": ["cpu", "cpu"], "gpu_share": 0.5})
    assert made == Machine(Path("elsewhere"), console=made.console, devices=("cpu", "cpu"), gpu_share=0.5)


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"workers": 0}, "workers: input should be greater than or equal to 1 (got 0)"),
        ({"gpu_share": 2}, "gpu_share"),
        ({"time_limit": 0}, "time_limit"),
        ({"keep": "some"}, "keep"),
        ({"executor": "cloud"}, "executor"),
        ({"workrs": 1}, "workrs is not a known option"),
        ({"console": None}, "console is not a known option"),
    ],
)
def test_impossible_options_are_named(options, named):
    with pytest.raises(UserError, match="options: ") as refusal:
        Machine.create(options)
    assert named in str(refusal.value)
