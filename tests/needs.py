"""What some tests need of the machine, and why they are skipped where it is missing.

With `NOTHING_SKIPPED` in the environment, as `.ci/run` has it, a skip is a failure, unless it is for want of the data
beside the checkout. Tests that have to mount a disk are deselected, and counted as such, where that is forbidden.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import postgres
import pytest

SHARED = Path(__file__).resolve().parents[2] / "shared"
EXCUSED = "needs ../shared"


def _all_found(*programs: str) -> bool:
    return all(map(shutil.which, programs))


ffmpeg = pytest.mark.skipif(not _all_found("ffmpeg", "ffprobe"), reason="ffmpeg is missing: `make ffmpeg`")
chromium = pytest.mark.skipif(not _all_found("chromium", "chromedriver"), reason="Chromium is missing: `make chromium`")
server = pytest.mark.skipif(postgres.why_not() is not None, reason=str(postgres.why_not()))
processes = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks for processes in /proc")


def device(name: str) -> pytest.MarkDecorator:
    """A file of the system's that is none."""
    return pytest.mark.skipif(not Path(name).exists(), reason=f"the system has no {name}")


def shared(*parts: str) -> pytest.MarkDecorator:
    """Data beside the checkout."""
    return pytest.mark.skipif(not SHARED.joinpath(*parts).exists(), reason="/".join([EXCUSED, *parts]))


def package(name: str, extra: str) -> Any:
    """Imports a package of an extra."""
    return pytest.importorskip(name, reason=f"the extra `{extra}` is not installed: pip install '.[{extra}]'")


def mounted(folder: Path) -> bool:
    """Mounts a small file system, if this user may."""
    command = ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(folder)]
    return _all_found("mount") and subprocess.run(command, capture_output=True, check=False).returncode == 0


def _may_mount() -> bool:
    with tempfile.TemporaryDirectory() as folder:
        may = mounted(Path(folder))
        if may:
            subprocess.run(["umount", folder], check=True)
    return may


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Deselects tests of disks that are full or read-only where this user may not mount one."""
    of_disks = [item for item in items if "small_disk" in getattr(item, "fixturenames", ())]
    if of_disks and not _may_mount():
        items[:] = [item for item in items if item not in of_disks]
        config.hook.pytest_deselected(items=of_disks)


def _refuse(report: pytest.TestReport | pytest.CollectReport) -> None:
    """Makes a failure of a skip that has no excuse."""
    if "NOTHING_SKIPPED" not in os.environ or not report.skipped or hasattr(report, "wasxfail"):
        return
    reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
    if EXCUSED not in reason:
        report.outcome = "failed"
        report.longrepr = f"nothing may be skipped here. {reason}"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Iterator[None]:
    report = yield
    _refuse(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Iterator[None]:
    report = yield
    _refuse(report)
    return report
