"""How a watchdog is edited: the form, and the text one begins with."""

from apps.notifications.enums import WatchdogProof
from apps.notifications.selectors import contact_point_list
from detectviz.contracts.types import JsonObject
from detectviz.web.pages import PageRequest
from detectviz.web.scope import OrgScope
from detectviz.web.specs import SpecEditor

_EXAMPLE = """\
title: The web team's path
labels: {team: web, severity: info}   # where the tree sends it
every: 15m
within: 10m                           # longer than the route's group_wait
proof: delivered                      # or read_back, or echo
fallback: ""                          # another contact point, told when the proof is missing
dead_mans_switch_url: https://hc.example.org/ping/your-check
"""


def _schema(scope: OrgScope) -> JsonObject:
    points = {row.name: row.title or row.name for row in contact_point_list(org=scope.org)}
    properties: dict[str, JsonObject] = {
        "title": {
            "type": "string",
            "title": "Title",
            "x-placeholder": "The web team's path",
        },
        "labels": {
            "type": "object",
            "title": "Labels of the alert",
            "description": "As those of the alerts whose path is watched: the tree routes by them.",
        },
        "every": {
            "type": "string",
            "title": "Every",
            "format": "duration",
            "default": "15m",
            "description": "One minute or more.",
        },
        "within": {
            "type": "string",
            "title": "Proved within",
            "format": "duration",
            "default": "10m",
            "description": "Longer than the route's group wait.",
        },
        "proof": {
            "type": "string",
            "title": "What is proof",
            "enum": WatchdogProof.values,
            "default": WatchdogProof.DELIVERED.value,
            "x-labels": {
                **dict(WatchdogProof.choices),
                WatchdogProof.READ_BACK.value: "It was found again",
            },
            "description": "Found again where a service can be asked; else its answer counts.",
        },
        "fallback": {
            "type": "string",
            "title": "Told when the proof is missing",
            "enum": ["", *points],
            "default": "",
            "x-labels": {"": "Nobody", **points},
            "description": "A contact point that is reached another way.",
        },
        "dead_mans_switch_url": {
            "type": "string",
            "title": "Dead man's switch",
            "format": "uri",
            "x-placeholder": "https://hc.example.org/ping/your-check",
            "description": "Reached at every proof; whoever minds it raises the alarm without.",
        },
        "enabled": {"type": "boolean", "title": "Switched on", "default": True},
    }
    return {"type": "object", "properties": properties}


def _start(_request: PageRequest, _scope: OrgScope) -> JsonObject:
    return {"labels": {"severity": "info"}}


def _example(_request: PageRequest, _scope: OrgScope) -> str:
    return _EXAMPLE


WATCHDOG_EDITOR = SpecEditor(
    api_version="notifications/v1",
    kind="Watchdog",
    noun="watchdog",
    title="Watchdogs",
    lead="A synthetic alert goes the real way again and again; another path tells if it is lost.",
    schema=_schema,
    start=_start,
    example=_example,
    list_route="notifications:watchdog-list",
    detail_route="notifications:watchdog-detail",
    preview_route="notifications:watchdog-preview",
)
