"""Deliveries that no group's flush makes: same outbox, log, leases and retries."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import models

from apps.notifications.models import AlertGroup, Delivery, RoutedAlert
from apps.notifications.services.payload import Members, notification_payload
from apps.orgs.selectors import time_zone_of
from detectviz.runtime.wakeups import wake_on_commit

DISPATCH = "notifications.dispatch"


@dataclass(frozen=True, slots=True, kw_only=True)
class DirectNotice:
    """What to tell whom. ``key`` is the idempotency key: the same one is told once."""

    key: str
    contact_point: str
    receiver: str
    notifier: str
    group_key: str
    group_labels: Mapping[str, str]
    reason: str


def direct_delivery_create(
    *, org: models.Model, notice: DirectNotice, alerts: Sequence[RoutedAlert], now: datetime
) -> Delivery:
    """Write a delivery of firing alerts to one receiver; return the one there is for its key.

    Call it in the transaction that writes why.
    """
    digest = hashlib.sha256(notice.key.encode()).hexdigest()
    known = Delivery.objects.for_org(org).filter(key_digest=digest).first()
    if known is not None:
        found: Delivery = known
        return found
    delivery = Delivery(
        org_id=org.pk,
        group_key=notice.group_key,
        key_digest=digest,
        contact_point=notice.contact_point,
        receiver=notice.receiver,
        notifier=notice.notifier,
        flush_number=1,
        firing=[alert.fingerprint for alert in alerts],
        reason=notice.reason,
        next_attempt_at=now,
        created_at=now,
    )
    group = AlertGroup(
        org_id=org.pk,
        group_key=notice.group_key,
        contact_point=notice.contact_point,
        group_labels=dict(notice.group_labels),
    )
    members = Members(firing=alerts, resolved=[])
    delivery.payload = notification_payload(
        group=group,
        members=members,
        delivery_uid=delivery.uid,
        org=str(org),
        time_zone=time_zone_of(org),
    )
    delivery.save(force_insert=True)
    wake_on_commit(DISPATCH)
    return delivery
