"""Wake-ups over Unix datagrams."""

import queue
from collections.abc import Mapping
from typing import Any

from detectviz.runtime import signals


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
