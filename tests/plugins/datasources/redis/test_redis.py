"""On Redis as Debian has it."""

from collections.abc import Iterator
from pathlib import Path
from typing import cast

import pytest
import trustme
from redis import Redis

from detectviz.contracts.datasource import (
    Datasource,
    DatasourceContext,
    DatasourceSettings,
    HealthChecker,
    ResourceCaller,
    ResourceRequest,
)
from detectviz.contracts.types import JsonObject, JsonValue, PluginKind
from detectviz.testing.datasource_fakes import (
    END_MS,
    FakeConnector,
    data_query,
    datasource_context,
    datasource_settings,
)
from detectviz.testing.datasources import DatasourceConformance
from detectviz.testing.plugins import built_in_plugins
from detectviz.testing.redis import redis_server
from detectviz.testing.services import find_program, free_port, port_is_open, run_server
from plugins.datasources.redis.commands import ts_points

pytestmark = pytest.mark.services("redis-server")
PASSWORD = "reader-secret-71"


@pytest.fixture(scope="session")
def redis_port() -> Iterator[int]:
    with redis_server() as url:
        with Redis.from_url(url, decode_responses=True) as server:
            server.set("greeting", "hello")
            server.set("count", "7")
            server.hset("hash", mapping={f"f{n}": f"{n}" for n in range(2000)})
            server.rpush("list", *(f"value {n}" for n in range(2000)))
            server.sadd("set", "a", "b")
            server.zadd("scores", {"a": 1.5, "b": 2})
            for n in range(20):
                fields = {"temperature": n / 2, "place": "ab"[n % 2]}
                server.xadd("stream", fields, id=f"{END_MS - 60_000 * (19 - n)}-0")
            server.acl_setuser(
                "reader",
                enabled=True,
                passwords=[f"+{PASSWORD}"],
                categories=["+@read", "+@connection"],
                commands=["+info", "+dbsize"],
                keys=["*"],
            )
        with Redis.from_url(url.replace("/0", "/1")) as other:
            other.set("greeting", "other")
        yield int(url.rpartition(":")[2].partition("/")[0])


def settings_of(port: int, database: str = "") -> DatasourceSettings:
    return datasource_settings(
        "redis",
        url=f"redis.test:{port}",
        user="reader",
        database=database,
        secrets={"password": PASSWORD},
    )


class TestConformance(DatasourceConformance):
    name = "redis"
    queries = (
        {"command": "get", "key": "greeting"},
        {"command": "hgetall", "key": "hash", "format": "numbers"},
        {"command": "xrange", "key": "stream", "format": "time_series"},
        {"command": "zrange", "key": "scores"},
        {"command": "smembers", "key": "set"},
        {"command": "scan"},
        {"command": "info", "section": "server", "format": "numbers"},
    )
    wrong_queries = (
        ({"command": "get", "key": "hash"}, "WRONGTYPE"),
        ({"command": "get"}, "key"),
        ({"command": "ts_range", "key": "x"}, "unknown command"),
    )
    long_query = {"command": "lrange", "key": "list"}
    wrong_secrets = {"password": "not-the-password"}

    @pytest.fixture
    def connector(self) -> FakeConnector:
        return FakeConnector(addresses={"redis.test": "127.0.0.1"})

    @pytest.fixture
    def settings(self, redis_port: int) -> DatasourceSettings:
        return settings_of(redis_port)

    @pytest.fixture
    def other_settings(self, redis_port: int) -> DatasourceSettings:
        return settings_of(redis_port, "1")


@pytest.fixture
def context(redis_port: int) -> DatasourceContext:
    connector = FakeConnector(addresses={"redis.test": "127.0.0.1"})
    return datasource_context(settings_of(redis_port), connector=connector)


def plugin() -> Datasource:
    return built_in_plugins().load(PluginKind.DATASOURCE, "redis")


def columns(context: DatasourceContext, model: JsonObject) -> dict[str, list[JsonValue]]:
    (frame,) = plugin().query(data_query("redis", model), context)
    return {field.name: list(field.values) for field in frame.fields}


def test_texts_that_are_numbers_are_numbers(context: DatasourceContext) -> None:
    assert columns(context, {"command": "get", "key": "count"}) == {"value": [7.0]}
    assert columns(context, {"command": "get", "key": "no"}) == {"value": []}
    assert columns(context, {"command": "zrange", "key": "scores"}) == {
        "member": ["a", "b"],
        "score": [1.5, 2.0],
    }


def test_elements_are_counted_from_both_ends_and_read_in_pages(
    context: DatasourceContext,
) -> None:
    found = columns(context, {"command": "lrange", "key": "list", "start": -2})
    assert found == {"value": ["value 1998", "value 1999"]}
    assert len(columns(context, {"command": "lrange", "key": "list"})["value"]) == 2000
    assert len(columns(context, {"command": "hgetall", "key": "hash"})["field"]) == 2000


def test_a_stream_gives_the_range_as_rows_and_its_numbers_as_series(
    context: DatasourceContext,
) -> None:
    query = data_query("redis", {"command": "xrange", "key": "stream"}, start_ms=END_MS - 120_000)
    (table,) = plugin().query(query, context)
    assert {field.name: list(field.values) for field in table.fields} == {
        "time": [END_MS - 120_000, END_MS - 60_000, END_MS],
        "id": [f"{END_MS - 60_000 * n}-0" for n in (2, 1, 0)],
        "temperature": [8.5, 9.0, 9.5],
        "place": ["b", "a", "b"],
    }
    model: JsonObject = {"command": "xrange", "key": "stream", "format": "time_series"}
    (series,) = plugin().query(data_query("redis", model), context)
    assert [dict(field.labels) for field in series.fields[1:]] == [{"place": "a"}, {"place": "b"}]


def test_scan_stops_at_its_limit_and_says_so(context: DatasourceContext) -> None:
    model: JsonObject = {"command": "scan", "match": "s*", "limit": 2}
    (frame,) = plugin().query(data_query("redis", model), context)
    assert frame.rows == 2
    assert frame.notices[0].severity == "warning"
    found = columns(context, {"command": "scan", "match": "str*"})
    assert found == {"key": ["stream"], "type": ["stream"], "ttl_ms": [-1]}


def test_numbers_of_info_have_their_section(context: DatasourceContext) -> None:
    model = {"command": "info", "section": "clients", "format": "numbers"}
    (frame,) = plugin().query(data_query("redis", model), context)
    clients = next(field for field in frame.fields if field.name == "connected_clients")
    assert (frame.shape, dict(clients.labels)) == ("numeric", {"section": "clients"})
    assert columns(context, {"command": "dbsize"}) == {"keys": [7]}


def test_tls_verifies_the_name_of_the_host(tmp_path: Path) -> None:
    authority = trustme.CA()
    certificate = authority.issue_cert("redis.test")
    certificate.cert_chain_pems[0].write_to_path(tmp_path / "certificate.pem")
    certificate.private_key_pem.write_to_path(tmp_path / "key.pem")
    port = free_port()
    options = {
        "--port": "0",
        "--tls-port": str(port),
        "--bind": "127.0.0.1",
        "--save": "",
        "--tls-cert-file": str(tmp_path / "certificate.pem"),
        "--tls-key-file": str(tmp_path / "key.pem"),
        "--tls-auth-clients": "no",
    }
    argv = [find_program("redis-server") or "redis-server"]
    argv += [word for option in options.items() for word in option]
    ca = authority.cert_pem.bytes().decode()
    with run_server(argv, ready=lambda: port_is_open(port)):
        healths = {}
        for host in ("redis.test", "other.test"):
            settings = datasource_settings(
                "redis",
                url=f"{host}:{port}",
                json_data={"tls_mode": "verify-full", "tls_ca": ca},
            )
            connector = FakeConnector(addresses={host: "127.0.0.1"})
            context = datasource_context(settings, connector=connector)
            healths[host] = cast("HealthChecker", plugin()).check_health(context)
    assert healths["redis.test"].status == "ok"
    assert "WARNING" not in healths["redis.test"].message
    assert healths["other.test"].status == "error"


def test_the_editor_is_told_keys(context: DatasourceContext) -> None:
    request = ResourceRequest(path="keys", parameters={"match": "s*"})
    answer = cast("ResourceCaller", plugin()).call_resource(request, context)
    assert answer == {"keys": ["scores", "set", "stream"]}


def test_samples_of_redis_time_series_are_points() -> None:
    times, values = ts_points([[1548149180000, "26.199"], [1548149195000, "27.399"]])
    assert (times, values) == ([1548149180000, 1548149195000], [26.199, 27.399])
