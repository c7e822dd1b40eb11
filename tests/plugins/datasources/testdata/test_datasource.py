"""The scenarios of made-up data."""

from collections.abc import Sequence

import pytest

from detectviz.contracts.datasource import Datasource, ResourceCaller, ResourceRequest
from detectviz.contracts.errors import PluginError, QueryError
from detectviz.contracts.frames import Frame
from detectviz.contracts.types import JsonObject, PluginKind
from detectviz.testing.datasource_fakes import (
    END_MS,
    HOUR_MS,
    data_query,
    datasource_context,
    datasource_settings,
)
from detectviz.testing.plugins import built_in_plugins


def plugin() -> Datasource:
    return built_in_plugins().load(PluginKind.DATASOURCE, "testdata")


def ask(model: JsonObject) -> Sequence[Frame]:
    context = datasource_context(datasource_settings("testdata"))
    return plugin().query(data_query("testdata", model), context)


def test_a_walk_has_a_point_at_each_interval_and_a_label_for_each_series() -> None:
    first, second = ask({"series_count": 2, "labels": {"job": "node"}})
    assert first.rows == 61
    assert first.fields[1].labels == {"job": "node", "series": "1"}
    assert second.fields[1].labels == {"job": "node", "series": "2"}
    assert first.fields[1].values != second.fields[1].values


def test_the_pulse_depends_on_the_clock_alone() -> None:
    (frame,) = ask({"scenario": "predictable_pulse", "on": "2m", "off": "3m"})
    values = [float(time_ms % 300_000 < 120_000) for time_ms in frame.fields[0].values]  # type: ignore[operator] # times are ints
    assert list(frame.fields[1].values) == values


def test_listed_values_are_spread_over_the_range() -> None:
    (frame,) = ask({"scenario": "csv_metric_values", "values": "1,null,3"})
    assert frame.fields[0].values == [END_MS - HOUR_MS, END_MS - HOUR_MS // 2, END_MS]
    assert frame.fields[1].values == [1.0, None, 3.0]


def test_columns_of_csv_are_typed() -> None:
    (frame,) = ask({"scenario": "csv_content", "content": "a,b,c\nx,1,true\n,,\n"})
    assert [(each.name, each.type.value, each.values) for each in frame.fields] == [
        ("a", "string", ["x", None]),
        ("b", "number", [1.0, None]),
        ("c", "boolean", [True, None]),
    ]


def test_points_outside_of_the_range_are_before_it() -> None:
    (frame,) = ask({"scenario": "datapoints_outside_range"})
    assert frame.fields[0].values == [END_MS - 2 * HOUR_MS]


def test_a_server_error_may_be_tried_again_and_a_refused_query_may_not() -> None:
    with pytest.raises(PluginError) as failed:
        ask({"scenario": "server_error", "message": "down"})
    with pytest.raises(QueryError) as refused:
        ask({"scenario": "query_error", "message": "wrong"})
    assert (failed.value.permanent, refused.value.permanent) == (False, True)


def test_a_slow_query_answers_after_its_delay() -> None:
    (frame,) = ask({"scenario": "slow_query", "delay": "50ms"})
    assert frame.rows == 61


def test_the_scenarios_are_a_resource() -> None:
    datasource = plugin()
    caller: ResourceCaller = datasource  # type: ignore[assignment] # the plugin is one too
    context = datasource_context(datasource_settings("testdata"))
    answer = caller.call_resource(ResourceRequest(path="scenarios"), context)
    assert "random_walk" in str(answer)
