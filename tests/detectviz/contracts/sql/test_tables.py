"""Rows become tables and series."""

from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Literal
from uuid import UUID

import pytest

from detectviz.contracts.datasource import DataQuery, TimeRange
from detectviz.contracts.errors import PluginError, QueryError
from detectviz.contracts.frames import FieldType, Frame
from detectviz.contracts.sql.macros import Fill
from detectviz.contracts.sql.tables import Column, Statement, make_frames
from detectviz.contracts.sql.values import mapped, milliseconds
from detectviz.testing.datasource_fakes import datasource_context, datasource_settings
from detectviz.testing.datasources import assert_frame

QUERY = DataQuery(
    ref_id="A",
    model={},
    range=TimeRange(start_ms=0, end_ms=60_000),
    interval_ms=1_000,
    max_points=100,
)


def frames(
    names: str,
    rows: Iterable[Sequence[object]],
    *,
    shape: Literal["table", "time_series"] = "time_series",
    fill: Fill | None = None,
    max_rows: int = 1_000,
) -> list[Frame]:
    statement = Statement(sql="SELECT", shape=shape, fill=fill, query=QUERY)
    context = datasource_context(datasource_settings("testdata"), max_rows=max_rows)
    columns = [Column(name=name) for name in names.split()]
    made = make_frames(statement, columns, rows, context)
    for frame in made:
        assert_frame(frame)
    return made


def series(frame: Frame) -> dict[tuple[str, ...], list[object]]:
    return {
        (field.name, *(f"{name}={value}" for name, value in field.labels.items())): list(
            field.values
        )
        for field in frame.fields
    }


def at(second: int) -> datetime:
    return datetime.fromtimestamp(second, UTC)


def test_a_long_table_becomes_wide_with_labels() -> None:
    rows = [(at(2), "b", 4.0), (at(1), "a", 1.0), (at(2), "a", 2.0)]
    (frame,) = frames("at host used", rows)
    assert frame.shape == "time-series"
    assert series(frame) == {
        ("at",): [1_000, 2_000],
        ("used", "host=b"): [None, 4.0],
        ("used", "host=a"): [1.0, 2.0],
    }


def test_metric_names_the_series() -> None:
    (one,) = frames("time metric value", [(1, "cpu", 5), (1, "disk", 6)])
    assert set(series(one)) == {("time",), ("cpu",), ("disk",)}
    (two,) = frames("time metric a b", [(1, "cpu", 5, 6)])
    assert set(series(two)) == {("time",), ("cpu a",), ("cpu b",)}


def test_sparse_series_get_a_frame_each() -> None:
    rows = [(at(second), f"h{second}", 1.0) for second in range(60)]
    made = frames("at host used", rows)
    assert len(made) == 60
    assert [frame.rows for frame in made] == [1] * 60


@pytest.mark.parametrize(
    ("value", "filled"),
    [(None, [None, 7, None, 9]), (0.0, [0.0, 7, 0.0, 9]), ("previous", [None, 7, 7, 9])],
)
def test_gaps_are_filled(value: Literal["previous"] | float | None, filled: list[object]) -> None:
    rows = [(at(20), 7), (at(60), 9)]
    (frame,) = frames("at n", rows, fill=Fill(step_ms=20_000, value=value))
    assert series(frame) == {("at",): [0, 20_000, 40_000, 60_000], ("n",): filled}


def test_filling_makes_no_more_points_than_allowed() -> None:
    with pytest.raises(QueryError) as caught:
        frames("at n", [(at(1), 1)], fill=Fill(step_ms=1), max_rows=100)
    assert caught.value.status == 413


def test_no_rows_are_an_empty_series() -> None:
    statement = Statement(sql="SELECT", shape="time_series", fill=None, query=QUERY)
    context = datasource_context(datasource_settings("testdata"))
    columns = [Column(name="at", type=FieldType.TIME), Column(name="n", type=FieldType.NUMBER)]
    (frame,) = make_frames(statement, columns, [], context)
    assert series(frame) == {("at",): [], ("n",): []}


def test_rows_without_a_time_are_left_out_and_told() -> None:
    (frame,) = frames("at n", [(at(1), 1), (None, 2)])
    assert frame.rows == 1
    assert "1 rows without a time" in frame.notices[0].text


def test_a_column_called_time_may_be_seconds_or_finer() -> None:
    for factor in (1, 1_000, 1_000_000, 1_000_000_000):
        (frame,) = frames("time n", [(1_768_478_400 * factor, 1)], shape="table")
        assert frame.fields[0].type is FieldType.TIME
        assert frame.fields[0].values == [1_768_478_400_000]


def test_columns_of_one_name_are_told_apart() -> None:
    (frame,) = frames("n n n", [(1, 2, 3)], shape="table")
    assert [field.name for field in frame.fields] == ["n", "n 2", "n 3"]


def test_mixed_values_become_text() -> None:
    (frame,) = frames("x", [(1,), ("a",), (None,), (True,)], shape="table")
    assert frame.fields[0].values == ["1", "a", None, "True"]


def test_reading_stops_when_it_is_time() -> None:
    def check() -> None:
        raise PluginError("enough")

    statement = Statement(sql="SELECT", shape="table", fill=None, query=QUERY)
    context = datasource_context(datasource_settings("testdata"))
    with pytest.raises(PluginError, match="enough"):
        make_frames(statement, [Column(name="a")], [(1,)], context, check=check)


@pytest.mark.parametrize(
    ("value", "kind", "plain"),
    [
        (Decimal("1.50"), "number", 1.5),
        (True, "boolean", True),
        (datetime(1970, 1, 2, tzinfo=timezone(timedelta(hours=1))), "time", 82_800_000),
        (date(1969, 12, 31), "time", -86_400_000),
        (b"\x00\xff", "string", "\\x00ff"),
        ({"a": (Decimal(1), at(0))}, "other", {"a": [1.0, "1970-01-01 00:00:00+00:00"]}),
        (UUID(int=1), "string", "00000000-0000-0000-0000-000000000001"),
        (timedelta(hours=1), "string", "1:00:00"),
        (1j, "string", "1j"),
    ],
)
def test_values_of_drivers(value: object, kind: str, plain: object) -> None:
    assert mapped(value) == (FieldType(kind), plain)


def test_what_is_no_number_is_no_time() -> None:
    assert milliseconds(float("nan")) is None
    assert milliseconds(float("inf")) is None
