"""What somebody asks to be done about alerts, checked and done: one way for pages and programs."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, TypedDict

from django.db import models

from apps.accounts.selectors import membership_get, team_list
from apps.alerting.enums import AssigneeKind, HandlingAction
from apps.alerting.models import Alert
from apps.alerting.services.handling import (
    Actor,
    Subject,
    alerts_acknowledge,
    alerts_assign,
    alerts_close,
    alerts_comment,
    alerts_snooze,
    alerts_unacknowledge,
    alerts_unsnooze,
    subject_of,
)
from detectviz.resources.errors import InvalidFieldsError


class HandlingRequest(TypedDict, total=False):
    """The words of a request; ``until`` is a time, ``assignee`` a user's or a team's name."""

    comment: str
    until: datetime | None
    kind: str
    assignee: str


def alerts_handle(
    *,
    org: models.Model,
    actor: Actor,
    action: HandlingAction,
    alerts: Sequence[Alert | Subject],
    asked: HandlingRequest,
    now: datetime,
) -> int:
    """Do one action on some alerts; return how many could be handled so.

    Raises InvalidFieldsError where the action lacks what it needs.
    """
    subjects = [subject_of(alert) if isinstance(alert, Alert) else alert for alert in alerts]
    comment = asked.get("comment", "")
    common: dict[str, Any] = {
        "org": org,
        "actor": actor,
        "alerts": subjects,
        "now": now,
        "comment": comment,
    }
    until = asked.get("until")
    if until is not None and until <= now:
        raise InvalidFieldsError({"until": ["Must lie in the future."]})
    if action is HandlingAction.SNOOZE and until is None:
        raise InvalidFieldsError({"until": ["Say until when."]})
    if action is HandlingAction.COMMENT and not comment:
        raise InvalidFieldsError({"comment": ["Write something."]})
    if action in _WITH_UNTIL:
        common["until"] = until
    if action is HandlingAction.ASSIGN:
        common |= _assignee(org, asked)
    return _SERVICES[action](**common)


_WITH_UNTIL = frozenset({HandlingAction.ACKNOWLEDGE, HandlingAction.SNOOZE})
_SERVICES: Mapping[HandlingAction, Callable[..., int]] = {
    HandlingAction.ACKNOWLEDGE: alerts_acknowledge,
    HandlingAction.UNACKNOWLEDGE: alerts_unacknowledge,
    HandlingAction.ASSIGN: alerts_assign,
    HandlingAction.SNOOZE: alerts_snooze,
    HandlingAction.UNSNOOZE: alerts_unsnooze,
    HandlingAction.COMMENT: alerts_comment,
    HandlingAction.CLOSE: alerts_close,
}


def _assignee(org: models.Model, asked: Mapping[str, Any]) -> dict[str, Any]:
    """Return whom to assign to; nobody when no name is given."""
    name = asked.get("assignee", "")
    if not name:
        return {"kind": None, "assignee": ""}
    word = asked.get("kind") or AssigneeKind.USER.value
    if word not in AssigneeKind.values:
        raise InvalidFieldsError({"kind": ["Choose user or team."]})
    kind = AssigneeKind(word)
    is_known = (
        membership_get(org, name) is not None
        if kind is AssigneeKind.USER
        else team_list(org).filter(name=name).exists()
    )
    if not is_known:
        raise InvalidFieldsError({"assignee": [f"There is no {kind.value} {name!r} here."]})
    return {"kind": kind, "assignee": name}
