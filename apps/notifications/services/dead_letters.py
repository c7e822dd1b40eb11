"""Deliveries that were given up, sent again when somebody says so."""

from collections.abc import Sequence
from datetime import datetime

from django.db import models, transaction

from apps.notifications.enums import DeliveryStatus
from apps.notifications.models import Delivery
from apps.notifications.services.configuration import DISPATCH
from detectviz.resources.errors import ConflictError, NotFoundError
from detectviz.runtime.wakeups import wake_on_commit

MOST_AT_ONCE = 1_000


@transaction.atomic
def delivery_replay(*, org: models.Model, uid: str, now: datetime) -> Delivery:
    """Send one dead letter again, under its old id; raise NotFoundError or ConflictError."""
    found: Delivery | None = Delivery.objects.for_org(org).filter(uid=uid).first()
    if found is None:
        raise NotFoundError
    if not deliveries_replay(org=org, uids=[uid], now=now):
        raise ConflictError(
            f"Only a delivery that failed for good is sent again; this one is {found.status}."
        )
    found.refresh_from_db()
    return found


def deliveries_replay(*, org: models.Model, uids: Sequence[str], now: datetime) -> int:
    """Send these dead letters again, at most 1,000; return how many. Others are left alone."""
    dead = Delivery.objects.for_org(org).filter(
        status=DeliveryStatus.FAILED, uid__in=list(uids)[:MOST_AT_ONCE]
    )
    count: int = dead.update(
        status=DeliveryStatus.PENDING,
        next_attempt_at=now,
        replayed_at=now,
        finished_at=None,
        fallback_at=None,
        lease_owner="",
        lease_until=None,
    )
    if count:
        wake_on_commit(DISPATCH)
    return count
