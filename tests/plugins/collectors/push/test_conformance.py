"""A heartbeat bears everything, for it asks nothing."""

from collections.abc import Sequence
from typing import ClassVar

from detectviz.contracts.types import JsonObject
from detectviz.testing.collectors import CollectorConformance


class TestConformance(CollectorConformance):
    name = "push"
    configs: ClassVar[Sequence[JsonObject]] = (
        {},
        {"schedule": "cron", "cron": "*/5 * * * *", "timezone": "Europe/Berlin"},
        {"schedule": "calendar", "calendar": "Mon..Fri 08:30"},
    )
