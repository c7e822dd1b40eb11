"""Rows become what the operator's mapping says, and what does not fit is named."""

from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal

import pytest

from detectviz.contracts.errors import ConfigurationError
from detectviz.contracts.records import LogRecord, MetricRecord, Record, RowRecord
from detectviz.contracts.row_records import Row, RowError, row_batches, row_mapping
from detectviz.contracts.types import JsonObject
from detectviz.testing.records import NOW, NOW_MS


def made(row: Row, config: JsonObject) -> list[Record]:
    return list(row_mapping(config, now=NOW).records(row))


METRICS: JsonObject = {"as": "metrics", "time_column": "at", "value_columns": ["cpu", "memory"]}


def test_each_value_column_becomes_a_sample() -> None:
    row = {"at": "2026-01-31T08:30:00Z", "cpu": "0.5", "memory": 7, "host": "a", "zone": ""}
    config = {**METRICS, "label_columns": ["host", "zone"]}
    assert made(row, config) == [
        MetricRecord(labels={"__name__": "cpu", "host": "a"}, timestamp_ms=NOW_MS, value=0.5),
        MetricRecord(labels={"__name__": "memory", "host": "a"}, timestamp_ms=NOW_MS, value=7.0),
    ]


def test_a_metrics_name_is_fixed_or_stands_in_a_column() -> None:
    row = {"v": 1, "n": "up"}
    fixed = made(row, {"as": "metrics", "value_columns": ["v"], "metric_name": "load"})
    told = made(row, {"as": "metrics", "value_columns": ["v"], "metric_column": "n"})
    names = [one.labels["__name__"] for one in [*fixed, *told] if isinstance(one, MetricRecord)]
    assert names == ["load", "up"]


def test_an_empty_value_is_no_sample() -> None:
    assert made({"at": "2026-01-31", "cpu": "", "memory": None}, METRICS) == []


@pytest.mark.parametrize(
    ("value", "time_format"),
    [
        ("2026-01-31T08:30:00Z", ""),
        ("2026-01-31T09:30:00+01:00", "rfc3339"),
        ("2026-01-31 08:30:00", ""),
        ("1769848200", "unix"),
        (1769848200.0, "unix"),
        ("1769848200000", "unix_ms"),
        ("1769848200000000", "unix_us"),
        ("1769848200000000000", "unix_ns"),
        ("31.01.2026 08:30", "%d.%m.%Y %H:%M"),
        ("31.01.2026 08:30 +0000", "%d.%m.%Y %H:%M %z"),
        (datetime(2026, 1, 31, 8, 30), ""),  # noqa: DTZ001 - what drivers return is often naive
        (datetime(2026, 1, 31, 9, 30, tzinfo=timezone(timedelta(hours=1))), ""),
    ],
)
def test_times_are_understood(value: object, time_format: str) -> None:
    config = {**METRICS, "time_format": time_format, "value_columns": ["cpu"]}
    (record,) = made({"at": value, "cpu": 1}, config)
    assert isinstance(record, MetricRecord)
    assert record.timestamp_ms == NOW_MS


def test_without_a_time_column_it_is_now() -> None:
    (record,) = made({"cpu": 1}, {"as": "metrics", "value_columns": ["cpu"]})
    assert isinstance(record, MetricRecord)
    assert record.timestamp_ms == NOW_MS


def test_a_line_keeps_other_columns_as_attributes() -> None:
    config: JsonObject = {
        "as": "logs",
        "body_column": "msg",
        "severity_column": "lvl",
        "label_columns": ["meta.host"],
    }
    (record,) = made({"msg": "hi", "lvl": "WARN", "meta": {"host": "a"}, "n": 3}, config)
    assert record == LogRecord(
        timestamp_ms=NOW_MS,
        body="hi",
        severity="warn",
        labels={"meta.host": "a"},
        attributes={"meta": {"host": "a"}, "n": 3},
    )


def test_a_row_is_made_of_what_json_has() -> None:
    row = {
        "d": Decimal("1.5"),
        "b": b"\xff",
        "t": date(2026, 1, 31),
        "u": datetime(2026, 1, 31, tzinfo=UTC),
    }
    assert made(row, {}) == [
        RowRecord(values={"d": 1.5, "b": "\ufffd", "t": "2026-01-31", "u": "2026-01-31T00:00:00Z"})
    ]


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ({"cpu": 1, "memory": 1}, "There is no column at; there are: cpu, memory"),
        ({"at": "yesterday", "cpu": 1, "memory": 1}, "at is 'yesterday', no time as RFC 3339"),
        ({"at": "2026-01-31", "cpu": "much", "memory": 1}, "cpu is 'much', no number"),
    ],
)
def test_a_row_that_does_not_fit_is_named(row: Row, reason: str) -> None:
    with pytest.raises(RowError, match=reason):
        made(row, METRICS)


@pytest.mark.parametrize(
    ("config", "field"),
    [({"as": "metrics"}, "/value_columns"), ({"as": "logs"}, "/body_column")],
)
def test_a_mapping_that_lacks_a_column_is_refused(config: JsonObject, field: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        row_mapping(config, now=NOW)
    assert refused.value.field == field


def test_wrong_rows_are_errors_of_their_batch() -> None:
    rows: list[Row | RowError] = [{"v": 1}, {"v": "x"}, RowError("It is no JSON."), {"v": 4}]
    mapping = row_mapping({"as": "metrics", "value_columns": ["v"]}, now=NOW)
    batches = list(row_batches(rows, mapping, first=10, batch_size=3, is_cancelled=lambda: False))
    assert [batch.cursor for batch in batches] == [{"row": 13}, {"row": 14}]
    assert [(error.place, error.message) for error in batches[0].errors] == [
        ("row 12", "v is 'x', no number."),
        ("row 13", "It is no JSON."),
    ]
