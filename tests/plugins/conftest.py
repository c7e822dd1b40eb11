"""What importers and exporters are tested with: the way out, and private servers."""

from collections.abc import Iterator

import pytest

from detectviz.net.guard import EgressPolicy
from detectviz.net.http import SyncHttpClient
from detectviz.testing.backends import prometheus
from detectviz.testing.influxdb import influxdb
from detectviz.testing.mariadb import MariadbServer, mariadb_server
from detectviz.testing.redis import redis_server


@pytest.fixture(scope="session")
def http() -> Iterator[SyncHttpClient]:
    """Yield the product's own client, let onto loopback."""
    client = SyncHttpClient(EgressPolicy(allow_private=True))
    yield client
    client.close()


@pytest.fixture(scope="session")
def prometheus_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Yield the URL of a Prometheus that takes remote write."""
    with prometheus(tmp_path_factory.mktemp("prometheus")) as (port, _):
        yield f"http://127.0.0.1:{port}"


@pytest.fixture(scope="session")
def influxdb_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Yield the URL of an InfluxDB 1.x with a database ``test``."""
    with influxdb(tmp_path_factory.mktemp("influxdb")) as url:
        yield url


@pytest.fixture(scope="session")
def redis_url() -> Iterator[str]:
    """Yield the URL of a Redis."""
    with redis_server() as url:
        yield url


@pytest.fixture(scope="session")
def sql_server() -> Iterator[MariadbServer]:
    """Yield a MariaDB with a database ``flow`` and the account ``writer`` of it."""
    with mariadb_server() as server:
        server.execute(
            "CREATE DATABASE flow CHARACTER SET utf8mb4",
            "CREATE USER writer IDENTIFIED BY 'c4n4ry-t0k3n'",
            "GRANT ALL ON flow.* TO writer",
        )
        yield server
