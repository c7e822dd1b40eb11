"""Writes schedules, overrides and the secret of a feed; turns rows into values."""

import hashlib
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from typing import Any
from zoneinfo import ZoneInfo

from django.db import models

from apps.oncall.models import OnCallOverride, OnCallSchedule
from apps.oncall.services.participants import participants_require
from apps.oncall.services.rotations import (
    Layer,
    Override,
    Restriction,
    RotationUnit,
    Schedule,
    on_call_at,
)
from detectviz.events.bus import publish
from detectviz.events.types import SecurityEventOccurred
from detectviz.resources.errors import InvalidFieldsError

WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleDraft:
    """The checked spec of a schedule."""

    title: str
    description: str
    time_zone: str
    layers: Sequence[Mapping[str, Any]]


def schedule_write(
    *, org: models.Model, name: str, draft: ScheduleDraft, instance: OnCallSchedule | None
) -> OnCallSchedule:
    """Create or update a schedule; a new one gets a feed of its own."""
    named = [
        (f"spec.layers[{index}].participants[{place}]", participant)
        for index, layer in enumerate(draft.layers)
        for place, participant in enumerate(layer["participants"])
    ]
    participants_require(org=org, named=named)
    schedule = instance or OnCallSchedule(org_id=org.pk, name=name)
    schedule.title = draft.title
    schedule.description = draft.description
    schedule.time_zone = draft.time_zone
    schedule.layers = [dict(layer) for layer in draft.layers]
    if instance is None:
        _set_token(schedule)
    schedule.save()
    return schedule


def calendar_rotate(*, schedule: OnCallSchedule, actor: models.Model | None) -> None:
    """Give the feed a new address; the old one ends."""
    _set_token(schedule)
    schedule.save(update_fields=["calendar", "calendar_digest"])
    _audit(schedule, "oncallschedule.rotate-token", actor, {})


def override_create(
    *,
    schedule: OnCallSchedule,
    participant: str,
    starts_at: datetime,
    ends_at: datetime,
    actor: Any,
    now: datetime,
) -> OnCallOverride:
    """Have somebody stand in for a while."""
    if ends_at <= starts_at or ends_at <= now:
        raise InvalidFieldsError({"ends_at": ["Must come after the start, and after now."]})
    participants_require(org=schedule.org, named=[("participant", participant)])
    override: OnCallOverride = OnCallOverride.objects.for_org(schedule.org_id).create(
        org_id=schedule.org_id,
        schedule=schedule,
        participant=participant,
        starts_at=starts_at,
        ends_at=ends_at,
        created_by=str(actor),
        created_at=now,
    )
    details = {
        "participant": participant,
        "starts_at": starts_at.isoformat(),
        "ends_at": ends_at.isoformat(),
    }
    _audit(schedule, "oncallschedule.override", actor, details)
    return override


def override_delete(*, schedule: OnCallSchedule, uid: str, actor: Any) -> None:
    """Take an override away; raise InvalidFieldsError when the schedule has none of this uid."""
    rows = OnCallOverride.objects.for_org(schedule.org_id).filter(schedule=schedule, uid=uid)
    deleted, _ = rows.delete()
    if not deleted:
        raise InvalidFieldsError({"override": ["The schedule has no such override; list them."]})
    _audit(schedule, "oncallschedule.override-end", actor, {"override": uid})


def schedule_value(schedule: OnCallSchedule) -> Schedule:
    """Return a row as the value that can be asked who is on call."""
    overrides = OnCallOverride.objects.for_org(schedule.org_id).filter(schedule=schedule)
    return Schedule(
        zone=ZoneInfo(schedule.time_zone),
        layers=[layer_value(layer) for layer in schedule.layers],
        overrides=[
            Override(participant=one.participant, starts_at=one.starts_at, ends_at=one.ends_at)
            for one in overrides.order_by("id")
        ],
    )


def draft_value(spec: Mapping[str, Any]) -> Schedule:
    """Return a validated spec that is not saved as the value that can be asked, no overrides."""
    return Schedule(
        zone=ZoneInfo(spec["time_zone"]), layers=[layer_value(layer) for layer in spec["layers"]]
    )


def layer_value(spec: Mapping[str, Any]) -> Layer:
    """Return a layer of a spec as a value."""
    ends_on = spec.get("ends_on")
    return Layer(
        name=spec["name"],
        participants=tuple(spec["participants"]),
        unit=RotationUnit(spec["unit"]),
        length=spec["length"],
        starts_on=date.fromisoformat(spec["starts_on"]),
        ends_on=date.fromisoformat(ends_on) if ends_on else None,
        handover=time.fromisoformat(spec["handover"]),
        weekday=WEEKDAYS.index(spec["weekday"]),
        restrictions=tuple(
            Restriction(
                days=frozenset(WEEKDAYS.index(day) for day in each["days"]),
                start=time.fromisoformat(each["start"]),
                end=time.fromisoformat(each["end"]),
            )
            for each in spec["restrictions"]
        ),
    )


def schedule_participant(*, schedule: OnCallSchedule, at: datetime) -> str:
    """Return who is on call, empty for nobody."""
    return on_call_at(schedule_value(schedule), at)


def token_digest(token: str) -> str:
    """Return what finds a feed by its secret."""
    return hashlib.sha256(token.encode()).hexdigest()


def _set_token(schedule: OnCallSchedule) -> None:
    token = secrets.token_urlsafe(32)
    schedule.calendar = {"token": token}
    schedule.calendar_digest = token_digest(token)


def _audit(schedule: OnCallSchedule, action: str, actor: Any, details: Mapping[str, Any]) -> None:
    publish(
        SecurityEventOccurred(
            action=action,
            org_id=schedule.org_id,
            actor_id=actor.pk if actor else None,
            kind="OnCallSchedule",
            name=schedule.name,
            uid=schedule.uid,
            details=details,
        )
    )
