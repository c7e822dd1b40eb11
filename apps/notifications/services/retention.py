"""How long the delivery log is kept."""

from datetime import datetime, timedelta

from django.db.models import Exists, OuterRef

from apps.notifications.enums import DeliveryStatus
from apps.notifications.models import (
    AlertGroup,
    Delivery,
    NotificationRecord,
    Silence,
    SuppressionEntry,
)
from apps.notifications.services.silences import EXPIRED_KEPT

DELIVERIES_KEPT = timedelta(days=90)
ENTRIES_KEPT = timedelta(days=90)
RECORDS_KEPT = timedelta(hours=120)  # Alertmanager's data.retention
_BATCH = 5_000


def history_trim(*, now: datetime) -> None:
    """Drop finished deliveries and the memory of groups that are long gone."""
    Delivery.objects.across_orgs(reason="retention of every org").filter(
        finished_at__lt=now - DELIVERIES_KEPT
    ).exclude(status=DeliveryStatus.PENDING).delete()
    alive = AlertGroup.objects.across_orgs(reason="retention of every org").filter(
        org_id=OuterRef("org_id"), key_digest=OuterRef("key_digest")
    )
    NotificationRecord.objects.across_orgs(reason="retention of every org").filter(
        ~Exists(alive), sent_at__lt=now - RECORDS_KEPT
    ).delete()
    _suppression_trim(now)


def _suppression_trim(now: datetime) -> None:
    """Drop silences five days after their end, as Alertmanager, and old rows of the ledger."""
    Silence.objects.across_orgs(reason="retention of every org").filter(
        ends_at__lt=now - EXPIRED_KEPT
    ).delete()
    entries = SuppressionEntry.objects.across_orgs(reason="retention of every org")
    old = entries.filter(ended_at__lt=now - ENTRIES_KEPT).values_list("pk", flat=True)
    while keys := list(old[:_BATCH]):
        entries.filter(pk__in=keys).delete()
