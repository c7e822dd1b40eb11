"""How long the history of alerts is kept."""

from datetime import datetime, timedelta

from apps.alerting.models import AlertEvent, HandlingEvent

HISTORY_KEPT = timedelta(days=365)
_BATCH = 5_000
_ACROSS = "retention is the same for all orgs"


def alert_history_prune(*, now: datetime) -> int:
    """Delete transitions older than a year and what people did about them.

    In batches, so that writers never wait long.
    """
    return sum(_prune(model, now=now) for model in (AlertEvent, HandlingEvent))


def _prune(model: type[AlertEvent] | type[HandlingEvent], *, now: datetime) -> int:
    rows = model.objects.across_orgs(reason=_ACROSS)
    old = rows.filter(at__lt=now - HISTORY_KEPT).order_by("at").values_list("pk", flat=True)
    total = 0
    while keys := list(old[:_BATCH]):
        rows.filter(pk__in=keys).delete()
        total += len(keys)
    return total
