"""When a route tells again: what looking at the clock would say, found by the borders alone."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from apps.notifications.services.route_times import (
    FARTHEST,
    Intervals,
    is_open,
    opens_at,
    route_times,
)
from apps.notifications.services.routing import Route, build_tree

MINUTE = timedelta(minutes=1)
BERLIN = "Europe/Berlin"


def span(begin: str, end: str, **more: Any) -> dict[str, Any]:
    return {"times": [{"start_time": begin, "end_time": end}], "location": BERLIN, **more}


INTERVALS: Intervals = {
    "office": [span("09:00", "17:00", weekdays=["monday:friday"])],
    "nights": [span("22:00", "24:00"), span("00:00", "06:00")],
    "switch": [span("01:30", "02:45")],
    "weekend": [{"weekdays": ["saturday", "sunday"], "times": []}],
    "always": [{}],
    "june": [{"months": ["june"]}],
}


def route_of(active: list[str], mute: list[str]) -> Route:
    written = {"active_time_intervals": active, "mute_time_intervals": mute}
    return build_tree({"contact_point": "ops", "routes": [written]}).routes[0]


def by_the_clock(route: Route, at: datetime) -> datetime | None:
    moment = at.replace(second=0, microsecond=0) + MINUTE
    while moment <= at + FARTHEST:
        if is_open(route_times(route, INTERVALS, moment)):
            return moment
        moment += timedelta(minutes=15)
    return None


@pytest.mark.parametrize(
    ("active", "mute", "at"),
    [
        (["office"], [], "2026-11-20T17:14:33"),
        (["office"], ["weekend", "nights"], "2026-11-21T03:59"),
        ([], ["nights"], "2026-11-20T22:44"),
        ([], ["always"], "2026-11-20T22:44"),
        (["june"], [], "2026-11-20T22:44"),
        (["nights"], ["nights"], "2026-11-20T11:59"),
        (["switch"], [], "2026-03-28T11:59"),  # 02:00 to 03:00 is not there
        (["switch"], [], "2026-10-25T00:59"),  # 02:00 to 03:00 is there twice
        (["gone"], [], "2026-11-20T11:59"),
        (["nights", "office"], ["weekend"], "2026-11-21T11:59"),
    ],
)
def test_the_opening_is_what_the_clock_says(active: list[str], mute: list[str], at: str) -> None:
    route, asked = route_of(active, mute), datetime.fromisoformat(at).replace(tzinfo=UTC)
    assert opens_at(route, INTERVALS, asked) == by_the_clock(route, asked)
