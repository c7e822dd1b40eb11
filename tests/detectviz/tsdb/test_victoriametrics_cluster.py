"""The URL layout of a cluster, which is not packaged: a proxy strips it before a single node."""

import http.client
import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from detectviz.testing.backends import victoria_metrics
from detectviz.testing.http_server import Answer, ReceivedRequest, RunningServer, http_server
from detectviz.testing.tsdb import STEP_MS, equal
from detectviz.tsdb.interface import Sample
from detectviz.tsdb.opening import open_store
from detectviz.tsdb.sending.store import RemoteStore

pytestmark = pytest.mark.services("victoria-metrics")

LAYOUT = re.compile(r"/(insert|select|delete)/([0-9:]+)/prometheus(/.*)")  # noqa: TID251 - our own constant


class Proxy:
    def __init__(self, port: int) -> None:
        self.port = port
        self.seen: set[tuple[str, str]] = set()

    def __call__(self, request: ReceivedRequest) -> Answer:
        path = request.path
        found = LAYOUT.fullmatch(path)
        if found:
            self.seen.add((found[1], found[2]))
            path = found[3]
        elif path not in {"/health", "/flags", "/internal/force_flush"}:
            return Answer(status=400, body=f"unsupported path {path}".encode())
        headers = {
            name: value
            for name, value in request.headers.items()
            if name in {"content-type", "content-encoding"}
        }
        query = f"?{request.query}" if request.query else ""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        connection.request(request.method, path + query, request.body, headers)
        answer = connection.getresponse()
        body = answer.read()
        connection.close()
        return Answer(status=answer.status, body=body)


def now_ms() -> int:
    return int(time.time() * 1000)


@pytest.fixture
def proxy(tmp_path: Path) -> Iterator[tuple[Proxy, RunningServer]]:
    with victoria_metrics(tmp_path / "vm") as (port, _):
        proxy = Proxy(port)
        with http_server(proxy) as server:
            yield proxy, server


@pytest.mark.parametrize(
    ("cluster", "accounts"), [("0", {"0"}), ("42:7", {"42:7"}), ("per-org", None)]
)
def test_writes_reads_and_deletions_go_to_the_paths_of_a_cluster(
    tmp_path: Path, proxy: tuple[Proxy, RunningServer], cluster: str, accounts: set[str] | None
) -> None:
    seen, server = proxy
    address = f"{server.host}:{server.port}"
    store = open_store(
        f"victoriametrics+http://{address}?cluster={cluster}&select=http://{address}",
        data_dir=tmp_path,
    )
    assert isinstance(store, RemoteStore)
    for tenant in ("acme", "other"):
        store.append(tenant, [Sample({"__name__": "m", "who": tenant}, now_ms(), 1.0)])
    assert store.drain()
    store.backend.series("acme", [], now_ms() - STEP_MS, now_ms())
    found = store.select("acme", [equal("__name__", "m")], now_ms() - STEP_MS, now_ms())
    assert found.labels == ({"__name__": "m", "who": "acme"},)
    store.check()
    assert store.delete("acme", [], 0, 2**62) == 1
    assert {part for part, _ in seen.seen} == {"insert", "select", "delete"}
    used = {account for part, account in seen.seen if part == "select"}
    assert accounts in (None, used)
    if accounts is None:
        assert all(re.fullmatch(r"\d+:\d+", account) for account in used)
        assert len({account for part, account in seen.seen if part == "insert"}) >= 2
    store.close()
