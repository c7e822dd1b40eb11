"""What InfluxDB is asked, and how its answers are read."""

import json
from collections.abc import Sequence
from typing import cast
from urllib.parse import parse_qs

import pytest

from detectviz.contracts.datasource import (
    Datasource,
    DatasourceContext,
    ResourceCaller,
    ResourceRequest,
)
from detectviz.contracts.errors import ConfigurationError, QueryError
from detectviz.contracts.frames import Frame
from detectviz.contracts.types import JsonObject, JsonValue, PluginKind
from detectviz.net.http import SyncHttpClient
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
from tests.plugins.datasources.influxdb.answers import flux_answer, sql_answer
from tests.plugins.datasources.influxdb.conftest import PASSWORD


def plugin() -> Datasource:
    return built_in_plugins().load(PluginKind.DATASOURCE, "influxdb")


def context_of(http: FakeHttp, **json_data: JsonValue) -> DatasourceContext:
    settings = datasource_settings("influxdb", url="http://influx.test", json_data=json_data)
    return datasource_context(settings, http=http)


def ask(http: FakeHttp, model: JsonObject, **json_data: JsonValue) -> Sequence[Frame]:
    return plugin().query(data_query("influxdb", model), context_of(http, **json_data))


def results(*series: JsonValue, **more: JsonValue) -> FakeHttp:
    body = json.dumps({"results": [{"statement_id": 0, "series": list(series), **more}]})
    return FakeHttp(lambda _: http_response(body.encode()))


CPU: JsonValue = {
    "name": "cpu",
    "tags": {"host": "a"},
    "columns": ["time", "mean", "state", "ok"],
    "values": [[END_MS, 2.5, "x", True], [END_MS - 1, None, "y", False]],
}


def sent(text: str) -> str:
    http = results()
    ask(http, {"influxql": text})
    return parse_qs(http.requests[0].body.decode())["q"][0]


def test_macros_are_filled_in_but_for_strings_and_comments() -> None:
    statement = sent(
        "SELECT mean(x) FROM /a'b/ WHERE $timeFilter AND note = '$timeFilter INTO' -- $interval\n"
        " GROUP BY time($__interval), time($interval)"
    )
    between = f"time >= {END_MS - HOUR_MS}ms AND time <= {END_MS}ms"
    assert statement == (
        f"SELECT mean(x) FROM /a'b/ WHERE {between} AND note = '$timeFilter INTO' -- $interval\n"
        " GROUP BY time(1m), time(1m)"
    )


@pytest.mark.parametrize(
    "text",
    [
        "DROP DATABASE test",
        "select * into x from y",
        "SELECT 1; GRANT ALL TO x",
        "/* SELECT */ DELETE FROM x",
        '"SELECT" DELETE',
    ],
)
def test_statements_that_write_are_not_sent(text: str) -> None:
    http = results()
    with pytest.raises(QueryError, match="Only statements that read"):
        ask(http, {"influxql": text})
    assert not http.requests


def test_series_are_in_order_of_time_with_tags_as_labels() -> None:
    first, second = ask(results(CPU), {"influxql": "SELECT 1", "alias": "$m of $tag_host: $col"})
    assert list(first.fields[0].values) == [END_MS - 1, END_MS]
    assert (first.fields[1].name, list(first.fields[1].values)) == ("cpu of a: mean", [None, 2.5])
    assert dict(first.fields[1].labels) == {"host": "a"}
    assert list(second.fields[1].values) == [0, 1]
    assert first.notices[0].text == "Columns that are no numbers are left out of the series: state."


def test_a_table_has_tags_and_columns_and_the_servers_words_become_notices() -> None:
    said: JsonValue = [{"level": "warning", "text": "deprecated"}]
    http = results(CPU, messages=said, partial=True)
    (frame,) = ask(http, {"influxql": "SELECT 1", "format": "table"})
    assert [field.name for field in frame.fields] == ["host", "time", "mean", "state", "ok"]
    assert [notice.text for notice in frame.notices] == [
        "deprecated",
        "InfluxDB cut its answer; ask for less.",
    ]


def test_an_error_inside_of_a_success_is_told() -> None:
    http = FakeHttp(lambda _: http_response(b'{"results": [{"error": "database not found: x"}]}'))
    with pytest.raises(QueryError, match="database not found: x"):
        ask(http, {"influxql": "SELECT 1"})


@pytest.mark.services("influxd")
def test_the_editor_is_told_what_influxdb_has(influxdb_url: str, client: SyncHttpClient) -> None:
    settings = datasource_settings(
        "influxdb", url=influxdb_url, user="reader", database="test", secrets={"password": PASSWORD}
    )
    context = datasource_context(settings, http=client)

    def resource(path: str, **parameters: str) -> JsonValue:
        request = ResourceRequest(path=path, parameters=parameters)
        return cast("ResourceCaller", plugin()).call_resource(request, context)[path]

    assert resource("databases") == ["test", "second"]
    assert resource("measurements") == ["points"]
    assert resource("fields", measurement="points") == ["note", "ok", "used"]
    assert resource("tags", measurement="points") == ["host"]
    assert resource("tag_values", measurement="points", tag="host") == ["a", "b"]
    assert resource("tag_values", measurement='x" ; DROP', tag='"') == []


FLUX = {"version": "Flux", "organization": "acme", "default_bucket": 'b"${x}'}


def test_variables_of_v_are_filled_in_but_for_strings_and_comments() -> None:
    http = FakeHttp(flux_answer)
    script = 'from(bucket: v.defaultBucket) |> range(start: v.timeRangeStart) // v.windowPeriod "'
    ask(http, {"flux": f'{script}\n "v.windowPeriod" v.windowPeriod v.other'}, **FLUX)
    (request,) = http.requests
    assert request.url == "http://influx.test/api/v2/query?org=acme"
    assert json.loads(request.body)["query"] == (
        'from(bucket: "b\\"\\${x}") |> range(start: 2026-01-15T11:00:00.000Z)'
        ' // v.windowPeriod "\n "v.windowPeriod" 60000ms v.other'
    )


def test_each_table_of_flux_is_a_series_with_its_group_key() -> None:
    frames = ask(FakeHttp(flux_answer), {"flux": "x"}, **FLUX)
    assert [(frame.name, dict(frame.fields[1].labels)) for frame in frames] == [
        ("used", {"_measurement": "points", "host": "a"}),
        ("used", {"_measurement": "points", "host": "b"}),
    ]
    assert list(frames[0].fields[0].values)[-1] == END_MS
    assert list(frames[0].fields[1].values)[-1] == 0.0


def test_flux_wants_an_organisation() -> None:
    with pytest.raises(ConfigurationError) as caught:
        ask(FakeHttp(flux_answer), {"flux": "x"}, version="Flux")
    assert caught.value.field == "/organization"


def test_sql_has_the_macros_of_sql_and_its_times_are_utc() -> None:
    http = FakeHttp(sql_answer)
    (frame,) = ask(http, {"sql": "SELECT * FROM x WHERE $__timeFilter(time)"}, version="SQL")
    assert f"to_timestamp_millis({END_MS})" in json.loads(http.requests[0].body)["q"]
    assert frame.shape == "time-series"
    assert list(frame.fields[0].values)[-1] == END_MS
    assert {field.labels["host"] for field in frame.fields[1:]} == {"a", "b"}
