"""Collectors: one verb, ``check``. The host owns schedule, retry, deadline, storage and state."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from detectviz.contracts.network import Network
from detectviz.contracts.types import CheckState, JsonObject


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """One sample of a check; the host adds timestamp and monitor labels."""

    name: str
    value: float
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Heartbeat:
    """What a push monitor has heard so far. Times are aware UTC."""

    since: datetime
    last_success_at: datetime | None = None
    last_start_at: datetime | None = None
    last_fail_at: datetime | None = None
    last_exit_code: int | None = None
    last_duration_s: float | None = None
    last_message: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectorContext:
    """Everything one check may use. ``config`` has passed the plugin's schema, defaults filled."""

    monitor: str
    config: JsonObject
    secrets: Mapping[str, str]
    timeout_s: float
    network: Network
    now: Callable[[], datetime]
    monotonic: Callable[[], float]
    logger: logging.Logger
    heartbeat: Heartbeat | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckResult:
    """What one check found.

    ``duration_s`` is what the watched system took, None when nothing was measured. ``evidence``
    is kept with state changes for a person to read: JSON of at most 64 KiB, no secrets.
    """

    state: CheckState
    message: str
    duration_s: float | None = None
    metrics: tuple[Metric, ...] = ()
    evidence: JsonObject = field(default_factory=dict)


class Collector(Protocol):
    """A collector plugin's capability class; constructed once per process, without arguments."""

    async def check(self, context: CollectorContext) -> CheckResult:
        """Run one check.

        A failed check is a result, not an exception. Raise PluginError only when nothing can be
        said about the target (the host then records ``unknown``); NetworkError counts as down.
        """
