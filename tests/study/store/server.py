"""A real PostgreSQL server that can be killed and started again."""

import os
import shutil
import socket
import subprocess
import tempfile
import time
from functools import cache
from pathlib import Path

import psutil
import psycopg

_UNPRIVILEGED = "nobody"  # PostgreSQL refuses to run as root


@cache
def find_program(name: str) -> str | None:
    """``initdb`` or ``postgres``; Debian keeps them off the path."""
    debian = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
    return shutil.which(name) or (str(debian[-1]) if debian else None)


class Server:
    """One cluster in a temporary folder, on a port of its own, open to this computer."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="archlab-postgres-"))
        self.user = _UNPRIVILEGED if os.getuid() == 0 else None
        if self.user:
            shutil.chown(self.folder, self.user)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self._run(
            find_program("initdb"), "-D", "data", "-U", "archlab", "-A", "trust", "-E", "UTF8", "--locale=C", "-N"
        )
        self.start()

    def start(self) -> None:
        """Start, and wait until it answers."""
        options = {"port": self.port, "listen_addresses": "127.0.0.1", "unix_socket_directories": "", "fsync": "off"}
        arguments = [part for name, value in options.items() for part in ("-c", f"{name}={value}")]
        deadline = time.monotonic() + 30
        while True:
            with (self.folder / "log").open("ab") as log:
                self.process = subprocess.Popen(
                    [find_program("postgres") or "", "-D", "data", *arguments],
                    cwd=self.folder,
                    user=self.user,
                    stdout=log,
                    stderr=log,
                )
            while self.process.poll() is None:
                try:
                    psycopg.connect(self.url(), connect_timeout=5).close()
                except psycopg.OperationalError:
                    assert time.monotonic() < deadline, (self.folder / "log").read_text()
                    time.sleep(0.05)
                else:
                    return
            assert time.monotonic() < deadline, (self.folder / "log").read_text()
            time.sleep(0.1)  # what was left of a killed server is still in the way

    def kill(self) -> None:
        """Every process at once, as by ``kill -9``."""
        main = psutil.Process(self.process.pid)
        for process in [main, *main.children(recursive=True)]:
            try:
                process.kill()
            except psutil.NoSuchProcess:
                continue
        self.process.wait()

    def remove(self) -> None:
        """Stop it for good."""
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def url(self, database: str = "postgres") -> str:
        """The address of one of its databases."""
        return f"postgresql://archlab@127.0.0.1:{self.port}/{database}"

    def empty_database(self) -> str:
        """The address of a database with nothing in it."""
        with psycopg.connect(self.url(), autocommit=True) as connection:
            connection.execute("DROP SCHEMA public CASCADE")
            connection.execute("CREATE SCHEMA public")
        return self.url()

    def _run(self, *command: str | None) -> None:
        subprocess.run(
            [part or "" for part in command], cwd=self.folder, user=self.user, check=True, capture_output=True
        )
