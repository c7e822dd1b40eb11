"""Lease, send, mark after: at least once on the wire, one idempotency key per delivery."""

import logging
import time
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from prometheus_client import Histogram

from apps.extensions.selectors import plugin_client, plugin_manifest
from apps.notifications.models import Delivery
from apps.notifications.services.delivered import Delivered, deliveries_complete
from apps.notifications.services.delivery_leases import (
    LEASE_S,
    deliveries_give_back,
    deliveries_lease,
    payloads_read,
)
from apps.notifications.services.endpoints import Door, Endpoint, endpoint_of
from apps.notifications.services.outcomes import Attempt, delivery_fail, delivery_hold
from apps.notifications.services.outward import notifier_context
from apps.notifications.services.payload import notification_to_send
from apps.notifications.services.receivers import receiver_find
from apps.notifications.services.templates import Library, library_of, notification_render
from apps.notifications.services.threads import threads_of
from detectviz.clock import Clock
from detectviz.contracts.errors import DeliveryError, PluginError
from detectviz.contracts.notifier import Notification, Notifier, Receipt
from detectviz.contracts.types import JsonObject, PluginKind
from detectviz.pluginhost.errors import PluginHostError
from detectviz.runtime.insisting import PASSING, insist

TIMEOUT_S = 15.0
GIVEN_BACK_WITHIN_S = 10.0
BEGUN_WITHIN_S = 1.0  # of several taken together: what comes later is left to other workers
WRITTEN_WITHIN_S = 0.25  # answers that come quickly are written down together
READ_AHEAD = 2_000  # alerts whose payloads are held at once
_MARGIN_S = 5.0
_WRITING_S = (LEASE_S - TIMEOUT_S - _MARGIN_S) / 2

logger = logging.getLogger(__name__)

duration_seconds = Histogram(
    "detectviz_notification_duration_seconds", "Duration of one attempt.", ["notifier"]
)


def deliveries_send(*, delivery_ids: Sequence[int], clock: Clock) -> list[int]:
    """Attempt deliveries of one receiver one after the other; return those there was no time for.

    Left out are those that somebody else is at. What holds for all of them is asked once. Each has
    a lease of its own and is marked only after its positive answer, together with others that were
    answered within a moment.
    """
    leased = deliveries_lease(delivery_ids=delivery_ids, now=clock())
    if not leased:
        return []
    waiting = deque(leased)
    try:
        _send(waiting, clock)
    except PASSING as error:
        # Nothing is known of them yet, so nobody needs to wait until the leases run out.
        begun = leased[: len(leased) - len(waiting)]
        logger.warning("%d deliveries are tried again: %s", len(leased), error)
        insist(lambda: deliveries_give_back(begun, begun=True), within_s=GIVEN_BACK_WITHIN_S)
    finally:
        left = list(waiting)
        insist(lambda: deliveries_give_back(left, begun=False), within_s=GIVEN_BACK_WITHIN_S)
    return [each.pk for each in left]


def _send(waiting: deque[Delivery], clock: Clock) -> None:
    """Send what is waiting while there is time; what was begun is no longer waiting."""
    ends_at = time.monotonic() + BEGUN_WITHIN_S
    target = target_of(waiting[0])
    if target is None:
        while waiting:
            _fail_gone(waiting.popleft(), clock)
        return
    way = _Way.to(target, waiting, clock)
    try:
        while waiting:
            way.read(waiting)
            way.send(waiting.popleft())
            if time.monotonic() > ends_at:
                return
    finally:
        way.write()


def _fail_gone(delivery: Delivery, clock: Clock) -> None:
    gone = DeliveryError(
        "The receiver was removed meanwhile.", reason="clientError", permanent=True
    )
    delivery_fail(delivery=delivery, attempt=Attempt(duration_s=0.0, error=gone), now=clock())


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


@dataclass(slots=True, kw_only=True)
class _Way:
    """What deliveries of one receiver share on their way, and answers not yet written down."""

    target: Target
    door: Door
    library: Library
    threads: dict[str, JsonObject]  # by key digest
    clock: Clock
    told: set[str] = field(default_factory=set)  # key digests
    answered: list[Delivered] = field(default_factory=list)
    unwritten_since: float = 0.0

    @classmethod
    def to(cls, target: Target, deliveries: Sequence[Delivery], clock: Clock) -> "_Way":
        """Return the way to where deliveries go, at least one of them."""
        notifier = target.receiver["notifier"]
        return cls(
            target=target,
            door=Door(endpoint=target.endpoint),
            library=library_of(org_id=deliveries[0].org_id),
            threads=threads_of(deliveries=deliveries, notifier=notifier),
            clock=clock,
        )

    def read(self, waiting: Sequence[Delivery]) -> None:
        """Have the payload of the next one at hand, with those of some that follow."""
        if "payload" in waiting[0].get_deferred_fields():
            payloads_read(list(_ahead(waiting)))

    def send(self, delivery: Delivery) -> None:
        """Attempt one delivery, unless its endpoint is to be left alone or its lease is over."""
        held = self.door.enter(now=self.clock())
        if held is not None:
            delivery_hold(delivery=delivery, held=held, now=self.clock())
            return
        if delivery.lease_until is None or self.clock() >= delivery.lease_until:
            return  # this process stood still past its lease: whoever took over says what holds now
        if delivery.key_digest in self.told:
            self._catch_up(delivery)
        if not self.answered:
            self.unwritten_since = time.monotonic()
        attempt = self._attempt(delivery)
        del delivery.payload  # large, and read again should somebody else be told instead
        duration_seconds.labels(delivery.notifier).observe(attempt.duration_s)
        # The answer is there once. A database that is away for less than the lease takes it later.
        insist(lambda: self._leave(attempt), within_s=_WRITING_S)
        self._note(delivery, attempt)

    def write(self) -> None:
        """Write down who was told; what spoils that for several is left out."""
        answered, self.answered = self.answered, []
        try:
            _write(answered)
        except PASSING:
            raise
        except Exception:
            logger.exception("What %d receivers were told can't be written down.", len(answered))
            for each in answered if len(answered) > 1 else ():
                self.answered = [each]
                self.write()

    def _catch_up(self, delivery: Delivery) -> None:
        """Know what came of the group's last word before the next one."""
        self.write()
        notifier = self.target.receiver["notifier"]
        self.threads |= threads_of(deliveries=[delivery], notifier=notifier)

    def _note(self, delivery: Delivery, attempt: Attempt) -> None:
        if attempt.receipt is None:
            insist(
                lambda: delivery_fail(delivery=delivery, attempt=attempt, now=self.clock()),
                within_s=_WRITING_S,
            )
            return
        self.told.add(delivery.key_digest)
        self.answered.append(
            Delivered(delivery=delivery, attempt=attempt, receipt=attempt.receipt, at=self.clock())
        )
        if time.monotonic() - self.unwritten_since > WRITTEN_WITHIN_S:
            self.write()

    def _leave(self, attempt: Attempt) -> None:
        self.door.leave(
            reason=attempt.reason,
            error=attempt.error.message if attempt.error else "",
            retry_after_s=attempt.retry_after_s,
            now=self.clock(),
        )

    def _attempt(self, delivery: Delivery) -> Attempt:
        receiver = self.target.receiver
        rendered = notification_render(
            library=self.library,
            notification=notification_to_send(delivery),
            receiver=receiver,
            schema=self.target.schema,
        )
        attempt = receiver_notify(
            notifier=receiver["notifier"],
            config=dict(rendered.config),
            secrets=self.target.secrets,
            notification=rendered.notification,
            thread=self.threads.get(delivery.key_digest),
        )
        return replace(attempt, notes=rendered.notes)


def _write(answered: Sequence[Delivered]) -> None:
    if answered:
        insist(lambda: deliveries_complete(answered), within_s=_WRITING_S)


def _ahead(waiting: Sequence[Delivery]) -> Iterator[Delivery]:
    """Yield the first that waits and those after it, up to so many alerts."""
    count = 0
    for delivery in waiting:
        count += len(delivery.firing) + len(delivery.resolved)
        if count > READ_AHEAD and delivery is not waiting[0]:
            return
        yield delivery


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
