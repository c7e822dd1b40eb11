"""TCP checks bear a network that misbehaves."""

from collections.abc import Sequence
from typing import ClassVar

from detectviz.contracts.starttls import STARTTLS_PROTOCOLS
from detectviz.contracts.types import JsonObject
from detectviz.testing.collectors import CollectorConformance

UPGRADES: tuple[JsonObject, ...] = tuple(
    {"host": "127.0.0.1", "port": 9, "security": "starttls", "starttls_protocol": protocol}
    for protocol in STARTTLS_PROTOCOLS
)


class TestConformance(CollectorConformance):
    name = "tcp"
    configs: ClassVar[Sequence[JsonObject]] = (
        {"host": "127.0.0.1", "port": 9},
        {"host": "127.0.0.1", "port": 9, "security": "tls"},
        {"host": "127.0.0.1", "port": 9, "security": "tls", "expect_tls_alert": "unknown_ca"},
        {
            "host": "127.0.0.1",
            "port": 9,
            "steps": [{"send": "x", "expect": "y"}, {"expect_hex": "00"}, {"starttls": True}],
        },
        *UPGRADES,
    )
