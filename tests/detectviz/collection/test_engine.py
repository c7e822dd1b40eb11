import asyncio
import threading
import time
from collections.abc import Callable, Iterator, Sequence

import pytest

from detectviz.collection.checks import Outcome, ScheduledCheck
from detectviz.collection.connectivity import ConnectivityProbe
from detectviz.collection.engine import Engine, EngineSettings
from detectviz.collection.once import run_once
from detectviz.contracts.collector import CheckResult, Collector, CollectorContext
from detectviz.contracts.errors import NetworkError
from detectviz.contracts.types import CheckState
from detectviz.net.guard import EgressPolicy
from detectviz.net.network import EngineNetwork

WAIT_S = 10.0


class Fake:
    """A collector that does what ``config["do"]`` says."""

    def __init__(self) -> None:
        self.running = self.most = 0
        self.release = threading.Event()
        self.started: list[str] = []  # names, in the order they began

    async def check(self, context: CollectorContext) -> CheckResult:
        self.running += 1
        self.most = max(self.most, self.running)
        self.started.append(context.monitor)
        try:
            return await self._do(str(context.config.get("do", "up")))
        finally:
            self.running -= 1

    async def _do(self, what: str) -> CheckResult:
        if what == "hang":
            await asyncio.sleep(3600)
        if what == "ignore cancellation":
            while not self.release.is_set():
                try:
                    await asyncio.sleep(0.01)
                except asyncio.CancelledError:
                    continue
        if what == "wait":
            while not self.release.is_set():  # noqa: ASYNC110 - set from the test's thread
                await asyncio.sleep(0.005)
        if what == "break":
            raise KeyError("no such thing")
        if what == "refused":
            raise NetworkError("connection refused", phase="connect")
        return CheckResult(state=CheckState.UP, message="fine")


class Registry:
    def __init__(self, collector: Collector) -> None:
        self.collector = collector

    def get(self, name: str, org: str) -> Collector:
        if name != "fake":
            raise LookupError(f"no collector is called {name}")
        return self.collector


class Sink:
    def __init__(self) -> None:
        self.outcomes: list[Outcome] = []
        self._changed = threading.Condition()
        self.is_broken = False

    def flush(self, outcomes: Sequence[Outcome]) -> None:
        if self.is_broken:
            raise OSError("disk full")
        with self._changed:
            self.outcomes += outcomes
            self._changed.notify_all()

    def wait_for(self, count: int) -> list[Outcome]:
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.outcomes) >= count, WAIT_S)
        return sorted(self.outcomes, key=lambda outcome: outcome.key)


class Bench:
    """An engine with fakes around it."""

    def __init__(self, **settings: float) -> None:
        self.fake, self.sink = Fake(), Sink()
        self.has_route = True
        network = EngineNetwork(EgressPolicy(allow_private=True))
        probe = ConnectivityProbe(network, has_route=lambda: self.has_route)
        values = {"flush_every_s": 0.01} | settings
        self.engine = Engine(
            registry=Registry(self.fake),
            sink=self.sink,
            network=network,
            settings=EngineSettings(**values),  # type: ignore[arg-type]  # a test's keyword table
            connectivity=probe,
        )

    def submit(self, count: int = 1, **changes: object) -> None:
        self.engine.submit([a_check(key=key, **changes) for key in range(count)])


def a_check(**changes: object) -> ScheduledCheck:
    values: dict[str, object] = {
        "key": 0,
        "epoch": 3,
        "slot_ms": round(time.time() * 1000),
        "collector": "fake",
        "name": "home",
        "config": {},
        "timeout_s": 5.0,
    }
    return ScheduledCheck(**(values | changes))  # type: ignore[arg-type]  # a test's keyword table


@pytest.fixture
def make() -> Iterator[Callable[..., Bench]]:
    benches: list[Bench] = []

    def build(**settings: float) -> Bench:
        bench = Bench(**settings)
        benches.append(bench)
        bench.engine.start()
        return bench

    yield build
    for bench in benches:
        bench.fake.release.set()
        bench.sink.is_broken = False
        bench.engine.drain(2.0)


def test_every_check_submitted_has_one_outcome_that_names_its_claim(
    make: Callable[..., Bench],
) -> None:
    bench = make(batch=100)
    slot_ms = round(time.time() * 1000)
    bench.submit(1000, slot_ms=slot_ms)
    outcomes = bench.sink.wait_for(1000)
    assert [outcome.key for outcome in outcomes] == list(range(1000))
    assert {(outcome.epoch, outcome.slot_ms) for outcome in outcomes} == {(3, slot_ms)}
    assert all(outcome.result.state is CheckState.UP for outcome in outcomes)
    stats = bench.engine.stats()
    assert (stats.submitted, stats.started, stats.in_flight) == (1000, 1000, 0)
    assert stats.finished[CheckState.UP] == sum(stats.lag_counts) == 1000


def test_a_check_starts_when_due_and_not_before(make: Callable[..., Bench]) -> None:
    bench = make()
    due = time.time() + 0.15
    bench.submit(1, slot_ms=round(due * 1000))
    outcome = bench.sink.wait_for(1)[0]
    assert due - 0.002 <= outcome.started_at_ms / 1000 < due + WAIT_S
    assert outcome.lag_s < WAIT_S


def test_a_slot_long_past_runs_and_tells_its_lag(make: Callable[..., Bench]) -> None:
    bench = make()
    bench.submit(1, slot_ms=round(time.time() * 1000) - 60_000)
    assert bench.sink.wait_for(1)[0].lag_s == pytest.approx(60, abs=1)


def test_hanging_checks_hold_up_nothing_and_end_at_their_deadline(
    make: Callable[..., Bench],
) -> None:
    bench = make()
    bench.engine.submit(
        [a_check(key=1000 + n, config={"do": "hang"}, timeout_s=0.1) for n in range(50)]
    )
    bench.submit(200)
    bench.sink.wait_for(200)
    outcomes = bench.sink.wait_for(250)[200:]
    assert {outcome.result.state for outcome in outcomes} == {CheckState.DOWN}
    assert outcomes[0].result.message == "timed out after 0.1 s"
    assert bench.engine.stats().timed_out == 50


def test_a_collector_that_ignores_its_cancellation_is_let_go(
    make: Callable[..., Bench], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("detectviz.collection.flights.UNWIND_S", 0.05)
    bench = make()
    bench.submit(1, config={"do": "ignore cancellation"}, timeout_s=0.01)
    assert bench.sink.wait_for(1)[0].result.state is CheckState.DOWN
    assert bench.engine.stats().abandoned == 1
    assert bench.engine.in_flight == 0


def test_a_broken_plugin_is_unknown_and_the_others_go_on(make: Callable[..., Bench]) -> None:
    bench = make()
    bench.engine.submit(
        [
            a_check(key=1, config={"do": "break"}),
            a_check(key=2, collector="absent"),
            a_check(key=3),
            a_check(key=4, config={"do": "refused"}),
        ]
    )
    results = [outcome.result for outcome in bench.sink.wait_for(4)]
    states = [result.state for result in results]
    assert states == [CheckState.UNKNOWN, CheckState.UNKNOWN, CheckState.UP, CheckState.DOWN]
    assert "KeyError: 'no such thing'" in results[0].message
    assert "no collector is called absent" in results[1].message
    assert results[3].message == "connection refused"


def test_a_host_never_has_more_than_its_share(make: Callable[..., Bench]) -> None:
    bench = make(per_host=3)
    bench.submit(30, host="example.org", config={"do": "wait"})
    while bench.engine.stats().waiting_for_host != 27 or bench.fake.running != 3:
        time.sleep(0.005)
    bench.fake.release.set()
    bench.sink.wait_for(30)
    assert bench.fake.most == 3


def test_starts_are_paced_and_tls_apart_from_plain(make: Callable[..., Bench]) -> None:
    bench = make(tls_rate=20.0)
    started = time.monotonic()
    bench.engine.submit([a_check(key=100 + n, name="tls", is_tls=True) for n in range(22)])
    bench.submit(50)
    bench.sink.wait_for(72)
    assert time.monotonic() - started >= 0.95
    names = bench.fake.started
    assert sorted(names) == ["home"] * 50 + ["tls"] * 22
    assert names[-1] == "tls"  # a second after the first, when those in plain text had long begun


def test_a_prober_that_is_offline_judges_no_far_target(make: Callable[..., Bench]) -> None:
    bench = make()
    bench.has_route = False
    bench.engine.submit(
        [
            a_check(key=1, host="example.org", config={"do": "refused"}),
            a_check(key=2, host="127.0.0.1", config={"do": "refused"}),
            a_check(key=3, host="example.org"),
        ]
    )
    far, near, fine = bench.sink.wait_for(3)
    assert (far.result.state, far.is_prober_offline) == (CheckState.UNKNOWN, True)
    assert "prober is offline" in far.result.message
    assert (near.result.state, near.is_prober_offline) == (CheckState.DOWN, False)
    assert fine.result.state is CheckState.UP
    assert bench.engine.stats().prober_offline == 1


def test_results_that_cannot_be_stored_push_back_and_none_is_lost(
    make: Callable[..., Bench],
) -> None:
    bench = make(capacity=20, batch=10)
    bench.sink.is_broken = True
    bench.submit(200, host="h")
    while not bench.engine.is_pushing_back:
        time.sleep(0.005)
    assert bench.engine.stats().started < 100
    bench.sink.is_broken = False
    assert len(bench.sink.wait_for(200)) == 200


def test_draining_lets_flights_end_and_gives_back_what_never_ran(
    make: Callable[..., Bench],
) -> None:
    bench = make()
    bench.submit(3, config={"do": "wait"})
    bench.engine.submit([a_check(key=50, slot_ms=round(time.time() * 1000) + 60_000)])
    while bench.engine.in_flight != 3:
        time.sleep(0.005)
    threading.Timer(0.05, bench.fake.release.set).start()
    left = bench.engine.drain(5.0)
    assert [check.key for check in left] == [50]
    assert len(bench.sink.outcomes) == 3
    assert bench.engine.drain(1.0) == ()


def test_draining_cancels_what_does_not_end_and_gives_it_back(make: Callable[..., Bench]) -> None:
    bench = make()
    bench.submit(2, config={"do": "hang"}, timeout_s=60.0)
    while bench.engine.in_flight != 2:
        time.sleep(0.005)
    assert sorted(check.key for check in bench.engine.drain(0.05)) == [0, 1]
    assert bench.sink.outcomes == []


def test_checks_submitted_before_the_start_run_after_it() -> None:
    bench = Bench()
    bench.submit(5)
    bench.engine.start()
    bench.sink.wait_for(5)
    bench.engine.drain(1.0)


def test_one_check_now_is_judged_by_the_same_rules() -> None:
    registry = Registry(Fake())
    for do, state in (
        ("up", CheckState.UP),
        ("break", CheckState.UNKNOWN),
        ("refused", CheckState.DOWN),
        ("hang", CheckState.DOWN),
    ):
        network = EngineNetwork(EgressPolicy())
        check = a_check(config={"do": do}, timeout_s=0.05 if do == "hang" else WAIT_S)
        assert run_once(check, registry=registry, network=network).state is state
