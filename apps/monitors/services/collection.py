"""Hosting the collection engine in a process: claim what is due, run it, store what it found."""

import logging
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass

from django.conf import settings
from django.db import close_old_connections, connections
from django.db.backends.base.base import BaseDatabaseWrapper

from apps.extensions.selectors import plugin_list
from apps.monitors.services import telemetry
from apps.monitors.services.network import (
    HostedCollectors,
    commands_host,
    discovery_host,
    engine_network,
)
from apps.monitors.services.pages import PageTeller
from apps.monitors.services.plans import PlanCache
from apps.monitors.services.reports import CheckReport
from apps.monitors.services.restating import Restater
from apps.monitors.services.results import results_store_safely
from apps.monitors.services.schedule import (
    CLAIM_LIMIT,
    claim_due,
    leases_expire,
    leases_release,
    leases_renew,
    slots_skip,
)
from apps.monitors.services.scrape_book import ScrapeBook
from apps.series.selectors import series_store
from detectviz.clock import utc_now
from detectviz.collection.checks import Outcome
from detectviz.collection.connectivity import ConnectivityProbe
from detectviz.collection.engine import Engine, EngineSettings
from detectviz.collection.stats import EngineStats
from detectviz.contracts.types import PluginKind
from detectviz.runtime import signals
from detectviz.runtime.leases import process_owner
from detectviz.runtime.shards import Shards

TICK_S = 1.0
LARGEST_BACKLOG = 20_000
RENEW_EVERY_S = 10.0

logger = logging.getLogger(__name__)


class CollectionHost:
    """One engine, one feeding thread, one sink.

    ``owner`` names this process among the living collectors. ``start`` returns when checks run;
    ``wake`` (from any thread) has due monitors claimed now instead of at the next tick.
    ``freeze_gc`` spares a process that does nothing else the collection of what is loaded.
    ``shard_count`` divides the location's monitors among its living collectors; 0: not divided.
    """

    def __init__(
        self, *, owner: str, location: str, freeze_gc: bool = False, shard_count: int = 0
    ) -> None:
        self.owner = owner
        self.location = location
        network = engine_network()
        self._engine = Engine(
            registry=HostedCollectors(),
            sink=self,
            network=network,
            settings=EngineSettings(freeze_gc=freeze_gc),
            connectivity=ConnectivityProbe(network, _references()),
            discovery=discovery_host(),
            commands=commands_host().runner,
        )
        name = f"collect:{location}"
        self._shards = Shards(name=name, count=shard_count, owner=owner) if shard_count else None
        self._plans = PlanCache()
        self._book = ScrapeBook()
        self._outstanding: dict[int, float] = {}
        self._lock = threading.Lock()
        self._woken = threading.Event()
        self._stopping = threading.Event()
        self._feeder = threading.Thread(target=self._feed_forever, name="collection-feed")
        self._renew_at = 0.0
        self._restater = Restater(owner=owner)
        self._pages = PageTeller()
        self._flushing: BaseDatabaseWrapper | None = None

    def start(self) -> None:
        """Start engine and feeder."""
        for plugin in plugin_list(PluginKind.COLLECTOR):
            logger.debug("collector %s: %s", plugin.name, plugin.status)
        self._engine.start()
        self._feeder.daemon = True
        self._feeder.start()

    def wake(self) -> None:
        """Claim and submit what is due, soon."""
        self._woken.set()

    def stop(self, deadline_s: float) -> None:
        """Stop claiming, let checks in flight end, store their results, give the rest back."""
        self._stopping.set()
        self._woken.set()
        self._feeder.join(timeout=deadline_s)
        self._engine.drain(max(0.5, deadline_s * 0.7))
        self._close_flushing()
        self._restater.stop()
        if self._shards is not None:
            self._shards.release()
        released = leases_release(owner=self.owner, now=utc_now())
        logger.info("collection stopped; %d claims given back", released)

    def _close_flushing(self) -> None:
        # The flushing thread is the engine's and has ended; nobody else closes its connection.
        if self._flushing is not None:
            self._flushing.inc_thread_sharing()
            self._flushing.close()
            self._flushing = None

    def complaint(self) -> str:
        """Return which of the threads has ended by itself, empty while all run."""
        if not self._feeder.is_alive():
            return "what claims due monitors ended"
        return "" if self._engine.is_alive else "the collection engine ended"

    def stats(self) -> EngineStats:
        """Return the engine's counters."""
        return self._engine.stats()

    # --- the engine's sink, in the flushing thread --------------------------------------------

    def flush(self, outcomes: Sequence[Outcome]) -> None:
        """Store a batch; an exception brings the same batch again."""
        close_old_connections()
        self._flushing = connections["default"]
        started = time.perf_counter()
        try:
            reports = self._reports(outcomes)
            stored = results_store_safely(reports=reports, store=series_store(), book=self._book)
        except Exception:
            connections.close_all()  # a broken connection would fail every further try
            raise
        with self._lock:
            for outcome in outcomes:
                self._outstanding.pop(outcome.key, None)
        telemetry.flush_count(outcomes, reports, stored, took_s=time.perf_counter() - started)
        self._pages.tell(stored)

    def _reports(self, outcomes: Sequence[Outcome]) -> list[CheckReport]:
        reports = []
        for outcome in outcomes:
            plan = self._plans.plan(outcome.key)
            if plan is not None:
                reports.append(
                    CheckReport(
                        plan=plan,
                        epoch=outcome.epoch,
                        slot_ms=outcome.slot_ms,
                        started_at_ms=outcome.started_at_ms,
                        result=outcome.result,
                        is_offline=outcome.is_prober_offline,
                    )
                )
        return reports

    # --- the feeding thread --------------------------------------------------------------------

    def _feed_forever(self) -> None:
        while not self._stopping.is_set():
            self._woken.clear()
            try:
                self.feed()
            except Exception:
                logger.exception("could not claim what is due; next try in %g s", TICK_S)
                connections.close_all()
            self._woken.wait(TICK_S)
        connections.close_all()

    def feed(self) -> int:
        """Claim and submit until nothing more is due; return how many checks were submitted."""
        close_old_connections()
        self._tidy()
        total = 0
        while not self._stopping.is_set() and not self._is_busy():
            claims = claim_due(
                owner=self.owner, now=utc_now(), location=self.location, shards=self._shards
            )
            if claims:
                with self._lock:
                    claimed_at = time.monotonic()
                    self._outstanding.update((claim.monitor_id, claimed_at) for claim in claims)
                self._engine.submit(self._plans.checks(claims))
                total += len(claims)
            if len(claims) < CLAIM_LIMIT:
                break
        return total

    def _tidy(self) -> None:
        now = utc_now()
        self._renew()
        if self._shards is not None:
            self._shards.tick(now)
        leases_expire(now=now)
        telemetry.slots_skipped.inc(slots_skip(now=now, location=self.location))
        telemetry.engine_show(self._engine.stats())
        self._restater.tick()

    def _renew(self) -> None:
        """Keep the leases of checks that wait long inside the engine, behind a slow host."""
        moment = time.monotonic()
        if moment < self._renew_at:
            return
        self._renew_at = moment + RENEW_EVERY_S
        with self._lock:
            waiting = [
                key for key, since in self._outstanding.items() if moment - since > RENEW_EVERY_S
            ]
        leases_renew(owner=self.owner, monitors=waiting, now=utc_now())

    def _is_busy(self) -> bool:
        return self._engine.is_pushing_back or self._engine.backlog > LARGEST_BACKLOG


@dataclass(slots=True)
class CollectionModule:
    """The engine as a module of a process: hosted, fed by a tick, woken by signals."""

    name: str = "collection"
    depends_on: Sequence[str] = ("drivers",)
    _receiver: signals.Receiver | None = None

    def start(self) -> None:
        """Start the host and listen for wake-ups."""
        if settings.IS_EMBEDDED:
            # There is one collector: whatever an earlier life of it held is free at once.
            leases_release(owner=None, now=utc_now())
        host = CollectionHost(
            owner=process_owner(),
            location=settings.LOCATION,
            freeze_gc=True,
            shard_count=0 if settings.IS_EMBEDDED else settings.POOL_SHARDS,
        )
        host.start()
        _hosted.append(host)
        self._receiver = signals.listen("collector", lambda _: host.wake())

    def complaint(self) -> str:
        """Return what no longer works, empty while all does."""
        return _hosted[0].complaint() if _hosted else "no engine is hosted"

    def stop(self, deadline_s: float) -> None:
        """Drain the engine and give claims back."""
        if self._receiver is not None:
            self._receiver.stop()
        while _hosted:
            _hosted.pop().stop(deadline_s)


_hosted: list[CollectionHost] = []


def collection_host() -> CollectionHost | None:
    """Return the engine's host if this process runs one."""
    return _hosted[0] if _hosted else None


def collection_wake() -> None:
    """Have due monitors claimed now: by this process if it hosts an engine, else by those that do.

    The tick of beat calls this; a host ticks by itself as well, so losing it costs nothing.
    """
    host = collection_host()
    if host is not None:
        host.wake()
    else:
        signals.send("collector", {})


def _references() -> list[tuple[str, int]]:
    found = []
    for target in settings.CONNECTIVITY_TARGETS:
        host, _, port = target.rpartition(":")
        found.append((host.strip("[]"), int(port)))
    return found
