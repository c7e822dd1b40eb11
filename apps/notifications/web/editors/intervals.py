"""How time intervals are edited: days and months are ticked, where the spec writes ranges."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from apps.notifications.services.time_intervals import (
    MONTHS,
    WEEKDAYS,
    month_names,
    month_ranges,
    weekday_names,
    weekday_ranges,
)
from detectviz.contracts.types import JsonObject
from detectviz.web.pages import PageRequest
from detectviz.web.scope import OrgScope
from detectviz.web.specs import SpecEditor

_FROM_MONDAY = (*WEEKDAYS[1:], WEEKDAYS[0])
_EXAMPLE = """\
title: Out of hours
time_intervals:            # on when any of these is
  - weekdays: [saturday, sunday]
    location: Europe/Berlin
  - times:                 # the end is excluded; over midnight: two spans
      - {start_time: "00:00", end_time: "08:00"}
      - {start_time: "18:00", end_time: "24:00"}
    weekdays: ["monday:friday"]
    location: Europe/Berlin
    # days_of_month: ["1:7", "-1"]   # negative from the end
    # months: ["may:august", december]
    # years: ["2026:2027"]
"""


def _ticked(title: str, names: Sequence[str], about: str) -> JsonObject:
    return {
        "type": "array",
        "title": title,
        "items": {
            "type": "string",
            "enum": list(names),
            "x-labels": {name: name[:3].capitalize() for name in names},
        },
        "description": about,
    }


def _line(title: str, placeholder: str, about: str) -> JsonObject:
    return {
        "type": "string",
        "title": title,
        "x-placeholder": placeholder,
        "description": about,
    }


def _clock(title: str, placeholder: str) -> JsonObject:
    # Not of the format "time": what browsers offer for it knows no 24:00.
    return {"type": "string", "title": title, "x-placeholder": placeholder}


def _rare_fields() -> dict[str, JsonObject]:
    return {
        "months": _ticked("Months", MONTHS, "None: every month."),
        "days_of_month": _line("Days of the month", "1:7, -1", "-1 is the last. Empty: all."),
        "years": _line("Years", "2026:2027", "Empty: all."),
    }


def _schema(_scope: OrgScope) -> JsonObject:
    times: JsonObject = {
        "type": "array",
        "title": "Times",
        "description": "The end is excluded and at most 24:00; a span over midnight is two. "
        "None: the whole day.",
        "items": {
            "type": "object",
            "required": ["start_time", "end_time"],
            "properties": {
                "start_time": _clock("From", "09:00"),
                "end_time": _clock("To", "17:00"),
            },
        },
    }
    properties: JsonObject = {
        "weekdays": _ticked("Weekdays", _FROM_MONDAY, "None: every day."),
        "times": times,
        "location": _line("Time zone", "Europe/Berlin", "Empty: UTC."),
        **{
            name: {**described, "x-group": "Days of the month, months, years"}
            for name, described in _rare_fields().items()
        },
    }
    return {
        "type": "object",
        "required": ["time_intervals"],
        "properties": {
            "title": {"type": "string", "title": "Title", "x-placeholder": "Out of hours"},
            "time_intervals": {
                "type": "array",
                "title": "On when any of these is",
                "items": {"type": "object", "properties": properties},
            },
        },
    }


def _to_form(spec: JsonObject) -> JsonObject:
    def shown(written: Mapping[str, Any]) -> dict[str, Any]:
        return {
            **written,
            "weekdays": weekday_names(_texts(written, "weekdays")),
            "months": month_names(_texts(written, "months")),
            "days_of_month": ", ".join(_texts(written, "days_of_month")),
            "years": ", ".join(_texts(written, "years")),
        }

    return _each(spec, shown)


def _to_spec(form: JsonObject) -> JsonObject:
    def written(row: Mapping[str, Any]) -> dict[str, Any]:
        found = {
            **row,
            "weekdays": weekday_ranges(row.get("weekdays", ())),
            "months": month_ranges(row.get("months", ())),
            "days_of_month": _parts(row.get("days_of_month", "")),
            "years": _parts(row.get("years", "")),
        }
        return {name: value for name, value in found.items() if value not in ([], "")}

    return _each(form, written)


def _each(document: JsonObject, turn: Callable[[Mapping[str, Any]], Any]) -> JsonObject:
    intervals = document.get("time_intervals")
    rows = intervals if isinstance(intervals, Sequence) and not isinstance(intervals, str) else ()
    return {
        **document,
        "time_intervals": [turn(each) for each in rows if isinstance(each, Mapping)],
    }


def _texts(written: Mapping[str, Any], name: str) -> list[str]:
    value = written.get(name)
    return [str(each) for each in value] if isinstance(value, list | tuple) else []


def _parts(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def _start(_request: PageRequest, scope: OrgScope) -> JsonObject:
    hours = {"start_time": "09:00", "end_time": "17:00"}
    own = {} if scope.org.time_zone == "UTC" else {"location": scope.org.time_zone}
    return {"time_intervals": [{"weekdays": ["monday:friday"], "times": [hours], **own}]}


def _example(_request: PageRequest, _scope: OrgScope) -> str:
    return _EXAMPLE


INTERVAL_EDITOR = SpecEditor(
    api_version="alerting/v1",
    kind="TimeInterval",
    noun="time interval",
    title="Times",
    lead="Times by name: a route is muted at them, or active at them only.",
    schema=_schema,
    start=_start,
    example=_example,
    to_form=_to_form,
    to_spec=_to_spec,
    list_route="notifications:timeinterval-list",
    detail_route="notifications:timeinterval-detail",
    preview_route="notifications:timeinterval-preview",
)
