"""Answers that are made up."""

from collections.abc import Callable, Sequence
from threading import Event
from time import monotonic
from typing import Final

from detectviz.contracts.config import get_duration_s, get_float, get_int, get_text, get_text_map
from detectviz.contracts.datasource import (
    DataQuery,
    DatasourceContext,
    Health,
    ResourceRequest,
)
from detectviz.contracts.errors import DeadlineExceededError, PluginError, QueryError
from detectviz.contracts.frames import Frame
from detectviz.contracts.types import JsonObject
from plugins.datasources.testdata.answers import Answer, Walk
from plugins.datasources.testdata.csv_tables import read_table, read_values

_POLL_S: Final = 0.02


class TestDataDatasource:
    """Makes up series, tables, logs and failures, after Grafana's TestData."""

    __test__ = False  # it is named as the product is; no test runner should collect it

    def __init__(self) -> None:
        self._scenarios: dict[str, Callable[[DataQuery, DatasourceContext], Sequence[Frame]]] = {
            "random_walk": _random_walk,
            "predictable_pulse": _predictable_pulse,
            "csv_metric_values": _csv_metric_values,
            "csv_content": _csv_content,
            "random_walk_table": _random_walk_table,
            "logs": _logs,
            "no_data_points": _no_data_points,
            "datapoints_outside_range": _outside_of_range,
            "slow_query": _slow_query,
            "server_error": _server_error,
            "query_error": _query_error,
        }

    def query(self, query: DataQuery, context: DatasourceContext) -> Sequence[Frame]:
        """Return what the scenario of the query makes up."""
        scenario = get_text(query.model, "scenario", "random_walk")
        if scenario not in self._scenarios:
            known = ", ".join(self._scenarios)
            raise QueryError(f"There is no scenario {scenario!r}; use one of {known}.")
        return self._scenarios[scenario](query, context)

    def check_health(self, context: DatasourceContext) -> Health:
        """Return ok: there is nothing that could fail."""
        return Health(status="ok", message="Test data is made up here; there is no server.")

    def call_resource(self, request: ResourceRequest, context: DatasourceContext) -> JsonObject:
        """Return the scenarios there are."""
        if request.path != "scenarios":
            raise QueryError("There is no such resource; use scenarios.", status=404)
        return {"scenarios": list(self._scenarios)}


def _random_walk(query: DataQuery, context: DatasourceContext) -> Sequence[Frame]:
    answer = Answer(query, context)
    count = get_int(query.model, "series_count", 1)
    labels = get_text_map(query.model, "labels")
    for number in range(count):
        walk = _walk(query, context, number)
        own = {**labels, "series": str(number + 1)} if count > 1 else labels
        answer.add_series("value", own, walk.step_at)
    return answer.frames


def _walk(query: DataQuery, context: DatasourceContext, number: int) -> Walk:
    seed = get_int(context.settings.json_data, "seed")
    return Walk(
        f"{seed}:{query.ref_id}:{number}",
        start=get_float(query.model, "start_value", 50),
        spread=get_float(query.model, "spread", 1),
    )


def _predictable_pulse(query: DataQuery, context: DatasourceContext) -> Sequence[Frame]:
    on_ms = _duration_ms(query, "on")
    period_ms = on_ms + _duration_ms(query, "off")
    if not period_ms:
        raise QueryError("The pulse needs a duration: set on or off to more than 0s.")
    answer = Answer(query, context)
    labels = get_text_map(query.model, "labels")
    answer.add_series("value", labels, lambda time_ms: float(time_ms % period_ms < on_ms))
    return answer.frames


def _duration_ms(query: DataQuery, name: str) -> int:
    return round((get_duration_s(query.model, name) or 0.0) * 1000)


def _csv_metric_values(query: DataQuery, context: DatasourceContext) -> Sequence[Frame]:
    values = read_values(get_text(query.model, "values"))
    span_ms = query.range.end_ms - query.range.start_ms
    step_ms = span_ms / max(len(values) - 1, 1)
    points = [(query.range.start_ms + round(n * step_ms), v) for n, v in enumerate(values)]
    answer = Answer(query, context)
    answer.add_points("value", get_text_map(query.model, "labels"), points)
    return answer.frames


def _csv_content(query: DataQuery, context: DatasourceContext) -> Sequence[Frame]:
    answer = Answer(query, context)
    names, rows = read_table(get_text(query.model, "content"))
    answer.add_table(names, rows)
    return answer.frames


def _random_walk_table(query: DataQuery, context: DatasourceContext) -> Sequence[Frame]:
    answer, walk = Answer(query, context), _walk(query, context, 0)
    lines = get_int(query.model, "lines", 10)
    answer.add_walk_table(walk, lines)
    return answer.frames


def _logs(query: DataQuery, context: DatasourceContext) -> Sequence[Frame]:
    answer, walk = Answer(query, context), _walk(query, context, 0)
    answer.add_logs(walk, get_int(query.model, "lines", 10))
    return answer.frames


def _no_data_points(query: DataQuery, context: DatasourceContext) -> Sequence[Frame]:
    answer = Answer(query, context)
    answer.add_points("value", get_text_map(query.model, "labels"), [])
    return answer.frames


def _outside_of_range(query: DataQuery, context: DatasourceContext) -> Sequence[Frame]:
    answer = Answer(query, context)
    before_ms = query.range.start_ms - 3_600_000
    answer.add_points("value", get_text_map(query.model, "labels"), [(before_ms, 10.0)])
    return answer.frames


def _slow_query(query: DataQuery, context: DatasourceContext) -> Sequence[Frame]:
    delay_s = get_duration_s(query.model, "delay") or 0.0
    started, pause = monotonic(), Event()
    while (waited_s := monotonic() - started) < delay_s:
        if context.is_cancelled():
            raise PluginError("Nobody waits for the answer any more.")
        if waited_s >= context.timeout_s:
            raise DeadlineExceededError(
                f"There was no answer within {context.timeout_s:g} s.", phase="receive"
            )
        pause.wait(min(_POLL_S, delay_s - waited_s))
    return _random_walk(query, context)


def _server_error(query: DataQuery, context: DatasourceContext) -> Sequence[Frame]:
    raise PluginError(get_text(query.model, "message"))


def _query_error(query: DataQuery, context: DatasourceContext) -> Sequence[Frame]:
    raise QueryError(get_text(query.model, "message"))
