"""What people do about alerts, as subresources of Alert."""

from collections.abc import Callable, Mapping
from typing import Any

from rest_framework import serializers

from apps.alerting.api.handling.serializers import (
    AssignSerializer,
    BulkSerializer,
    CommentSerializer,
    HandlingSerializer,
    SnoozeSerializer,
    UntilSerializer,
)
from apps.alerting.enums import HandlingAction
from apps.alerting.models import Alert, AlertHandling, HandlingEvent
from apps.alerting.selectors import alert_names, handling_history, handling_map
from apps.alerting.services.handling import actor_of
from apps.alerting.services.handling_requests import HandlingRequest, alerts_handle
from detectviz.clock import utc_now
from detectviz.contracts.types import JsonObject
from detectviz.resources.errors import ConflictError, InvalidFieldsError
from detectviz.resources.registry import Subresource
from detectviz.resources.validation import flatten_errors
from detectviz.tenancy.requests import org_access

PERMISSION = "alerts:acknowledge"


SERIALIZERS: Mapping[HandlingAction, type[serializers.Serializer[Any]]] = {
    HandlingAction.ACKNOWLEDGE: UntilSerializer,
    HandlingAction.UNACKNOWLEDGE: HandlingSerializer,
    HandlingAction.ASSIGN: AssignSerializer,
    HandlingAction.SNOOZE: SnoozeSerializer,
    HandlingAction.UNSNOOZE: HandlingSerializer,
    HandlingAction.COMMENT: CommentSerializer,
    HandlingAction.CLOSE: HandlingSerializer,
}
SUMMARIES: Mapping[HandlingAction, str] = {
    HandlingAction.ACKNOWLEDGE: "Take a firing alert: no reminders until it resolves.",
    HandlingAction.UNACKNOWLEDGE: "Give an alert back: reminders go on.",
    HandlingAction.ASSIGN: "Say whose an alert is.",
    HandlingAction.SNOOZE: "Tell nobody until a time; then again if it still fires.",
    HandlingAction.UNSNOOZE: "End a snooze now.",
    HandlingAction.COMMENT: "Leave words for others.",
    HandlingAction.CLOSE: "End a firing alert by hand, until its condition comes back.",
}


def handling(request: Any, org: Any, instance: Alert) -> JsonObject:
    """Answer how an alert stands with people, and what they did about it."""
    current = handling_map(org, [instance]).get(instance.fingerprint)
    return {
        "current": handling_json(current) if current else None,
        "items": [event_json(event) for event in handling_history(org, instance.fingerprint)],
    }


def handling_json(row: AlertHandling) -> JsonObject:
    """Return a handling for an answer."""
    return {
        "acknowledged_at": _text(row.acknowledged_at),
        "acknowledged_by": row.acknowledged_by,
        "acknowledged_until": _text(row.acknowledged_until),
        "assignee": {"kind": row.assignee_kind, "name": row.assignee} if row.assignee else None,
        "snoozed_until": _text(row.snoozed_until),
        "snoozed_by": row.snoozed_by,
        "closed_at": _text(row.closed_at),
        "closed_by": row.closed_by,
    }


def event_json(event: HandlingEvent) -> JsonObject:
    """Return one thing somebody did."""
    return {
        "at": event.at.isoformat(),
        "action": event.action,
        "by": event.actor_name,
        "comment": event.comment,
        "details": event.details,
        "after_s": event.after_s,
    }


def _handler(action: HandlingAction) -> Callable[[Any, Any, Any], JsonObject]:
    def handle(request: Any, org: Any, instance: Alert) -> JsonObject:
        asked: Any = _valid(SERIALIZERS[action](data=request.data))
        done = _handled(request, org, action, [instance], asked)
        if not done:
            raise ConflictError("This alert is not firing, or it was closed: nothing to do.")
        return handling(request, org, instance)

    return handle


def bulk(request: Any, org: Any, instance: None) -> JsonObject:
    """Do one thing to many alerts; answer how many took it."""
    asked: Any = _valid(BulkSerializer(data=request.data))
    action = HandlingAction(asked.pop("action"))
    _, access = org_access(request, str(org))
    wanted = alert_names(org, asked.pop("names"))
    return {"handled": _handled(request, org, action, access.filter(wanted, PERMISSION), asked)}


def _handled(
    request: Any, org: Any, action: HandlingAction, alerts: Any, asked: HandlingRequest
) -> int:
    return alerts_handle(
        org=org,
        actor=actor_of(request.user),
        action=action,
        alerts=list(alerts),
        asked=asked,
        now=utc_now(),
    )


def _valid(serializer: serializers.Serializer[Any]) -> dict[str, Any]:
    if not serializer.is_valid():
        problems = flatten_errors(serializer.errors, "")
        raise InvalidFieldsError({key.removeprefix("."): text for key, text in problems.items()})
    return dict(serializer.validated_data)


def _text(moment: Any) -> str | None:
    return moment.isoformat() if moment else None


HANDLING_SUBRESOURCES = (
    Subresource(
        name="handling",
        method="GET",
        permission="read",
        handler=handling,
        summary="How an alert stands with people, and what they did about it.",
    ),
    Subresource(
        name="handle",
        method="POST",
        permission="acknowledge",
        handler=bulk,
        request=BulkSerializer,
        summary="Do one thing to many alerts.",
        is_collection=True,
    ),
    *(
        Subresource(
            name=action.value,
            method="POST",
            permission="acknowledge",
            handler=_handler(action),
            request=SERIALIZERS[action],
            summary=SUMMARIES[action],
        )
        for action in HandlingAction
    ),
)
