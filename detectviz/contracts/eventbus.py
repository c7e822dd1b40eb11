"""Event buses: one verb, ``open``. The host owns the outbox, retries, breaker and dead letters.

A bus carries bytes between processes. It is never the truth: the host keeps every event in SQL and
publishes again what no subscriber has confirmed, so a bus may lose all it holds.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from detectviz.contracts.errors import PluginError
from detectviz.contracts.types import JsonObject


@dataclass(frozen=True, slots=True, kw_only=True)
class BusMessage:
    """One event on its way. ``key`` keeps the order of what shares it, where the bus can.

    ``payload`` is a CloudEvent in structured mode (JSON); ``headers`` repeat its attributes.
    """

    topic: str
    key: str
    payload: bytes
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """A message handed to a subscription; ``receipt`` is the bus's own mark for it."""

    message: BusMessage
    receipt: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TopicStatus:
    """How much a topic holds, and how much of it the group has not acknowledged (None: unknown)."""

    topic: str
    depth: int | None
    lag: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class EventBusContext:
    """Everything a connection may use. ``config`` has passed the schema, defaults filled.

    ``redeliver_s``: how long a received message may stay unacknowledged before a bus that hands
    it to another subscription of the group does so. ``client_id`` names this process.
    """

    config: JsonObject
    secrets: Mapping[str, str]
    timeout_s: float
    redeliver_s: float
    client_id: str
    logger: logging.Logger


class Subscription(Protocol):
    """What one member of a group receives; used by one thread."""

    def receive(self, *, limit: int, timeout_s: float) -> Sequence[Received]:
        """Return up to ``limit`` messages; empty after ``timeout_s``. Raise PluginError."""

    def acknowledge(self, received: Sequence[Received]) -> None:
        """Mark as done: they do not come again. Raise PluginError when the bus did not hear it."""

    def close(self) -> None:
        """Leave the group; what was not acknowledged comes again to its next member."""


class EventBusConnection(Protocol):
    """An open connection; ``publish`` and ``status`` may be called by several threads."""

    def publish(self, messages: Sequence[BusMessage]) -> Sequence[PluginError | None]:
        """Hand over ``messages`` in order; return per message None, or why it was not taken.

        Return only when the bus holds what is answered with None. Raise PluginError when nothing
        can be said of any (the connection failed): all are then published again.
        """

    def subscribe(self, *, group: str, topics: Sequence[str]) -> Subscription:
        """Join ``group``: each message of ``topics`` goes to one member, from the oldest kept."""

    def status(self, *, group: str, topics: Sequence[str]) -> Sequence[TopicStatus]:
        """Ask the bus how much waits; raise PluginError when it does not answer."""

    def close(self) -> None:
        """Let go of the bus."""


class EventBus(Protocol):
    """An event bus plugin's capability class; constructed once per process, without arguments."""

    def open(self, context: EventBusContext) -> EventBusConnection:
        """Connect; raise ConfigurationError or NetworkError within ``timeout_s``."""
