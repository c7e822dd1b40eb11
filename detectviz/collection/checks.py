"""What the engine is given, what it gives back, and the ports it needs."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from detectviz.collection.discovery import DiscoveryChoice
from detectviz.contracts.collector import CheckResult, Collector, Heartbeat
from detectviz.contracts.commands import CommandRunner
from detectviz.contracts.network import Network
from detectviz.contracts.types import JsonObject, Labels


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduledCheck:
    """One claimed slot of a monitor.

    ``key`` and ``epoch`` are the claimer's and come back unchanged; ``slot_ms`` is when the check
    is due, Unix milliseconds. ``host`` is what the per-host cap counts, ``is_tls`` chooses the
    start rate. ``org`` names the folders that
    discovery by files and scripts read.
    """

    key: int
    epoch: int
    slot_ms: int
    collector: str
    name: str
    config: JsonObject
    secrets: Mapping[str, str] = field(default_factory=dict)
    timeout_s: float = 10.0
    host: str = ""
    is_tls: bool = False
    heartbeat: Heartbeat | None = None
    org: str = ""
    labels: Labels = field(default_factory=dict)
    discovery: DiscoveryChoice | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """One check that ran. ``lag_s`` is how late it started.

    With ``is_prober_offline`` the result says nothing about the target: keep the state it had.
    """

    key: int
    epoch: int
    slot_ms: int
    started_at_ms: int
    lag_s: float
    result: CheckResult
    is_prober_offline: bool = False


CommandsFor = Callable[[str], CommandRunner]
"""What checks of an org may run on this machine."""


class CollectorRegistry(Protocol):
    """Where the engine finds collector plugins."""

    def get(self, name: str, org: str) -> Collector:
        """Return the collector called ``name`` for a check of ``org``.

        Raise any exception when there is none to use.
        """


class ResultSink(Protocol):
    """Where outcomes go."""

    def flush(self, outcomes: Sequence[Outcome]) -> None:
        """Store ``outcomes``, all or none; blocking, called in one thread.

        An exception means none was stored: the same outcomes come again.
        """


class ClosableNetwork(Network, Protocol):
    """The network, ended by the engine when it stops."""

    async def aclose(self) -> None:
        """Close every socket."""
