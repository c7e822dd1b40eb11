"""Checks in flight: started, bounded by their deadline, judged and handed on."""

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final

from detectviz.collection.checks import CollectorRegistry, CommandsFor, Outcome, ScheduledCheck
from detectviz.collection.connectivity import ConnectivityProbe, is_suspect
from detectviz.collection.discovery import DiscoveryHost
from detectviz.collection.memories import Memories, discoverer_of
from detectviz.collection.stats import Counters
from detectviz.collection.verdict import from_answer, from_exception, timed_out
from detectviz.contracts.collector import CheckResult, CollectorContext
from detectviz.contracts.network import Network
from detectviz.contracts.types import CheckState
from detectviz.pluginhost.scope import calling_for

# How long a check may overrun its timeout (its own error is better than ours), and how long a
# cancelled one may take to end before it is let go.
GRACE_S: Final = 0.25
UNWIND_S: Final = 2.0

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineClock:
    """Wall time (Unix seconds) for slots, monotonic time (the loop's) for everything else."""

    wall: Callable[[], float] = time.time
    monotonic: Callable[[], float] = time.monotonic


@dataclass(slots=True, kw_only=True, eq=False)
class Flight:
    """A check on its way through the engine; ``due`` is monotonic."""

    check: ScheduledCheck
    due: float
    started: float = 0.0
    started_at_ms: int = 0
    lag_s: float = 0.0
    task: "asyncio.Task[CheckResult] | None" = None
    deadline: asyncio.TimerHandle | None = None
    is_expired: bool = False
    is_settled: bool = False


class Flights:
    """Starts checks in the running loop; calls ``on_outcome`` and then ``on_left`` for each.

    A check that is cancelled from outside leaves without an outcome.
    """

    def __init__(
        self,
        *,
        registry: CollectorRegistry,
        network: Network,
        clock: EngineClock,
        counters: Counters,
        connectivity: ConnectivityProbe,
        on_outcome: Callable[[Outcome], None],
        on_left: Callable[[Flight], None],
        discovery: DiscoveryHost | None = None,
        commands: CommandsFor | None = None,
    ) -> None:
        self._registry = registry
        self._network = network
        self._clock = clock
        self._counters = counters
        self._connectivity = connectivity
        self._discovery = discovery
        self._commands = commands
        self._memories = Memories()
        self._on_outcome = on_outcome
        self._on_left = on_left
        self._current: set[Flight] = set()
        self._verdicts: set[asyncio.Task[None]] = set()
        self._loggers: dict[str, logging.Logger] = {}

    def __len__(self) -> int:
        return len(self._current)

    def launch(self, flight: Flight) -> None:
        """Start ``flight`` now."""
        check, loop = flight.check, asyncio.get_running_loop()
        flight.started = self._clock.monotonic()
        flight.started_at_ms = round(self._clock.wall() * 1000)
        flight.lag_s = max(0.0, flight.started - flight.due)
        self._counters.count_start(flight.lag_s)
        self._current.add(flight)
        try:
            collector = self._registry.get(check.collector, check.org)
            with calling_for(check.org):
                task = loop.create_task(collector.check(self._context(check)))
        except Exception as error:  # noqa: BLE001 - a plugin that cannot be loaded is a result
            self._settle(flight, from_exception(error, check))
            return
        flight.task = task
        flight.deadline = loop.call_later(check.timeout_s + GRACE_S, self._expire, flight)
        task.add_done_callback(lambda done: self._on_done(flight, done))

    def _context(self, check: ScheduledCheck) -> CollectorContext:
        name = check.collector
        found = self._loggers.get(name)
        if found is None:
            found = self._loggers[name] = logging.getLogger(f"detectviz.collectors.{name}")
        memory = self._memories.of(check)
        return CollectorContext(
            monitor=check.name,
            config=check.config,
            secrets=check.secrets,
            timeout_s=check.timeout_s,
            network=self._network,
            now=self._now,
            monotonic=self._clock.monotonic,
            logger=found,
            heartbeat=check.heartbeat,
            labels=check.labels,
            discoverer=discoverer_of(check, self._discovery, self._network, memory),
            memory=memory,
            commands=self._commands(check.org) if self._commands else None,
        )

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._clock.wall(), UTC)

    def _expire(self, flight: Flight) -> None:
        """End a check that overran; let it go when it does not even end then."""
        flight.is_expired = True
        if flight.task is not None:
            flight.task.cancel()
            loop = asyncio.get_running_loop()
            flight.deadline = loop.call_later(UNWIND_S, self._abandon, flight)

    def _abandon(self, flight: Flight) -> None:
        self._counters.abandoned += 1
        logger.error(
            "collector %s ignores its cancellation (%s)", flight.check.collector, flight.check.name
        )
        self._counters.timed_out += 1
        self._settle(flight, timed_out(flight.check))

    def _on_done(self, flight: Flight, task: "asyncio.Task[CheckResult]") -> None:
        if flight.deadline is not None:
            flight.deadline.cancel()
        if flight.is_settled:
            # Too late to count; asked only so that asyncio does not complain of it.
            _ = task.cancelled() or task.exception()
            return
        if task.cancelled():
            if flight.is_expired:
                self._counters.timed_out += 1
                self._settle(flight, timed_out(flight.check))
            else:
                self._leave(flight)
            return
        error = task.exception()
        if error is None:
            self._settle(flight, from_answer(task.result(), flight.check))
        else:
            self._settle(flight, from_exception(error, flight.check))

    def _settle(self, flight: Flight, result: CheckResult) -> None:
        """Take the result; a suspect one is kept until it is known who is offline."""
        flight.is_settled = True
        if is_suspect(result, flight.check.host):
            loop = asyncio.get_running_loop()
            task = loop.create_task(self._settle_suspect(flight, result))
            self._verdicts.add(task)
            task.add_done_callback(self._verdicts.discard)
        else:
            self._deliver(flight, result, is_prober_offline=False)

    async def _settle_suspect(self, flight: Flight, result: CheckResult) -> None:
        is_offline = not await self._connectivity.is_online()
        if is_offline:
            self._counters.prober_offline += 1
            result = replace(
                result,
                state=CheckState.UNKNOWN,
                message=f"This prober is offline, so the target is not judged: {result.message}",
            )
        self._deliver(flight, result, is_prober_offline=is_offline)

    def _deliver(self, flight: Flight, result: CheckResult, *, is_prober_offline: bool) -> None:
        check = flight.check
        self._counters.finished[result.state] += 1
        self._on_outcome(
            Outcome(
                key=check.key,
                epoch=check.epoch,
                slot_ms=check.slot_ms,
                started_at_ms=flight.started_at_ms,
                lag_s=flight.lag_s,
                result=result,
                is_prober_offline=is_prober_offline,
            )
        )
        self._leave(flight)

    def _leave(self, flight: Flight) -> None:
        self._current.discard(flight)
        self._on_left(flight)

    def cancel_all(self) -> list[ScheduledCheck]:
        """Cancel what is in flight and return it; none of it will have an outcome."""
        cancelled = list(self._current)
        for flight in cancelled:
            flight.is_settled = True
            if flight.deadline is not None:
                flight.deadline.cancel()
            if flight.task is not None:
                flight.task.cancel()
            self._leave(flight)
        for verdict in self._verdicts:
            verdict.cancel()
        return [flight.check for flight in cancelled]
