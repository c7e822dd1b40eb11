"""Ask for schedules."""

from datetime import datetime

from django.db import models

from apps.oncall.models import OnCallOverride, OnCallSchedule
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
