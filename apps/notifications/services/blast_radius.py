"""What matchers would mute now, and would have muted: looked at before a silence is written."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import models

from apps.alerting.selectors import fired_since
from apps.notifications.models import RoutedAlert
from apps.notifications.services.matcher_index import MatcherIndex
from apps.notifications.services.matchers import parse_matcher
from apps.notifications.services.visibility import AlertVisibility
from detectviz.permissions.access import Access

MAX_EVENTS = 50_000
MAX_SHOWN = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class BlastRadius:
    """What is muted; ``is_partial`` when more had fired than was looked at."""

    firing_count: int
    firing_total: int
    firing: Sequence[Mapping[str, Any]]
    days: int
    fired_count: int
    fired_total: int
    fired_alerts: int
    fired_by_name: Mapping[str, int]
    is_partial: bool


def blast_radius(
    *,
    org: models.Model,
    access: Access,
    matcher_sets: Sequence[Sequence[str]],
    days: int,
    folder: str,
    now: datetime,
) -> BlastRadius:
    """Say which firing alerts, and which firings of the last ``days``, some matchers match.

    Two queries or three; at most 50,000 firings are looked at, the latest first. Alerts of
    folders that the asker may not look into are not counted, nor, with a ``folder``, those of
    others.
    """
    index: MatcherIndex[bool] = MatcherIndex()
    for texts in matcher_sets:
        index.add([parse_matcher(text) for text in texts], True)
    visible = AlertVisibility(org=org, access=access, folder=folder)
    firing = [
        row
        for row in RoutedAlert.objects.for_org(org).filter(is_resolved=False).order_by("starts_at")
        if visible.has(row.rule_group)
    ]
    muted = [row for row in firing if any(index.find(row.labels))]
    events = list(fired_since(org, now - timedelta(days=days), limit=MAX_EVENTS + 1))
    seen = [event for event in events[:MAX_EVENTS] if visible.has(event.group_name)]
    fired = [event for event in seen if any(index.find(event.labels))]
    names = Counter(str(event.labels.get("alertname", "")) for event in fired)
    return BlastRadius(
        firing_count=len(muted),
        firing_total=len(firing),
        firing=[
            {"fingerprint": row.fingerprint, "labels": row.labels} for row in muted[:MAX_SHOWN]
        ],
        days=days,
        fired_count=len(fired),
        fired_total=len(seen),
        fired_alerts=len({event.fingerprint for event in fired}),
        fired_by_name=dict(names.most_common(MAX_SHOWN)),
        is_partial=len(events) > MAX_EVENTS,
    )
