"""Macros become what Grafana makes of them."""

import pytest

from detectviz.contracts.datasource import TimeRange
from detectviz.contracts.errors import QueryError
from detectviz.contracts.sql.dialect import Dialect, seconds
from detectviz.contracts.sql.macros import Expansion, Fill, expand, require_reading

DIALECT = Dialect(
    timestamp=lambda time_ms: f"<{time_ms}>",
    epoch=lambda column: f"epoch({column})",
    group=lambda column, step_ms: f"group({column}, {seconds(step_ms)})",
    epoch_group=lambda column, step_ms: f"steps({column}, {seconds(step_ms)})",
)
RANGE = TimeRange(start_ms=1_000, end_ms=61_999)


def expanded(sql: str) -> Expansion:
    return expand(sql, dialect=DIALECT, range=RANGE, interval_ms=15_000)


@pytest.mark.parametrize(
    ("macro", "sql"),
    [
        ("$__time(at)", 'at AS "time"'),
        ("$__timeEpoch(at)", 'epoch(at) AS "time"'),
        ("$__timeFilter(t.at)", "t.at BETWEEN <1000> AND <61999>"),
        ("$__timeFrom()", "<1000>"),
        ("$__timeFrom", "<1000>"),
        ("$__timeFrom(at)", "at >= <1000>"),
        ("$__timeTo(at)", "at <= <61999>"),
        ("$__timeGroup(at, 5m)", "group(at, 300)"),
        ("$__timeGroup(at, '5m')", "group(at, 300)"),
        ("$__timeGroup(at, $__interval)", "group(at, 15)"),
        ("$__timeGroup(at, '$__interval')", "group(at, 15)"),
        ("$__timeGroupAlias(at, 1h30m)", 'group(at, 5400) AS "time"'),
        ("$__unixEpochFilter(at)", "at >= 1 AND at <= 61"),
        ("$__unixEpochFrom()", "1"),
        ("$__unixEpochTo", "61"),
        ("$__unixEpochNanoFilter(at)", "at >= 1000000000 AND at <= 61999000000"),
        ("$__unixEpochGroup(at, 500ms)", "steps(at, 0.5)"),
        ("$__unixEpochGroupAlias(at, 5m)", 'steps(at, 300) AS "time"'),
        ("$__interval", "15s"),
        ("$__interval_ms * 2", "15000 * 2"),
        ("$__interval_ms()", "15000"),
        ("max($__interval_ms)", "max(15000)"),
        ("$__timeFilter(date_add(a, ')', 1))", "date_add(a, ')', 1) BETWEEN <1000> AND <61999>"),
        ("$__timeGroup(f($__timeFrom(), b), 1m)", "group(f(<1000>, b), 60)"),
        ("$__timeFilter(/* ) */ at)", "/* ) */ at BETWEEN <1000> AND <61999>"),
        ("'$__interval' -- $__nothing", "'$__interval' -- $__nothing"),
        ("$1 $_x cost$", "$1 $_x cost$"),
    ],
)
def test_each_macro(macro: str, sql: str) -> None:
    assert expanded(macro).sql == sql


@pytest.mark.parametrize(
    ("third", "value"),
    [
        ("NULL", None),
        ("0", 0.0),
        ("-1.5", -1.5),
        ("previous", "previous"),
        ("'previous'", "previous"),
    ],
)
def test_a_third_argument_fills_gaps(third: str, value: object) -> None:
    fill = expanded(f"$__timeGroupAlias(at, 5m, {third})").fill
    assert fill == Fill(step_ms=300_000, value=value)  # type: ignore[arg-type] # one of them


@pytest.mark.parametrize(
    ("sql", "reason"),
    [
        ("$__nothing(at)", "$__timeFilter"),
        ("$__timeFilter", "takes 1 arguments and has 0"),
        ("$__timeFilter()", "has 0"),
        ("$__timeFilter(a, b)", "has 2"),
        ("$__timeFilter(a", "bracket is missing"),
        ("$__timeGroup(a)", "takes 2 or 3"),
        ("$__timeGroup(a, soon)", "not a duration"),
        ("$__timeGroup(a, 0s)", "longer than 0s"),
        ("$__timeGroup(a, 5m, maybe)", "NULL, previous or a number"),
        ("$__timeFilter(" * 20 + ")" * 20, "too deeply"),
    ],
)
def test_a_wrong_macro_is_refused_with_its_reason(sql: str, reason: str) -> None:
    with pytest.raises(QueryError) as caught:
        expanded(sql)
    assert reason in caught.value.message


@pytest.mark.parametrize(
    "sql", ["select 1", " -- x\n((SELECT 1))", "/* DELETE */ WITH a AS (SELECT 1) SELECT 1"]
)
def test_what_reads_is_let_through(sql: str) -> None:
    require_reading(sql, DIALECT)


@pytest.mark.parametrize(
    "sql", ["", "DELETE FROM a", "/* SELECT */ DROP a", "'SELECT'", "--SELECT"]
)
def test_what_begins_otherwise_is_not(sql: str) -> None:
    with pytest.raises(QueryError, match="Only statements that read"):
        require_reading(sql, DIALECT)
