"""When maintenance windows are, through every change of the clocks."""

from datetime import UTC, datetime, time, timedelta
from itertools import islice
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.monitors.enums import WindowStrategy
from apps.monitors.services.windows import (
    Window,
    WindowError,
    next_change,
    next_span,
    nth_weekday,
    span_at,
    spans,
    window_check,
)

BERLIN = ZoneInfo("Europe/Berlin")
NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)  # a Monday
ZONES = ("UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu")
MOMENTS = st.datetimes(
    min_value=datetime(2020, 1, 1),  # noqa: DTZ001 - given its zone below
    max_value=datetime(2035, 1, 1),  # noqa: DTZ001 - given its zone below
    timezones=st.just(UTC),
)


@st.composite
def windows(draw: st.DrawFn) -> Window:
    strategy = draw(st.sampled_from([WindowStrategy.WEEKLY, WindowStrategy.MONTHLY]))
    return Window(
        strategy=strategy,
        weekdays=draw(st.lists(st.integers(0, 6), min_size=1, unique=True)),
        days=draw(st.lists(st.integers(1, 31) | st.integers(-31, -1), min_size=1)),
        nth_weekdays=draw(
            st.lists(st.tuples(st.sampled_from([1, 2, 3, 4, 5, -1]), st.integers(0, 6)))
        ),
        start_time=draw(st.times(timezones=st.none())).replace(second=0, microsecond=0, fold=0),
        duration=timedelta(minutes=draw(st.integers(1, 600))),
        zone=ZoneInfo(draw(st.sampled_from(ZONES))),
    )


def weekly(**said: object) -> Window:
    values = {"weekdays": [6], "start_time": time(2, 30), "duration": timedelta(hours=2), **said}
    return Window(strategy=WindowStrategy.WEEKLY, zone=BERLIN, **values)  # type: ignore[arg-type]  # as said


@given(windows(), MOMENTS)
def test_a_recurring_window_always_lasts_as_long_and_starts_by_its_clock(
    window: Window, now: datetime
) -> None:
    for span in islice(spans(window, after=now), 8):
        assert span.ends_at - span.starts_at == window.duration
        assert span.ends_at > now
        local = span.starts_at.astimezone(window.zone)
        wall = datetime.combine(local.date(), window.start_time, tzinfo=window.zone)
        is_skipped = wall.astimezone(UTC).astimezone(window.zone).time() != window.start_time
        assert local.time() == window.start_time or is_skipped


@given(windows(), MOMENTS)
def test_what_is_on_is_what_some_span_contains(window: Window, now: datetime) -> None:
    found = span_at(window, now)
    near = list(islice(spans(window, after=now - timedelta(days=2)), 20))
    assert (found is not None) == any(each.starts_at <= now < each.ends_at for each in near)
    if found is not None:
        assert found.starts_at <= now < found.ends_at
        assert span_at(window, found.ends_at) is None


@given(windows(), MOMENTS)
def test_nothing_changes_before_the_next_change(window: Window, now: datetime) -> None:
    change = next_change(window, now)
    assert change is not None
    assert change > now
    is_on = span_at(window, now) is not None
    just_before = change - timedelta(microseconds=1)
    assert (span_at(window, just_before) is not None) == is_on
    assert (span_at(window, change) is not None) != is_on


def test_a_start_that_the_clocks_skip_is_as_much_later() -> None:
    before = datetime(2026, 3, 28, tzinfo=UTC)  # clocks jump on the 29th from 02:00 to 03:00
    span = next_span(weekly(), before)
    assert span is not None
    assert span.starts_at.astimezone(BERLIN).isoformat() == "2026-03-29T03:30:00+02:00"


def test_a_start_that_comes_twice_is_the_first() -> None:
    span = next_span(weekly(), datetime(2026, 10, 24, tzinfo=UTC))
    assert span is not None
    assert span.starts_at.astimezone(BERLIN).isoformat() == "2026-10-25T02:30:00+02:00"
    assert span.ends_at.astimezone(BERLIN).isoformat() == "2026-10-25T03:30:00+01:00"


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ({"days": [-1]}, ["2026-03-31", "2026-04-30", "2026-05-31"]),
        ({"days": [31]}, ["2026-03-31", "2026-05-31", "2026-07-31"]),
        ({"nth_weekdays": [(2, 5)]}, ["2026-03-14", "2026-04-11", "2026-05-09"]),
        ({"nth_weekdays": [(-1, 4)]}, ["2026-03-27", "2026-04-24", "2026-05-29"]),
        ({"nth_weekdays": [(5, 0)]}, ["2026-03-30", "2026-06-29", "2026-08-31"]),
    ],
)
def test_monthly_windows_are_on_their_days(said: dict[str, object], expected: list[str]) -> None:
    window = Window(strategy=WindowStrategy.MONTHLY, duration=timedelta(hours=1), **said)  # type: ignore[arg-type]  # as said
    found = [span.starts_at.date().isoformat() for span in islice(spans(window, after=NOW), 3)]
    assert found == expected


def test_cron_windows_are_read_in_their_zone() -> None:
    window = Window(
        strategy=WindowStrategy.CRON, cron="0 3 * * sat", duration=timedelta(hours=4), zone=BERLIN
    )
    span = next_span(window, NOW)
    assert span is not None
    assert span.starts_at == datetime(2026, 3, 7, 2, tzinfo=UTC)
    assert span_at(window, datetime(2026, 3, 7, 5, 59, tzinfo=UTC)) == span
    assert span_at(window, datetime(2026, 3, 7, 6, tzinfo=UTC)) is None


def test_recurring_windows_stay_within_their_bounds() -> None:
    window = weekly(
        starts_at=datetime(2026, 3, 9, tzinfo=UTC), ends_at=datetime(2026, 3, 22, 2, tzinfo=UTC)
    )
    found = list(spans(window, after=NOW))
    assert [span.starts_at.day for span in found] == [15, 22]
    assert found[-1].ends_at == window.ends_at


def test_a_window_begun_by_hand_lasts_its_length_and_keeps_its_plan() -> None:
    begun = weekly(begun_at=NOW)
    assert next_change(begun, NOW) == NOW + timedelta(hours=2)
    assert next_span(begun, NOW) == next_span(weekly(), NOW)


def test_a_window_ended_by_hand_is_on_again_next_time() -> None:
    start = datetime(2026, 3, 8, 1, 30, tzinfo=UTC)
    ended_at = start + timedelta(minutes=5)
    window = weekly(ended_at=ended_at)
    assert span_at(window, ended_at) is None
    assert next_change(window, ended_at) == start + timedelta(days=7)


def test_spans_that_touch_are_one() -> None:
    start = datetime(2026, 3, 8, 1, 30, tzinfo=UTC)
    window = weekly(begun_at=start - timedelta(hours=1))
    found = span_at(window, start - timedelta(minutes=1))
    assert found is not None
    assert (found.starts_at, found.ends_at) == (window.begun_at, start + timedelta(hours=2))


@pytest.mark.parametrize(
    ("window", "field"),
    [
        (Window(strategy=WindowStrategy.CRON, cron="no", duration=timedelta(hours=1)), "cron"),
        (
            Window(strategy=WindowStrategy.CRON, cron="0 0 31 2 *", duration=timedelta(hours=1)),
            "cron",
        ),
        (weekly(weekdays=[0, 1], duration=timedelta(days=2)), "duration"),
        (Window(strategy=WindowStrategy.ONCE, starts_at=NOW, ends_at=NOW), "ends_at"),
        (
            Window(
                strategy=WindowStrategy.MONTHLY,
                days=[31],
                duration=timedelta(hours=1),
                starts_at=NOW + timedelta(days=30),
                ends_at=NOW + timedelta(days=50),
            ),
            "days",
        ),
    ],
)
def test_windows_that_cannot_be_are_refused(window: Window, field: str) -> None:
    with pytest.raises(WindowError) as refused:
        window_check(window, NOW)
    assert refused.value.field == field


def test_weekdays_of_a_month_are_read_in_words() -> None:
    assert (nth_weekday("second saturday"), nth_weekday("Last Friday")) == ((2, 5), (-1, 4))
    with pytest.raises(WindowError):
        nth_weekday("sixth day")
