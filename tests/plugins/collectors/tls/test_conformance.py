"""TLS checks bear a network that misbehaves."""

from collections.abc import Sequence
from typing import ClassVar

from detectviz.contracts.starttls import STARTTLS_PROTOCOLS
from detectviz.contracts.types import JsonObject
from detectviz.testing.collectors import CollectorConformance


class TestConformance(CollectorConformance):
    name = "tls"
    configs: ClassVar[Sequence[JsonObject]] = (
        {"host": "127.0.0.1"},
        {"host": "127.0.0.1", "verify": False, "refuse_below": "1.3"},
        *({"host": "127.0.0.1", "starttls_protocol": protocol} for protocol in STARTTLS_PROTOCOLS),
    )
