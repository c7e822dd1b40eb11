"""The module that carries events: one process publishes, every worker consumes."""

import logging
import threading
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.conf import settings
from django.db import Error, close_old_connections, connections

from detectviz.clock import utc_now
from detectviz.contracts.errors import PluginError
from detectviz.contracts.eventbus import EventBusConnection, Subscription
from detectviz.events.connection import Breaker, bus_open
from detectviz.events.envelopes import uid_in
from detectviz.events.selectors import RELAY_LEASE
from detectviz.events.services import event_consume, outbox_publish, topics_consumed
from detectviz.events.telemetry import rejected_total
from detectviz.pluginhost.errors import PluginHostError
from detectviz.runtime.leases import lease_acquire, lease_release, process_owner

LEASE_S = 20.0
POLL_S = 0.5

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class EventBusModule:
    """Publishes the outbox (the holder of the lease) and does subscribers' work."""

    name: str = "event bus"
    depends_on: Sequence[str] = ("drivers",)
    poll_s: float = POLL_S
    breaker: Breaker = field(default_factory=Breaker)
    _stopping: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None
    _bus: EventBusConnection | None = None
    _subscription: Subscription | None = None
    _is_publisher: bool = False
    _ask_again_at: datetime | None = None

    def start(self) -> None:
        """Carry from a thread; a bus that is away is waited for there, SQL keeps the events."""
        self._thread = threading.Thread(target=self._run, name="events", daemon=True)
        self._thread.start()

    def stop(self, deadline_s: float) -> None:
        """Finish the batch under way."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join(deadline_s)

    def _run(self) -> None:
        while not self._stopping.is_set():
            close_old_connections()
            if self.breaker.is_open:
                self._stopping.wait(self.poll_s)
                continue
            try:
                self.step()
            except (PluginError, PluginHostError, Error) as error:
                logger.warning("the event bus rests: %s", error)
                self._part()
            except Exception:
                logger.exception("the event bus rests")
                self._part()
            else:
                self.breaker.succeed()
        self._let_go()
        with suppress(Error):
            lease_release(name=RELAY_LEASE, owner=process_owner())
        connections.close_all()

    def step(self) -> int:
        """Publish what is due, consume what comes; return how many messages were consumed."""
        if self._bus is None:
            self._bus = bus_open()
        now = utc_now()
        if self._may_publish(now):
            outbox_publish(bus=self._bus, now=now)
        return self._consume(self._bus)

    def _may_publish(self, now: datetime) -> bool:
        """Say whether this process holds the lease; asked of SQL a few times per lease only."""
        if self._ask_again_at is None or now >= self._ask_again_at:
            epoch = lease_acquire(name=RELAY_LEASE, owner=process_owner(), ttl_s=LEASE_S, now=now)
            self._is_publisher = epoch is not None
            self._ask_again_at = now + timedelta(seconds=LEASE_S / 4)
        return self._is_publisher

    def _consume(self, bus: EventBusConnection) -> int:
        topics = topics_consumed()
        if not topics:
            self._stopping.wait(self.poll_s)
            return 0
        if self._subscription is None:
            self._subscription = bus.subscribe(group=settings.EVENTBUS_GROUP, topics=topics)
        received = self._subscription.receive(limit=100, timeout_s=self.poll_s)
        for each in received:
            uid = uid_in(each.message.payload)
            if not uid:
                rejected_total.inc()
                continue
            event_consume(uid=uid, now=utc_now())
        if received:
            self._subscription.acknowledge(received)
        return len(received)

    def _part(self) -> None:
        self.breaker.fail()
        self._let_go()

    def _let_go(self) -> None:
        for each in (self._subscription, self._bus):
            if each is not None:
                with suppress(Exception):  # it failed, and is left
                    each.close()
        self._subscription = self._bus = None
