"""Wake-ups over Unix datagrams, and over Redis."""

import queue
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import pytest
from pytest_django import Settings

from detectviz.runtime import signals
from detectviz.runtime.redis_client import redis_client
from detectviz.testing.redis import redis_server
from detectviz.testing.services import free_port


def test_a_signal_reaches_a_listener_and_nobody_is_no_error() -> None:
    signals.send("collector", {"n": 0})
    heard: queue.Queue[Mapping[str, Any]] = queue.Queue()
    receiver = signals.listen("collector", heard.put)
    try:
        signals.send("collector", {"n": 1})
        assert heard.get(timeout=5) == {"n": 1}
    finally:
        receiver.stop()
    signals.send("collector", {"n": 2})
    assert heard.empty()


def test_a_failing_handler_does_not_end_the_listener() -> None:
    heard: queue.Queue[int] = queue.Queue()

    def handle(message: Mapping[str, Any]) -> None:
        heard.put(message["n"])
        if message["n"] == 1:
            raise ValueError

    receiver = signals.listen("control", handle)
    try:
        signals.send("control", {"n": 1})
        signals.send("control", {"n": 2})
        assert [heard.get(timeout=5), heard.get(timeout=5)] == [1, 2]
    finally:
        receiver.stop()


@pytest.mark.services("redis-server")
def test_over_redis_they_share_a_connection_and_find_the_server_again(settings: Settings) -> None:
    settings.IS_EMBEDDED = False
    port = free_port()
    with redis_server(port) as settings.REDIS_URL, listening() as heard:
        before = connections_made()
        for number in range(20):
            signals.send("collector", {"n": number})
        assert [heard.get(timeout=5)["n"] for _ in range(20)] == list(range(20))
        assert connections_made() == before
    signals.send("collector", {"n": 20})  # nobody is there, which is no error
    with redis_server(port), listening() as heard:
        signals.send("collector", {"n": 21})
        assert heard.get(timeout=5) == {"n": 21}


@contextmanager
def listening() -> Iterator["queue.Queue[Mapping[str, Any]]"]:
    """Listen over Redis, from when it knows of it."""
    heard: queue.Queue[Mapping[str, Any]] = queue.Queue()
    receiver = signals.listen("collector", heard.put)
    client = redis_client(timeout_s=signals.REDIS_TIMEOUT_S)
    while not client.pubsub_numsub("detectviz:signal:collector")[0][1]:
        pass
    yield heard
    receiver.stop()


def connections_made() -> int:
    info = redis_client(timeout_s=signals.REDIS_TIMEOUT_S).info("stats")
    return int(info["total_connections_received"])
