"""A PostgreSQL server of the tests' own, from Debian's binaries, on a free port of this machine."""

from __future__ import annotations

import os
import pwd
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

PASSWORD = "s3cret/{1}%@"
"""With all that an URL, Optuna's template of one, and Alembic's configuration could stumble over."""


def binaries() -> Path | None:
    """Debian keeps them out of the search path, a folder a version."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    return found[-1].parent if found else None


@dataclass
class Server:
    """A server that can be stopped and started.

    Attributes:
        programs: folder of PostgreSQL's own.
        home: of its data; belongs to the user that runs it.
        port: on 127.0.0.1.
    """

    programs: Path
    home: Path
    port: int

    @property
    def url(self) -> str:
        """Without a password."""
        return f"postgresql://tester@127.0.0.1:{self.port}/postgres"

    @property
    def url_with_password(self) -> str:
        return self.url.replace("tester@", "tester:s3cret%2F%7B1%7D%25%40@")

    def create(self) -> None:
        """Makes the database; whoever connects needs the password."""
        secret = self.home / "password"
        secret.write_text(PASSWORD)
        self._own(secret)
        options = ["--auth=scram-sha-256", "--username=tester", f"--pwfile={secret}", "--encoding=UTF8", "--no-sync"]
        self._run("initdb", "-D", self.home / "data", *options)

    def start(self) -> None:
        options = f"-p {self.port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={self.home} -c fsync=off"
        self._run("pg_ctl", "-D", self.home / "data", "-w", "-l", self.home / "log", "-o", options, "start")

    def stop(self) -> None:
        """Breaks all connections."""
        self._run("pg_ctl", "-D", self.home / "data", "-w", "-m", "immediate", "stop")

    def _own(self, path: Path) -> None:
        if os.getuid() == 0:
            owner = pwd.getpwnam("postgres")
            os.chown(path, owner.pw_uid, owner.pw_gid)

    def _run(self, program: str, *arguments: object) -> None:
        # PostgreSQL refuses to run as root.
        user = {"user": "postgres", "group": "postgres", "extra_groups": []} if os.getuid() == 0 else {}
        command = [str(self.programs / program), *map(str, arguments)]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, timeout=60, cwd=self.home, **user)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def serve() -> Iterator[Server]:
    """A server that runs until it is left."""
    programs = binaries()
    assert programs is not None
    # Not below pytest's folder, which PostgreSQL's user may not enter.
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as home:
        server = Server(programs, Path(home), free_port())
        server._own(server.home)
        server.create()
        server.start()
        yield server
        server.stop()


def why_not() -> str | None:
    """Why this machine cannot run a server, if it cannot."""
    if binaries() is None:
        return "PostgreSQL is not installed ('make postgres' installs it on Debian)"
    if os.getuid() == 0 and not any(entry.pw_name == "postgres" for entry in pwd.getpwall()):
        return "root cannot run PostgreSQL, and there is no user postgres"
    return None
