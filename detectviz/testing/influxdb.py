"""A private InfluxDB 1.x server."""

import http.client
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlencode

from detectviz.testing.services import find_program, free_port, run_server

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
  log-enabled = false
[monitor]
  store-enabled = false
"""


@contextmanager
def influxdb(folder: Path) -> Iterator[str]:
    """Run InfluxDB on a data folder with an empty database ``test``; yield its URL."""
    port = free_port()
    config = folder / "influxdb.conf"
    config.write_text(_CONFIG.format(rpc=free_port(), port=port, folder=folder))
    argv = [find_program("influxd") or "influxd", "-config", str(config)]
    with run_server(
        argv, ready=lambda: _status(port, "GET", "/ping") == http.HTTPStatus.NO_CONTENT
    ):
        _status(port, "POST", f"/query?{urlencode({'q': 'CREATE DATABASE test'})}")
        yield f"http://127.0.0.1:{port}"


def _status(port: int, method: str, path: str) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request(method, path)
        return connection.getresponse().status
    finally:
        connection.close()
