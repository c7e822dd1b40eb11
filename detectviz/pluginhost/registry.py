"""The registry: the plugins that run in this process, and what became of their calls."""

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from detectviz.pluginhost.description import PluginDescription, PluginKey, shown
from detectviz.pluginhost.errors import UnavailableError

Outcome = Literal["ok", "failed", "error", "cancelled"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Statistics:
    """Calls of one plugin in this process since it was loaded.

    ``failed`` calls ended with a typed error of the plugin, ``errors`` with any other;
    ``errors_in_row`` counts the latter since the last call that ended well.
    """

    executions: int = 0
    failed: int = 0
    errors: int = 0
    cancelled: int = 0
    errors_in_row: int = 0
    seconds: float = 0.0
    last_error: str = ""
    last_error_at: datetime | None = None


class Ledger:
    """The calls of one plugin in this process, whichever instance they reached."""

    def __init__(self) -> None:
        self.statistics = Statistics()
        self._lock = threading.Lock()

    def count(
        self, outcome: Outcome, *, took_s: float, error: str = "", executions: int = 1
    ) -> None:
        """Add calls that ended alike; ``took_s`` is the sum of their durations."""
        with self._lock:
            before = self.statistics
            is_error = outcome == "error"
            self.statistics = Statistics(
                executions=before.executions + executions,
                failed=before.failed + executions * (outcome == "failed"),
                errors=before.errors + executions * is_error,
                cancelled=before.cancelled + executions * (outcome == "cancelled"),
                errors_in_row=before.errors_in_row + executions if is_error else 0,
                seconds=before.seconds + took_s,
                last_error=error or before.last_error,
                last_error_at=datetime.now(UTC) if error else before.last_error_at,
            )


class Running:
    """One executing instance: knows its calls under way, refuses new ones once decommissioned."""

    def __init__(self, plugin: PluginDescription, instance: Any, ledger: Ledger) -> None:
        self.plugin = plugin
        self.instance = instance
        self.ledger = ledger
        self.started_at = datetime.now(UTC)
        self.in_flight = 0
        self.is_decommissioned = False
        self._lock = threading.Lock()
        self._idle = threading.Event()

    @property
    def statistics(self) -> Statistics:
        """Return what became of the calls so far."""
        return self.ledger.statistics

    @contextmanager
    def borrowed(self) -> Iterator[Any]:
        """Hand out the instance for one call; raise UnavailableError when it is decommissioned."""
        self.enter()
        try:
            yield self.instance
        finally:
            self.leave()

    def enter(self) -> None:
        """Begin a call; raise UnavailableError when the instance is decommissioned."""
        if not self.try_enter():
            raise UnavailableError(
                f"The plugin {shown(self.plugin.key)} is being taken out of service; "
                "try again in a moment.",
                kind=self.plugin.kind,
                name=self.plugin.name,
                reason="decommissioned",
            )

    def try_enter(self) -> bool:
        """Begin a call unless the instance is decommissioned; say whether it was begun."""
        with self._lock:
            if self.is_decommissioned:
                return False
            self.in_flight += 1
            return True

    def leave(self) -> None:
        """End a call."""
        with self._lock:
            self.in_flight -= 1
            self._tell_idle()

    def decommission(self) -> None:
        """Refuse calls from now on; those under way go on."""
        with self._lock:
            self.is_decommissioned = True
            self._tell_idle()

    def drain(self, timeout_s: float) -> bool:
        """Wait until the last call of a decommissioned instance ended; say whether it did."""
        return self._idle.wait(timeout_s)

    def _tell_idle(self) -> None:
        if self.is_decommissioned and not self.in_flight:
            self._idle.set()

    def memory_bytes(self) -> int | None:
        """Return the memory of a plugin that has a process of its own, None of one within ours."""
        measure = getattr(self.instance, "memory_bytes", None)
        if not self.plugin.is_isolated or not callable(measure):
            return None
        measured = measure()
        return measured if isinstance(measured, int) else None

    def waiting(self) -> str:
        """Say what a plugin in a process of its own waits for after failures; empty: nothing."""
        ask = getattr(self.instance, "waiting", None)
        if not self.plugin.is_isolated or not callable(ask):
            return ""
        return str(ask())


class Registry:
    """Executing instances by kind and name. Reading takes no lock."""

    def __init__(self) -> None:
        self._running: dict[PluginKey, Running] = {}
        self._ledgers: dict[PluginKey, Ledger] = {}

    def find(self, key: PluginKey) -> Running | None:
        """Return what runs under ``key``."""
        return self._running.get(key)

    def ledger(self, key: PluginKey) -> Ledger:
        """Return the ledger of a plugin; it outlives its instances."""
        return self._ledgers.setdefault(key, Ledger())

    def ledgers(self) -> Mapping[PluginKey, Ledger]:
        """Return the ledgers of every plugin that was called."""
        return dict(self._ledgers)

    def add(self, running: Running) -> Running | None:
        """Let calls reach ``running``; return what it takes the place of."""
        earlier = self._running.get(running.plugin.key)
        self._running[running.plugin.key] = running
        return earlier

    def remove(self, key: PluginKey) -> Running | None:
        """Let no call reach ``key`` any more; return what ran there, decommissioned."""
        running = self._running.pop(key, None)
        if running is not None:
            running.decommission()
        return running

    def all(self) -> Mapping[PluginKey, Running]:
        """Return everything that runs now."""
        return dict(self._running)
