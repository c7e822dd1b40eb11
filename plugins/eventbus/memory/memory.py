"""Events inside one process: what the embedded size uses. A restart empties it."""

import threading
import time
from collections import defaultdict, deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from detectviz.contracts.errors import PluginError
from detectviz.contracts.eventbus import (
    BusMessage,
    EventBusConnection,
    EventBusContext,
    Received,
    Subscription,
    TopicStatus,
)

Entry = tuple[int, BusMessage]


@dataclass(slots=True)
class _Group:
    """What one group has not received yet, and what it has not acknowledged, by receipt."""

    waiting: deque[Entry] = field(default_factory=deque)
    taken: dict[str, Entry] = field(default_factory=dict)


@dataclass(slots=True)
class _Topic:
    most: int
    entries: deque[Entry] = field(default_factory=deque)
    groups: dict[str, _Group] = field(default_factory=dict)
    count: int = 0

    def append(self, message: BusMessage) -> None:
        self.count += 1
        self.entries.append((self.count, message))
        for group in self.groups.values():
            group.waiting.append((self.count, message))
            if len(group.waiting) > self.most:
                group.waiting.popleft()
        if len(self.entries) > self.most:
            self.entries.popleft()

    def group(self, name: str) -> _Group:
        if name not in self.groups:
            self.groups[name] = _Group(waiting=deque(self.entries))
        return self.groups[name]


@dataclass(slots=True)
class _Broker:
    """All topics of one configured name; connections of a process share it."""

    most: int
    changed: threading.Condition = field(default_factory=threading.Condition)
    topics: dict[str, _Topic] = field(default_factory=dict)

    def topic(self, name: str) -> _Topic:
        return self.topics.setdefault(name, _Topic(most=self.most))


class MemoryEventBus:
    """Keeps the brokers of this process, one per ``url``."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._brokers: dict[str, _Broker] = {}

    def open(self, context: EventBusContext) -> EventBusConnection:
        """Return a connection to the broker of this name, making it on first use."""
        most = int(str(context.config["max_messages"]))
        with self._lock:
            broker = self._brokers.setdefault(str(context.config["url"]), _Broker(most=most))
        return _Connection(broker)


@dataclass(slots=True)
class _Connection:
    broker: _Broker

    def publish(self, messages: Sequence[BusMessage]) -> Sequence[PluginError | None]:
        with self.broker.changed:
            for message in messages:
                self.broker.topic(message.topic).append(message)
            self.broker.changed.notify_all()
        return [None] * len(messages)

    def subscribe(self, *, group: str, topics: Sequence[str]) -> Subscription:
        with self.broker.changed:
            for name in topics:
                self.broker.topic(name).group(group)
        return _Subscription(self.broker, group, tuple(topics))

    def status(self, *, group: str, topics: Sequence[str]) -> Sequence[TopicStatus]:
        with self.broker.changed:
            return [_status(name, self.broker.topic(name), group) for name in topics]

    def close(self) -> None:
        pass


def _status(name: str, topic: _Topic, group: str) -> TopicStatus:
    known = topic.groups.get(group)
    lag = len(topic.entries) if known is None else len(known.waiting) + len(known.taken)
    return TopicStatus(topic=name, depth=len(topic.entries), lag=lag)


@dataclass(slots=True)
class _Subscription:
    broker: _Broker
    group: str
    topics: tuple[str, ...]
    mine: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))

    def receive(self, *, limit: int, timeout_s: float) -> Sequence[Received]:
        ends_at = time.monotonic() + timeout_s
        with self.broker.changed:
            while True:
                found = self._take(limit)
                left_s = ends_at - time.monotonic()
                if found or left_s <= 0:
                    return found
                self.broker.changed.wait(left_s)

    def _take(self, limit: int) -> list[Received]:
        found: list[Received] = []
        for name in self.topics:
            group = self.broker.topic(name).group(self.group)
            while group.waiting and len(found) < limit:
                number, message = group.waiting.popleft()
                receipt = str(number)
                group.taken[receipt] = (number, message)
                self.mine[name].add(receipt)
                found.append(Received(message=message, receipt=receipt))
        return found

    def acknowledge(self, received: Sequence[Received]) -> None:
        with self.broker.changed:
            for each in received:
                name = each.message.topic
                self.broker.topic(name).group(self.group).taken.pop(each.receipt, None)
                self.mine[name].discard(each.receipt)

    def close(self) -> None:
        with self.broker.changed:
            for name, receipts in self.mine.items():
                group = self.broker.topic(name).group(self.group)
                left = [group.taken.pop(each) for each in receipts if each in group.taken]
                group.waiting.extendleft(sorted(left, key=lambda entry: entry[0], reverse=True))
            self.mine.clear()
            self.broker.changed.notify_all()
