"""Lease, send, mark after: at least once on the wire, one idempotency key per delivery."""

import logging
import time
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from django.db.models import F, Q, QuerySet
from prometheus_client import Histogram

from apps.extensions.selectors import plugin_client, plugin_manifest
from apps.notifications.enums import DeliveryStatus
from apps.notifications.models import Delivery
from apps.notifications.services.endpoints import (
    Endpoint,
    endpoint_enter,
    endpoint_leave,
    endpoint_of,
)
from apps.notifications.services.outcomes import (
    Attempt,
    delivery_complete,
    delivery_fail,
    delivery_hold,
)
from apps.notifications.services.outward import notifier_context
from apps.notifications.services.payload import notification_to_send
from apps.notifications.services.receivers import receiver_find
from apps.notifications.services.templates import notification_render
from apps.notifications.services.threads import thread_of
from detectviz.clock import Clock
from detectviz.contracts.errors import DeliveryError, PluginError
from detectviz.contracts.notifier import Notification, Notifier, Receipt
from detectviz.contracts.types import JsonObject, PluginKind
from detectviz.pluginhost.errors import PluginHostError
from detectviz.runtime.insisting import PASSING, insist
from detectviz.runtime.leases import owners_gone, process_owner

TIMEOUT_S = 15.0
LEASE_S = 45.0
BATCH = 200
GIVEN_BACK_WITHIN_S = 10.0
_MARGIN_S = 5.0
_ACROSS = "one dispatcher serves every org"

logger = logging.getLogger(__name__)

duration_seconds = Histogram(
    "detectviz_notification_duration_seconds", "Duration of one attempt.", ["notifier"]
)


class Turn(NamedTuple):
    """A delivery and the attempt that is due; the next attempt is another turn."""

    delivery_id: int
    due_at: datetime


def deliveries_due(*, now: datetime) -> list[Turn]:
    """Return the attempts that are due, the oldest first; of many, as many as workers can begin."""
    due = Delivery.objects.across_orgs(reason=_ACROSS).filter(
        Q(lease_until__isnull=True) | Q(lease_until__lt=now),
        status=DeliveryStatus.PENDING,
        next_attempt_at__lte=now,
    )
    rows = due.order_by("next_attempt_at", "pk").values_list("pk", "next_attempt_at")
    return [Turn(*row) for row in rows[:BATCH]]


def delivery_send(*, delivery_id: int, clock: Clock) -> None:
    """Attempt one delivery if nobody else is at it; mark it only after the positive answer."""
    delivery = _lease(delivery_id, clock())
    if delivery is None:
        return
    try:
        _try(delivery, clock)
    except PASSING as error:
        # Nothing is known of it yet, so nobody needs to wait until the lease runs out.
        logger.warning("delivery %s is tried again: %s", delivery.uid, error)
        insist(lambda: _give_back(delivery), within_s=GIVEN_BACK_WITHIN_S)


def _try(delivery: Delivery, clock: Clock) -> None:
    target = target_of(delivery)
    if target is None:
        gone = DeliveryError(
            "The receiver was removed meanwhile.", reason="clientError", permanent=True
        )
        delivery_fail(delivery=delivery, attempt=Attempt(duration_s=0.0, error=gone), now=clock())
        return
    held = endpoint_enter(endpoint=target.endpoint, now=clock())
    if held is not None:
        delivery_hold(delivery=delivery, held=held, now=clock())
        return
    if delivery.lease_until is None or clock() >= delivery.lease_until:
        return  # this process stood still past its lease: whoever took over says what holds now
    attempt = _attempt(delivery, target)
    duration_seconds.labels(delivery.notifier).observe(attempt.duration_s)
    # The answer is there once. A database that is away for less than the lease takes it later.
    left_s = LEASE_S - TIMEOUT_S - _MARGIN_S
    insist(lambda: _leave(target.endpoint, attempt, clock()), within_s=left_s / 2)
    insist(lambda: _write_down(delivery, attempt, clock()), within_s=left_s / 2)


def _leave(endpoint: Endpoint, attempt: Attempt, now: datetime) -> None:
    endpoint_leave(
        endpoint=endpoint,
        reason=attempt.reason,
        error=attempt.error.message if attempt.error else "",
        retry_after_s=attempt.retry_after_s,
        now=now,
    )


def _write_down(delivery: Delivery, attempt: Attempt, now: datetime) -> None:
    if attempt.receipt is not None:
        delivery_complete(delivery=delivery, attempt=attempt, receipt=attempt.receipt, now=now)
    else:
        delivery_fail(delivery=delivery, attempt=attempt, now=now)


def deliveries_release() -> int:
    """End the leases of attempts that died with a sole dispatcher; return how many there were."""
    return _held().update(lease_owner="", lease_until=None)


def deliveries_release_gone() -> int:
    """End the leases of attempts that died with processes of this machine; return how many."""
    gone = owners_gone(_held().values_list("lease_owner", flat=True).order_by().distinct())
    held = _held().filter(lease_owner__in=gone)
    return held.update(lease_owner="", lease_until=None) if gone else 0


def _held() -> "QuerySet[Delivery]":
    rows: QuerySet[Delivery] = Delivery.objects.across_orgs(reason=_ACROSS)
    return rows.filter(status=DeliveryStatus.PENDING, lease_until__isnull=False)


def _give_back(delivery: Delivery) -> None:
    ours = _held().filter(
        pk=delivery.pk, lease_owner=delivery.lease_owner, attempts=delivery.attempts
    )
    ours.update(lease_owner="", lease_until=None)


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
    return insist(lambda: rows.get(pk=delivery_id), within_s=GIVEN_BACK_WITHIN_S) if taken else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Where a delivery goes, as configured at this moment."""

    receiver: dict[str, Any]
    secrets: dict[str, str]
    schema: JsonObject
    endpoint: Endpoint


def target_of(delivery: Delivery) -> Target | None:
    """Return where a delivery goes, None once its receiver was removed."""
    found = receiver_find(
        org_id=delivery.org_id, contact_point=delivery.contact_point, name=delivery.receiver
    )
    if found is None:
        return None
    schema = notifier_schema(found.notifier)
    return Target(
        receiver=found.receiver,
        secrets=found.secrets,
        schema=schema,
        endpoint=endpoint_of(delivery=delivery, receiver=found.receiver, schema=schema),
    )


def notifier_schema(name: str) -> JsonObject:
    """Return the schema of a notifier's settings, empty while the plugin can't be used."""
    try:
        return plugin_manifest(PluginKind.NOTIFIER, name).config_schema
    except PluginHostError:
        return {}


def _attempt(delivery: Delivery, target: Target) -> Attempt:
    receiver = target.receiver
    rendered = notification_render(
        org_id=delivery.org_id,
        notification=notification_to_send(delivery),
        receiver=receiver,
        schema=target.schema,
    )
    attempt = receiver_notify(
        notifier=receiver["notifier"],
        config=dict(rendered.config),
        secrets=target.secrets,
        notification=rendered.notification,
        thread=thread_of(delivery=delivery, notifier=receiver["notifier"]),
    )
    return replace(attempt, notes=rendered.notes)


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
        notifier=notifier,
        config=config,
        secrets=secrets,
        timeout_s=TIMEOUT_S,
        thread=thread or {},
        org=notification.org,
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
