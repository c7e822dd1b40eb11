"""Collectors: one verb, ``check``. The host owns schedule, retry, deadline, storage and state."""

import logging
from collections.abc import Callable, Mapping, MutableMapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from detectviz.contracts.commands import CommandRunner
from detectviz.contracts.discovery import Discoverer
from detectviz.contracts.exposition.result import Exposition
from detectviz.contracts.network import Network
from detectviz.contracts.types import CheckState, JsonObject, Labels


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
    """Everything one check may use. ``config`` has passed the plugin's schema, defaults filled.

    ``labels`` are the monitor's own; the host puts them on ``metrics``, a plugin on scrapes.
    ``memory`` is what the plugin put there at the last check of this version of the monitor in
    this process; it may be empty at any time.
    """

    monitor: str
    config: JsonObject
    secrets: Mapping[str, str]
    timeout_s: float
    network: Network
    now: Callable[[], datetime]
    monotonic: Callable[[], float]
    logger: logging.Logger
    heartbeat: Heartbeat | None = None
    labels: Labels = field(default_factory=dict)
    discoverer: Discoverer | None = None
    memory: MutableMapping[str, object] = field(default_factory=dict)
    commands: CommandRunner | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ScrapeTarget:
    """One target as a person sees it: what Prometheus' ``/targets`` page shows.

    ``labels`` are those after relabelling, on every series; ``discovered_labels`` those before.
    """

    discovered_labels: Labels
    labels: Labels = field(default_factory=dict)
    url: str = ""
    error: str = ""
    duration_s: float = 0.0
    is_up: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Scrape:
    """All samples of one target at this check, in columns.

    ``exposition.series`` are tokens of final labels. Samples without a timestamp get the check's.
    A series of the target's last scrape that is no longer here is marked stale, unless it was
    among the ``untracked`` tokens (those that came with timestamps of their own). Return the same
    ``series`` object while the series stay the same: comparing is free then.
    """

    target: ScrapeTarget
    exposition: Exposition
    untracked: frozenset[bytes] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckResult:
    """What one check found.

    ``duration_s`` is what the watched system took, None when nothing was measured. ``evidence``
    is kept with state changes for a person to read: JSON of at most 64 KiB, no secrets.
    ``scrapes`` are all targets of a collector that scrapes, None when they are not known this
    time; what a target or series no longer among them wrote is marked stale. ``dropped`` are
    targets that relabelling dropped.
    """

    state: CheckState
    message: str
    duration_s: float | None = None
    metrics: tuple[Metric, ...] = ()
    evidence: JsonObject = field(default_factory=dict)
    scrapes: tuple[Scrape, ...] | None = None
    dropped: tuple[ScrapeTarget, ...] = ()


class Collector(Protocol):
    """A collector plugin's capability class; constructed once per process, without arguments."""

    async def check(self, context: CollectorContext) -> CheckResult:
        """Run one check.

        A failed check is a result, not an exception. Raise PluginError only when nothing can be
        said about the target (the host then records ``unknown``); NetworkError counts as down.
        """
