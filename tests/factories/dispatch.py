"""One org, one receiver that writes down what it is told, and a clock that the test turns."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from apps.extensions.selectors import plugin_host_use
from apps.notifications.enums import DeliveryStatus
from apps.notifications.models import AlertGroup, ContactPoint, Delivery
from apps.notifications.selectors import routing_tree_get
from apps.notifications.services import outcomes
from apps.notifications.services.bootstrap import org_prepare
from apps.notifications.services.configuration import contact_point_write, routing_tree_write
from apps.notifications.services.delivery import deliveries_send
from apps.notifications.services.delivery_leases import deliveries_due
from apps.notifications.services.dispatch import dispatch
from apps.notifications.services.inbox import alerts_receive
from apps.orgs.models import Org
from detectviz.contracts.notifier import Notification, NotifierContext, Receipt
from detectviz.contracts.types import JsonObject
from detectviz.events.types import AlertChanged
from detectviz.pluginhost.host import HostOptions, PluginHost
from detectviz.testing.plugins import built_in_plugins
from tests.factories.orgs import make_org

START = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass
class Receiver:
    """A notifier that writes down what it was told, and may be told to fail."""

    told: list[Notification] = field(default_factory=list)
    threads: list[JsonObject] = field(default_factory=list)
    failures: list[Exception] = field(default_factory=list)

    def notify(self, notification: Notification, context: NotifierContext) -> Receipt:
        if self.failures:
            raise self.failures.pop(0)
        self.told.append(notification)
        self.threads.append(context.thread)
        thread = {"message": len(self.told), **context.thread}
        return Receipt(status_code=200, answer="ok", thread=thread)

    @property
    def words(self) -> list[tuple[str, list[str], list[str]]]:
        return [
            (
                item.status.value,
                sorted(alert.fingerprint for alert in item.firing),
                sorted(alert.fingerprint for alert in item.resolved),
            )
            for item in self.told
        ]


@dataclass
class World:
    """One org with one receiver, and the time."""

    org: Org
    receiver: Receiver
    now: datetime = START

    def say(self, fingerprint: str, status: str = "firing", **labels: str) -> None:
        alerts_receive(
            events=[
                AlertChanged(
                    org_id=self.org.pk,
                    fingerprint=fingerprint,
                    status="firing" if status == "firing" else "resolved",
                    labels={"alertname": "Down", **labels},
                    annotations={"summary": fingerprint},
                    starts_at=self.now,
                    ends_at=self.now if status == "resolved" else self.now + timedelta(days=30),
                    rule_group="web",
                    rule="Down",
                    value=1.0,
                    is_transition=True,
                )
            ]
        )

    def run(self, seconds: float) -> None:
        """Let time pass, ticking a second after now and then whenever something is due."""
        ends_at = self.now + timedelta(seconds=seconds)
        self.now += timedelta(seconds=1)
        while self.now <= ends_at:
            dispatch(now=self.now)
            for delivery_id, *_ in deliveries_due(now=self.now):
                deliveries_send(delivery_ids=[delivery_id], clock=lambda: self.now)
            self.now = self._next_due()
        self.now = ends_at

    def _next_due(self) -> datetime:
        pending = Delivery.all_orgs.filter(status=DeliveryStatus.PENDING)
        times = [
            *AlertGroup.all_orgs.values_list("next_flush_at", flat=True),
            *pending.values_list("next_attempt_at", flat=True),
            *pending.values_list("lease_until", flat=True),
        ]
        later = [moment for moment in times if moment and moment > self.now]
        return min(later, default=self.now + timedelta(days=1)) + timedelta(milliseconds=1)


@contextmanager
def world_made(monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """Give a world whose every notifier is its receiver."""
    receiver = Receiver()
    store = built_in_plugins().store
    plugin_host_use(PluginHost(store, HostOptions(loader=lambda *_: receiver)))
    monkeypatch.setattr(outcomes, "JITTER", 0.0)
    org = make_org()
    org_prepare(org_id=org.pk)
    world = World(org, receiver)
    configure(world)
    yield world
    plugin_host_use(None)


def configure(world: World, **options: Any) -> None:
    """Write the contact point and the tree with short times; ``options`` are the root's."""
    receivers = [
        {
            "notifier": "webhook",
            "config": {"url": "http://127.0.0.1:9/hook"},
            "secrets": {},
            "send_resolved": options.pop("send_resolved", True),
        }
    ]
    known = ContactPoint.all_orgs.filter(org_id=world.org.pk, name="ops").first()
    contact_point_write(org=world.org, name="ops", title="", receivers=receivers, instance=known)
    tree = {
        "contact_point": "ops",
        "group_by": ["alertname"],
        "group_wait": "10s",
        "group_interval": "60s",
        "repeat_interval": "300s",
        **options,
    }
    routing_tree_write(
        org=world.org, name="default", root=tree, instance=routing_tree_get(org=world.org)
    )
