"""What a watchdog found again of its present round, kept with it by delivery.

Services are asked outside of transactions. Whoever asks writes down beforehand that he does, so
that two who run at once do not: a mail that one has found and taken out is missed by the other.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction

from apps.notifications.enums import DeliveryStatus, WatchdogProof, WatchdogReading
from apps.notifications.models import Delivery, Watchdog
from apps.notifications.services.read_back import Reading, delivery_read_back

AGAIN_AFTER = timedelta(seconds=20)
_FINAL = frozenset({WatchdogReading.FOUND, WatchdogReading.UNREADABLE})
_LONGEST = 500


def readings_take(
    *, watchdog: Watchdog, told: Sequence[Delivery], fingerprint: str, now: datetime
) -> None:
    """Look for each delivery of the round that was answered and not found again yet."""
    due = _claim(watchdog, [row for row in told if row.status == DeliveryStatus.DELIVERED], now)
    for delivery in due:
        reading = delivery_read_back(delivery=delivery, fingerprint=fingerprint)
        _write_down(watchdog, delivery, reading, now)


def reading_state(watchdog: Watchdog, delivery: Delivery | None) -> tuple[str, str]:
    """Return the state of a delivery's reading, empty where none is asked for, and its note."""
    if watchdog.proof != WatchdogProof.READ_BACK or delivery is None:
        return "", ""
    kept = watchdog.readings.get(delivery.uid, {})
    return kept.get("state", WatchdogReading.MISSING.value), kept.get("note", "")


def is_read(watchdog: Watchdog, delivery: Delivery) -> bool:
    """Return whether nothing more is to be read: found, or there is nobody who could look."""
    state, _ = reading_state(watchdog, delivery)
    return not state or state in _FINAL


@transaction.atomic
def _claim(watchdog: Watchdog, answered: Sequence[Delivery], now: datetime) -> list[Delivery]:
    row = _locked(watchdog)
    due = [each for each in answered if row is not None and _is_due(row, each, now)]
    if row is not None and due:
        for each in due:
            kept = row.readings.get(each.uid, {"state": WatchdogReading.MISSING, "note": ""})
            row.readings[each.uid] = {**kept, "asked_at": now.isoformat()}
        row.save(update_fields=["readings"])
    return due


@transaction.atomic
def _write_down(watchdog: Watchdog, delivery: Delivery, reading: Reading, now: datetime) -> None:
    row = _locked(watchdog)
    if row is None:
        return  # the round is over, whatever was found
    state = WatchdogReading.FOUND if reading.is_found else WatchdogReading.MISSING
    if not reading.is_readable:
        state = WatchdogReading.UNREADABLE
    kept: dict[str, Any] = {
        "state": state.value,
        "note": reading.note[:_LONGEST],
        "asked_at": now.isoformat(),
    }
    row.readings[delivery.uid] = kept
    row.save(update_fields=["readings"])


def _locked(watchdog: Watchdog) -> Watchdog | None:
    """Lock the row while its round is the one that is being read."""
    rows = Watchdog.objects.for_org(watchdog.org_id).select_for_update(of=("self",))
    found: Watchdog | None = rows.filter(
        pk=watchdog.pk, round=watchdog.round, deadline_at__isnull=False
    ).first()
    return found


def _is_due(watchdog: Watchdog, delivery: Delivery, now: datetime) -> bool:
    kept = watchdog.readings.get(delivery.uid)
    if kept is None:
        return True
    asked_at = datetime.fromisoformat(kept["asked_at"])
    return kept["state"] not in _FINAL and now - asked_at >= AGAIN_AFTER
