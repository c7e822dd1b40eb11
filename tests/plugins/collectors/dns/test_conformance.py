"""DNS checks bear a network that misbehaves."""

from collections.abc import Sequence
from typing import ClassVar

from detectviz.contracts.types import JsonObject
from detectviz.testing.collectors import CollectorConformance


class TestConformance(CollectorConformance):
    name = "dns"
    configs: ClassVar[Sequence[JsonObject]] = tuple(
        {
            "query_name": "example.org",
            "servers": ["127.0.0.1", "https://127.0.0.1/dns-query"],
            "transport": transport,
            "disagreement": "down",
        }
        for transport in ("udp", "tcp", "tls", "https")
    )
