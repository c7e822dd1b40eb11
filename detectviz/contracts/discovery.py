"""Discovery: one verb, ``discover``. The host owns when it is asked, and keeps the last answer.

Semantics as Prometheus' service discovery: targets in groups, ``__meta_…`` labels for relabelling,
and the last known targets stay when asking fails.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from detectviz.contracts.network import Network
from detectviz.contracts.types import JsonObject, Labels


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetGroup:
    """Targets that share labels.

    Each target is a set of labels of its own, with ``__address__`` (host:port); ``labels`` are
    those of the group. ``source`` names where the group comes from (a file, a zone).
    """

    targets: tuple[Labels, ...]
    labels: Labels = field(default_factory=dict)
    source: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundFile:
    """One file that was read."""

    name: str
    content: bytes


class Files(Protocol):
    """The files of the monitor's org: those below one folder that the operator fills."""

    async def read(self, pattern: str) -> Sequence[FoundFile]:
        """Return the files whose relative path matches, by name; ``*`` only in the last part.

        Raise PluginError for a pattern that leads outside, or a file too large.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class DiscoveryContext:
    """Everything one question may use. ``config`` has passed the plugin's schema."""

    config: JsonObject
    secrets: Mapping[str, str]
    timeout_s: float
    network: Network
    files: Files
    now: Callable[[], datetime]
    monotonic: Callable[[], float]
    logger: logging.Logger


class Discovery(Protocol):
    """A discovery plugin's capability class; constructed once per process, without arguments.

    A property ``refresh_interval`` (a duration) in its schema says how often the host asks;
    without it every check does.
    """

    async def discover(self, context: DiscoveryContext) -> Sequence[TargetGroup]:
        """Return all groups there are now; raise PluginError when that can't be said."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Discovered:
    """What the host knows of a discovery. With an ``error`` the groups are the last good ones."""

    groups: tuple[TargetGroup, ...]
    error: str = ""


class Discoverer(Protocol):
    """How a collector finds its targets: the chosen discovery plugin, asked by the host.

    A collector's schema takes part with ``"x-plugins": "discovery"`` on a text property: the host
    makes it a choice of the plugins there are, and adds an object ``<name>_sd`` with each one's
    own options beside it.
    """

    async def discover(self) -> Discovered:
        """Return the targets; raise PluginError when there has never been an answer."""
