"""How long state history and uptime are kept."""

from datetime import datetime, timedelta

from apps.monitors.models import MonitorUptime, StateChange
from detectviz.clock import to_ms

HISTORY_KEPT = timedelta(days=365)
UPTIME_KEPT = timedelta(days=400)
_BATCH = 5_000
_ACROSS = "retention is the same for all orgs"


def history_prune(*, now: datetime) -> int:
    """Delete transitions older than a year, in batches so that writers never wait long."""
    rows = StateChange.objects.across_orgs(reason=_ACROSS).filter(at__lt=now - HISTORY_KEPT)
    total = 0
    while keys := list(rows.order_by("at").values_list("pk", flat=True)[:_BATCH]):
        StateChange.objects.across_orgs(reason=_ACROSS).filter(pk__in=keys).delete()
        total += len(keys)
    return total


def uptime_prune(*, now: datetime) -> int:
    """Delete hours of uptime older than 400 days."""
    before_ms = to_ms(now - UPTIME_KEPT)
    rows = MonitorUptime.objects.across_orgs(reason=_ACROSS).filter(hour_ms__lt=before_ms)
    total = 0
    while keys := list(rows.order_by("hour_ms").values_list("pk", flat=True)[:_BATCH]):
        MonitorUptime.objects.across_orgs(reason=_ACROSS).filter(pk__in=keys).delete()
        total += len(keys)
    return total
