"""Drivers: one verb, ``open``. Outside systems, reached before services start, left after them."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from detectviz.contracts.types import JsonObject


@dataclass(frozen=True, slots=True, kw_only=True)
class DriverContext:
    """Everything a driver may use. ``config`` has passed the schema; its ``url`` is the address."""

    config: JsonObject
    secrets: Mapping[str, str]
    timeout_s: float
    logger: logging.Logger


class DriverHandle(Protocol):
    """A system that was reached."""

    def check(self) -> str:
        """Ask for a sign of life; return what answers (name and version); raise PluginError."""

    def close(self) -> None:
        """Let go of it; calling it twice does no harm."""


class Driver(Protocol):
    """A driver plugin's capability class; constructed once per process, without arguments."""

    def open(self, context: DriverContext) -> DriverHandle:
        """Reach the system; raise ConfigurationError (no use in waiting) or NetworkError.

        The host waits half a minute for a system that does not answer and tries again meanwhile.
        """
