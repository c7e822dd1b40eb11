"""Records arrive in streams and hashes of a real Redis."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
import trustme

from detectviz.contracts.errors import PluginError
from detectviz.contracts.exporter import ExporterContext
from detectviz.contracts.record_documents import document_record
from detectviz.contracts.types import JsonObject
from detectviz.testing.datasource_fakes import FakeConnector
from detectviz.testing.exporters import ExporterSuite, make_exporter_context
from detectviz.testing.records import make_event, make_metric, make_row
from detectviz.testing.services import find_program, free_port, port_is_open, run_server
from plugins.exporters.redis.exporter import RedisExporter

pytestmark = pytest.mark.services("redis-server")
SECRET = "c4n4ry-t0k3n"


@pytest.fixture
def client(redis_url: str) -> Iterator[Any]:
    with redis.Redis.from_url(redis_url) as found:
        found.flushall()
        found.acl_setuser(
            "writer", enabled=True, passwords=[f"+{SECRET}"], keys=["*"], commands=["+@all"]
        )
        yield found


def context(redis_url: str, batch_id: str = "b1", **config: object) -> ExporterContext:
    options: JsonObject = {"address": redis_url.removesuffix("/0"), "user": "writer", **config}  # type: ignore[dict-item]  # tests pass JSON
    return make_exporter_context("redis", options, {"password": SECRET}, batch_id=batch_id)


class TestConformance(ExporterSuite):
    """A Redis from Debian."""

    name = "redis"

    @pytest.fixture
    def good_context(self, client: Any, redis_url: str) -> ExporterContext:
        self._client = client
        return context(redis_url)

    @pytest.fixture
    def bad_context(self, client: Any, redis_url: str) -> ExporterContext:
        return context(redis_url, user="nobody")

    def stored(self) -> int:
        keys = self._client.scan_iter(_type="stream")
        return sum(self._client.xlen(key) for key in keys)


def test_a_batch_written_again_is_there_once(client: Any, redis_url: str) -> None:
    for batch_id in ("b1", "b1", "b2"):
        RedisExporter().write([make_event(1)], context(redis_url, batch_id))
    entries = [fields for _, fields in client.xrange("detectviz:events")]
    assert len(entries) == 2
    assert document_record(json.loads(entries[0][b"record"])) == make_event(1)
    assert 0 < client.ttl("detectviz:batch:b1") <= 86_400


def test_a_stream_is_bounded(client: Any, redis_url: str) -> None:
    samples = [make_metric(number) for number in range(1_000)]
    RedisExporter().write(samples, context(redis_url, key="mine", max_length=100))
    assert 100 <= client.xlen("mine") < 300


def test_a_hash_has_a_field_a_record(client: Any, redis_url: str) -> None:
    for _ in range(2):
        RedisExporter().write([make_row(1), make_row(2)], context(redis_url, mode="hash", key="h"))
    assert sorted(client.hkeys("h")) == [b"b1:1", b"b1:2"]


def test_a_key_that_is_something_else_is_for_good(client: Any, redis_url: str) -> None:
    client.set("taken", "text")
    with pytest.raises(PluginError, match="WRONGTYPE") as refused:
        RedisExporter().write([make_row()], context(redis_url, key="taken"))
    assert refused.value.permanent


def test_a_server_that_is_not_there_may_be_tried_again(redis_url: str) -> None:
    with pytest.raises(PluginError, match="No connection") as refused:
        RedisExporter().write([make_row()], context(redis_url, address=f"127.0.0.1:{free_port()}"))
    assert not refused.value.permanent


def test_tls_verifies_the_name_whatever_the_address(tmp_path: Path) -> None:
    authority = trustme.CA()
    certificate = authority.issue_cert("cache.test")
    certificate.cert_chain_pems[0].write_to_path(tmp_path / "server.pem")
    certificate.private_key_pem.write_to_path(tmp_path / "server.key")
    port = free_port()
    argv = [
        find_program("redis-server") or "", "--port", "0", "--tls-port", str(port), "--save", "",
        "--bind", "127.0.0.1", "--tls-auth-clients", "no", "--dir", str(tmp_path),
        "--tls-cert-file", str(tmp_path / "server.pem"),
        "--tls-key-file", str(tmp_path / "server.key"),
    ]  # fmt: skip

    def write(host: str) -> int:
        pem = authority.cert_pem.bytes().decode()
        options: JsonObject = {"address": f"{host}:{port}", "tls": "verify", "tls_ca": pem}
        connector = FakeConnector(addresses={host: "127.0.0.1"})
        made = make_exporter_context("redis", options, connector=connector)
        return RedisExporter().write([make_row()], made).written

    with run_server(argv, ready=lambda: port_is_open(port)):
        assert write("cache.test") == 1
        with pytest.raises(PluginError, match="No connection"):
            write("other.test")
