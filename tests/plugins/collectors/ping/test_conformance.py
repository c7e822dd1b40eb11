"""Pings bear a network that misbehaves."""

from collections.abc import Sequence
from typing import ClassVar

from detectviz.contracts.types import JsonObject
from detectviz.testing.collectors import CollectorConformance


class TestConformance(CollectorConformance):
    name = "ping"
    configs: ClassVar[Sequence[JsonObject]] = (
        {"host": "127.0.0.1", "spacing": "1ms", "jitter_down_ms": 1, "rtt_statistic": "p99"},
    )
