"""Redis Streams: a stream per topic, consumer groups, unacknowledged entries claimed by others."""

import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar

import redis

from detectviz.contracts.errors import ConfigurationError, NetworkError, PluginError
from detectviz.contracts.eventbus import (
    BusMessage,
    EventBusConnection,
    EventBusContext,
    Received,
    Subscription,
    TopicStatus,
)
from detectviz.contracts.types import JsonObject

T = TypeVar("T")


def asked(ask: Callable[[], T]) -> T:
    """Return what Redis answers; turn its errors into ours."""
    try:
        return ask()
    except redis.AuthenticationError as error:
        raise ConfigurationError(f"Redis refuses the credentials: {error}", field="/url") from error
    except (redis.ConnectionError, redis.TimeoutError, OSError) as error:
        raise NetworkError(f"Redis does not answer: {error}", phase="connect") from error
    except redis.RedisError as error:
        raise PluginError(f"Redis refuses: {error}") from error


class RedisEventBus:
    """Opens connections to one Redis."""

    def open(self, context: EventBusContext) -> EventBusConnection:
        """Connect and ask for a sign of life."""
        try:
            client = _client(context)
        except ValueError as error:
            raise ConfigurationError(f"The address is wrong: {error}", field="/url") from error
        asked(client.ping)
        return _Connection(client, context)


def _client(context: EventBusContext) -> "redis.Redis":
    config = context.config
    options: dict[str, Any] = {
        "socket_timeout": context.timeout_s,
        "socket_connect_timeout": context.timeout_s,
        "client_name": context.client_id,
    }
    if config.get("username"):
        options["username"] = str(config["username"])
    if context.secrets.get("password"):
        options["password"] = context.secrets["password"]
    if str(config["url"]).startswith("rediss://"):
        options |= _tls(config)
    client: redis.Redis = redis.Redis.from_url(str(config["url"]), **options)
    return client


def _tls(config: JsonObject) -> dict[str, Any]:
    files = {
        "ssl_ca_certs": config.get("ca_file"),
        "ssl_certfile": config.get("certificate_file"),
        "ssl_keyfile": config.get("key_file"),
    }
    chosen: dict[str, Any] = {key: str(value) for key, value in files.items() if value}
    if not config["verify_tls"]:
        chosen |= {"ssl_cert_reqs": "none", "ssl_check_hostname": False}
    return chosen


@dataclass(slots=True)
class _Connection:
    client: Any
    context: EventBusContext

    def publish(self, messages: Sequence[BusMessage]) -> Sequence[PluginError | None]:
        most = int(str(self.context.config["max_messages"]))
        pipeline = self.client.pipeline(transaction=False)
        for message in messages:
            fields: dict[str, str | bytes] = {
                f"h:{key}": value for key, value in message.headers.items()
            }
            fields |= {"key": message.key, "payload": message.payload}
            pipeline.xadd(message.topic, fields, maxlen=most, approximate=True)
        answers = asked(lambda: pipeline.execute(raise_on_error=False))
        return [_refusal(answer) for answer in answers]

    def subscribe(self, *, group: str, topics: Sequence[str]) -> Subscription:
        return _Subscription(
            self.client, group, tuple(topics), round(self.context.redeliver_s * 1000)
        )

    def status(self, *, group: str, topics: Sequence[str]) -> Sequence[TopicStatus]:
        return [asked(partial(self._status, group, name)) for name in topics]

    def _status(self, group: str, topic: str) -> TopicStatus:
        depth = int(self.client.xlen(topic))
        if not depth and not self.client.exists(topic):
            return TopicStatus(topic=topic, depth=0, lag=0)
        for row in self.client.xinfo_groups(topic):
            if row["name"] == group.encode():
                waiting = row.get("lag")
                lag = None if waiting is None else int(waiting) + int(row["pending"])
                return TopicStatus(topic=topic, depth=depth, lag=lag)
        return TopicStatus(topic=topic, depth=depth, lag=depth)

    def close(self) -> None:
        self.client.close()


def _refusal(answer: object) -> PluginError | None:
    return PluginError(f"Redis refuses: {answer}") if isinstance(answer, Exception) else None


@dataclass(slots=True)
class _Subscription:
    client: Any
    group: str
    topics: tuple[str, ...]
    redeliver_ms: int
    member: str = field(default_factory=lambda: uuid.uuid4().hex)
    is_joined: bool = False
    held: dict[tuple[str, str], None] = field(default_factory=dict)

    def receive(self, *, limit: int, timeout_s: float) -> Sequence[Received]:
        try:
            return self._receive(limit, timeout_s)
        except redis.ResponseError as error:
            if "NOGROUP" not in str(error):
                raise PluginError(f"Redis refuses: {error}") from error
            self.is_joined = False  # Redis was flushed: the groups went with the streams
            return ()

    def _receive(self, limit: int, timeout_s: float) -> Sequence[Received]:
        self._join()
        claimed = self._claim(limit)
        if claimed:
            return claimed
        streams = dict.fromkeys(self.topics, ">")
        block = max(1, round(timeout_s * 1000))

        def read() -> Any:
            try:
                return self.client.xreadgroup(
                    self.group, self.member, streams, count=limit, block=block
                )
            except redis.ResponseError as error:
                return error

        answer = asked(read)
        if isinstance(answer, redis.ResponseError):
            raise answer
        rows = answer.items() if isinstance(answer, dict) else (answer or ())
        return [self._received(name.decode(), row) for name, batch in rows for row in batch]

    def _join(self) -> None:
        if self.is_joined:
            return

        def create(topic: str) -> None:
            try:
                self.client.xgroup_create(topic, self.group, id="0", mkstream=True)
            except redis.ResponseError as error:
                if "BUSYGROUP" not in str(error):
                    raise

        for topic in self.topics:
            asked(partial(create, topic))
        self.is_joined = True

    def _claim(self, limit: int) -> list[Received]:
        found: list[Received] = []
        for topic in self.topics:
            answer = self._claimed(topic, limit)
            found += [self._received(topic, row) for row in answer if row[1]]
        return found

    def _claimed(self, topic: str, limit: int) -> Any:
        def claim() -> Any:
            try:
                return self.client.xautoclaim(
                    topic, self.group, self.member, self.redeliver_ms, "0-0", count=limit
                )
            except redis.ResponseError as error:
                return error

        answer = asked(claim)
        if isinstance(answer, redis.ResponseError):
            raise answer
        return answer[1]

    def _received(self, topic: str, row: Any) -> Received:
        number, fields = row
        receipt = number.decode()
        self.held[(topic, receipt)] = None
        headers = {
            key.decode()[2:]: value.decode(errors="replace")
            for key, value in fields.items()
            if key.startswith(b"h:")
        }
        message = BusMessage(
            topic=topic,
            key=fields.get(b"key", b"").decode(errors="replace"),
            payload=fields.get(b"payload", b""),
            headers=headers,
        )
        return Received(message=message, receipt=receipt)

    def acknowledge(self, received: Sequence[Received]) -> None:
        pipeline = self.client.pipeline(transaction=False)
        for each in received:
            pipeline.xack(each.message.topic, self.group, each.receipt)
            self.held.pop((each.message.topic, each.receipt), None)
        asked(pipeline.execute)

    def close(self) -> None:
        """Leave what is held to whoever claims next, without the wait where Redis answers."""
        try:
            pipeline = self.client.pipeline(transaction=False)
            for topic, receipt in self.held:
                idle = self.redeliver_ms
                pipeline.xclaim(topic, self.group, "left", 0, [receipt], idle=idle, justid=True)
            if self.held:
                pipeline.execute()
        except redis.RedisError:
            self.held.clear()
