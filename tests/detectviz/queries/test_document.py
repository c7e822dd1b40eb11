"""Request documents, ours and Grafana's."""

from datetime import UTC, datetime
from typing import Any

import pytest

from detectviz.contracts.datasource import TimeRange
from detectviz.queries.document import read_grafana_request, read_request, snake_case
from detectviz.queries.errors import DocumentError
from detectviz.queries.intervals import fitting_interval_ms
from detectviz.queries.model import EXPRESSIONS
from detectviz.queries.times import parse_time_ms

NOW = datetime(2026, 3, 18, 12, 34, 56, tzinfo=UTC)
NOW_MS = int(NOW.timestamp() * 1000)
H = 3_600_000


def ms(*parts: int) -> int:
    return int(datetime(*parts, tzinfo=UTC).timestamp() * 1000)  # type: ignore[arg-type,misc]  # ints


def test_ours_is_read() -> None:
    request = read_request(
        {
            "from": "now-1h",
            "to": NOW_MS,
            "timeout": "5s",
            "variables": {"host": ["a"]},
            "queries": [
                {"ref_id": "A", "datasource": "db", "sql": "select 1", "hide": True},
                {
                    "ref_id": "B",
                    "datasource": {"uid": "__expr__"},
                    "type": "math",
                    "from": 1,
                    "to": 2,
                },
            ],
        },
        now_ms=NOW_MS,
    )
    first, second = request.queries
    assert (first.datasource, first.model, first.is_hidden) == ("db", {"sql": "select 1"}, True)
    assert first.range == TimeRange(start_ms=NOW_MS - H, end_ms=NOW_MS)
    assert (first.max_points, first.interval_ms) == (1000, 5000)
    assert second.datasource == EXPRESSIONS
    assert second.range == TimeRange(start_ms=1, end_ms=2)
    assert request.timeout_s == 5
    assert request.variables["host"].values == ("a",)


def test_grafanas_is_read() -> None:
    request = read_grafana_request(
        {
            "from": "1700000000000",
            "to": "1700003600000",
            "queries": [
                {
                    "refId": "A", "datasource": {"type": "postgres", "uid": "pg"},
                    "rawSql": "select 1",
                    "intervalMs": 20000, "maxDataPoints": 180, "key": "Q-1", "datasourceId": 4,
                },
                {"refId": "B", "datasource": {"type": "__expr__"}, "type": "math"},
            ],
        },
        now_ms=NOW_MS,
    )  # fmt: skip
    first, second = request.queries
    assert (first.datasource, first.model) == ("pg", {"rawSql": "select 1"})
    assert (first.interval_ms, first.max_points) == (20_000, 180)
    assert second.is_expression
    assert snake_case("rawSql") == "raw_sql"


def test_one_datasources_address_asks_it_alone() -> None:
    document: dict[str, Any] = {
        "queries": [{"ref_id": "A"}, {"ref_id": "B", "datasource": "__expr__"}]
    }
    request = read_request(document, now_ms=NOW_MS, datasource="db")
    assert [each.datasource for each in request.queries] == ["db", EXPRESSIONS]
    document["queries"][0]["datasource"] = "other"
    with pytest.raises(DocumentError, match="asks 'db' alone"):
        read_request(document, now_ms=NOW_MS, datasource="db")


@pytest.mark.parametrize(
    ("document", "field"),
    [
        ([], "body"),
        ({}, "queries"),
        ({"queries": []}, "queries"),
        ({"queries": ["x"]}, "queries[0]"),
        ({"queries": [{"ref_id": 1}]}, "queries[0].ref_id"),
        ({"queries": [{"ref_id": "A"}, {"ref_id": "A"}]}, "queries[1].ref_id"),
        ({"queries": [{}] * 51}, "queries"),
        ({"queries": [{"datasource": 5}]}, "queries[0].datasource"),
        ({"queries": [{"max_data_points": "x"}]}, "queries[0].max_data_points"),
        ({"queries": [{"interval_ms": -1}]}, "queries[0].interval_ms"),
        ({"queries": [{"from": "x"}]}, "queries[0].from"),
        ({"from": "yesterday", "queries": [{}]}, "from"),
        ({"from": "now", "to": "now-1h", "queries": [{}]}, "to"),
        ({"variables": [], "queries": [{}]}, "variables"),
        ({"variables": {"__x": 1}, "queries": [{}]}, "variables"),
        ({"timeout": 5, "queries": [{}]}, "timeout"),
        ({"timeout": "soon", "queries": [{}]}, "timeout"),
    ],
)
def test_a_wrong_document_is_refused_by_field(document: Any, field: str) -> None:
    with pytest.raises(DocumentError) as caught:
        read_request(document, now_ms=NOW_MS)
    assert caught.value.field == field


@pytest.mark.parametrize(
    ("text", "is_end", "expected"),
    [
        ("now", False, NOW_MS),
        ("now-90m", False, NOW_MS - 90 * 60_000),
        ("now/d", False, ms(2026, 3, 18)),
        ("now/d", True, ms(2026, 3, 19) - 1),
        ("now-1d/d", False, ms(2026, 3, 17)),
        ("now/w", False, ms(2026, 3, 16)),
        ("now-1M/M", False, ms(2026, 2, 1)),
        ("now-1M/M", True, ms(2026, 3, 1) - 1),
        ("now/y", False, ms(2026, 1, 1)),
        ("now+1y", False, ms(2027, 3, 18, 12, 34, 56)),
        ("2026-01-31T12:00:00Z", False, ms(2026, 1, 31, 12)),
        ("1700000000000", False, 1_700_000_000_000),
        (1_700_000_000_000.0, False, 1_700_000_000_000),
    ],
)
def test_times(text: object, is_end: bool, expected: int) -> None:
    assert parse_time_ms(text, NOW_MS, is_end=is_end) == expected


@pytest.mark.parametrize(
    "text",
    ["", "nowish", "now-", "now-1", "now-1q", "2026-01-31T12:00:00", True, None, -1, "9" * 400,
     "now-999999999y", "now-99999999999999999999s", float("inf"), float("nan")],
)  # fmt: skip
def test_what_is_no_time_is_refused(text: object) -> None:
    with pytest.raises(ValueError, match="must be Unix milliseconds"):
        parse_time_ms(text, NOW_MS)


@pytest.mark.parametrize(("hours", "expected"), [(1, 5_000), (6, 20_000), (24, 60_000), (0, 1)])
def test_intervals_are_round(hours: int, expected: int) -> None:
    assert fitting_interval_ms(TimeRange(start_ms=0, end_ms=hours * H), 1000) == expected
