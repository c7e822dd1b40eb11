"""The conformance suite of event buses: subclass it with a server and a configuration."""

import logging
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

import pytest

from detectviz.contracts.eventbus import (
    BusMessage,
    EventBus,
    EventBusConnection,
    EventBusContext,
    Received,
    Subscription,
)
from detectviz.contracts.types import JsonObject, PluginKind
from detectviz.testing.plugins import built_in_plugins, checked_config

TIMEOUT_S = 5.0
PATIENCE_S = 30.0


def make_context(
    name: str,
    config: JsonObject,
    *,
    secrets: Mapping[str, str] | None = None,
    redeliver_s: float = 1.0,
) -> EventBusContext:
    """Return a context with a configuration the plugin's schema accepts."""
    checked = checked_config(PluginKind.EVENTBUS, name, config)
    return EventBusContext(
        config=checked.config,
        secrets=dict(secrets or {}),
        timeout_s=TIMEOUT_S,
        redeliver_s=redeliver_s,
        client_id="conformance",
        logger=logging.getLogger("conformance"),
    )


def make_message(topic: str, number: int, *, key: str = "org", size: int = 0) -> BusMessage:
    """Return a message whose payload starts with ``number``."""
    payload = f"{number} ".encode() + "ö\x00\n".encode() + b"x" * size
    return BusMessage(topic=topic, key=key, payload=payload, headers={"ce_id": str(number)})


def number_of(received: Received) -> int:
    """Return the number a payload starts with."""
    return int(received.message.payload.split()[0])


def receive_until(
    subscription: Subscription, is_enough: Callable[[list[Received]], bool], limit: int = 100
) -> list[Received]:
    """Receive until ``is_enough`` or patience ends; acknowledge nothing."""
    found: list[Received] = []
    ends_at = time.monotonic() + PATIENCE_S
    while not is_enough(found) and time.monotonic() < ends_at:
        found += subscription.receive(limit=limit, timeout_s=0.3)
    return found


class EventBusConformance:
    """Every event bus passes it. ``name`` is the plugin's, ``config`` a fixture of its server."""

    name: str

    @pytest.fixture
    def config(self) -> JsonObject:
        """Return the configuration of a running bus."""
        raise NotImplementedError

    @pytest.fixture
    def bus(self, config: JsonObject) -> Iterator[EventBusConnection]:
        """Open a connection for one test."""
        with self.opened(config) as connection:
            yield connection

    @contextmanager
    def opened(self, config: JsonObject) -> Iterator[EventBusConnection]:
        """Open a further connection."""
        plugin: EventBus = self.plugin()
        connection = plugin.open(make_context(self.name, config))
        yield connection
        connection.close()

    def plugin(self) -> EventBus:
        """Return the plugin's one instance of this process."""
        if self.name not in _instances:
            loaded = built_in_plugins().load(PluginKind.EVENTBUS, self.name)
            _instances[self.name] = loaded
        return _instances[self.name]

    @pytest.fixture
    def topic(self) -> str:
        """Return a topic of this test's own."""
        return f"test.{uuid.uuid4().hex[:12]}"

    @pytest.fixture
    def group(self, topic: str) -> str:
        """Return a group of this test's own."""
        return f"group-{topic}"

    def test_what_is_published_arrives_whole_and_in_order_of_its_key(
        self, bus: EventBusConnection, topic: str, group: str
    ) -> None:
        subscription = bus.subscribe(group=group, topics=[topic])
        sent = [make_message(topic, number) for number in range(20)]
        assert list(bus.publish(sent)) == [None] * 20
        found = receive_until(subscription, lambda got: len(got) >= 20)
        assert [each.message for each in found] == sent
        subscription.acknowledge(found)
        subscription.close()

    def test_a_group_that_comes_late_starts_at_the_oldest(
        self, bus: EventBusConnection, topic: str, group: str
    ) -> None:
        bus.publish([make_message(topic, number) for number in range(3)])
        subscription = bus.subscribe(group="late", topics=[topic])
        found = receive_until(subscription, lambda got: len(got) >= 3)
        assert [number_of(each) for each in found] == [0, 1, 2]
        subscription.close()

    def test_every_group_receives_every_message(self, bus: EventBusConnection, topic: str) -> None:
        bus.publish([make_message(topic, 7)])
        for name in ("one", "two"):
            subscription = bus.subscribe(group=f"{topic}-{name}", topics=[topic])
            found = receive_until(subscription, bool)
            assert [number_of(each) for each in found] == [7]
            subscription.acknowledge(found)
            subscription.close()

    def test_what_is_acknowledged_does_not_come_again_and_the_rest_does(
        self, bus: EventBusConnection, config: JsonObject, topic: str, group: str
    ) -> None:
        bus.publish([make_message(topic, number) for number in range(6)])
        first = bus.subscribe(group=group, topics=[topic])
        found = receive_until(first, lambda got: len(got) >= 6)
        first.acknowledge(found[:4])
        first.close()
        with self.opened(config) as another:
            second = another.subscribe(group=group, topics=[topic])
            again = receive_until(second, lambda got: {number_of(x) for x in got} >= {4, 5})
            assert {number_of(each) for each in again} == {4, 5}
            second.acknowledge(again)
            second.close()

    def test_a_subscription_hears_only_its_topics(
        self, bus: EventBusConnection, topic: str, group: str
    ) -> None:
        bus.publish([make_message(f"{topic}.other", 1), make_message(topic, 2)])
        subscription = bus.subscribe(group=group, topics=[topic])
        found = receive_until(subscription, bool)
        assert [number_of(each) for each in found] == [2]
        subscription.close()

    def test_one_subscription_hears_several_topics(
        self, bus: EventBusConnection, topic: str, group: str
    ) -> None:
        topics = [topic, f"{topic}.two"]
        bus.publish([make_message(each, place) for place, each in enumerate(topics)])
        subscription = bus.subscribe(group=group, topics=topics)
        found = receive_until(subscription, lambda got: len(got) >= 2)
        assert {each.message.topic for each in found} == set(topics)
        subscription.close()

    def test_receiving_nothing_ends_in_time(
        self, bus: EventBusConnection, topic: str, group: str
    ) -> None:
        subscription = bus.subscribe(group=group, topics=[topic])
        subscription.receive(limit=1, timeout_s=0.1)
        begun = time.monotonic()
        assert list(subscription.receive(limit=1, timeout_s=0.2)) == []
        assert time.monotonic() - begun < TIMEOUT_S
        subscription.close()

    def test_lag_counts_what_is_not_acknowledged(
        self, bus: EventBusConnection, topic: str, group: str
    ) -> None:
        bus.publish([make_message(topic, number) for number in range(5)])
        assert self._lag(bus, topic, group) == 5
        subscription = bus.subscribe(group=group, topics=[topic])
        found = receive_until(subscription, lambda got: len(got) >= 5)
        subscription.acknowledge(found)
        ends_at = time.monotonic() + PATIENCE_S
        while self._lag(bus, topic, group) and time.monotonic() < ends_at:
            subscription.receive(limit=1, timeout_s=0.05)
        assert self._lag(bus, topic, group) == 0
        subscription.close()

    def _lag(self, bus: EventBusConnection, topic: str, group: str) -> int | None:
        (status,) = bus.status(group=group, topics=[topic])
        return status.lag


_instances: dict[str, EventBus] = {}
