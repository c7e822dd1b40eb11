"""How maintenance windows are edited: the form, and the text one begins with."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

from apps.monitors.enums import WindowStrategy
from apps.monitors.selectors.monitors import monitor_queryset
from apps.monitors.services.windows import WEEKDAYS, WHICH, WindowError, zone_of
from apps.orgs.selectors import folder_list
from detectviz.clock import utc_now
from detectviz.contracts.types import JsonObject
from detectviz.web.pages import PageRequest
from detectviz.web.scope import OrgScope
from detectviz.web.specs import SpecEditor

_MOST_OFFERED = 500
_MORE, _MEANWHILE = "Folders and alerts", "Meanwhile"
_RECURRING = ("cron", "weekly", "monthly")
_BOUNDS = ("starts_at", "ends_at")
_EXAMPLE = """\
title: Patch night
strategy: monthly          # once, cron, weekly or monthly
nth_weekdays: [second saturday]
start_time: "03:00"
duration: 2h
location: Europe/Berlin
# once:    starts_at: {day}T22:00:00Z, ends_at: {day}T23:00:00Z
# cron:    cron: "0 3 * * sat"
# weekly:  weekdays: [saturday, sunday]
# monthly: days: [1, -1]   # -1 is the last day
all_monitors: false
monitors: []               # by name
selector: ""               # by label: team=web,env!=test
folders: []
matchers: []               # alerts of whatever monitor: ['severity="warning"']
collect: true              # false: nothing is checked meanwhile
note: ""                   # for everybody
"""


def _window_schema(scope: OrgScope) -> JsonObject:
    title = {"type": "string", "title": "Title", "x-placeholder": "Patch night"}
    properties = {"title": title, **_times(), **_covered(scope), **_meanwhile()}
    return {"type": "object", "required": ["strategy"], "properties": properties}


def _times() -> dict[str, JsonObject]:
    return {
        "strategy": {
            "type": "string",
            "title": "When",
            "enum": WindowStrategy.values,
            "default": WindowStrategy.WEEKLY.value,
            "x-labels": dict(WindowStrategy.choices),
        },
        "cron": {
            "type": "string",
            "title": "Cron expression",
            "x-placeholder": "0 3 * * sat",
            "x-show-if": {"strategy": "cron"},
            "description": "Minute, hour, day of the month, month, day of the week.",
        },
        "weekdays": {
            "type": "array",
            "title": "Days",
            "items": _choices(WEEKDAYS),
            "x-show-if": {"strategy": "weekly"},
        },
        "days": {
            "type": "array",
            "title": "Days of the month",
            "items": {"type": "integer"},
            "x-placeholder": "1\n-1",
            "x-show-if": {"strategy": "monthly"},
            "description": "-1 is the last day, -2 the one before.",
        },
        "nth_weekdays": {
            "type": "array",
            "title": "Weekdays of the month",
            "items": {
                "type": "object",
                "properties": {
                    "which": {**_choices(tuple(WHICH)), "title": "Which", "default": "first"},
                    "weekday": {**_choices(WEEKDAYS), "title": "Day", "default": "monday"},
                },
            },
            "x-show-if": {"strategy": "monthly"},
        },
        "start_time": {
            "type": "string",
            "title": "Begins at",
            "format": "time",
            "default": "00:00",
            "x-show-if": {"strategy": ["weekly", "monthly"]},
        },
        "duration": {
            "type": "string",
            "title": "Lasts",
            "format": "duration",
            "x-placeholder": "2h",
            "x-show-if": {"strategy": list(_RECURRING)},
        },
        "location": {
            "type": "string",
            "title": "Time zone",
            "default": "UTC",
            "x-suggestions": sorted(available_timezones()),
            "description": "All times of this form are of its clocks.",
        },
        "starts_at": _moment("From", "Where it recurs: not before this, or empty."),
        "ends_at": _moment("To", "Where it recurs: not after this, or empty."),
    }


def _covered(scope: OrgScope) -> dict[str, JsonObject]:
    monitors = scope.access.filter(monitor_queryset(scope.org), "monitors:read")
    readable = monitors.order_by("name")
    chosen: JsonObject = {"x-show-if": {"all_monitors": False}}
    return {
        "all_monitors": {"type": "boolean", "title": "Every monitor", "default": False},
        "monitors": {
            **_names("Monitors", readable.values_list("name", flat=True)[:_MOST_OFFERED]),
            **chosen,
        },
        "selector": {
            "type": "string",
            "title": "Monitors with labels",
            "x-placeholder": "team=web,env!=test",
            **chosen,
        },
        "folders": {
            **_names("Folders", folder_list(scope.org).values_list("name", flat=True)),
            **chosen,
            "x-group": _MORE,
            "description": "Every monitor in them.",
        },
        "matchers": {
            **_names("Alerts that match", ()),
            "x-group": _MORE,
            "x-placeholder": 'severity="warning"\nteam=~"web|shop"',
            "description": "Of whatever monitor or rule; every one must match.",
        },
    }


def _meanwhile() -> dict[str, JsonObject]:
    return {
        "collect": {
            "type": "boolean",
            "title": "Go on checking",
            "default": True,
            "x-group": _MEANWHILE,
            "description": "Off: nothing is checked while the window is on.",
        },
        "note": {
            "type": "string",
            "title": "Note",
            "x-widget": "textarea",
            "x-group": _MEANWHILE,
            "description": "For everybody who looks at what is covered.",
        },
        "enabled": {
            "type": "boolean",
            "title": "Switched on",
            "default": True,
            "x-group": _MEANWHILE,
        },
    }


def _choices(values: Sequence[str]) -> dict[str, Any]:
    labels = {value: value.capitalize() for value in values}
    return {"type": "string", "enum": list(values), "x-labels": labels}


def _moment(title: str, about: str) -> JsonObject:
    return {"type": "string", "title": title, "format": "datetime-local", "description": about}


def _names(title: str, known: Any) -> dict[str, Any]:
    items = {"type": "string", "x-suggestions": list(known)}
    return {"type": "array", "title": title, "items": items}


def _window_to_form(spec: JsonObject) -> JsonObject:
    def split(text: str) -> dict[str, str]:
        which, _, weekday = str(text).partition(" ")
        return {"which": which, "weekday": weekday}

    zone = _zone(spec)
    weekdays: Any = spec.get("nth_weekdays") or []
    turned = {each: _turned(spec.get(each), lambda at: _local(at, zone)) for each in _BOUNDS}
    return {**spec, **turned, "nth_weekdays": [split(text) for text in weekdays]}


def _window_to_spec(form: JsonObject) -> JsonObject:
    zone = _zone(form)
    rows: Any = form.get("nth_weekdays") or []
    turned = {
        each: _turned(form[each], lambda at: _absolute(at, zone))
        for each in _BOUNDS
        if each in form
    }
    weekdays = [f"{row.get('which', '')} {row.get('weekday', '')}" for row in rows]
    return {**form, **turned, "nth_weekdays": weekdays}


def _turned(text: Any, turn: Callable[[datetime], str]) -> Any:
    """Return a time turned; what is none stays, for validation to name it."""
    try:
        return turn(datetime.fromisoformat(str(text))) if text else text
    except (ValueError, OverflowError):
        return text


def _local(at: datetime, zone: ZoneInfo) -> str:
    return at.replace(tzinfo=at.tzinfo or UTC).astimezone(zone).replace(tzinfo=None).isoformat()


def _absolute(at: datetime, zone: ZoneInfo) -> str:
    return at.replace(tzinfo=zone).astimezone(UTC).isoformat().replace("+00:00", "Z")


def _zone(document: Mapping[str, Any]) -> ZoneInfo:
    try:
        return zone_of(str(document.get("location") or "UTC"))
    except WindowError:
        return ZoneInfo("UTC")


def _window_start(_request: PageRequest, scope: OrgScope) -> JsonObject:
    return {
        "strategy": "weekly",
        "duration": "2h",
        "start_time": "03:00",
        "location": scope.org.time_zone,
    }


def _window_example(_request: PageRequest, _scope: OrgScope) -> str:
    return _EXAMPLE.format(day=f"{utc_now():%Y-%m-%d}")


WINDOW_EDITOR = SpecEditor(
    api_version="monitoring/v1",
    kind="MaintenanceWindow",
    noun="maintenance window",
    title="Maintenance",
    lead="While a window is on, nobody is told of what it covers.",
    schema=_window_schema,
    start=_window_start,
    example=_window_example,
    to_form=_window_to_form,
    to_spec=_window_to_spec,
    list_route="monitors:window-list",
    detail_route="monitors:window-detail",
    preview_route="monitors:window-preview",
)
