"""A private InfluxDB 1 with two databases, and a user who may only read them."""

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlencode

import pytest

from detectviz.contracts.network import HttpRequest
from detectviz.net.http import SyncHttpClient
from detectviz.testing.datasource_fakes import END_MS, HOUR_MS
from detectviz.testing.services import find_program, free_port, port_is_open, run_server

PASSWORD = "reader-secret-71"
_CONFIG = """
reporting-disabled = true
bind-address = "127.0.0.1:{rpc}"
[meta]
dir = "{folder}/meta"
[data]
dir = "{folder}/data"
wal-dir = "{folder}/wal"
[http]
bind-address = "127.0.0.1:{port}"
auth-enabled = true
log-enabled = false
"""
_USERS = (
    "CREATE USER admin WITH PASSWORD 'admin' WITH ALL PRIVILEGES",
    'CREATE DATABASE "test"',
    'CREATE DATABASE "second"',
    f"CREATE USER reader WITH PASSWORD '{PASSWORD}'",
    'GRANT READ ON "test" TO "reader"',
    'GRANT READ ON "second" TO "reader"',
)


def _points() -> str:
    lines = [
        f'points,host={host} used={minute / 2},ok=true,note="n" {END_MS - HOUR_MS + minute * 60000}'
        for minute in range(60)
        for host in "ab"
    ]
    return "\n".join(lines)


@pytest.fixture(scope="session")
def influxdb_url(tmp_path_factory: pytest.TempPathFactory, client: SyncHttpClient) -> Iterator[str]:
    folder: Path = tmp_path_factory.mktemp("influxdb")
    port, rpc = free_port(), free_port()
    config = folder / "influxdb.conf"
    config.write_text(_CONFIG.format(folder=folder, port=port, rpc=rpc))
    argv = [find_program("influxd") or "influxd", "run", "-config", str(config)]
    url = f"http://127.0.0.1:{port}"
    with run_server(argv, ready=lambda: port_is_open(port)):
        for place, statement in enumerate(_USERS):
            who = "u=admin&p=admin&" if place else ""
            _post(client, f"{url}/query?{who}{urlencode({'q': statement})}", b"")
        for name, body in (("test", _points()), ("second", f"points used=7 {END_MS - 1000}")):
            where = f"{url}/write?u=admin&p=admin&db={name}&precision=ms"
            _post(client, where, body.encode())
        yield url


def _post(client: SyncHttpClient, url: str, body: bytes) -> None:
    answer = client.fetch(HttpRequest(url=url, method="POST", body=body))
    assert answer.status_code in {200, 204}, answer.body
