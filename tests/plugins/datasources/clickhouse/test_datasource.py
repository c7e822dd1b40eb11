"""What ClickHouse is asked, and how its types and errors are read."""

from collections.abc import Callable, Sequence
from typing import cast
from urllib.parse import parse_qs, urlsplit

import pytest

from detectviz.contracts.datasource import (
    Datasource,
    HealthChecker,
    ResourceCaller,
    ResourceRequest,
)
from detectviz.contracts.errors import (
    ConfigurationError,
    DeadlineExceededError,
    PluginError,
    QueryError,
)
from detectviz.contracts.frames import Frame
from detectviz.contracts.network import HttpRequest, HttpResponse
from detectviz.contracts.types import PluginKind
from detectviz.testing.datasource_fakes import (
    END_MS,
    HOUR_MS,
    FakeHttp,
    data_query,
    datasource_context,
    datasource_settings,
    http_response,
)
from detectviz.testing.plugins import built_in_plugins
from tests.plugins.datasources.clickhouse.server import clickhouse, compact, exception

Answer = Callable[[HttpRequest], HttpResponse]


def plugin() -> Datasource:
    return built_in_plugins().load(PluginKind.DATASOURCE, "clickhouse")


def ask(http: FakeHttp, sql: str = "SELECT 1", url: str = "db.test:8123") -> Sequence[Frame]:
    settings = datasource_settings(
        "clickhouse",
        url=url,
        user="reader",
        database="test",
        secrets={"password": "reader-secret-71"},
    )
    context = datasource_context(settings, http=http, max_rows=10, timeout_s=2.5)
    return plugin().query(data_query("clickhouse", {"sql": sql}), context)


def test_a_query_is_read_only_and_limited_and_its_password_no_part_of_the_url() -> None:
    http = clickhouse()
    ask(http, "SELECT count() FROM points WHERE $__timeFilter(at) -- $__timeFilter(x)")
    (request,) = http.requests
    asked = {name: values[0] for name, values in parse_qs(urlsplit(request.url).query).items()}
    assert (asked["readonly"], asked["max_result_rows"], asked["database"]) == ("1", "11", "test")
    assert (asked["max_execution_time"], asked["default_format"]) == ("3", "JSONCompact")
    assert "reader-secret-71" not in request.url
    body = request.body.decode()
    assert f"at BETWEEN fromUnixTimestamp64Milli({END_MS - HOUR_MS})" in body
    assert body.endswith("-- $__timeFilter(x)")


def test_types_become_those_of_frames() -> None:
    meta = [
        ("u", "UInt64"), ("q", "Nullable(Int64)"), ("f", "Float64"), ("d", "Decimal(10, 2)"),
        ("b", "Bool"), ("day", "Date"), ("t", "DateTime"), ("z", "DateTime('Europe/Berlin')"),
        ("n", "DateTime64(9, 'UTC')"), ("s", "LowCardinality(Nullable(String))"),
        ("a", "Array(UInt8)"), ("m", "Map(String, UInt8)"), ("e", "Nullable(Int8)"),
    ]  # fmt: skip
    row: list[object] = [
        2**63, "-5", "inf", 1.5, True, "2026-01-15", "2026-01-15T12:00:00Z", "2026-01-15 13:00:00",
        "2026-01-15 12:00:00.123456789", "x", [1, 2], {"k": 1}, None,
    ]  # fmt: skip
    (frame,) = ask(FakeHttp(lambda _: compact(meta, [row])))
    assert {field.name: (field.type.value, field.values[0]) for field in frame.fields} == {
        "u": ("number", 2**63),
        "q": ("number", -5),
        "f": ("number", float("inf")),
        "d": ("number", 1.5),
        "b": ("boolean", True),
        "day": ("time", END_MS - 12 * HOUR_MS),
        "t": ("time", END_MS),
        "z": ("time", END_MS),
        "n": ("time", END_MS + 123),
        "s": ("string", "x"),
        "a": ("other", [1, 2]),
        "m": ("other", {"k": 1}),
        "e": ("number", None),
    }


def test_a_user_that_may_change_no_setting_is_asked_without_them() -> None:
    def strict(request: HttpRequest) -> HttpResponse:
        if "readonly=1" in request.url:
            return exception(164, "Cannot modify 'readonly' setting in readonly mode", 500)
        return compact([("n", "UInt8")], [[1]])

    (frame,) = ask(FakeHttp(strict))
    assert frame.fields[0].values == [1]


@pytest.mark.parametrize(
    ("code", "error"),
    [
        (159, DeadlineExceededError),
        (202, PluginError),
        (516, PluginError),
        (62, QueryError),
        (396, QueryError),
    ],
)
def test_exceptions_become_errors_that_fit(code: int, error: type[PluginError]) -> None:
    with pytest.raises(error) as caught:
        ask(FakeHttp(lambda _: exception(code, "because of x", 500)))
    assert "because of x" in caught.value.message
    assert caught.value.permanent is (error is QueryError)


def test_another_format_or_a_broken_row_is_told() -> None:
    for body in (b"1\t2\n", b'{"meta": [], "data": [[1]]}', b'{"meta": [{}], "data": []}'):
        answered = http_response(body)
        with pytest.raises(PluginError):
            ask(FakeHttp(lambda _, answered=answered: answered))  # type: ignore[misc] # bound now


@pytest.mark.parametrize(
    "url", ["", "ftp://db.test", "http://me:pw@db.test", "http://[", "http://h/?a=1"]
)
def test_a_wrong_address_names_its_field(url: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        ask(clickhouse(), url=url)
    assert caught.value.field == "/url"


def test_the_health_check_warns_of_a_user_that_can_write() -> None:
    def powerful(request: HttpRequest) -> HttpResponse:
        if request.body == b"SHOW GRANTS":
            grant = "GRANT SELECT, INSERT, ALTER UPDATE(a, b) ON *.* TO reader"
            return compact([("GRANTS", "String")], [[grant]])
        return compact([("v", "String"), ("u", "String")], [["24.8", "reader"]])

    settings = datasource_settings("clickhouse", url="db.test:8123")
    context = datasource_context(settings, http=FakeHttp(powerful))
    health = cast("HealthChecker", plugin()).check_health(context)
    assert health.details["can_write"] is True
    assert "INSERT" in health.message


def test_the_editor_is_told_columns_by_parameters_of_the_server() -> None:
    http = FakeHttp(lambda _: compact([("name", "String"), ("type", "String")], [["at", "Date"]]))
    context = datasource_context(datasource_settings("clickhouse", url="db.test:8123"), http=http)
    request = ResourceRequest(path="columns", parameters={"table": "x' OR 1 --"})
    answer = cast("ResourceCaller", plugin()).call_resource(request, context)
    assert answer == {"columns": [{"name": "at", "type": "Date"}]}
    assert "OR 1" not in http.requests[0].body.decode()
