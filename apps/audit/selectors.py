"""Ask what happened."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db import models

from apps.audit.models import PLATFORM_CHAIN, AuditEvent

FILTERS = ("action", "kind", "name", "actor_name", "via", "request_id", "object_uid")


def audit_list(
    org: models.Model, *, filters: Mapping[str, str] | None = None, search: str = ""
) -> models.QuerySet[AuditEvent]:
    """Return an org's events, the latest first; ``filters`` are exact values of FILTERS."""
    rows = AuditEvent.objects.filter(org_id=org.pk).order_by("-seq")
    chosen: dict[str, Any] = {
        key: value for key, value in (filters or {}).items() if key in FILTERS
    }
    if search:
        rows = rows.filter(
            models.Q(name__icontains=search)
            | models.Q(actor_name__icontains=search)
            | models.Q(action__icontains=search)
        )
    return rows.filter(**chosen)


def audit_get(org: models.Model, uid: str) -> AuditEvent | None:
    """Return one event of an org."""
    return audit_list(org).filter(uid=uid).first()


def audit_list_platform() -> models.QuerySet[AuditEvent]:
    """Return the events that belong to no org."""
    return AuditEvent.objects.filter(scope=PLATFORM_CHAIN).order_by("-seq")


def audit_due_for_pruning(*, before: datetime) -> list[str]:
    """Return the chains that hold events older than ``before``."""
    old = AuditEvent.objects.filter(at__lt=before).order_by("scope")
    return list(old.values_list("scope", flat=True).distinct())
