"""Who is on call: turns, layers, restrictions, overrides, and clocks that change."""

from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apps.oncall.services.rotations import (
    Layer,
    Override,
    Restriction,
    RotationUnit,
    Schedule,
    layer_at,
    on_call_at,
    shifts,
)

BERLIN = ZoneInfo("Europe/Berlin")
UTC_ZONE = ZoneInfo("UTC")
WORKDAYS = frozenset(range(5))


def weekly(*who: str, **fields: object) -> Layer:
    given: dict[str, object] = {
        "name": "weeks",
        "participants": who,
        "starts_on": date(2026, 1, 5),  # a Monday
        "handover": time(9, 0),
        **fields,
    }
    return Layer(**given)  # type: ignore[arg-type]  # a test's shorthand


def at(text: str, zone: ZoneInfo = BERLIN) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=zone).astimezone(UTC)


def test_weeks_turn_at_the_handover_of_their_weekday() -> None:
    layer = weekly("ann", "bob", "cleo")
    assert layer_at(layer, BERLIN, at("2026-01-05T08:59")) == ""
    assert layer_at(layer, BERLIN, at("2026-01-05T09:00")) == "ann"
    assert layer_at(layer, BERLIN, at("2026-01-12T08:59")) == "ann"
    assert layer_at(layer, BERLIN, at("2026-01-12T09:00")) == "bob"
    assert layer_at(layer, BERLIN, at("2026-01-26T09:00")) == "ann"


def test_a_start_in_the_middle_of_a_week_makes_a_short_first_turn() -> None:
    layer = weekly("ann", "bob", starts_on=date(2026, 1, 7))
    assert layer_at(layer, BERLIN, at("2026-01-07T09:00")) == "ann"
    assert layer_at(layer, BERLIN, at("2026-01-12T09:00")) == "bob"


def test_a_handover_keeps_its_time_of_day_over_a_clock_change() -> None:
    layer = weekly("ann", "bob")
    spring = "2026-03-30"  # the Monday after the clocks go forward
    assert layer_at(layer, BERLIN, at(f"{spring}T08:59")) != layer_at(
        layer, BERLIN, at(f"{spring}T09:00")
    )


def test_a_handover_in_the_skipped_hour_happens_after_the_gap() -> None:
    layer = weekly(
        "ann", "bob", unit=RotationUnit.DAYS, handover=time(2, 30), starts_on=date(2026, 3, 28)
    )
    before = datetime(2026, 3, 29, 1, 29, tzinfo=UTC)  # 03:29, the gap is 02:00 to 03:00
    assert layer_at(layer, BERLIN, before) == "ann"
    assert layer_at(layer, BERLIN, before + timedelta(minutes=1)) == "bob"


def test_hours_are_hours_that_pass() -> None:
    layer = weekly(
        "ann",
        "bob",
        unit=RotationUnit.HOURS,
        length=12,
        starts_on=date(2026, 3, 28),
        handover=time(12, 0),
    )
    start = at("2026-03-28T12:00")
    turns = [layer_at(layer, BERLIN, start + timedelta(hours=hours)) for hours in (0, 11, 12, 24)]
    assert turns == ["ann", "ann", "bob", "ann"]


def test_a_restricted_layer_leaves_the_rest_to_the_one_before() -> None:
    office = weekly(
        "office",
        restrictions=(Restriction(days=WORKDAYS, start=time(9), end=time(17)),),
    )
    schedule = Schedule(zone=BERLIN, layers=[weekly("night"), office])
    assert on_call_at(schedule, at("2026-01-06T16:59")) == "office"
    assert on_call_at(schedule, at("2026-01-06T17:00")) == "night"
    assert on_call_at(schedule, at("2026-01-10T12:00")) == "night"


def test_a_restriction_may_reach_into_the_next_day() -> None:
    friday_night = weekly(
        "owl", restrictions=(Restriction(days=frozenset({4}), start=time(22), end=time(6)),)
    )
    assert layer_at(friday_night, BERLIN, at("2026-01-10T05:59")) == "owl"
    assert layer_at(friday_night, BERLIN, at("2026-01-10T06:00")) == ""
    assert layer_at(friday_night, BERLIN, at("2026-01-09T05:59")) == ""


def test_an_override_stands_above_all_and_the_last_one_counts() -> None:
    start, end = at("2026-01-06T00:00"), at("2026-01-07T00:00")
    schedule = Schedule(
        zone=BERLIN,
        layers=[weekly("ann")],
        overrides=[
            Override(participant="bob", starts_at=start, ends_at=end),
            Override(participant="cleo", starts_at=start + timedelta(hours=6), ends_at=end),
        ],
    )
    assert on_call_at(schedule, start) == "bob"
    assert on_call_at(schedule, start + timedelta(hours=6)) == "cleo"
    assert on_call_at(schedule, end) == "ann"


def test_gaps_are_shifts_of_nobody() -> None:
    layer = weekly("ann", restrictions=(Restriction(days=WORKDAYS, start=time(9), end=time(17)),))
    found = shifts(
        Schedule(zone=BERLIN, layers=[layer]), at("2026-01-06T00:00"), at("2026-01-07T00:00")
    )
    assert [shift.participant for shift in found] == ["", "ann", ""]


zones = st.sampled_from([BERLIN, UTC_ZONE, ZoneInfo("America/St_Johns"), ZoneInfo("Asia/Kolkata")])
clocks = st.builds(time, st.integers(0, 23), st.sampled_from([0, 15, 30]))
restrictions = st.builds(
    Restriction,
    days=st.frozensets(st.integers(0, 6), min_size=1),
    start=clocks,
    end=clocks,
)
layers = st.builds(
    Layer,
    name=st.sampled_from(["one", "two"]),
    participants=st.lists(st.sampled_from("abc"), min_size=1, max_size=4).map(tuple),
    unit=st.sampled_from(RotationUnit),
    length=st.integers(1, 40),
    starts_on=st.dates(date(2026, 1, 1), date(2026, 11, 1)),
    ends_on=st.none(),
    handover=clocks,
    weekday=st.integers(0, 6),
    restrictions=st.lists(restrictions, max_size=2).map(tuple),
)
moments = st.integers(0, 334 * 24 * 60).map(
    lambda minutes: datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=minutes)
)


@settings(max_examples=120)
@given(
    zone=zones,
    layers=st.lists(layers, max_size=3),
    start=moments,
    share=st.floats(0, 0.999),
)
def test_shifts_cover_a_span_and_say_what_asking_at_any_time_says(
    zone: ZoneInfo, layers: list[Layer], start: datetime, share: float
) -> None:
    schedule = Schedule(zone=zone, layers=layers)
    end = start + timedelta(days=9)
    found = shifts(schedule, start, end)
    assert (found[0].starts_at, found[-1].ends_at) == (start, end)
    for before, after in pairwise(found):
        assert before.ends_at == after.starts_at
    moment = start + share * (end - start)
    (shift,) = [each for each in found if each.starts_at <= moment < each.ends_at]
    assert shift.participant == on_call_at(schedule, moment)


@settings(max_examples=60)
@given(zone=zones, moment=moments, handover=clocks)
def test_over_a_year_everybody_of_a_daily_rotation_follows_in_turn(
    zone: ZoneInfo, moment: datetime, handover: time
) -> None:
    layer = weekly("a", "b", "c", unit=RotationUnit.DAYS, handover=handover)
    schedule = Schedule(zone=zone, layers=[layer])
    start = max(moment, datetime(2026, 1, 7, tzinfo=UTC))
    found = shifts(schedule, start, start + timedelta(days=20))
    order = "abc"
    for before, after in pairwise(found):
        assert order.index(after.participant) == (order.index(before.participant) + 1) % 3


@pytest.mark.parametrize("participants", [(), ("ann",)])
def test_a_layer_has_nobody_after_its_end(participants: tuple[str, ...]) -> None:
    layer = weekly(*participants, ends_on=date(2026, 1, 6))
    assert layer_at(layer, BERLIN, at("2026-01-06T09:00")) == ""
