"""Series as frames, within limits."""

from dataclasses import replace

from detectviz.contracts.datasource import DatasourceContext, DatasourceSettings
from detectviz.contracts.frames import Field, FieldType, Notice
from detectviz.contracts.point_frames import PointFrames, distinct, moment, text_labels
from detectviz.testing.datasource_fakes import datasource_context


def context(max_rows: int = 100) -> DatasourceContext:
    settings = DatasourceSettings(uid="a", name="a", version=1)
    return replace(datasource_context(settings), max_rows=max_rows)


def test_each_series_is_a_frame_named_after_its_metric() -> None:
    frames = PointFrames(context(), "up")
    frames.add_series({"__name__": "up", "job": "a"}, [1, 2], [1.0, None])
    frames.add_series({}, [], [], name="empty", unit="s")
    first, second = frames.frames()
    assert (first.name, first.shape, first.executed_query) == ("up", "time-series", "up")
    assert dict(first.fields[1].labels) == {"job": "a"}
    assert (second.rows, second.name, second.fields[1].unit) == (0, "empty", "s")


def test_what_does_not_fit_is_cut_and_told_once_on_the_first_frame() -> None:
    frames = PointFrames(context(3))
    frames.add_series({"n": "1"}, [1, 2], [1, 2])
    frames.add_series({"n": "2"}, [1, 2], [1, 2])
    frames.add_series({"n": "3"}, [1, 2], [1, 2])
    assert frames.is_full
    made = frames.frames([Notice(severity="info", text="said")])
    assert [frame.rows for frame in made] == [2, 1]
    assert [notice.severity for notice in made[0].notices] == ["info", "warning"]
    assert not made[1].notices


def test_numbers_share_a_frame_and_nothing_is_an_empty_one() -> None:
    frames = PointFrames(context())
    for value in (1, 2):
        frames.add_number({"__name__": "up"}, value)
    (frame,) = frames.frames()
    assert (frame.shape, [field.name for field in frame.fields]) == ("numeric", ["up", "up 2"])
    assert PointFrames(context()).frames()[0].fields == ()


def test_fields_of_one_name_are_told_apart_only_where_their_labels_do_not() -> None:
    same = Field(name="a", type=FieldType.NUMBER, values=[])
    named = distinct([same, replace(same, labels={"x": "1"}), same])
    assert [field.name for field in named] == ["a", "a", "a 2"]


def test_times_beyond_the_calendar_are_none_and_labels_texts() -> None:
    assert moment(1e300) is None
    assert moment(None) is None
    assert text_labels({"a": 1}) == {"a": "1"}
    assert text_labels([]) == {}
