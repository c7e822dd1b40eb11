"""Lease, send, mark after: at least once on the wire, one idempotency key per delivery."""

import random
import time
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import F, Q
from prometheus_client import Counter, Histogram

from apps.extensions.selectors import plugin_client
from apps.notifications.enums import DeliveryStatus
from apps.notifications.models import AlertGroup, ContactPoint, Delivery, NotificationRecord
from apps.notifications.services.configuration import receiver_secrets
from apps.notifications.services.flush import group_clean
from apps.notifications.services.outward import notifier_context
from apps.notifications.services.payload import notification_to_send
from apps.notifications.services.threads import thread_of, thread_stored
from detectviz.clock import Clock
from detectviz.contracts.errors import DeliveryError, NetworkError, PluginError
from detectviz.contracts.notifier import Notification, Notifier, Receipt
from detectviz.contracts.types import JsonObject, PluginKind
from detectviz.pluginhost.errors import PluginHostError
from detectviz.runtime.leases import process_owner

TIMEOUT_S = 15.0
LEASE_S = 45.0
BACKOFF_S = (5.0, 15.0, 30.0, 60.0, 120.0, 300.0)
JITTER = 0.2
MAX_ANSWER = 2048
BATCH = 200

sent_total = Counter(
    "detectviz_notifications_sent", "Notifications by outcome.", ["notifier", "status"]
)
errors_total = Counter(
    "detectviz_notification_errors", "Failed attempts by reason.", ["notifier", "error_type"]
)
duration_seconds = Histogram(
    "detectviz_notification_duration_seconds", "Duration of one attempt.", ["notifier"]
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """What one attempt came to; exactly one of receipt and error is set."""

    duration_s: float
    receipt: Receipt | None = None
    error: PluginError | None = None

    @property
    def reason(self) -> str:
        """Why it failed, in Alertmanager's words where it has them."""
        if isinstance(self.error, DeliveryError):
            return self.error.reason
        if isinstance(self.error, NetworkError):
            return "timeout" if "timed out" in self.error.message else "serverError"
        return "clientError" if self.error is not None else ""


def deliveries_due(*, now: datetime) -> list[int]:
    """Return the ids of deliveries to attempt now, oldest first."""
    due = Delivery.objects.across_orgs(reason="one dispatcher serves every org").filter(
        Q(lease_until__isnull=True) | Q(lease_until__lt=now),
        status=DeliveryStatus.PENDING,
        next_attempt_at__lte=now,
    )
    return list(due.order_by("next_attempt_at", "pk").values_list("pk", flat=True)[:BATCH])


def delivery_send(*, delivery_id: int, clock: Clock) -> None:
    """Attempt one delivery if nobody else is at it; mark it only after the positive answer."""
    delivery = _lease(delivery_id, clock())
    if delivery is None:
        return
    attempt = _attempt(delivery)
    duration_seconds.labels(delivery.notifier).observe(attempt.duration_s)
    if attempt.receipt is not None:
        _mark_delivered(delivery, attempt, attempt.receipt, clock())
    else:
        _mark_failed(delivery, attempt, clock())


def deliveries_release() -> int:
    """End the leases of attempts that died with a sole dispatcher; return how many there were."""
    rows = Delivery.objects.across_orgs(reason="one dispatcher serves every org")
    held = rows.filter(status=DeliveryStatus.PENDING, lease_until__isnull=False)
    return held.update(lease_owner="", lease_until=None)


def _lease(delivery_id: int, now: datetime) -> Delivery | None:
    """Take the delivery for one attempt: one statement, one winner."""
    rows = Delivery.objects.across_orgs(reason="the caller holds a due delivery's id")
    taken = rows.filter(
        Q(lease_until__isnull=True) | Q(lease_until__lt=now),
        pk=delivery_id,
        status=DeliveryStatus.PENDING,
        next_attempt_at__lte=now,
    ).update(
        lease_owner=process_owner(),
        lease_until=now + timedelta(seconds=LEASE_S),
        attempts=F("attempts") + 1,
    )
    return rows.get(pk=delivery_id) if taken else None


def _attempt(delivery: Delivery) -> Attempt:
    point = (
        ContactPoint.objects.for_org(delivery.org_id).filter(name=delivery.contact_point).first()
    )
    receivers = point.receivers if point else []
    receiver = next((item for item in receivers if item["name"] == delivery.receiver), None)
    if point is None or receiver is None:
        gone = DeliveryError(
            "The receiver was removed meanwhile.", reason="clientError", permanent=True
        )
        return Attempt(duration_s=0.0, error=gone)
    return receiver_notify(
        notifier=receiver["notifier"],
        config=receiver["config"],
        secrets=receiver_secrets(receiver["name"], point.secrets),
        notification=notification_to_send(delivery),
        thread=thread_of(delivery=delivery, notifier=receiver["notifier"]),
    )


def receiver_notify(
    *,
    notifier: str,
    config: dict[str, Any],
    secrets: dict[str, str],
    notification: Notification,
    thread: JsonObject | None = None,
) -> Attempt:
    """Call a notifier plugin once; whatever it raises is an outcome."""
    started = time.monotonic()
    context = notifier_context(
        notifier=notifier, config=config, secrets=secrets, timeout_s=TIMEOUT_S, thread=thread or {}
    )

    def notify(plugin: Notifier) -> Receipt:
        return plugin.notify(notification, context)

    try:
        receipt = plugin_client().call(
            PluginKind.NOTIFIER, notifier, "notify", notify, org=notification.org or None
        )
    except PluginHostError as error:
        cause = error.__cause__
        known = cause if isinstance(cause, PluginError) else PluginError(str(error))
        return Attempt(duration_s=time.monotonic() - started, error=known)
    return Attempt(duration_s=time.monotonic() - started, receipt=receipt)


@transaction.atomic
def _mark_delivered(delivery: Delivery, attempt: Attempt, receipt: Receipt, now: datetime) -> None:
    """Write down the yes, and with it what the receiver now believes."""
    if not _update(
        delivery,
        status=DeliveryStatus.DELIVERED,
        finished_at=now,
        error="",
        status_code=receipt.status_code,
        answer=receipt.answer[:MAX_ANSWER],
        request_digest=receipt.request_digest,
        duration_s=attempt.duration_s,
    ):
        return  # the lease ran out and somebody else took over; the duplicate carries our uid
    NotificationRecord.objects.for_org(delivery.org_id).update_or_create(
        org_id=delivery.org_id,
        key_digest=delivery.key_digest,
        contact_point=delivery.contact_point,
        receiver=delivery.receiver,
        defaults={
            "firing": delivery.firing,
            "resolved": delivery.resolved,
            "sent_at": now,
            "thread": thread_stored(notifier=delivery.notifier, thread=receipt.thread),
        },
    )
    group = AlertGroup.objects.for_org(delivery.org_id).filter(key_digest=delivery.key_digest)
    for row in group.select_for_update():
        group_clean(group=row, now=now)
    sent_total.labels(delivery.notifier, "delivered").inc()


def _mark_failed(delivery: Delivery, attempt: Attempt, now: datetime) -> None:
    error = attempt.error
    if error is None:
        return
    errors_total.labels(delivery.notifier, attempt.reason).inc()
    details: dict[str, Any] = {
        "error": error.message[:MAX_ANSWER],
        "reason": attempt.reason,
        "duration_s": attempt.duration_s,
        "lease_until": None,
        "lease_owner": "",
    }
    if isinstance(error, DeliveryError):
        details |= {"status_code": error.status_code, "answer": error.answer[:MAX_ANSWER]}
    if error.permanent:
        sent_total.labels(delivery.notifier, "failed").inc()
        _update(delivery, status=DeliveryStatus.FAILED, finished_at=now, **details)
        return
    wait_s = retry_wait_s(attempts=delivery.attempts, error=error)
    _update(delivery, next_attempt_at=now + timedelta(seconds=wait_s), **details)


def retry_wait_s(*, attempts: int, error: PluginError) -> float:
    """Return seconds to the next attempt: growing, jittered, never sooner than the service asks."""
    base = BACKOFF_S[min(attempts, len(BACKOFF_S)) - 1]
    jittered = base * random.uniform(1 - JITTER, 1 + JITTER)  # noqa: S311 - spreads retries, protects nothing
    asked = error.retry_after_s if isinstance(error, DeliveryError) else None
    return max(jittered, asked or 0.0)


def _update(delivery: Delivery, **fields: Any) -> bool:
    """Update the row while this attempt still owns it."""
    owned = Delivery.objects.for_org(delivery.org_id).filter(
        pk=delivery.pk,
        status=DeliveryStatus.PENDING,
        lease_owner=delivery.lease_owner,
        attempts=delivery.attempts,
    )
    return bool(owned.update(**fields))
