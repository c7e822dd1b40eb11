"""May an endpoint be called now? Rate limit, requested waits and a circuit breaker, in SQL.

All workers see the same row. A closed endpoint without a rate limit costs one read.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any
from urllib.parse import urlsplit

from django.db import transaction
from django.db.models import F, Q, QuerySet

from apps.notifications.models import Delivery, DeliveryEndpoint
from apps.notifications.services.rate_limits import RateLimit, parse_rate_limit
from detectviz.contracts.types import JsonObject

OPENS_AFTER = 5
FIRST_PAUSE_S = 30.0
LONGEST_PAUSE_S = 600.0
PROBE_S = 45.0
# What says that nobody is well there; a refused request says nothing of the kind.
COUNTED = frozenset({"serverError", "timeout", "rateLimited"})
MAX_ERROR = 500


class Hold(StrEnum):
    """Why a delivery is not attempted now."""

    LIMITED = "rateLimit"
    ASKED = "retryAfter"
    BROKEN = "circuitOpen"


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """Not now: why, until when, and what the endpoint last said."""

    hold: Hold
    until: datetime
    error: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """Whom one receiver calls: the notifier and a host, or the receiver where none is named."""

    org_id: int
    notifier: str
    address: str
    limit: RateLimit | None

    @property
    def rows(self) -> "QuerySet[DeliveryEndpoint]":
        """Its row, if there is one yet."""
        known: QuerySet[DeliveryEndpoint] = DeliveryEndpoint.objects.for_org(self.org_id)
        return known.filter(notifier=self.notifier, address=self.address)


def endpoint_of(*, delivery: Delivery, receiver: Mapping[str, Any], schema: JsonObject) -> Endpoint:
    """Return whom a delivery calls."""
    return Endpoint(
        org_id=delivery.org_id,
        notifier=receiver["notifier"],
        address=endpoint_address(point=delivery.contact_point, receiver=receiver, schema=schema),
        limit=parse_rate_limit(receiver.get("rate_limit", "")),
    )


def endpoint_address(*, point: str, receiver: Mapping[str, Any], schema: JsonObject) -> str:
    """Return the address a receiver's endpoint is kept under.

    A receiver with a limit of its own stands for itself; others share what they call.
    """
    own = f"{point}/{receiver['name']}"
    address = own if receiver.get("rate_limit") else (_host(receiver["config"], schema) or own)
    return address[:300]


def endpoint_enter(*, endpoint: Endpoint, now: datetime) -> Held | None:
    """Return None when it may be called now (a token or the probe is taken), else why not."""
    row = endpoint.rows.first()
    if row is not None and (held := _held(row, now)) is not None:
        return held
    if row is not None and row.opened_at is not None and not _take_probe(row, now):
        until = now + timedelta(seconds=PROBE_S)
        return Held(hold=Hold.BROKEN, until=until, error=row.error)
    return _take_token(endpoint, endpoint.limit, now) if endpoint.limit else None


def endpoint_leave(
    *, endpoint: Endpoint, reason: str, error: str, retry_after_s: float | None, now: datetime
) -> None:
    """Write down what came of a call; an empty ``reason`` is a success."""
    if reason not in COUNTED:
        _close(endpoint)
        return
    with transaction.atomic():
        row, _ = DeliveryEndpoint.objects.for_org(endpoint.org_id).get_or_create(
            org_id=endpoint.org_id, notifier=endpoint.notifier, address=endpoint.address
        )
        locked = endpoint.rows.select_for_update().get(pk=row.pk)
        locked.failures += 1
        locked.error = error[:MAX_ERROR]
        locked.probe_until = None
        if retry_after_s:
            locked.held_until = now + timedelta(seconds=retry_after_s)
        if locked.failures >= OPENS_AFTER:
            pauses = locked.failures - OPENS_AFTER
            pause_s = min(FIRST_PAUSE_S * 2 ** min(pauses, 10), LONGEST_PAUSE_S)
            locked.opened_at = locked.opened_at or now
            locked.retry_at = now + timedelta(seconds=pause_s)
        locked.save()


@dataclass(slots=True, kw_only=True)
class Door:
    """The way to an endpoint for several calls in turn; while it is well, its row is left alone."""

    endpoint: Endpoint
    _is_well: bool = False

    def enter(self, *, now: datetime) -> Held | None:
        """As ``endpoint_enter``; a rate limit takes a token for every call."""
        if self._is_well and self.endpoint.limit is None:
            return None
        return endpoint_enter(endpoint=self.endpoint, now=now)

    def leave(self, *, reason: str, error: str, retry_after_s: float | None, now: datetime) -> None:
        """As ``endpoint_leave``."""
        is_well = reason not in COUNTED
        if not (is_well and self._is_well):
            endpoint_leave(
                endpoint=self.endpoint,
                reason=reason,
                error=error,
                retry_after_s=retry_after_s,
                now=now,
            )
        self._is_well = is_well


def _close(endpoint: Endpoint) -> None:
    """Close the breaker; an answer of any kind but the counted ones means somebody is there."""
    ailing = endpoint.rows.filter(Q(failures__gt=0) | Q(opened_at__isnull=False))
    if ailing.exists():  # a healthy one costs no turn at writing
        ailing.update(
            failures=0, opened_at=None, retry_at=None, probe_until=None, held_until=None, error=""
        )


def _held(row: DeliveryEndpoint, now: datetime) -> Held | None:
    if row.opened_at is not None:
        waits = [moment for moment in (row.retry_at, row.probe_until, row.held_until) if moment]
        until = max(waits, default=now)
        if until > now:
            return Held(hold=Hold.BROKEN, until=until, error=row.error)
    elif row.held_until is not None and row.held_until > now:
        return Held(hold=Hold.ASKED, until=row.held_until, error=row.error)
    return None


def _take_probe(row: DeliveryEndpoint, now: datetime) -> bool:
    """Be the one that tries whether the endpoint is back: one statement, one winner."""
    rows = DeliveryEndpoint.objects.for_org(row.org_id).filter(pk=row.pk)
    free = rows.filter(Q(probe_until__isnull=True) | Q(probe_until__lte=now))
    return bool(free.update(probe_until=now + timedelta(seconds=PROBE_S), failures=F("failures")))


@transaction.atomic
def _take_token(endpoint: Endpoint, limit: RateLimit, now: datetime) -> Held | None:
    row, _ = DeliveryEndpoint.objects.for_org(endpoint.org_id).get_or_create(
        org_id=endpoint.org_id, notifier=endpoint.notifier, address=endpoint.address
    )
    locked = endpoint.rows.select_for_update().get(pk=row.pk)
    free_at, wait_s = limit.taken(locked.free_at, now)
    if wait_s > 0:
        return Held(hold=Hold.LIMITED, until=now + timedelta(seconds=wait_s))
    locked.free_at = free_at
    locked.save(update_fields=["free_at"])
    return None


def _host(config: Mapping[str, Any], schema: JsonObject) -> str:
    """Return host and port of the first ``x-target`` address of a configuration."""
    properties = schema.get("properties")
    if not isinstance(properties, Mapping):
        return ""
    for name, described in properties.items():
        if not isinstance(described, Mapping) or described.get("x-target") is not True:
            continue
        try:
            parts = urlsplit(str(config.get(name) or ""))
            port = parts.port
        except ValueError:
            continue
        if parts.hostname:
            return f"{parts.hostname}:{port}" if port else parts.hostname
    return ""
