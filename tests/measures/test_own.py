"""What must be true of measures of a user's own: whatever they raise, return or leave changed is their own affair."""

from __future__ import annotations

import os
import signal
import sys
import threading
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from randsearch.base import stopping
from randsearch.base.stopping import OverdueError, StoppedError
from randsearch.measures import MEASURES, Job, Measure, Outcome, Setting, measure
from randsearch.measures.own import unchanged
from randsearch.models.architecture import Architecture

SMALL = Architecture(levels=1, first_filters=2)

RUDE = r"""
import os, sys
from randsearch.measures import UnmeasurableError
from randsearch.base.stopping import OverdueError, StoppedError

class Own(BaseException):
    pass

class Silent(Exception):
    def __str__(self):
        raise Own

def exits(*_): sys.exit(3)
def own(*_): raise Own("so there")
def silent(*_): raise Silent
def surrogates(*_): raise ValueError("\ud800\x1b[2J\x00\r\ntwo")
def gigantic(*_): raise ValueError("x" * 10**7)
def named(*_): raise type("Long" * 1000, (Exception,), {})("x")
def refuses(*_): raise UnmeasurableError("line\n\ud800")
def interrupts(*_): raise KeyboardInterrupt
def stops(*_): raise StoppedError
def late(*_): raise TimeoutError("mine")
def overdue(*_): raise OverdueError
def absent(*_): open("/nowhere/at/all")
def full(*_): raise OSError(28, "No space left on device")
"""

REASONS = {
    "exits": "SystemExit: 3",
    "own": "Own: so there",
    "silent": "Silent: its message cannot be printed",
    "surrogates": r"ValueError: \ud800\x1b[2J\x00 two",
    "gigantic": f"ValueError: {'x' * 388}...",
    "named": f"{'Long' * 100}...",
    "refuses": r"line \ud800",
    "interrupts": "KeyboardInterrupt",
    "stops": "StoppedError: 2",
    "late": "TimeoutError: mine",
    "absent": "FileNotFoundError: [Errno 2] No such file or directory: '/nowhere/at/all'",
}


def agreed(setting: Setting, name: str) -> Setting:
    return replace(setting, own_measures=frozenset({name}))


@pytest.fixture
def module(tmp_path, monkeypatch):
    def write(body: str, name: str) -> None:
        (tmp_path / f"{name}.py").write_text(body)
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr(sys, "path", list(sys.path))
        monkeypatch.delitem(sys.modules, name, raising=False)

    return write


@pytest.fixture
def rude(module, setting):
    """Makes a measurement by one of the rude measures."""
    module(RUDE, "rude")
    return lambda name: measure(agreed(setting, f"rude:{name}"), Job(SMALL, f"rude:{name}", 0))


@pytest.mark.parametrize("name", REASONS)
def test_whatever_it_raises_is_the_reason_of_a_failure(rude, name):
    made = rude(name)
    assert (made.state, made.reason) == ("failed", REASONS[name])
    assert made.reason.isprintable()
    made.reason.encode()


def test_its_traceback_is_kept_whatever_it_holds(rude, setting):
    for name in ("surrogates", "gigantic", "silent"):
        rude(name)
        text = (setting.home(SMALL, f"rude:{name}", 0) / "error.txt").read_bytes().decode()
        assert text.startswith("Traceback")
        assert len(text) <= 100_000
        assert (r"\ud800" in text) == (name == "surrogates")


@pytest.mark.parametrize("name", ["interrupts", "stops"])
def test_while_the_search_stops_it_is_left_unfinished(rude, name):
    flag = threading.Event()
    flag.set()
    with stopping.heeding(flag), pytest.raises(StoppedError):
        rude(name)


def test_the_time_limit_keeps_its_meaning(rude):
    with pytest.raises(OverdueError):
        rude("overdue")


def test_a_full_disk_is_the_machine_s_failure(rude):
    with pytest.raises(Exception, match=r"No space left on device\): mend that and run the same command again"):
        rude("full")


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, StoppedError])
def test_what_stops_a_search_is_not_a_result_of_our_own_measures(setting, monkeypatch, error):
    def run(*_):
        raise error

    monkeypatch.setitem(MEASURES, "stopped", Measure(run, needs="", source=""))
    with pytest.raises(error):
        measure(setting, Job(SMALL, "stopped", 0))


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("import sys\nsys.exit(3)", "SystemExit: 3"),
        ("raise KeyboardInterrupt", None),
        ("raise ValueError('\\ud800')", r"ValueError: \ud800"),
        ("def :", "SyntaxError: invalid syntax (raising.py, line 1)"),
    ],
)
def test_a_module_that_cannot_be_imported_is_a_failure(module, setting, body, reason):
    module(body, "raising")
    made = measure(agreed(setting, "raising:f"), Job(SMALL, "raising:f", 0))
    expected = f"the measure raising:f cannot be imported: {reason}." if reason else "KeyboardInterrupt"
    assert (made.state, made.reason) == ("failed", expected)


@pytest.mark.parametrize(
    ("found", "reason"),
    [
        (None, "the score is no number (None)"),
        ("1.5", "the score is no number ('1.5')"),
        (10**400, "the score is no number (100000000000000000...0000000000000000000)"),
        (np.ones(2), "the score is no number (array([1., 1.]))"),
        (torch.ones(2), "the score is no number (tensor([1., 1.]))"),
        (1j, "the score is no number (1j)"),
        (np.float64("nan"), "the score is not finite (nan)"),
        (Outcome(1.0, baseline="high"), "the baseline is no number ('high')"),
        (Outcome(1.0, seconds=float("nan")), "the value of seconds is not finite (nan)"),
        (Outcome(1.0, data_seconds=-1.0), "the value of data_seconds is negative (-1)"),
        (Outcome(1.0, steps=-1), "the number of steps is no whole number from 0 to 2^31 - 1 (-1)"),
        (Outcome(1.0, steps=2**40), "the number of steps is no whole number from 0 to 2^31 - 1 (1.09951e+12)"),
        (Outcome(1.0, curve=((1, float("inf")),)), "the score of its curve is not finite (inf)"),
        (Outcome(1.0, curve=((1.5, 1.0),)), "the step of its curve is no whole number from 0 to 2^31 - 1 (1.5)"),
        (Outcome(1.0, curve=5), "TypeError: 'int' object is not iterable"),
    ],
)
def test_what_no_table_holds_is_a_failure(setting, monkeypatch, found, reason):
    monkeypatch.setitem(MEASURES, "odd", Measure(lambda *_: found, needs="", source=""))
    made = measure(setting, Job(SMALL, "odd", 0))
    assert (made.state, made.score, made.reason) == ("failed", None, reason)


def test_numbers_of_any_kind_become_plain_ones(setting, monkeypatch):
    weight = torch.ones(1, requires_grad=True)
    found = Outcome(weight * 2, steps=np.int64(3), seconds=np.float32(0.5), curve=[(np.int64(1), weight)])
    monkeypatch.setitem(MEASURES, "odd", Measure(lambda *_: found, needs="", source=""))
    with warnings.catch_warnings(action="error"):
        made = measure(setting, Job(SMALL, "odd", 0))
    assert (made.score, made.steps, made.seconds, made.curve) == (2.0, 3, 0.5, ((1, 1.0),))
    assert [type(each) for each in (made.score, made.steps, *made.curve[0])] == [float, int, int, float]


def meddle() -> None:
    torch.set_default_dtype(torch.float64)
    torch.set_default_device("meta")
    torch.set_grad_enabled(False)
    torch.use_deterministic_algorithms(True)
    torch.set_float32_matmul_precision("medium")
    torch.backends.cudnn.benchmark = not torch.backends.cudnn.benchmark
    np.seterr(all="raise")
    warnings.simplefilter("error")
    os.chdir("/")
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.alarm(1000)
    sys.stdout.close()


def look() -> list[object]:
    return [
        torch.get_default_dtype(),
        torch.get_default_device(),
        torch.is_grad_enabled(),
        torch.are_deterministic_algorithms_enabled(),
        torch.get_float32_matmul_precision(),
        torch.backends.cudnn.benchmark,
        np.geterr(),
        list(warnings.filters),
        Path.cwd(),
        signal.getsignal(signal.SIGINT),
        signal.getsignal(signal.SIGTERM),
    ]


@pytest.mark.parametrize("fails", [False, True])
def test_what_it_leaves_changed_is_put_back(monkeypatch, fails):
    with Path(os.devnull).open("w") as output:
        monkeypatch.setattr(sys, "stdout", output)
        before = look()
        try:
            with unchanged():
                meddle()
                assert look() != before
                if fails:
                    raise KeyboardInterrupt
        except KeyboardInterrupt:
            assert fails
        assert look() == before
        assert signal.alarm(0) == 0
        print("to somewhere")


def test_its_settings_hold_neither_in_nor_after_it(module, setting):
    """Nor do those that its import makes: the first measurement is made as the others are."""
    module(
        "import torch\ntorch.set_default_dtype(torch.float64)\n"
        "def width(*_):\n    found = torch.ones(1).itemsize\n    torch.set_default_dtype(torch.float64)\n"
        "    return found\n",
        "wide",
    )
    job = Job(SMALL, "wide:width", 0)
    assert [measure(agreed(setting, "wide:width"), replace(job, seed=seed)).score for seed in (0, 1)] == [4.0, 4.0]
