"""Where nothing may be skipped, a skip is a failure; want of the data beside the checkout is the one excuse."""

from __future__ import annotations

import needs
import pytest

SKIPS = """
import pytest, needs
def test_that_runs(): pass
@pytest.mark.skipif(True, reason="Chromium is missing")
def test_by_its_mark(): pass
def test_by_itself(): pytest.skip("ffmpeg is missing")
def test_without_a_package(): needs.package("there_is_none", "none")
@pytest.fixture
def server(): pytest.skip("PostgreSQL is missing")
def test_by_its_fixture(server): pass
@needs.shared("data", "there is none")
def test_of_data(): pass
"""
WHOLE = """
import needs
needs.package("there_is_none", "none")
"""


class Counts:
    """Outcomes of the tests of a run."""

    def __init__(self) -> None:
        self.outcomes: list[str] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when == "call" or not report.passed:
            self.outcomes.append(report.outcome)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if not report.passed:
            self.outcomes.append(f"file {report.outcome}")


@pytest.mark.parametrize(
    ("strict", "skipped", "failed", "file"), [(True, 1, 4, "file failed"), (False, 5, 0, "file skipped")]
)
def test_skips_are_counted(tmp_path, monkeypatch, capsys, strict, skipped, failed, file):
    (tmp_path / f"test_some_{strict}.py").write_text(SKIPS)
    (tmp_path / f"test_whole_{strict}.py").write_text(WHOLE)
    monkeypatch.delenv("NOTHING_SKIPPED", raising=False)
    if strict:
        monkeypatch.setenv("NOTHING_SKIPPED", "1")
    options = ["-c", "/dev/null", "--import-mode=importlib", "--continue-on-collection-errors"]
    options += ["-p", "no:cacheprovider", "-p", "no:xdist", f"--rootdir={tmp_path}"]
    counts = Counts()
    pytest.main([*options, str(tmp_path)], plugins=[needs, counts])
    assert counts.outcomes.count("skipped") == skipped
    assert counts.outcomes.count("failed") == failed
    assert counts.outcomes.count("passed") == 1
    assert file in counts.outcomes
