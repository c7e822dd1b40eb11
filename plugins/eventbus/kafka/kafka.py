"""Kafka: an idempotent producer, a consumer group, offsets committed when all before is done."""

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar

from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition

from detectviz.contracts.errors import ConfigurationError, NetworkError, PluginError
from detectviz.contracts.eventbus import (
    BusMessage,
    EventBusConnection,
    EventBusContext,
    Received,
    Subscription,
    TopicStatus,
)
from plugins.eventbus.kafka.client_options import client_options

T = TypeVar("T")
_TOO_LARGE = {KafkaError.MSG_SIZE_TOO_LARGE, KafkaError.INVALID_MSG_SIZE}
_FOREVER = {KafkaError.TOPIC_AUTHORIZATION_FAILED, KafkaError.INVALID_RECORD} | _TOO_LARGE


def refusal(error: KafkaError) -> PluginError:
    """Return our error for one of Kafka's."""
    return PluginError(f"Kafka refuses: {error.str()}", permanent=error.code() in _FOREVER)


def asked(ask: Callable[[], T]) -> T:
    """Return what Kafka answers; turn its errors into ours."""
    try:
        return ask()
    except KafkaException as error:
        reason: KafkaError = error.args[0]
        if reason.code() in {KafkaError._TRANSPORT, KafkaError._ALL_BROKERS_DOWN}:  # noqa: SLF001 - the client's public codes
            raise NetworkError(f"Kafka does not answer: {reason.str()}", phase="connect") from error
        raise refusal(reason) from error


class KafkaEventBus:
    """Opens connections to one cluster."""

    def open(self, context: EventBusContext) -> EventBusConnection:
        """Make the producer and ask the cluster for its brokers."""
        options = client_options(context)
        tuned = {"enable.idempotence": True, "acks": "all", "linger.ms": 5}
        tuned["message.timeout.ms"] = round(context.timeout_s * 1000)
        try:
            producer = Producer({**options, **tuned})
        except KafkaException as error:
            raise ConfigurationError(f"Kafka's client refuses: {error}", field="/url") from error
        asked(lambda: producer.list_topics(timeout=context.timeout_s))
        return _Connection(producer, options, context)


@dataclass(slots=True)
class _Connection:
    producer: Producer
    options: dict[str, Any]
    context: EventBusContext
    lock: threading.Lock = field(default_factory=threading.Lock)

    def publish(self, messages: Sequence[BusMessage]) -> Sequence[PluginError | None]:
        answers: list[PluginError | None] = [PluginError("Kafka did not answer in time.")] * len(
            messages
        )

        def told(place: int) -> Callable[[KafkaError | None, Any], None]:
            def remember(error: KafkaError | None, message: Any) -> None:
                answers[place] = None if error is None else refusal(error)

            return remember

        with self.lock:
            for place, message in enumerate(messages):
                try:
                    self.producer.produce(
                        message.topic,
                        value=message.payload,
                        key=message.key.encode(),
                        headers=list(message.headers.items()),
                        on_delivery=told(place),
                    )
                except KafkaException as error:
                    answers[place] = refusal(error.args[0])
                except BufferError:
                    answers[place] = PluginError("The queue to Kafka is full.")
            self.producer.flush(self.context.timeout_s + 1)
        return answers

    def subscribe(self, *, group: str, topics: Sequence[str]) -> Subscription:
        for topic in topics:  # asking makes it, where the cluster makes topics by itself
            asked(partial(self.producer.list_topics, topic, self.context.timeout_s))
        consumer = self._consumer(group)
        asked(lambda: consumer.subscribe(list(topics)))
        return _Subscription(consumer, self.context.timeout_s)

    def _consumer(self, group: str) -> Consumer:
        tuned = {
            "group.id": group,
            "enable.auto.commit": False,
            "auto.offset.reset": "earliest",
            "session.timeout.ms": int(str(self.context.config["session_timeout_s"])) * 1000,
            "topic.metadata.refresh.interval.ms": 5000,
            "allow.auto.create.topics": True,
        }
        return Consumer({**self.options, **tuned})

    def status(self, *, group: str, topics: Sequence[str]) -> Sequence[TopicStatus]:
        consumer = self._consumer(group)
        try:
            return [asked(partial(self._status, consumer, name)) for name in topics]
        finally:
            consumer.close()

    def _status(self, consumer: Consumer, topic: str) -> TopicStatus:
        timeout_s = self.context.timeout_s
        known = consumer.list_topics(topic, timeout=timeout_s).topics.get(topic)
        if known is None or known.error is not None:
            return TopicStatus(topic=topic, depth=0, lag=0)
        places = [TopicPartition(topic, number) for number in known.partitions]
        depth = lag = 0
        for place in consumer.committed(places, timeout=timeout_s):
            low, high = consumer.get_watermark_offsets(place, timeout=timeout_s)
            depth += high - low
            lag += high - max(low, place.offset)
        return TopicStatus(topic=topic, depth=depth, lag=lag)

    def close(self) -> None:
        self.producer.flush(self.context.timeout_s)


@dataclass(slots=True)
class _Subscription:
    """``open_offsets`` are received and not done; ``next_offsets`` come after all received."""

    consumer: Consumer
    timeout_s: float
    open_offsets: dict[tuple[str, int], set[int]] = field(default_factory=dict)
    next_offsets: dict[tuple[str, int], int] = field(default_factory=dict)

    def receive(self, *, limit: int, timeout_s: float) -> Sequence[Received]:
        found: list[Received] = []
        ends_at = time.monotonic() + timeout_s
        while not found and time.monotonic() < ends_at:
            left_s = max(0.0, ends_at - time.monotonic())
            for message in asked(partial(self.consumer.consume, limit, left_s)):
                error = message.error()
                if error is None:
                    found.append(self._received(message))
                elif not error.retriable() and error.code() != KafkaError.UNKNOWN_TOPIC_OR_PART:
                    raise refusal(error)
        return found

    def _received(self, message: Any) -> Received:
        place, offset = (message.topic(), message.partition()), message.offset()
        self.open_offsets.setdefault(place, set()).add(offset)
        self.next_offsets[place] = offset + 1
        headers = {key: (value or b"").decode() for key, value in message.headers() or ()}
        carried = BusMessage(
            topic=place[0],
            key=(message.key() or b"").decode(errors="replace"),
            payload=message.value() or b"",
            headers=headers,
        )
        return Received(message=carried, receipt=f"{place[1]}:{offset}")

    def acknowledge(self, received: Sequence[Received]) -> None:
        places: set[tuple[str, int]] = set()
        for each in received:
            partition, _, offset = each.receipt.partition(":")
            place = (each.message.topic, int(partition))
            self.open_offsets.get(place, set()).discard(int(offset))
            places.add(place)
        offsets = [
            TopicPartition(*place, min(self.open_offsets[place], default=self.next_offsets[place]))
            for place in places
        ]
        if offsets:
            asked(lambda: self.consumer.commit(offsets=offsets, asynchronous=False))

    def close(self) -> None:
        self.consumer.close()
