"""The form of one route."""

import re
from collections.abc import Mapping
from typing import Any

from apps.notifications.services.resolve_timeouts import DEFAULT_RESOLVE_TIMEOUT
from apps.notifications.services.routing import Route
from apps.notifications.services.tree_edits import place_indexes
from detectviz.contracts.durations import format_duration
from detectviz.contracts.types import JsonObject
from detectviz.pluginhost.forms import FormField, form_fields
from detectviz.web.forms import Errors

_ROOT_LACKS = frozenset({"matchers", "continue"})
_ROOT_ALONE = frozenset({"resolve_timeout", "silence_policy"})
_ASKED = frozenset(
    {
        "matchers",
        "contact_point",
        "escalation",
        "group_by",
        "group_wait",
        "group_interval",
        "repeat_interval",
        "continue",
        "routes",
        *_ROOT_ALONE,
    }
)
_LABEL = re.compile(  # noqa: TID251 - a constant pattern of ours
    r'([A-Za-z_:][A-Za-z0-9_:]*)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,{}"]*))'
)


def route_fields(
    points: Mapping[str, str],
    inherited: Route,
    *,
    is_root: bool,
    policies: Mapping[str, str] | None = None,
    intervals: Mapping[str, str] | None = None,
) -> tuple[FormField, ...]:
    """Return the fields of one route; ``points``, ``policies``, ``intervals``: name to title."""
    nobody = "Nobody" if is_root else f"As above ({inherited.contact_point or 'nobody'})"
    schema: JsonObject = {
        "type": "object",
        "properties": {
            "matchers": {
                "type": "array",
                "items": {"type": "string"},
                "title": "Matchers",
                "x-placeholder": 'severity="critical"\nteam=~"web|shop"',
                "description": 'Every one must match: name="value", name!="value", '
                'name=~"regex" or name!~"regex". None match every alert.',
            },
            "contact_point": {
                "type": "string",
                "title": "Contact point",
                "enum": ["", *points],
                "default": "",
                "x-labels": {"": nobody, **points},
            },
            **_escalation_field(policies or {}, inherited, is_root=is_root),
            "group_by": {
                "type": "array",
                "items": {"type": "string"},
                "title": "Group by",
                "x-placeholder": "\n".join(inherited.group_by),
                "description": "Alerts that agree on these labels come as one notification; "
                "... alone sends every alert by itself."
                + ("" if is_root else " Empty: as the route above."),
            },
            **_timer_fields(inherited, is_root=is_root),
            **({} if is_root else _time_fields(intervals or {})),
            "continue": {
                "type": "boolean",
                "title": "Continue: try the routes after this one too",
                "default": False,
            },
            "resolve_timeout": {
                "type": "string",
                "format": "duration",
                "title": "Resolve timeout",
                "description": "When alerts of other programs that name no end are over, if they "
                "are not sent again. For the whole org.",
                "x-placeholder": DEFAULT_RESOLVE_TIMEOUT,
            },
            "silence_policy": _silence_policy(),
        },
    }
    lacks = _ROOT_LACKS if is_root else _ROOT_ALONE
    return tuple(each for each in form_fields(schema) if each.name not in lacks)


def _escalation_field(
    policies: Mapping[str, str], inherited: Route, *, is_root: bool
) -> dict[str, JsonObject]:
    if not policies:
        return {}
    nobody = "None" if is_root else f"As above ({inherited.escalation or 'none'})"
    return {
        "escalation": {
            "type": "string",
            "title": "Escalation",
            "enum": ["", *policies],
            "default": "",
            "x-labels": {"": nobody, **policies},
            "description": "Who is told next while nobody answers, beside the contact point.",
        }
    }


def _time_fields(intervals: Mapping[str, str]) -> dict[str, JsonObject]:
    """Return the fields of named times; these alone are not inherited."""
    texts = {
        "mute_time_intervals": (
            "Muted at",
            "Nobody is told meanwhile; what still fires afterwards is told.",
        ),
        "active_time_intervals": (
            "Active only at",
            "None: at all times. At others the route is muted.",
        ),
    }
    if not intervals:
        return {}
    return {
        name: {
            "type": "array",
            "items": {"type": "string", "enum": list(intervals), "x-labels": dict(intervals)},
            "title": title,
            "description": f"{about} Routes below do not inherit it.",
            "x-group": "Times",
        }
        for name, (title, about) in texts.items()
    }


def _silence_policy() -> JsonObject:
    return {
        "type": "object",
        "title": "What a silence has to say",
        "x-group": "Silences of the whole org",
        "properties": {
            "min_matchers": {
                "type": "integer",
                "title": "Matchers at least",
                "x-placeholder": "1",
                "description": "That do not match the empty string.",
            },
            "max_duration": {
                "type": "string",
                "format": "duration",
                "title": "At most for",
                "x-placeholder": "1d",
                "description": "Those that recur aside.",
            },
            "required_labels": {
                "type": "array",
                "items": {"type": "string"},
                "title": "Labels it has to name",
                "x-placeholder": "team",
            },
        },
    }


def _timer_fields(inherited: Route, *, is_root: bool) -> dict[str, JsonObject]:
    texts = {
        "group_wait": ("Group wait", "Before the first notification of a new group."),
        "group_interval": ("Group interval", "Before telling that a group has changed."),
        "repeat_interval": ("Repeat interval", "Before telling again what still fires."),
    }
    group = "" if is_root else "Timers"
    return {
        name: {
            "type": "string",
            "format": "duration",
            "title": title,
            "description": about,
            "x-group": group,
            "x-placeholder": format_duration(getattr(inherited, f"{name}_ms") / 1000),
        }
        for name, (title, about) in texts.items()
    }


def own_spec(document: Mapping[str, Any], before: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a submitted route says; what is empty is left out, so that it is inherited.

    What the form does not ask stays as it was, and an empty ``group_by`` too: it means one group
    of everything. Times are asked only where the org has some.
    """
    asked = _ASKED | document.keys()
    kept = {key: value for key, value in before.items() if key not in asked}
    policy = document.get("silence_policy") or {}
    said = {**document, "silence_policy": {k: v for k, v in policy.items() if v != []}}
    own = kept | {key: value for key, value in said.items() if not _is_empty(value)}
    if "group_by" not in own and before.get("group_by") == []:
        own["group_by"] = []
    return own


def _is_empty(value: object) -> bool:
    return value is None or value is False or value in ("", [], {})  # a zero is said


def node_errors(errors: Errors, at: str) -> dict[str, list[str]]:
    """Return the errors of the node at a place by its own fields, others as they are."""
    prefix = "".join(f"routes/{index}/" for index in place_indexes(at))
    return {name.removeprefix(prefix): list(texts) for name, texts in errors.items()}


def labels_of(text: str) -> dict[str, str]:
    """Return the labels of a text such as ``{alertname="High load", team="web"}``."""
    return {
        found[1]: found[2].replace('\\"', '"') if found[2] is not None else found[3]
        for found in _LABEL.finditer(text)
    }
