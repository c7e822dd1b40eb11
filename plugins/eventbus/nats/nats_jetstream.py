"""NATS JetStream: one stream for all topics, a durable pull consumer per group and topic."""

import asyncio
import hashlib
import ssl
import threading
from collections.abc import Coroutine, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, TypeVar

import nats
from nats import errors
from nats.js import errors as js_errors
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy, Header, StreamConfig

from detectviz.contracts.errors import ConfigurationError, NetworkError, PluginError
from detectviz.contracts.eventbus import (
    BusMessage,
    EventBusConnection,
    EventBusContext,
    Received,
    Subscription,
    TopicStatus,
)

T = TypeVar("T")
KEY_HEADER = "Detectviz-Key"


class _Loop:
    """An event loop in a thread of its own, for a client that has only coroutines."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="nats", daemon=True)
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, T], timeout_s: float) -> T:
        """Wait for ``work``; turn its errors into ours."""
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result(timeout_s)
        except (errors.MaxPayloadError, js_errors.BadRequestError) as error:
            raise PluginError(f"NATS refuses: {error}", permanent=True) from error
        except (errors.Error, OSError, TimeoutError) as error:
            future.cancel()
            reason = str(error) or type(error).__name__
            raise NetworkError(f"NATS does not answer: {reason}", phase="connect") from error

    def end(self) -> None:
        """Stop the loop and its thread."""
        with suppress(TimeoutError):
            asyncio.run_coroutine_threadsafe(_cancel_others(), self._loop).result(5)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)
        self._loop.close()


async def _cancel_others() -> None:
    """End what the client left running."""
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)


class NatsEventBus:
    """Opens connections to one NATS server or cluster."""

    def open(self, context: EventBusContext) -> EventBusConnection:
        """Connect, with JetStream."""
        loop = _Loop()
        try:
            client = loop.run(_connect(context), context.timeout_s + 2)
        except BaseException:
            loop.end()
            raise
        return _Connection(loop, client, context)


async def _connect(context: EventBusContext) -> Any:
    config = context.config
    options: dict[str, Any] = {
        "servers": str(config["url"]).split(","),
        "name": context.client_id,
        "connect_timeout": context.timeout_s,
        "max_reconnect_attempts": -1,
        "allow_reconnect": True,
        "reconnect_time_wait": 0.2,
        "error_cb": _ignore,  # told by the calls that fail
    }
    if config.get("username"):
        options |= {"user": config["username"], "password": context.secrets.get("password", "")}
    if context.secrets.get("token"):
        options["token"] = context.secrets["token"]
    if config["tls"]:
        options["tls"] = _tls(context)
    try:
        return await asyncio.wait_for(nats.connect(**options), context.timeout_s)
    except (ValueError, ssl.SSLError) as error:
        raise ConfigurationError(f"NATS refuses: {error}", field="/url") from error


async def _ignore(error: Exception) -> None:
    pass


def _tls(context: EventBusContext) -> ssl.SSLContext:
    config = context.config
    made = ssl.create_default_context(cafile=str(config.get("ca_file") or "") or None)
    if config.get("certificate_file"):
        made.load_cert_chain(str(config["certificate_file"]), str(config["key_file"]))
    if not config["verify_tls"]:
        made.check_hostname = False
        made.verify_mode = ssl.CERT_NONE
    return made


@dataclass(slots=True)
class _Connection:
    loop: _Loop
    client: Any
    context: EventBusContext

    @property
    def stream(self) -> str:
        return str(self.context.config["stream"])

    def publish(self, messages: Sequence[BusMessage]) -> Sequence[PluginError | None]:
        topics = sorted({message.topic for message in messages})
        return self.loop.run(self._publish(messages, topics), self.context.timeout_s * 2 + 2)

    async def _publish(
        self, messages: Sequence[BusMessage], topics: Sequence[str]
    ) -> list[PluginError | None]:
        answers = await self._published(messages)
        if any(isinstance(answer, js_errors.NoStreamResponseError) for answer in answers):
            await self._ensure(topics)
            answers = await self._published(messages)
        return [_refusal(answer) for answer in answers]

    async def _published(self, messages: Sequence[BusMessage]) -> list[Any]:
        stream = self.client.jetstream(timeout=self.context.timeout_s)
        sent = [
            stream.publish(
                message.topic,
                message.payload,
                headers={**message.headers, KEY_HEADER: message.key},
                stream=self.stream,
            )
            for message in messages
        ]
        return list(await asyncio.gather(*sent, return_exceptions=True))

    async def _ensure(self, topics: Sequence[str]) -> None:
        """Make the stream carry ``topics``: created, or its subjects extended."""
        stream = self.client.jetstream(timeout=self.context.timeout_s)
        most = int(str(self.context.config["max_messages"]))
        replicas = int(str(self.context.config["replicas"]))
        wanted = StreamConfig(
            name=self.stream, subjects=list(topics), max_msgs=most, num_replicas=replicas
        )
        try:
            known = (await stream.stream_info(self.stream)).config
        except js_errors.NotFoundError:
            await stream.add_stream(wanted)
            return
        subjects = sorted({*(known.subjects or ()), *topics})
        if subjects != sorted(known.subjects or ()):
            await stream.update_stream(known.evolve(subjects=subjects))

    def subscribe(self, *, group: str, topics: Sequence[str]) -> Subscription:
        return _Subscription(self, group, tuple(topics))

    async def join(self, group: str, topics: Sequence[str]) -> dict[str, Any]:
        await self._ensure(topics)
        stream = self.client.jetstream(timeout=self.context.timeout_s)
        options = ConsumerConfig(
            ack_policy=AckPolicy.EXPLICIT,
            deliver_policy=DeliverPolicy.ALL,
            ack_wait=self.context.redeliver_s,
        )
        return {
            topic: await stream.pull_subscribe(
                topic, durable=durable(group, topic), stream=self.stream, config=options
            )
            for topic in topics
        }

    def status(self, *, group: str, topics: Sequence[str]) -> Sequence[TopicStatus]:
        return self.loop.run(self._status(group, topics), self.context.timeout_s + 2)

    async def _status(self, group: str, topics: Sequence[str]) -> list[TopicStatus]:
        stream = self.client.jetstream(timeout=self.context.timeout_s)
        try:
            info = await stream.stream_info(self.stream, subjects_filter=">")
        except js_errors.NotFoundError:
            return [TopicStatus(topic=topic, depth=0, lag=0) for topic in topics]
        held = info.state.subjects or {}
        found: list[TopicStatus] = []
        for topic in topics:
            depth = int(held.get(topic, 0))
            try:
                row = await stream.consumer_info(self.stream, durable(group, topic))
                lag = int(row.num_pending or 0) + int(row.num_ack_pending or 0)
            except js_errors.NotFoundError:
                lag = depth
            found.append(TopicStatus(topic=topic, depth=depth, lag=lag))
        return found

    def close(self) -> None:
        try:
            self.loop.run(self.client.close(), self.context.timeout_s)
        except PluginError as error:
            self.context.logger.info("NATS was gone before it was left: %s", error)
        self.loop.end()


def durable(group: str, topic: str) -> str:
    """Return the name of the group's consumer of a topic: dots are not allowed there."""
    digest = hashlib.sha256(f"{group}\0{topic}".encode()).hexdigest()[:12]
    return f"{group}-{topic}".replace(".", "-").replace(" ", "-")[:100] + f"-{digest}"


def _refusal(answer: object) -> PluginError | None:
    if isinstance(answer, errors.MaxPayloadError):
        return PluginError(f"NATS refuses: {answer}", permanent=True)
    if isinstance(answer, BaseException):
        return PluginError(f"NATS refuses: {str(answer) or type(answer).__name__}")
    return None


@dataclass(slots=True)
class _Subscription:
    connection: _Connection
    group: str
    topics: tuple[str, ...]
    consumers: dict[str, Any] = field(default_factory=dict)
    held: dict[str, Any] = field(default_factory=dict)

    def receive(self, *, limit: int, timeout_s: float) -> Sequence[Received]:
        work = self._receive(limit, timeout_s)
        return self.connection.loop.run(work, timeout_s + self.connection.context.timeout_s + 2)

    async def _receive(self, limit: int, timeout_s: float) -> list[Received]:
        if not self.consumers:
            self.consumers = await self.connection.join(self.group, self.topics)
        fetched = [self._fetch(each, limit, timeout_s) for each in self.consumers.values()]
        batches = await asyncio.gather(*fetched)
        if not any(batches):
            await self._look()
        return [self._received(message) for batch in batches for message in batch]

    async def _look(self) -> None:
        """Join again when the consumers went with the stream (a flushed or emptied server)."""
        stream = self.connection.client.jetstream(timeout=self.connection.context.timeout_s)
        try:
            for topic in self.topics:
                await stream.consumer_info(self.connection.stream, durable(self.group, topic))
        except js_errors.NotFoundError:
            self.consumers = {}

    async def _fetch(self, consumer: Any, limit: int, timeout_s: float) -> list[Any]:
        try:
            return list(await consumer.fetch(limit, timeout=max(timeout_s, 0.05)))
        except (errors.TimeoutError, js_errors.FetchTimeoutError):
            return []

    def _received(self, message: Any) -> Received:
        headers = dict(message.headers or {})
        key = headers.pop(KEY_HEADER, "")
        headers.pop(Header.EXPECTED_STREAM, None)  # ours to the server, no part of the message
        self.held[message.reply] = message
        carried = BusMessage(topic=message.subject, key=key, payload=message.data, headers=headers)
        return Received(message=carried, receipt=message.reply)

    def acknowledge(self, received: Sequence[Received]) -> None:
        messages = [self.held.pop(each.receipt, None) for each in received]
        work = self._answer([each for each in messages if each is not None], is_done=True)
        self.connection.loop.run(work, self.connection.context.timeout_s)

    async def _answer(self, messages: Sequence[Any], *, is_done: bool) -> None:
        for message in messages:
            await (message.ack() if is_done else message.nak())
        await self.connection.client.flush(timeout=2)

    def close(self) -> None:
        work = self._answer(list(self.held.values()), is_done=False)
        self.held.clear()
        try:
            self.connection.loop.run(work, self.connection.context.timeout_s)
        except PluginError as error:
            self.connection.context.logger.info("NATS was gone before it was left: %s", error)
