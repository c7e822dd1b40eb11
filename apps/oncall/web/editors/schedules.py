"""How a schedule is edited: the form, and the text one begins with."""

from collections.abc import Mapping, Sequence
from typing import Any
from zoneinfo import available_timezones

from apps.oncall.services.participants import participant_list
from apps.oncall.services.rotations import RotationUnit
from apps.oncall.services.schedules import WEEKDAYS
from detectviz.clock import utc_now
from detectviz.contracts.types import JsonObject
from detectviz.web.pages import PageRequest
from detectviz.web.scope import OrgScope
from detectviz.web.specs import SpecEditor

_SCHEDULE_EXAMPLE = """\
title: First line
time_zone: Europe/Berlin
layers:
  - name: Weeks
    participants: [{user}]
    unit: weeks            # hours, days or weeks
    length: 1
    starts_on: {today}
    handover: "09:00"
    weekday: monday
    # restrictions:        # only at these times; others fall to the layers before
    #   - days: [monday, tuesday, wednesday, thursday, friday]
    #     start: "09:00"
    #     end: "17:00"
"""


def _schedule_schema(scope: OrgScope) -> JsonObject:
    return {
        "type": "object",
        "properties": {
            "title": {"type": "string", "title": "Title", "x-placeholder": "First line"},
            "time_zone": {
                "type": "string",
                "title": "Time zone",
                "default": "UTC",
                "x-suggestions": sorted(available_timezones()),
                "description": "All times of this form are of its clocks.",
            },
            "description": {"type": "string", "title": "Description", "x-widget": "textarea"},
            "layers": {
                "type": "array",
                "title": "Layers",
                "description": "They lie on each other: the last one that has somebody counts.",
                "items": {
                    "type": "object",
                    "required": ["name", "starts_on"],
                    "properties": {**_rotation(scope), "restrictions": _restrictions()},
                },
            },
        },
    }


def _rotation(scope: OrgScope) -> dict[str, JsonObject]:
    known = [name for name, _ in participant_list(org=scope.org)]
    return {
        "name": {"type": "string", "title": "Layer", "x-placeholder": "Weeks"},
        "participants": {
            "type": "array",
            "title": "Participants, in turn",
            "items": {"type": "string", "x-suggestions": known},
            "description": "Users, or teams as team:name.",
        },
        "length": {"type": "integer", "title": "A turn lasts", "default": 1, "minimum": 1},
        "unit": {
            **_choices([unit.value for unit in RotationUnit]),
            "title": "Hours, days or weeks",
            "default": RotationUnit.WEEKS.value,
        },
        "weekday": {
            **_choices(WEEKDAYS),
            "title": "Handed over on",
            "default": WEEKDAYS[0],
            "x-show-if": {"unit": "weeks"},
        },
        "handover": {
            "type": "string",
            "title": "Handed over at",
            "format": "time",
            "default": "09:00",
        },
        "starts_on": {"type": "string", "title": "From", "format": "date"},
        "ends_on": {"type": "string", "title": "Until", "format": "date"},
    }


def _restrictions() -> JsonObject:
    return {
        "type": "array",
        "title": "Only at these times",
        "description": "At others the layers before count. An end that is not after the start "
        "is on the next day.",
        "items": {
            "type": "object",
            "properties": {
                "days": {
                    "type": "array",
                    "title": "Days (none: every day)",
                    "items": _choices(WEEKDAYS),
                },
                "start": _clock("From"),
                "end": _clock("To"),
            },
        },
    }


def _choices(values: Sequence[str]) -> dict[str, Any]:
    labels = {value: value.capitalize() for value in values}
    return {"type": "string", "enum": list(values), "x-labels": labels}


def _clock(title: str) -> JsonObject:
    return {"type": "string", "title": title, "format": "time", "default": "00:00"}


def _schedule_to_spec(form: JsonObject) -> JsonObject:
    """Leave out the days of a restriction that names none: it means every day."""

    def named(restriction: Mapping[str, Any]) -> dict[str, Any]:
        return {key: value for key, value in restriction.items() if key != "days" or value}

    layers: Any = form.get("layers") or []
    turned = [
        {**layer, "restrictions": [named(each) for each in layer.get("restrictions", [])]}
        for layer in layers
    ]
    return {**form, "layers": turned}


def _schedule_start(_request: PageRequest, scope: OrgScope) -> JsonObject:
    layer = {
        "name": "Weeks",
        "participants": [scope.user.username],
        "starts_on": f"{utc_now():%Y-%m-%d}",
    }
    return {"layers": [layer], "time_zone": scope.org.time_zone}


def _schedule_example(_request: PageRequest, scope: OrgScope) -> str:
    return _SCHEDULE_EXAMPLE.format(user=scope.user.username, today=f"{utc_now():%Y-%m-%d}")


SCHEDULE_EDITOR = SpecEditor(
    api_version="notifications/v1",
    kind="OnCallSchedule",
    noun="schedule",
    title="On call",
    lead="Who answers when: people or teams take turns, layer upon layer.",
    schema=_schedule_schema,
    start=_schedule_start,
    example=_schedule_example,
    to_spec=_schedule_to_spec,
    list_route="oncall:schedule-list",
    detail_route="oncall:schedule-detail",
    preview_route="oncall:schedule-preview",
)
