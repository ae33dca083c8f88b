"""Searches in processes of their own, which can be stopped and killed."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

SILENT = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}


def start(arguments: list[str], **options: object) -> subprocess.Popen:
    """The command line in a session of its own."""
    return subprocess.Popen([sys.executable, "-m", "randsearch", *arguments], start_new_session=True, **options)


def session_members(session: int) -> list[int]:
    """Processes of a session that run; it is the sixth field of their `stat`, the state the third."""
    members = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:  # it ended meanwhile
            continue
        if int(fields[3]) == session and fields[0] != "Z":
            members.append(int(stat.parent.name))
    return members


def workers(session: int) -> list[int]:
    """Those of its members that measure."""
    found = []
    for member in session_members(session):
        try:
            if b"spawn_main" in Path(f"/proc/{member}/cmdline").read_bytes():
                found.append(member)
        except OSError:
            continue
    return found


def wait_until(condition: Callable[[], object]) -> None:
    end = time.monotonic() + 120  # of a machine that does much else
    while not condition():
        assert time.monotonic() < end, "it never came to this"
        time.sleep(0.02)


MADE = """select count(*) from trials join studies on studies.study_id = trials.study_id
where study_name like 'tiny/%' and study_name <> 'tiny/agreement'"""


def recorded(database: Path) -> int:
    """Measurements in a study file, read by a process that cannot disturb it."""
    try:
        with sqlite3.connect(f"file:{database}?mode=ro", uri=True) as connection:
            return int(connection.execute(MADE).fetchone()[0])
    except sqlite3.OperationalError:  # not there yet, or without its tables
        return 0


def ended(driver: subprocess.Popen) -> bool:
    """Whether nothing of a search runs any more."""
    return driver.poll() is not None and not session_members(driver.pid)
