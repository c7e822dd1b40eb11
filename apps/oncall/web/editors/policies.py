"""How an escalation policy is edited: the form, and the text one begins with."""

from collections.abc import Mapping
from typing import Any

from django.db import models

from apps.accounts.selectors import membership_list, team_list
from apps.notifications.selectors import contact_point_list
from apps.oncall.selectors import schedule_list
from apps.oncall.services.policies import target_of
from detectviz.contracts.types import JsonObject
from detectviz.web.pages import PageRequest
from detectviz.web.scope import OrgScope
from detectviz.web.specs import SpecEditor

_WORDS = {"schedule": "on call in", "user": "user", "team": "team", "contact_point": "channel"}
_POLICY_EXAMPLE = """\
title: First line, then everybody
repeat: 1                  # how often to begin again
steps:
  - wait: 5m               # for an answer, before the next step
    targets:
      - user: {user}       # or schedule, team, contact_point
"""


def target_choices(org: models.Model) -> list[tuple[str, str]]:
    """Return whom a step can tell, as (``kind:name``, words)."""
    known = {
        "schedule": schedule_list(org).values_list("name", flat=True),
        "user": membership_list(org).values_list("user__username", flat=True),
        "team": team_list(org).values_list("name", flat=True),
        "contact_point": contact_point_list(org=org).values_list("name", flat=True),
    }
    return [(f"{kind}:{name}", f"{_WORDS[kind]} {name}") for kind in known for name in known[kind]]


def _policy_schema(scope: OrgScope) -> JsonObject:
    choices = target_choices(scope.org)
    target: JsonObject = {
        "type": "string",
        "title": "Tell",
        "enum": [value for value, _ in choices],
        "x-labels": dict(choices),
    }
    targets: JsonObject = {
        "type": "array",
        "title": "Tell, all at once",
        "items": {"type": "object", "required": ["target"], "properties": {"target": target}},
    }
    wait: JsonObject = {
        "type": "string",
        "title": "Wait for an answer",
        "format": "duration",
        "default": "5m",
        "description": "Before the next step. At most a week.",
    }
    steps: JsonObject = {
        "type": "array",
        "title": "Steps",
        "items": {"type": "object", "properties": {"targets": targets, "wait": wait}},
    }
    return {
        "type": "object",
        "required": ["steps"],
        "properties": {
            "title": {
                "type": "string",
                "title": "Title",
                "x-placeholder": "First line, then everybody",
            },
            "repeat": {
                "type": "integer",
                "title": "Begin again",
                "default": 0,
                "minimum": 0,
                "maximum": 100,
                "description": "How often, after the last step, while nobody has answered.",
            },
            "description": {"type": "string", "title": "Description", "x-widget": "textarea"},
            "steps": steps,
        },
    }


def _policy_to_form(spec: JsonObject) -> JsonObject:
    def shown(target: Mapping[str, str]) -> dict[str, str]:
        return {"target": ":".join(target_of(target)) if any(target.values()) else ""}

    return _with_targets(spec, shown)


def _policy_to_spec(form: JsonObject) -> JsonObject:
    def written(row: Mapping[str, str]) -> dict[str, str]:
        kind, _, name = row.get("target", "").partition(":")
        return {kind: name} if kind else {}

    return _with_targets(form, written)


def _with_targets(document: JsonObject, turn: Any) -> JsonObject:
    steps: Any = document.get("steps") or []
    turned = [
        {**step, "targets": [turn(each) for each in step.get("targets", [])]} for step in steps
    ]
    return {**document, "steps": turned}


def _policy_start(_request: PageRequest, scope: OrgScope) -> JsonObject:
    return {"steps": [{"targets": [{"user": scope.user.username}], "wait": "5m"}]}


def _policy_example(_request: PageRequest, scope: OrgScope) -> str:
    return _POLICY_EXAMPLE.format(user=scope.user.username)


POLICY_EDITOR = SpecEditor(
    api_version="notifications/v1",
    kind="EscalationPolicy",
    noun="policy",
    title="Escalation",
    lead="Each step tells all it names at once, then waits for an answer.",
    schema=_policy_schema,
    start=_policy_start,
    example=_policy_example,
    to_form=_policy_to_form,
    to_spec=_policy_to_spec,
    list_route="oncall:policy-list",
    detail_route="oncall:policy-detail",
)
