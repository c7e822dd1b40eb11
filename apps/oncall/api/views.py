"""Subresources of schedules, and the door of their feeds."""

from datetime import datetime, timedelta
from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed
from rest_framework import serializers

from apps.oncall.api.serializers import OverrideEndSerializer, OverrideSerializer
from apps.oncall.models import EscalationPolicy, EscalationRun, OnCallSchedule
from apps.oncall.selectors import override_list, run_list, schedule_by_digest
from apps.oncall.services.calendars import calendar_text, calendar_url
from apps.oncall.services.rotations import shifts
from apps.oncall.services.schedules import (
    calendar_rotate,
    override_create,
    override_delete,
    schedule_value,
    token_digest,
)
from detectviz.clock import utc_now
from detectviz.contracts.types import JsonObject
from detectviz.resources.errors import InvalidFieldsError
from detectviz.resources.registry import Subresource
from detectviz.resources.validation import flatten_errors

DEFAULT_SPAN = timedelta(days=14)
LONGEST_SPAN = timedelta(days=92)


def calendar(request: HttpRequest, token: str) -> HttpResponse:
    """Answer a schedule as iCalendar; the address is the secret. ``?participant=`` narrows it."""
    if request.method not in {"GET", "HEAD"}:
        return HttpResponseNotAllowed(["GET", "HEAD"])
    schedule = schedule_by_digest(token_digest(token))
    if schedule is None:
        return HttpResponse("There is no such feed.\n", status=404, content_type="text/plain")
    wanted = request.GET.get("participant", "")[:80]
    text = calendar_text(schedule=schedule, now=utc_now(), participant=wanted)
    answer = HttpResponse(text, content_type="text/calendar; charset=utf-8")
    answer["Cache-Control"] = "private, max-age=300"
    return answer


def shift_list(request: Any, org: Any, instance: OnCallSchedule) -> JsonObject:
    """Answer the shifts from ``from`` (now) to ``to`` (14 days later), gaps included."""
    start = _time(request.query_params.get("from"), "from") or utc_now()
    end = _time(request.query_params.get("to"), "to") or start + DEFAULT_SPAN
    if not start < end <= start + LONGEST_SPAN:
        raise InvalidFieldsError({"to": ["Must come after from, at most 92 days."]})
    return {
        "items": [
            {
                "starts_at": shift.starts_at.isoformat(),
                "ends_at": shift.ends_at.isoformat(),
                "participant": shift.participant or None,
                "source": shift.source or None,
            }
            for shift in shifts(schedule_value(instance), start, end)
        ]
    }


def overrides(request: Any, org: Any, instance: OnCallSchedule) -> JsonObject:
    """Answer the overrides that are not over."""
    return {
        "items": [
            {
                "uid": one.uid,
                "participant": one.participant,
                "starts_at": one.starts_at.isoformat(),
                "ends_at": one.ends_at.isoformat(),
                "created_by": one.created_by,
            }
            for one in override_list(instance, since=utc_now())
        ]
    }


def override(request: Any, org: Any, instance: OnCallSchedule) -> JsonObject:
    """Have somebody stand in."""
    body = _valid(OverrideSerializer(data=request.data))
    override_create(schedule=instance, actor=request.user, now=utc_now(), **body)
    return overrides(request, org, instance)


def override_end(request: Any, org: Any, instance: OnCallSchedule) -> JsonObject:
    """Take an override away."""
    body = _valid(OverrideEndSerializer(data=request.data))
    override_delete(schedule=instance, uid=body["override"], actor=request.user)
    return overrides(request, org, instance)


def rotate_token(request: Any, org: Any, instance: OnCallSchedule) -> JsonObject:
    """Give the feed a new address."""
    calendar_rotate(schedule=instance, actor=request.user)
    return {"url": calendar_url(instance)}


def _time(text: str | None, name: str) -> datetime | None:
    if not text:
        return None
    try:
        return serializers.DateTimeField().to_internal_value(text)
    except serializers.ValidationError as error:
        raise InvalidFieldsError({name: ["Write a time such as 2026-01-31T09:00:00Z."]}) from error


def _valid(serializer: serializers.Serializer[Any]) -> dict[str, Any]:
    if not serializer.is_valid():
        problems = flatten_errors(serializer.errors, "")
        raise InvalidFieldsError({key.removeprefix("."): text for key, text in problems.items()})
    return dict(serializer.validated_data)


SCHEDULE_SUBRESOURCES = (
    Subresource(
        name="shifts",
        method="GET",
        permission="read",
        handler=shift_list,
        summary="Who is on call over a span of time, gaps included.",
    ),
    Subresource(
        name="overrides",
        method="GET",
        permission="read",
        handler=overrides,
        summary="Who stands in for whom from now on.",
    ),
    Subresource(
        name="override",
        method="POST",
        permission="update",
        handler=override,
        request=OverrideSerializer,
        summary="Have somebody stand in for a while.",
    ),
    Subresource(
        name="override-end",
        method="POST",
        permission="update",
        handler=override_end,
        request=OverrideEndSerializer,
        summary="Take an override away.",
    ),
    Subresource(
        name="rotate-token",
        method="POST",
        permission="update",
        handler=rotate_token,
        summary="Give the iCal feed a new secret address.",
    ),
)


def policy_runs(request: Any, org: Any, instance: EscalationPolicy) -> JsonObject:
    """Answer a policy's latest runs and whom they told."""
    return {"items": [run_json(run) for run in run_list(org, policy=instance.name)]}


def run_json(run: EscalationRun) -> JsonObject:
    """Return a run for an answer."""
    return {
        "uid": run.uid,
        "state": run.state,
        "group_key": run.group_key,
        "fingerprints": run.fingerprints,
        "started_at": run.started_at.isoformat(),
        "ended_at": run.ended_at.isoformat() if run.ended_at else None,
        "next_at": run.next_at.isoformat() if run.next_at else None,
        "notices": [
            {
                "round": one.round,
                "step": one.step,
                "target": one.target,
                "person": one.person or None,
                "receiver": one.receiver,
                "state": one.state,
                "due_at": one.due_at.isoformat(),
                "sent_at": one.sent_at.isoformat() if one.sent_at else None,
                "delivery": one.delivery or None,
            }
            for one in run.notices.all()
        ],
    }


POLICY_SUBRESOURCES = (
    Subresource(
        name="runs",
        method="GET",
        permission="read",
        handler=policy_runs,
        summary="The latest escalations by this policy, and whom they told.",
    ),
)
