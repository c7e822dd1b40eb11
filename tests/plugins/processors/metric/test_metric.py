"""Samples are filtered, converted, renamed and aggregated as the operator says."""

from dataclasses import replace

import pytest

from detectviz.contracts.errors import ConfigurationError
from detectviz.contracts.records import MetricRecord, Record
from detectviz.contracts.types import JsonObject
from detectviz.testing.processors import ProcessorSuite, make_processor_context
from detectviz.testing.records import NOW_MS, make_log, make_metric
from plugins.processors.metric.processor import MetricProcessor


class TestConformance(ProcessorSuite):
    """Every part of it at once."""

    name = "metric"
    config = {
        "exclude": [{"labels": {"job": "db"}}],
        "convert": [{"name": "requests_.*", "factor": 2}],
        "rename": [{"name": "requests_(.*)", "replacement": "http_\\1"}],
        "aggregate": "avg",
        "window": "5s",
    }


def changed(config: JsonObject, *records: Record) -> list[Record]:
    memory: dict[str, object] = {}
    context = make_processor_context("metric", config, memory=memory)
    last = make_processor_context("metric", config, memory=memory, is_last=True)
    return [*MetricProcessor().process(records, context), *MetricProcessor().process([], last)]


def shown(records: list[Record]) -> list[tuple[str, int, float]]:
    return [
        (record.labels["__name__"], record.timestamp_ms - NOW_MS, record.value)
        for record in records
        if isinstance(record, MetricRecord)
    ]


@pytest.mark.parametrize(
    ("config", "kept"),
    [
        ({"include": [{"name": "requests_total", "labels": {"job": "a.*"}}]}, ["api"]),
        ({"include": [{"name": "requests"}]}, []),
        ({"exclude": [{"labels": {"job": "api|cron"}}]}, ["db"]),
        ({"include": [{"labels": {"zone": ""}}]}, ["api", "db"]),
    ],
)
def test_patterns_are_for_the_whole_text(config: JsonObject, kept: list[str]) -> None:
    records = changed(config, make_metric(), make_metric(job="db"))
    jobs = [record.labels["job"] for record in records if isinstance(record, MetricRecord)]
    assert jobs == kept


def test_the_first_conversion_that_fits_is_done() -> None:
    config: JsonObject = {
        "convert": [
            {"name": ".*_celsius", "factor": 1.8, "offset": 32, "unit": "fahrenheit"},
            {"name": ".*", "factor": 0},
        ]
    }
    warm = replace(make_metric(20), labels={"__name__": "room_celsius"})
    (record,) = changed(config, warm)
    assert isinstance(record, MetricRecord)
    assert (record.value, record.unit) == (68.0, "fahrenheit")


def test_metrics_and_labels_get_new_names() -> None:
    config: JsonObject = {
        "rename": [{"name": "(.*)_total", "replacement": "\\1"}],
        "rename_labels": {"job": "service"},
    }
    (record,) = changed(config, make_metric())
    assert isinstance(record, MetricRecord)
    assert record.labels == {"__name__": "requests", "service": "api"}


@pytest.mark.parametrize(
    ("function", "value"),
    [("sum", 6.0), ("avg", 2.0), ("min", 1.0), ("max", 3.0), ("count", 3.0), ("last", 3.0)],
)
def test_a_window_becomes_one_sample(function: str, value: float) -> None:
    config: JsonObject = {"aggregate": function, "window": "10s"}
    records = changed(config, make_metric(1), make_metric(3), make_metric(2))
    assert shown(records) == [("requests_total", 10_000, value)]


def test_groups_are_told_apart_by_the_labels_that_stay() -> None:
    config: JsonObject = {"aggregate": "sum", "window": "10s", "by": ["zone"]}
    records = changed(
        config,
        make_metric(1, zone="a", pod="1"),
        make_metric(2, zone="a", pod="2"),
        make_metric(4, zone="b"),
    )
    assert [value for _, _, value in shown(records)] == [3.0, 4.0]


def test_a_window_waits_for_latecomers_a_window_long() -> None:
    config: JsonObject = {"aggregate": "count", "window": "10s"}
    records = changed(
        config, make_metric(5), make_metric(15), make_metric(6), make_metric(25), make_metric(7)
    )
    assert shown(records) == [
        ("requests_total", 10_000, 2.0),
        ("requests_total", 20_000, 1.0),
        ("requests_total", 30_000, 1.0),
    ]


def test_other_records_pass_by() -> None:
    line = make_log()
    assert changed({"include": [{"name": "nothing"}]}, line) == [line]


def test_a_pattern_re2_refuses_is_named() -> None:
    with pytest.raises(ConfigurationError) as refused:
        MetricProcessor().process(
            [make_metric()],
            replace(make_processor_context("metric", {}), config={"exclude": [{"name": "(?=x)"}]}),
        )
    assert refused.value.field == "/exclude"
