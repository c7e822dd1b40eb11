"""How long the delivery log is kept."""

from datetime import datetime, timedelta

from django.db.models import Exists, OuterRef

from apps.notifications.enums import DeliveryStatus
from apps.notifications.models import AlertGroup, Delivery, NotificationRecord

DELIVERIES_KEPT = timedelta(days=90)
RECORDS_KEPT = timedelta(hours=120)  # Alertmanager's data.retention


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
