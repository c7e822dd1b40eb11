"""A private MariaDB server for tests, with TLS."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from subprocess import run

import pymysql
import trustme

from detectviz.testing.services import find_program, free_port, run_server

PROGRAMS = ("mariadbd", "mariadb-install-db")


@dataclass(frozen=True, slots=True, kw_only=True)
class MariadbServer:
    """Where it listens; its superuser is ``root`` without a password, from loopback."""

    port: int
    ca_pem: str

    def execute(self, *statements: str) -> None:
        """Run ``statements`` as root."""
        session = pymysql.connect(
            host="127.0.0.1", port=self.port, user="root", autocommit=True, ssl_disabled=True
        )
        with session, session.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)


@contextmanager
def mariadb_server(server_name: str = "db.test") -> Iterator[MariadbServer]:
    """Run a private server until the block ends; its certificate is for ``server_name``."""
    folder = Path(tempfile.mkdtemp(prefix="detectviz-mariadb-"))
    authority = trustme.CA()
    certificate = authority.issue_cert(server_name)
    certificate.cert_chain_pems[0].write_to_path(folder / "server.pem")
    certificate.private_key_pem.write_to_path(folder / "server.key")
    data = folder / "data"
    try:
        run(
            [
                _program("mariadb-install-db"),
                "--no-defaults",
                f"--datadir={data}",
                "--user=root",
                "--auth-root-authentication-method=normal",
                "--skip-test-db",
                "--skip-log-bin",
                "--innodb-log-file-size=4M",
                "--innodb-flush-log-at-trx-commit=0",
            ],
            check=True,
            capture_output=True,
        )
        server = MariadbServer(port=free_port(), ca_pem=authority.cert_pem.bytes().decode())
        argv = [
            _program("mariadbd"),
            "--no-defaults",
            f"--datadir={data}",
            "--user=root",
            f"--port={server.port}",
            "--bind-address=127.0.0.1",
            f"--socket={folder / 'mariadb.sock'}",
            f"--ssl-cert={folder / 'server.pem'}",
            f"--ssl-key={folder / 'server.key'}",
            "--skip-log-bin",
            "--skip-name-resolve",
            "--innodb-log-file-size=4M",
            "--innodb-flush-log-at-trx-commit=0",
            "--innodb-buffer-pool-size=16M",
            "--performance-schema=OFF",
        ]
        with run_server(argv, ready=lambda: _answers(server)):
            yield server
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _program(name: str) -> str:
    path = find_program(name)
    if path is None:
        raise RuntimeError(f"{name} is not installed.")
    return path


def _answers(server: MariadbServer) -> bool:
    try:
        server.execute("SELECT 1")
    except pymysql.OperationalError:
        return False
    return True
