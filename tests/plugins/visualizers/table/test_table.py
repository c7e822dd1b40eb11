"""Tables as they are; series with their latest value."""

from detectviz.testing.visualizers import (
    VisualizerSuite,
    make_series,
    make_table,
    make_visualizer_context,
)
from plugins.visualizers.table.table import TableVisualizer


class TestConformance(VisualizerSuite):
    """Everything by default."""

    name = "table"


def test_series_show_their_latest_value() -> None:
    drawing = TableVisualizer().visualize(make_series(2), make_visualizer_context("table", {}))
    assert drawing.table is not None
    assert drawing.table.rows == (("job=job-0", 0.0), ("job=job-1", 59.0))
    assert drawing.table.columns[1].unit == "s"


def test_more_rows_than_wanted_are_counted() -> None:
    context = make_visualizer_context("table", {"rows": 2})
    drawing = TableVisualizer().visualize(make_series(5), context)
    assert drawing.text == "2 of 5 series are shown."


def test_a_table_keeps_its_columns_and_tells_time_in_utc() -> None:
    drawing = TableVisualizer().visualize([make_table()], make_visualizer_context("table", {}))
    assert drawing.table is not None
    assert [each.title for each in drawing.table.columns] == ["at", "n", "who", "is_it", "more"]
    assert drawing.table.rows[0] == (
        "2023-11-14 22:13:20", 1.5, "<script>alert(1)</script>", True, '{"a": [1]}',
    )  # fmt: skip
    assert drawing.table.rows[1] == (None,) * 5
