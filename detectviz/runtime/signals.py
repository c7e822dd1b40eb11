"""Wake-ups between processes: Unix datagrams in the embedded size, Redis pub/sub in the standard.

A signal says "look again now". It carries no truth: whoever misses one finds the work in SQL at
the next tick. Targets are process roles: ``web`` (live pages), ``collector``, ``control``.
"""

import logging
import socket
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal, Protocol

import orjson
from django.conf import settings
from django.db import transaction

from detectviz.runtime.redis_client import redis_client, redis_error

Target = Literal["web", "collector", "control"]
Handler = Callable[[Mapping[str, Any]], None]
MAX_DATAGRAM = 60_000
REDIS_TIMEOUT_S = 5.0

logger = logging.getLogger(__name__)


class Receiver(Protocol):
    """A running listener."""

    def stop(self) -> None:
        """Stop listening and wait for the thread."""


def send(target: Target, payload: Mapping[str, Any]) -> None:
    """Tell ``target`` something; silently nothing when nobody listens."""
    message = orjson.dumps(payload)
    if settings.IS_EMBEDDED:
        _send_datagram(_socket_path(target), message)
    else:
        try:
            redis_client(timeout_s=REDIS_TIMEOUT_S).publish(_channel(target), message)
        except redis_error() as error:
            logger.warning("signal to %s not sent: %s", target, error)


def send_on_commit(target: Target, payload: Mapping[str, Any]) -> None:
    """Send after the surrounding transaction is durable."""
    transaction.on_commit(lambda: send(target, payload), robust=True)


def listen(target: Target, handler: Handler) -> Receiver:
    """Call ``handler`` in a thread of its own for every signal to ``target``."""
    if settings.IS_EMBEDDED:
        return _DatagramReceiver(_socket_path(target), handler)
    return _RedisReceiver(_channel(target), handler)


def _socket_path(target: Target) -> Path:
    return Path(settings.DATA_DIR) / "run" / f"{target}.sock"


def _channel(target: Target) -> str:
    return f"detectviz:signal:{target}"


def _send_datagram(path: Path, message: bytes) -> None:
    if len(message) > MAX_DATAGRAM:
        logger.warning("signal of %d bytes to %s dropped", len(message), path.name)
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
        sender.setblocking(False)
        try:
            sender.sendto(message, str(path))
        except OSError:
            logger.debug("nobody listens at %s", path.name)


def _dispatch(handler: Handler, message: bytes) -> None:
    try:
        handler(orjson.loads(message))
    except Exception:
        logger.exception("signal handler failed")


class _DatagramReceiver:
    """One socket, one thread."""

    def __init__(self, path: Path, handler: Handler) -> None:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        self._path = path
        self._handler = handler
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(path))
        path.chmod(0o600)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"signals-{path.stem}", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while True:
            message = self._socket.recv(65_536)
            if self._stopping.is_set():
                return
            _dispatch(self._handler, message)

    def stop(self) -> None:
        """Wake the thread with an empty message and wait for it."""
        self._stopping.set()
        _send_datagram(self._path, b"{}")
        self._thread.join(timeout=5)
        self._socket.close()
        self._path.unlink(missing_ok=True)


class _RedisReceiver:
    """A pub/sub subscription that reconnects by itself."""

    def __init__(self, channel: str, handler: Handler) -> None:
        self._channel = channel
        self._handler = handler
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"signals-{channel}", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                self._listen()
            except redis_error() as error:
                logger.warning("signals: Redis is away (%s)", error)
                self._stopping.wait(1)

    def _listen(self) -> None:
        client = redis_client(timeout_s=REDIS_TIMEOUT_S)
        subscription = client.pubsub(ignore_subscribe_messages=True)  # type: ignore[no-untyped-call]  # ships few types
        with subscription as channel:
            channel.subscribe(self._channel)
            while not self._stopping.is_set():
                message = channel.get_message(timeout=0.5)
                if message:
                    _dispatch(self._handler, message["data"])

    def stop(self) -> None:
        """Stop after the current wait."""
        self._stopping.set()
        self._thread.join(timeout=5)
