"""The continuous engine: one event loop that starts checks when they are due.

A check passes: timing wheel (until its slot) → host gate (how many on one host) → paced queue
(how many starts a second) → in flight (until it answers or its deadline) → flusher. Nothing in
this chain waits for a group of checks, so one that hangs costs its own time and no other's.
"""

import asyncio
import gc
import logging
import threading
from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass

from detectviz.collection.checks import (
    ClosableNetwork,
    CollectorRegistry,
    CommandsFor,
    ResultSink,
    ScheduledCheck,
)
from detectviz.collection.connectivity import ConnectivityProbe
from detectviz.collection.discovery import DiscoveryHost
from detectviz.collection.flights import UNWIND_S, EngineClock, Flight, Flights
from detectviz.collection.flusher import BATCH, CAPACITY, FLUSH_EVERY_S, Flusher
from detectviz.collection.hosts import HostGate
from detectviz.collection.pacing import PacedQueue
from detectviz.collection.stats import Counters, EngineStats
from detectviz.collection.wheel import TimingWheel

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineSettings:
    """Rates are starts per second; about two thirds of what one core can handshake."""

    plain_rate: float = 12_000.0
    tls_rate: float = 1_000.0
    per_host: int = 6
    flush_every_s: float = FLUSH_EVERY_S
    batch: int = BATCH
    capacity: int = CAPACITY
    freeze_gc: bool = False


class Engine:
    """Runs checks until it is drained. ``submit``, ``stats`` and ``drain`` work from any thread.

    Call ``run()`` in a process or thread of its own, or ``start()`` to have a thread made.
    """

    def __init__(
        self,
        *,
        registry: CollectorRegistry,
        sink: ResultSink,
        network: ClosableNetwork,
        settings: EngineSettings | None = None,
        clock: EngineClock | None = None,
        connectivity: ConnectivityProbe | None = None,
        discovery: DiscoveryHost | None = None,
        commands: CommandsFor | None = None,
    ) -> None:
        self._network = network
        self._settings = settings or EngineSettings()
        self._clock = clock or EngineClock()
        self._flusher = Flusher(
            sink,
            on_room=self._on_room,
            every_s=self._settings.flush_every_s,
            batch=self._settings.batch,
            capacity=self._settings.capacity,
        )
        self._inbox: deque[tuple[ScheduledCheck, ...]] = deque()
        self._wheel: TimingWheel[Flight] = TimingWheel()
        self._hosts: HostGate[Flight] = HostGate(self._settings.per_host)
        self._plain: PacedQueue[Flight] = PacedQueue(self._settings.plain_rate)
        self._tls: PacedQueue[Flight] = PacedQueue(self._settings.tls_rate)
        self._counters = Counters()
        self._flights = Flights(
            registry=registry,
            network=network,
            clock=self._clock,
            counters=self._counters,
            connectivity=connectivity or ConnectivityProbe(network),
            discovery=discovery,
            commands=commands,
            on_outcome=self._flusher.put,
            on_left=self._on_left,
        )
        self._wake: asyncio.TimerHandle | None = None
        self._wake_at = float("inf")
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ready = threading.Event()
        self._ended = threading.Event()
        self._stop: asyncio.Event | None = None
        self._is_draining = False
        self._is_turning = False
        self._idle: asyncio.Event | None = None
        self._thread: threading.Thread | None = None

    # --- from any thread --------------------------------------------------------------------

    @property
    def is_alive(self) -> bool:
        """Whether the thread that ``start`` made runs, and the one that flushes."""
        return self._thread is not None and self._thread.is_alive() and self._flusher.is_alive

    def start(self) -> None:
        """Run in a daemon thread; return when checks can be submitted."""
        self._thread = threading.Thread(target=self.run, name="collection", daemon=True)
        self._thread.start()
        self._ready.wait()

    def run(self) -> None:
        """Run in this thread until drained."""
        with asyncio.Runner(loop_factory=_loop_factory()) as runner:
            try:
                runner.run(self._main())
            finally:
                self._ended.set()

    def submit(self, checks: Iterable[ScheduledCheck]) -> None:
        """Schedule ``checks``; those already due start at once and are told their lag."""
        self._inbox.append(tuple(checks))
        self._call(self._admit)

    @property
    def in_flight(self) -> int:
        """Checks running now."""
        return len(self._flights)

    @property
    def backlog(self) -> int:
        """Checks submitted and not started: what a claimer should look at before claiming."""
        return len(self._wheel) + len(self._hosts) + len(self._plain) + len(self._tls)

    @property
    def is_pushing_back(self) -> bool:
        """Whether results cannot be stored fast enough, so that no check is started."""
        return self._flusher.is_full

    def stats(self) -> EngineStats:
        """Return a snapshot of the counters."""
        counters = self._counters
        return EngineStats(
            submitted=counters.submitted,
            started=counters.started,
            finished=dict(counters.finished),
            timed_out=counters.timed_out,
            plugin_failures=counters.plugin_failures,
            prober_offline=counters.prober_offline,
            abandoned=counters.abandoned,
            scheduled=len(self._wheel),
            waiting_for_host=len(self._hosts),
            waiting_for_pace=len(self._plain) + len(self._tls),
            in_flight=len(self._flights),
            buffered=len(self._flusher),
            flushed=self._flusher.flushed,
            flushes=self._flusher.flushes,
            flush_failures=self._flusher.failures,
            last_flush_s=self._flusher.last_flush_s,
            is_pushing_back=self._flusher.is_full,
            lag_counts=tuple(counters.lag_counts),
            lag_sum_s=counters.lag_sum_s,
            lag_max_s=counters.lag_max_s,
            loop_lag_s=counters.loop_lag_s,
        )

    def drain(self, timeout_s: float) -> tuple[ScheduledCheck, ...]:
        """Stop starting checks, let those in flight end, flush, stop.

        Returns the checks without an outcome (not started, or cancelled after ``timeout_s``), for
        the caller to release their claims. Blocks; not for the engine's own thread.
        """
        loop = self._loop
        if loop is None:
            return ()
        if self._ended.is_set():
            self._flush_rest(timeout_s)  # the loop broke: what it found is still here
            return ()
        answer: Future[list[ScheduledCheck]] = asyncio.run_coroutine_threadsafe(
            self._drain(timeout_s), loop
        )
        left = answer.result(timeout_s + 2 * UNWIND_S)
        self._flush_rest(timeout_s)
        self._call(self._end)
        self._ended.wait(timeout_s + UNWIND_S)
        return tuple(left)

    def _flush_rest(self, timeout_s: float) -> None:
        unflushed = self._flusher.close(timeout_s)
        if unflushed:
            logger.error("%d results could not be stored before the end", unflushed)

    def _call(self, function: Callable[[], None]) -> None:
        loop = self._loop
        if loop is not None:
            # A loop that has just been closed has nothing left to do.
            with suppress(RuntimeError):
                loop.call_soon_threadsafe(function)

    def _on_room(self) -> None:
        self._call(self._turn)

    # --- in the loop ------------------------------------------------------------------------

    async def _main(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._stop = asyncio.Event()
        self._idle = asyncio.Event()
        self._flusher.start()
        if self._settings.freeze_gc:
            # What is loaded now stays; collecting it again and again would only cost pauses.
            gc.collect()
            gc.freeze()
        self._ready.set()
        self._admit()
        try:
            await self._stop.wait()
        finally:
            await self._network.aclose()

    def _end(self) -> None:
        if self._stop is not None:
            self._stop.set()

    def _admit(self) -> None:
        """Move what was submitted onto the wheel."""
        now = self._clock.monotonic()
        offset = now - self._clock.wall()
        while self._inbox:
            for check in self._inbox.popleft():
                due = check.slot_ms / 1000 + offset
                self._wheel.add(Flight(check=check, due=due), due)
                self._counters.submitted += 1
        self._turn()

    def _turn(self) -> None:
        """Move along whatever may move now, then sleep until something else may."""
        self._is_turning = False
        now = self._clock.monotonic()
        if not self._is_draining:
            for flight in self._wheel.pop_due(now):
                if self._hosts.enter(flight.check.host, flight):
                    self._queue_of(flight).add(flight)
            if not self._flusher.is_full:
                for flight in (*self._plain.take(now), *self._tls.take(now)):
                    self._flights.launch(flight)
        self._sleep(now)

    def _turn_soon(self) -> None:
        """Turn once for all the checks that end in this pass of the loop."""
        if not self._is_turning and self._loop is not None:
            self._is_turning = True
            self._loop.call_soon(self._turn)

    def _queue_of(self, flight: Flight) -> PacedQueue[Flight]:
        return self._tls if flight.check.is_tls else self._plain

    def _sleep(self, now: float) -> None:
        if self._is_draining or self._loop is None:
            return
        waits = [] if self._flusher.is_full else [self._plain.wait_s(), self._tls.wait_s()]
        due = self._wheel.next_due()
        moments = [now + wait for wait in waits if wait is not None]
        wake_at = min(moments if due is None else [*moments, due], default=float("inf"))
        if self._wake is not None:
            if wake_at == self._wake_at:
                return
            self._wake.cancel()
        self._wake, self._wake_at = None, wake_at
        if wake_at != float("inf"):
            self._wake = self._loop.call_later(max(0.0, wake_at - now), self._on_wake)

    def _on_wake(self) -> None:
        self._counters.loop_lag_s = max(0.0, self._clock.monotonic() - self._wake_at)
        self._wake, self._wake_at = None, float("inf")
        self._turn()

    def _on_left(self, flight: Flight) -> None:
        successor = self._hosts.leave(flight.check.host)
        if successor is not None:
            self._queue_of(successor).add(successor)
            self._turn_soon()
        if not self._flights and self._idle is not None:
            self._idle.set()

    async def _drain(self, timeout_s: float) -> list[ScheduledCheck]:
        self._is_draining = True
        if self._wake is not None:
            self._wake.cancel()
        waiting = [*self._wheel.clear(), *self._hosts.clear()]
        waiting += [*self._plain.clear(), *self._tls.clear()]
        left = [flight.check for flight in waiting]
        for submitted in self._inbox:
            left += submitted
        self._inbox.clear()
        await self._await_flights(timeout_s)
        left += self._flights.cancel_all()
        return left

    async def _await_flights(self, timeout_s: float) -> None:
        if not self._flights or self._idle is None:
            return
        self._idle.clear()
        try:
            async with asyncio.timeout(timeout_s):
                await self._idle.wait()
        except TimeoutError:
            return


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop]:
    try:
        import uvloop  # noqa: PLC0415 - optional: not on every platform
    except ImportError:
        return asyncio.new_event_loop
    factory: Callable[[], asyncio.AbstractEventLoop] = uvloop.new_event_loop
    return factory
