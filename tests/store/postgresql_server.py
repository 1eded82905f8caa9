"""A PostgreSQL server of the tests' own: Debian's programs, a folder under /tmp, one socket in it, no port.

It writes as a real one does (fsync on). Who runs the tests as root runs it as the user ``postgres``: it refuses root.
"""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from pathlib import Path

import psycopg

INSTALL = "PostgreSQL is not installed: make postgresql (Debian's package, as root)"


def programs() -> Path | None:
    """Return the folder of initdb and postgres; Debian keeps them out of the PATH."""
    found = shutil.which("initdb")
    if found:
        return Path(found).resolve().parent
    versions = Path("/usr/lib/postgresql").glob("*/bin/initdb")
    newest = max(versions, key=lambda path: float(path.parts[-3]), default=None)
    return newest.parent if newest else None


class Server:
    """A server in a folder of its own; ``close`` ends it and removes the folder."""

    def __init__(self, programs: Path) -> None:
        self.programs = programs
        # Not below pytest's folder: that is its owner's only, and the server is another user.
        self.folder = Path(tempfile.mkdtemp(prefix="cds-postgresql-", dir="/tmp"))
        self._as_user: list[str] = []
        if os.geteuid() == 0:
            user = pwd.getpwnam("postgres")
            os.chown(self.folder, user.pw_uid, user.pw_gid)
            self._as_user = ["setpriv", "--reuid", "postgres", "--regid", "postgres", "--init-groups"]
        self._data = self.folder / "data"
        self._run("initdb", "-D", str(self._data), "-U", "cds", "-A", "trust", "-E", "UTF8", "--locale", "C")
        self.start()

    def start(self) -> None:
        """Start and wait until it answers."""
        options = f"-c listen_addresses='' -k {self.folder} -c max_connections=40 -c shared_buffers=16MB"
        log = str(self.folder / "log")
        self._run("pg_ctl", "start", "-w", "-D", str(self._data), "-l", log, "-o", options)

    def stop(self) -> None:
        """End it as a crash does: connections are cut, nothing is tidied up."""
        self._run("pg_ctl", "stop", "-w", "-m", "immediate", "-D", str(self._data))

    def close(self) -> None:
        """End it and remove what it wrote."""
        self.stop()
        shutil.rmtree(self.folder)

    def empty(self, name: str = "postgres") -> str:
        """Empty a database; return its URL. To make one anew for each test takes far longer."""
        with psycopg.connect(f"host={self.folder} user=cds dbname={name}", autocommit=True) as connection:
            connection.execute("DROP SCHEMA public CASCADE")
            connection.execute("CREATE SCHEMA public")
        return self.url(name)

    def url(self, name: str = "postgres") -> str:
        """Return the URL of a database."""
        return f"postgresql://cds@/{name}?host={self.folder}"

    def _run(self, program: str, *arguments: str) -> None:
        command = [*self._as_user, str(self.programs / program), *arguments]
        # Its output goes to a file: a server that holds a pipe of ours would keep us waiting for its end.
        with (self.folder / "told").open("a") if self.folder.exists() else open(os.devnull, "a") as told:
            subprocess.run(command, cwd="/", check=True, stdout=told, stderr=told, timeout=60)
