"""Ask for schedules, policies, their runs, and how people want to be told."""

from datetime import datetime

from django.db import models

from apps.oncall.models import (
    ChatCallback,
    ContactMethod,
    EscalationPolicy,
    EscalationRun,
    Incident,
    IncidentAlert,
    NotificationPreference,
    OnCallOverride,
    OnCallSchedule,
)
from detectviz.resources.errors import NotFoundError


def schedule_list(org: models.Model | int) -> models.QuerySet[OnCallSchedule]:
    """Return an org's schedules, by name."""
    rows: models.QuerySet[OnCallSchedule] = OnCallSchedule.objects.for_org(org)
    return rows.select_related("org", "folder").order_by("name")


def schedule_get(org: models.Model | int, name: str) -> OnCallSchedule:
    """Return one schedule; raise NotFoundError."""
    found = schedule_list(org).filter(name=name).first()
    if found is None:
        raise NotFoundError
    return found


def schedule_by_digest(digest: str) -> OnCallSchedule | None:
    """Return the schedule whose feed has a secret with this digest."""
    rows = OnCallSchedule.objects.across_orgs(reason="the secret of a feed names no org")
    found: OnCallSchedule | None = (
        rows.filter(calendar_digest=digest, org__is_active=True).select_related("org").first()
    )
    return found


def override_list(schedule: OnCallSchedule, *, since: datetime) -> list[OnCallOverride]:
    """Return the overrides that end later, the first first."""
    rows = OnCallOverride.objects.for_org(schedule.org_id).filter(schedule=schedule)
    return list(rows.filter(ends_at__gt=since).order_by("starts_at", "id"))


def policy_list(org: models.Model | int) -> models.QuerySet[EscalationPolicy]:
    """Return an org's escalation policies, by name."""
    rows: models.QuerySet[EscalationPolicy] = EscalationPolicy.objects.for_org(org)
    return rows.select_related("org", "folder").order_by("name")


def policy_get(org: models.Model | int, name: str) -> EscalationPolicy:
    """Return one policy; raise NotFoundError."""
    found = policy_list(org).filter(name=name).first()
    if found is None:
        raise NotFoundError
    return found


def run_list(org: models.Model | int, *, policy: str = "", limit: int = 20) -> list[EscalationRun]:
    """Return the latest runs, of one policy if named, with their notices."""
    rows = EscalationRun.objects.for_org(org).prefetch_related("notices")
    wanted = rows.filter(policy=policy) if policy else rows
    return list(wanted.order_by("-started_at", "-id")[:limit])


def runs_of(org: models.Model | int, fingerprint: str, *, limit: int = 10) -> list[EscalationRun]:
    """Return the latest runs about an alert with their notices, the newest first."""
    # The fingerprints are a JSON array; SQLite has no containment, so the filter is here.
    recent = run_list(org, limit=limit * 20)
    return [run for run in recent if fingerprint in run.fingerprints][:limit]


def method_list(org: models.Model | int, user: models.Model) -> list[ContactMethod]:
    """Return how somebody can be reached, by name."""
    return list(ContactMethod.objects.for_org(org).filter(user=user).order_by("name"))


def preference_get(org: models.Model | int, user: models.Model) -> NotificationPreference | None:
    """Return how somebody wants to be told, None for the defaults."""
    found: NotificationPreference | None = (
        NotificationPreference.objects.for_org(org).filter(user=user).first()
    )
    return found


def callback_list(org: models.Model | int) -> models.QuerySet[ChatCallback]:
    """Return an org's doors for buttons of chats by name."""
    rows: models.QuerySet[ChatCallback] = ChatCallback.objects.for_org(org)
    return rows.select_related("folder").order_by("name")


def callback_get(org: models.Model | int, name: str) -> ChatCallback:
    """Return one door; raise NotFoundError."""
    found = callback_list(org).filter(name=name).first()
    if found is None:
        raise NotFoundError
    return found


def callback_by_uid(uid: str) -> ChatCallback | None:
    """Return the open door with this address."""
    rows = ChatCallback.objects.across_orgs(reason="the address of a door names no org")
    found: ChatCallback | None = (
        rows.filter(uid=uid, enabled=True, org__is_active=True).select_related("org").first()
    )
    return found


def incident_list(org: models.Model | int) -> models.QuerySet[Incident]:
    """Return an org's incidents with ``alert_count``: open ones first, the newest first."""
    rows: models.QuerySet[Incident] = Incident.objects.for_org(org)
    is_over = models.Case(models.When(resolved_at__isnull=True, then=0), default=1)
    counted = rows.select_related("org", "folder").annotate(alert_count=models.Count("alerts"))
    return counted.order_by(is_over, "-opened_at", "-id")


def incident_get(org: models.Model | int, name: str) -> Incident:
    """Return one incident; raise NotFoundError."""
    found = incident_list(org).filter(name=name).first()
    if found is None:
        raise NotFoundError
    return found


def incident_alerts(incident: Incident) -> list[IncidentAlert]:
    """Return the alerts of an incident in the order in which they joined."""
    rows = IncidentAlert.objects.for_org(incident.org_id).filter(incident=incident)
    return list(rows.order_by("joined_at", "id"))
