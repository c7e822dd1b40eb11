"""Private databases, one server each per session of tests."""

from collections.abc import Iterator

import psycopg
import pytest
import trustme

from detectviz.net.guard import EgressPolicy
from detectviz.net.http import SyncHttpClient
from detectviz.testing.databases import postgresql_server
from detectviz.testing.mariadb import MariadbServer, mariadb_server

POSTGRESQL_SEED = """
CREATE TABLE points (at timestamptz, host text, used numeric(10,2), requests bigint);
INSERT INTO points SELECT '2026-01-15T11:00:00Z'::timestamptz + n * interval '1 minute', h, n, n * 2
  FROM generate_series(0, 59) n, unnest(ARRAY['a', 'b']) h;
CREATE TABLE other (secret text);
CREATE ROLE reader LOGIN PASSWORD 'reader-secret-71';
GRANT SELECT ON points TO reader;
CREATE SEQUENCE numbers;
REVOKE CREATE ON SCHEMA public FROM PUBLIC;
"""
POSTGRESQL_HBA = """
COPY (VALUES ('host all reader 127.0.0.1/32 scram-sha-256'), ('host all all 127.0.0.1/32 trust'))
  TO '{}'
"""
MARIADB_SEED = (
    "CREATE DATABASE test",
    "CREATE DATABASE second",
    "CREATE TABLE test.points (at TIMESTAMP NULL, host TEXT, used DECIMAL(10,2), requests BIGINT)",
    "CREATE TEMPORARY TABLE test.hosts SELECT 'a' AS h UNION SELECT 'b'",
    "SET time_zone = '+00:00'",
    """INSERT INTO test.points SELECT '2026-01-15 11:00:00' + INTERVAL seq MINUTE, h, seq, seq * 2
         FROM test.seq_0_to_59, test.hosts""",
    "CREATE TABLE second.points AS SELECT NOW() AS at, 'z' AS host, 1 AS used",
    "CREATE TABLE test.other (secret TEXT)",
    "CREATE SEQUENCE test.numbers",
    "CREATE USER reader IDENTIFIED BY 'reader-secret-71'",
    "GRANT SELECT ON test.points TO reader",
    "GRANT SELECT ON second.points TO reader",
)


@pytest.fixture(scope="session")
def postgresql() -> Iterator[str]:
    """Yield host:port of a server with the database ``test`` and the role ``reader``."""
    with postgresql_server() as url:
        with psycopg.connect(url.replace("//test@", "//postgres@"), autocommit=True) as session:
            session.execute(POSTGRESQL_SEED.encode())
            session.execute("CREATE DATABASE second")
            hba = session.execute("SELECT current_setting('hba_file')").fetchone()
            assert hba is not None
            session.execute(POSTGRESQL_HBA.format(hba[0]).encode())
            session.execute("SELECT pg_reload_conf()")
        _wait_for_passwords(url.replace("//test@", "//reader@"))
        second = url.replace("//test@", "//postgres@").replace("/test", "/second")
        with psycopg.connect(second, autocommit=True) as session:
            session.execute("CREATE TABLE points AS SELECT now() AS at, 'z' AS host, 1 AS used")
            session.execute("GRANT SELECT ON points TO PUBLIC")
        yield url.partition("@")[2].partition("/")[0]


@pytest.fixture(scope="session")
def postgresql_ca(postgresql: str) -> str:
    """Switch TLS on, with a certificate for ``db.test``, and return its authority."""
    authority = trustme.CA()
    certificate = authority.issue_cert("db.test")
    pems = {
        "certificate.pem": certificate.cert_chain_pems[0].bytes().decode(),
        "key.pem": certificate.private_key_pem.bytes().decode(),
    }
    url = f"postgresql://postgres@{postgresql}/test"
    with psycopg.connect(url, autocommit=True) as session:
        for name, pem in pems.items():
            values = ", ".join(f"('{line}')" for line in pem.splitlines())
            # Programs of COPY run in the data directory.
            program = f"umask 077 && cat > {name}"
            session.execute(f"COPY (VALUES {values}) TO PROGRAM '{program}'".encode())
        session.execute("ALTER SYSTEM SET ssl_cert_file = 'certificate.pem'")
        session.execute("ALTER SYSTEM SET ssl_key_file = 'key.pem'")
        session.execute("ALTER SYSTEM SET ssl = on")
        session.execute("SELECT pg_reload_conf()")
    while True:
        try:
            psycopg.connect(f"{url}?sslmode=require").close()
        except psycopg.OperationalError:
            continue
        return authority.cert_pem.bytes().decode()


def _wait_for_passwords(url: str) -> None:
    """Wait until the server has read its rules and wants a password of the reader."""
    while True:
        try:
            psycopg.connect(url, connect_timeout=2).close()
        except psycopg.OperationalError:
            return


@pytest.fixture(scope="session")
def mariadb() -> Iterator[MariadbServer]:
    """Yield a server with the databases ``test`` and ``second`` and the account ``reader``."""
    with mariadb_server() as server:
        server.execute(*MARIADB_SEED)
        yield server


@pytest.fixture(scope="session")
def client() -> SyncHttpClient:
    """Return a real HTTP client that reaches the servers of these tests."""
    return SyncHttpClient(EgressPolicy(allow_private=True))
