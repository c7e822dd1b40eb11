"""How listed alerts stand with people: fetched for a page of them at once, and asked for by it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import models

from apps.alerting.models import Alert, AlertHandling
from apps.alerting.selectors import comment_counts, handling_map


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What people decided about the firing of an alert, if anything, and how much they said."""

    handling: AlertHandling | None
    comments: int

    def as_json(self, now: datetime) -> dict[str, Any]:
        """Return it for an answer; what has run out is not acknowledged or snoozed any more."""
        row = self.handling or AlertHandling()
        is_acknowledged, is_snoozed = row.is_acknowledged(now), row.is_snoozed(now)
        return {
            "acknowledged": is_acknowledged,
            "acknowledged_by": (row.acknowledged_by or None) if is_acknowledged else None,
            "acknowledged_at": row.acknowledged_at if is_acknowledged else None,
            "acknowledged_until": row.acknowledged_until if is_acknowledged else None,
            "assignee": {"kind": row.assignee_kind, "name": row.assignee} if row.assignee else None,
            "snoozed": is_snoozed,
            "snoozed_by": (row.snoozed_by or None) if is_snoozed else None,
            "snoozed_until": row.snoozed_until if is_snoozed else None,
            "closed": row.closed_at is not None,
            "closed_by": row.closed_by or None,
            "closed_at": row.closed_at,
            "comments": self.comments,
        }


def standing_map(org: models.Model | int, alerts: Sequence[Alert]) -> dict[str, Standing]:
    """Return how each of these alerts stands, by fingerprint; two queries."""
    handled = handling_map(org, alerts)
    said = comment_counts(org, [alert.fingerprint for alert in alerts])
    return {
        alert.fingerprint: Standing(
            handling=handled.get(alert.fingerprint), comments=said.get(alert.fingerprint, 0)
        )
        for alert in alerts
    }
