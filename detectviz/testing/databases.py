"""A real database for tests that need more than pytest-django's: threads, processes, PostgreSQL."""

import os
import pwd
import shutil
import signal
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from subprocess import Popen, run

import psycopg
from django.core.management import call_command
from django.db import connections

from detectviz.settings import env
from detectviz.testing.services import find_program, free_port, run_server

_UNPRIVILEGED = "postgres"
_SUPERUSER = "postgres"


@contextmanager
def postgresql_server() -> Iterator[str]:
    """Run a private PostgreSQL server and yield the URL of its empty database ``test``.

    The role of the URL owns the database and is no superuser, so that row security applies to it.
    PostgreSQL refuses to run as root; then the account ``postgres`` of Debian's package is used.
    """
    with restartable_postgresql() as server:
        yield server.url


@dataclass(slots=True)
class PostgresqlServer:
    """A private server that can be shut down under its clients and started again."""

    port: int
    argv: Sequence[str]
    process: Popen[bytes] | None = None
    _stack: ExitStack = field(default_factory=ExitStack)

    @property
    def url(self) -> str:
        """Where an ordinary role finds its empty database."""
        return f"postgresql://test@127.0.0.1:{self.port}/test"

    def start(self) -> None:
        """Start it and wait until it takes connections."""
        server = run_server(self.argv, ready=lambda: _answers(self.port))
        self.process = self._stack.enter_context(server)

    def restart(self, *, is_immediate: bool = False) -> None:
        """End every session and start again; immediately is as a crash: without a checkpoint."""
        if self.process is not None:
            self.process.send_signal(signal.SIGQUIT if is_immediate else signal.SIGINT)
            self.process.wait(30)
        self.start()

    def stop(self) -> None:
        """End it."""
        self._stack.close()


@contextmanager
def restartable_postgresql() -> Iterator[PostgresqlServer]:
    """Run a private server as `postgresql_server` does, and yield what restarts it."""
    directory = Path(tempfile.mkdtemp(prefix="detectviz-postgresql-"))
    port, data = free_port(), directory / "data"
    try:
        if os.geteuid() == 0:
            account = pwd.getpwnam(_UNPRIVILEGED)
            os.chown(directory, account.pw_uid, account.pw_gid)
        run(
            _as_owner(
                "initdb", "-D", data, "-U", _SUPERUSER, "-A", "trust", "-E", "UTF8", "--no-sync"
            ),
            check=True,
            capture_output=True,
        )
        settings = {"port": port, "fsync": "off", "listen_addresses": "127.0.0.1"}
        settings["unix_socket_directories"] = ""
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        server = PostgresqlServer(port, _as_owner("postgres", "-D", data, *options))
        try:
            server.start()
            _make_ordinary_role(port)
            yield server
        finally:
            server.stop()
    finally:
        shutil.rmtree(directory, ignore_errors=True)


@contextmanager
def default_database(url: str) -> Iterator[None]:
    """Make the database at ``url`` Django's default one, in every thread, until the block ends.

    Threads started inside close their own connections.
    """
    before = connections.settings["default"]
    wrapper = connections["default"]
    fresh = connections.configure_settings({"default": env.database(url, Path())})["default"]
    connections.settings["default"] = fresh
    del connections["default"]
    try:
        yield
    finally:
        connections["default"].close()
        connections.settings["default"] = before
        connections["default"] = wrapper


def tables_make() -> None:
    """Make our tables in the default database."""
    call_command("migrate", verbosity=0, interactive=False)


def tables_clear() -> None:
    """Empty every table of the default database."""
    call_command("flush", verbosity=0, interactive=False)


def _superuser_url(port: int) -> str:
    return f"postgresql://{_SUPERUSER}@127.0.0.1:{port}/postgres"


def _make_ordinary_role(port: int) -> None:
    with psycopg.connect(_superuser_url(port), autocommit=True) as session:
        session.execute("CREATE ROLE test LOGIN CREATEDB")
        session.execute("CREATE DATABASE test OWNER test")


def _as_owner(program: str, *arguments: Path | str) -> Sequence[str]:
    path = find_program(program)
    if path is None:
        raise RuntimeError(f"{program} is not installed.")
    prefix: list[str] = []
    if os.geteuid() == 0:
        prefix = ["setpriv", "--reuid", _UNPRIVILEGED, "--regid", _UNPRIVILEGED, "--clear-groups"]
    return [*prefix, path, *(str(argument) for argument in arguments)]


def _answers(port: int) -> bool:
    """Say whether the server takes connections: its port is open a while before that."""
    try:
        with psycopg.connect(_superuser_url(port), connect_timeout=2):
            return True
    except psycopg.OperationalError:
        return False
