"""What an attempt came to that told nobody: tried again later, held back, given up."""

import random
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import F
from prometheus_client import Counter

from apps.notifications.enums import DeliveryStatus, SuppressionKind
from apps.notifications.models import AlertGroup, ContactPoint, Delivery
from apps.notifications.services.endpoints import Held, Hold
from apps.notifications.services.fallback import fallback_tell
from apps.notifications.services.ledger import delivery_held
from detectviz.contracts.durations import format_duration
from detectviz.contracts.errors import DeliveryError, NetworkError, PluginError
from detectviz.contracts.notifier import Receipt
from detectviz.events.bus import publish
from detectviz.events.types import ReceiverGone

BACKOFF_S = (5.0, 15.0, 30.0, 60.0, 120.0, 300.0)
JITTER = 0.2
MAX_ANSWER = 2_048
MAX_HISTORY = 50
MAX_HISTORY_TEXT = 500
GIVE_UP_AFTER_MS = 86_400_000

sent_total = Counter(
    "detectviz_notifications_sent", "Notifications by outcome.", ["notifier", "status"]
)
errors_total = Counter(
    "detectviz_notification_errors", "Failed attempts by reason.", ["notifier", "error_type"]
)
held_total = Counter(
    "detectviz_notifications_held",
    "Attempts put off by a rate limit, a requested wait or an open breaker.",
    ["notifier", "reason"],
)
_HELD_WORDS = {
    Hold.LIMITED: "Held back by the receiver's rate limit.",
    Hold.ASKED: "Held back: the service asked to wait.",
    Hold.BROKEN: "Held back: the last attempts failed, so the endpoint is left alone for a while.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """What one attempt came to; exactly one of receipt and error is set.

    ``notes`` are templates that failed, whose defaults were sent.
    """

    duration_s: float
    receipt: Receipt | None = None
    error: PluginError | None = None
    notes: tuple[str, ...] = ()

    @property
    def reason(self) -> str:
        """Why it failed, in Alertmanager's words where it has them."""
        if isinstance(self.error, DeliveryError):
            return self.error.reason
        if isinstance(self.error, NetworkError) and not self.error.permanent:
            return "timeout" if "timed out" in self.error.message else "serverError"
        return "clientError" if self.error is not None else ""

    @property
    def retry_after_s(self) -> float | None:
        """The wait the service asked for."""
        return self.error.retry_after_s if isinstance(self.error, DeliveryError) else None


@transaction.atomic
def delivery_fail(*, delivery: Delivery, attempt: Attempt, now: datetime) -> None:
    """Write down the no: another attempt later, or the end of it."""
    error = attempt.error
    if error is None:
        return
    _group_lock(delivery)
    errors_total.labels(delivery.notifier, attempt.reason).inc()
    status_code = error.status_code if isinstance(error, DeliveryError) else None
    answer = error.answer if isinstance(error, DeliveryError) else ""
    entry = {"status": "failed", "status_code": status_code, "answer": answer}
    details: dict[str, Any] = {
        "error": error.message[:MAX_ANSWER],
        "reason": attempt.reason,
        "duration_s": attempt.duration_s,
        "lease_until": None,
        "lease_owner": "",
        "status_code": status_code,
        "answer": answer[:MAX_ANSWER],
        "history": attempts_logged(delivery, attempt, entry, now),
    }
    wait_s = retry_wait_s(attempts=delivery.attempts, error=error)
    if error.permanent or _is_too_old(delivery, now + timedelta(seconds=wait_s)):
        if not error.permanent:
            details["error"] = _given_up(delivery, error.message)
        is_ours = _give_up(delivery, now, details)
        if isinstance(error, DeliveryError) and error.is_gone:
            publish(_gone(delivery, now))
    else:
        is_ours = _update(delivery, next_attempt_at=now + timedelta(seconds=wait_s), **details)
        if is_ours:
            _tell_others_once_late(delivery, now)
    if is_ours:
        kind = SuppressionKind.FAILED_DELIVERY
        delivery_held(delivery=delivery, kind=kind, detail=error.message, now=now)


@transaction.atomic
def delivery_hold(*, delivery: Delivery, held: Held, now: datetime) -> None:
    """Put a delivery off without an attempt; who waits long behind a breaker has others told."""
    _group_lock(delivery)
    held_total.labels(delivery.notifier, held.hold.value).inc()
    message = " ".join(filter(None, (_HELD_WORDS[held.hold], held.error)))[:MAX_ANSWER]
    is_broken = held.hold is Hold.BROKEN
    kind = SuppressionKind.FAILED_DELIVERY if is_broken else SuppressionKind.RATE_LIMITED
    entry = {"status": "held", "status_code": None, "answer": ""}
    attempt = Attempt(duration_s=0.0, error=DeliveryError(message, reason=held.hold.value))
    details: dict[str, Any] = {
        "error": message,
        "reason": held.hold.value,
        "lease_until": None,
        "lease_owner": "",
        "history": attempts_logged(delivery, attempt, entry, now),
    }
    if _is_too_old(delivery, held.until):
        is_ours = _give_up(delivery, now, details | {"error": _given_up(delivery, message)})
    else:
        waiting = {"next_attempt_at": held.until, "attempts": F("attempts") - 1}
        is_ours = _update(delivery, **waiting, **details)
        if is_ours and is_broken:
            _tell_others_once_late(delivery, now)
    if is_ours:
        delivery_held(delivery=delivery, kind=kind, detail=message, now=now)


def retry_wait_s(*, attempts: int, error: PluginError) -> float:
    """Return seconds to the next attempt: growing, jittered, never sooner than the service asks."""
    base = BACKOFF_S[min(attempts, len(BACKOFF_S)) - 1]
    jittered = base * random.uniform(1 - JITTER, 1 + JITTER)  # noqa: S311 - spreads retries, protects nothing
    asked = error.retry_after_s if isinstance(error, DeliveryError) else None
    return max(jittered, asked or 0.0)


def _group_lock(delivery: Delivery) -> None:
    """Lock the group before its delivery, as a flush does, where there still is one.

    The other way round the two would wait for each other, and a flush in between would decide on
    what the receiver believed before.
    """
    groups = AlertGroup.objects.for_org(delivery.org_id).filter(key_digest=delivery.key_digest)
    groups.select_for_update().order_by().values_list("pk").first()


def _give_up(delivery: Delivery, now: datetime, details: dict[str, Any]) -> bool:
    is_ours = _update(delivery, status=DeliveryStatus.FAILED, finished_at=now, **details)
    if is_ours:
        sent_total.labels(delivery.notifier, "failed").inc()
        fallback_tell(delivery=delivery, now=now)
    return is_ours


def _gone(delivery: Delivery, now: datetime) -> ReceiverGone:
    return ReceiverGone(
        org_id=delivery.org_id,
        contact_point=delivery.contact_point,
        receiver=delivery.receiver,
        notifier=delivery.notifier,
        at=now,
    )


def _tell_others_once_late(delivery: Delivery, now: datetime) -> None:
    """Have the fallback told of what waits for longer than its contact point allows."""
    point = _point(delivery)
    if point is None or not point.fallback:
        return
    if now - _began_at(delivery) >= timedelta(milliseconds=point.fallback_after_ms):
        fallback_tell(delivery=delivery, now=now)


def _point(delivery: Delivery) -> ContactPoint | None:
    points = ContactPoint.objects.for_org(delivery.org_id)
    found: ContactPoint | None = points.filter(name=delivery.contact_point).first()
    return found


def _began_at(delivery: Delivery) -> datetime:
    return delivery.replayed_at or delivery.created_at


def _age_limit_ms(delivery: Delivery) -> int:
    point = _point(delivery)
    return point.give_up_after_ms if point else GIVE_UP_AFTER_MS


def _is_too_old(delivery: Delivery, at: datetime) -> bool:
    return at - _began_at(delivery) > timedelta(milliseconds=_age_limit_ms(delivery))


def _given_up(delivery: Delivery, message: str) -> str:
    age = format_duration(_age_limit_ms(delivery) / 1000)
    return f"Given up after {age}. {message}"[:MAX_ANSWER]


def attempts_logged(
    delivery: Delivery, attempt: Attempt, entry: dict[str, Any], now: datetime
) -> list[dict[str, Any]]:
    """Return the log of attempts with one more; being held again for one reason is one entry."""
    said = {
        **entry,
        "at": now.isoformat(),
        "reason": attempt.reason,
        "duration_s": round(attempt.duration_s, 3),
        "error": (attempt.error.message if attempt.error else "")[:MAX_HISTORY_TEXT],
        "answer": str(entry["answer"])[:MAX_HISTORY_TEXT],
        "notes": list(attempt.notes),
    }
    known = list(delivery.history)
    if known and entry["status"] == "held" and known[-1]["reason"] == said["reason"]:
        known.pop()
    return [*known, said][-MAX_HISTORY:]


def _update(delivery: Delivery, **fields: Any) -> bool:
    """Update the row while this attempt still owns it."""
    owned = Delivery.objects.for_org(delivery.org_id).filter(
        pk=delivery.pk,
        status=DeliveryStatus.PENDING,
        lease_owner=delivery.lease_owner,
        attempts=delivery.attempts,
    )
    return bool(owned.update(**fields))
