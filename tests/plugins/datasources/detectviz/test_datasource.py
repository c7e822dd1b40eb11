"""What is asked of the org's series, and what becomes of their answers."""

from collections.abc import Sequence
from typing import cast

import numpy as np
import pytest

from detectviz.contracts.datasource import (
    Datasource,
    HealthChecker,
    ResourceCaller,
    ResourceRequest,
)
from detectviz.contracts.errors import PluginError, QueryError
from detectviz.contracts.frames import Field, FieldType, Frame, Notice
from detectviz.contracts.series import SeriesQuerier
from detectviz.contracts.types import JsonObject, JsonValue, PluginKind
from detectviz.testing.datasource_fakes import (
    END_MS,
    HOUR_MS,
    FakeSeries,
    data_query,
    datasource_context,
    datasource_settings,
)
from detectviz.testing.plugins import built_in_plugins


def plugin() -> Datasource:
    return built_in_plugins().load(PluginKind.DATASOURCE, "detectviz")


class Arrays(FakeSeries):
    """Answers arrays, as the store does; remembers the steps."""

    def __init__(self) -> None:
        self.steps: list[tuple[int, int, int]] = []

    def range(
        self, promql: str, *, start_ms: int, end_ms: int, step_ms: int, timeout_s: float
    ) -> Sequence[Frame]:
        self.steps.append((start_ms, end_ms, step_ms))
        time = Field(name="Time", type=FieldType.TIME, values=_array([end_ms - 1, end_ms]))
        number = Field(
            name="up", type=FieldType.NUMBER, values=_array([1.0, 2.0]), labels={"job": "node"}
        )
        said = (Notice(severity="warning", text="one store is away"),)
        return [Frame(fields=(time, number), shape="time-series", notices=said)]


def _array(values: list[int] | list[float]) -> Sequence[JsonValue]:
    return cast("Sequence[JsonValue]", np.array(values))


def ask(series: SeriesQuerier | None, model: JsonObject, interval_ms: int = 60_000) -> list[Frame]:
    context = datasource_context(datasource_settings("detectviz"), series=series)
    query = data_query("detectviz", model, interval_ms=interval_ms)
    return list(plugin().query(query, context))


def test_steps_are_aligned_and_no_shorter_than_scrapes() -> None:
    series = Arrays()
    ask(series, {"expr": "up"}, interval_ms=1)
    ask(series, {"expr": "up", "step": "7m"})
    assert series.steps[0] == (END_MS - HOUR_MS, END_MS, 15_000)
    start_ms, end_ms, step_ms = series.steps[1]
    assert (start_ms % 420_000, end_ms % 420_000, step_ms) == (0, 0, 420_000)


def test_series_are_named_by_the_legend_and_keep_the_notices() -> None:
    (frame,) = ask(Arrays(), {"expr": "up", "legend_format": "{{__name__}} of {{ job }}"})
    assert frame.fields[1].name == "up of node"
    assert list(frame.fields[1].values) == [1.0, 2.0]
    assert frame.notices == (Notice(severity="warning", text="one store is away"),)


def test_a_table_has_a_column_for_each_label() -> None:
    (frame,) = ask(Arrays(), {"expr": "up", "format": "table"})
    assert [(each.name, list(each.values)) for each in frame.fields] == [
        ("Time", [END_MS - 1, END_MS]),
        ("__name__", ["up", "up"]),
        ("job", ["node", "node"]),
        ("Value", [1.0, 2.0]),
    ]


def test_the_editor_is_told_metrics_and_labels() -> None:
    context = datasource_context(datasource_settings("detectviz"), series=FakeSeries())
    caller = cast("ResourceCaller", plugin())
    answers = {
        path: caller.call_resource(ResourceRequest(path=path, parameters={"match": "up"}), context)
        for path in ("metrics", "labels", "labels/job/values")
    }
    assert answers == {
        "metrics": {"metrics": [{"name": "up"}]},
        "labels": {"labels": ["__name__", "job"]},
        "labels/job/values": {"values": ["node"]},
    }
    with pytest.raises(QueryError, match="milliseconds"):
        caller.call_resource(ResourceRequest(path="labels", parameters={"end": "now"}), context)


def test_without_series_it_says_so() -> None:
    with pytest.raises(PluginError, match="lends this plugin no series"):
        ask(None, {"expr": "up"})
    context = datasource_context(datasource_settings("detectviz"))
    assert cast("HealthChecker", plugin()).check_health(context).status == "error"
