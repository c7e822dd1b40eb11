import asyncio
import threading
import time
from collections.abc import Sequence

import pytest

from detectviz.collection.checks import Outcome, ScheduledCheck
from detectviz.collection.connectivity import (
    ConnectivityProbe,
    has_default_route,
    has_ipv4_default,
    has_ipv6_default,
    is_far,
    is_suspect,
)
from detectviz.collection.flusher import Flusher
from detectviz.collection.hosts import HostGate
from detectviz.collection.pacing import PacedQueue
from detectviz.collection.verdict import from_answer, from_exception
from detectviz.collection.wheel import TimingWheel
from detectviz.contracts.collector import CheckResult
from detectviz.contracts.errors import (
    ConfigurationError,
    DeadlineExceededError,
    EgressDeniedError,
    NetworkError,
    PluginError,
)
from detectviz.contracts.types import CheckState
from detectviz.net.guard import EgressPolicy
from detectviz.net.network import EngineNetwork
from detectviz.testing.http_server import silent_port
from detectviz.testing.services import free_port

UP = CheckResult(state=CheckState.UP, message="fine")


def a_check(**changes: object) -> ScheduledCheck:
    values: dict[str, object] = {
        "key": 1,
        "epoch": 1,
        "slot_ms": 0,
        "collector": "fake",
        "name": "home",
        "config": {},
    }
    return ScheduledCheck(**(values | changes))  # type: ignore[arg-type]  # a test's keyword table


def an_outcome(key: int) -> Outcome:
    return Outcome(key=key, epoch=1, slot_ms=0, started_at_ms=0, lag_s=0.0, result=UP)


# --- wheel ------------------------------------------------------------------------------------


def test_the_wheel_gives_items_when_due_in_order_and_never_before() -> None:
    wheel: TimingWheel[str] = TimingWheel()
    for item, due in (("late", 5.0), ("soon", 1.001), ("now", 0.5), ("soon too", 1.002)):
        wheel.add(item, due)
    assert wheel.pop_due(0.49) == []
    assert wheel.pop_due(1.0) == ["now"]
    assert wheel.next_due() == pytest.approx(1.01)
    assert wheel.pop_due(1.02) == ["soon", "soon too"]
    assert len(wheel) == 1
    assert wheel.clear() == ["late"]
    assert wheel.next_due() is None


def test_the_wheel_is_late_by_at_most_one_slot() -> None:
    wheel: TimingWheel[float] = TimingWheel()
    for step in range(1000):
        due = step * 0.0037
        wheel.add(due, due)
    now = 0.0
    while len(wheel):
        moment = wheel.next_due()
        assert moment is not None
        now = moment
        for due in wheel.pop_due(now):
            assert due - 1e-9 <= now < due + 0.0100001


# --- pacing -----------------------------------------------------------------------------------


def test_a_burst_is_spread_to_the_rate() -> None:
    queue: PacedQueue[int] = PacedQueue(100.0)
    for number in range(50):
        queue.add(number)
    assert queue.take(10.0) == [0, 1]
    assert queue.take(10.0) == []
    wait = queue.wait_s()
    assert wait == pytest.approx(0.01)
    assert queue.take(10.0101) == [2]
    now, taken = 10.0101, 3
    while len(queue):
        now += 0.01001
        taken += len(queue.take(now))
    assert taken == 50
    assert now - 10.0 == pytest.approx(0.48, abs=0.02)


def test_a_high_rate_survives_coarse_timers() -> None:
    queue: PacedQueue[int] = PacedQueue(12_000.0)
    for number in range(12_000):
        queue.add(number)
    now = 0.0
    while len(queue):
        queue.take(now)
        now += 0.001
    assert now == pytest.approx(1.0, abs=0.05)


def test_an_empty_queue_waits_for_nothing_and_a_rate_of_zero_is_refused() -> None:
    assert PacedQueue[int](1.0).wait_s() is None
    with pytest.raises(ValueError, match="above 0"):
        PacedQueue[int](0.0)


# --- hosts ------------------------------------------------------------------------------------


def test_a_host_admits_its_limit_and_the_rest_in_order() -> None:
    gate: HostGate[int] = HostGate(2)
    assert [gate.enter("a", number) for number in range(5)] == [True, True, False, False, False]
    assert gate.enter("b", 9)
    assert [gate.leave("a"), gate.leave("a"), gate.leave("a")] == [2, 3, 4]
    assert [gate.leave("a"), gate.leave("a")] == [None, None]
    assert gate.enter("a", 5)
    assert gate.leave("b") is None


def test_checks_without_a_host_are_not_limited() -> None:
    gate: HostGate[int] = HostGate(1)
    assert all(gate.enter("", number) for number in range(10))
    assert gate.leave("") is None


# --- verdict ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "state", "part"),
    [
        (NetworkError("refused", phase="connect"), CheckState.DOWN, "refused"),
        (DeadlineExceededError("timed out", phase="tls"), CheckState.DOWN, "timed out"),
        (EgressDeniedError("not allowed"), CheckState.UNKNOWN, "not allowed"),
        (PluginError("cannot say"), CheckState.UNKNOWN, "cannot say"),
        (ConfigurationError("bad", field="/url"), CheckState.UNKNOWN, "bad"),
        (ZeroDivisionError("oops"), CheckState.UNKNOWN, "ZeroDivisionError: oops"),
        (ModuleNotFoundError("no x"), CheckState.UNKNOWN, "no x"),
    ],
)
def test_each_kind_of_failure_has_its_state(error: Exception, state: CheckState, part: str) -> None:
    result = from_exception(error, a_check())
    assert result.state is state
    assert part in result.message
    assert result.evidence["error"] == type(error).__name__


def test_a_network_failure_tells_its_phase() -> None:
    result = from_exception(NetworkError("x", phase="resolve"), a_check())
    assert result.evidence["phase"] == "resolve"


def test_secrets_are_masked_wherever_a_plugin_leaks_them() -> None:
    check = a_check(secrets={"token": 'hun"ter2', "short": "ab"})
    leak = CheckResult(
        state=CheckState.DOWN,
        message='denied for hun"ter2 ab',
        evidence={"headers": {"authorization": 'Bearer hun"ter2'}},
    )
    result = from_answer(leak, check)
    assert result.message == "denied for *** ab"
    assert result.evidence == {"headers": {"authorization": "Bearer ***"}}


@pytest.mark.parametrize("evidence", [{"big": "x" * 70_000}, {"bad": object()}, {1: {2}}])
def test_evidence_that_does_not_fit_is_dropped_with_a_reason(evidence: object) -> None:
    result = CheckResult(state=CheckState.UP, message="", evidence=evidence)  # type: ignore[arg-type]  # what a bad plugin does
    assert "evidence_dropped" in from_answer(result, a_check()).evidence


def test_an_answer_that_is_no_result_is_unknown() -> None:
    assert from_answer(None, a_check()).state is CheckState.UNKNOWN
    assert from_answer(UP, a_check()) is UP


# --- flusher ----------------------------------------------------------------------------------


class Sink:
    def __init__(self, failures: int = 0) -> None:
        self.batches: list[list[int]] = []
        self.failures = failures
        self.flushed = threading.Event()
        self.gate = threading.Event()
        self.gate.set()

    def flush(self, outcomes: Sequence[Outcome]) -> None:
        self.gate.wait(5)
        if self.failures:
            self.failures -= 1
            raise OSError("disk full")
        self.batches.append([outcome.key for outcome in outcomes])
        self.flushed.set()


def a_flusher(sink: Sink, **changes: object) -> Flusher:
    values: dict[str, object] = {"every_s": 0.01, "first_backoff_s": 0.001}
    made = Flusher(sink, on_room=lambda: None, **(values | changes))  # type: ignore[arg-type]  # a test's keyword table
    made.start()
    return made


def test_a_single_outcome_is_flushed_soon() -> None:
    sink = Sink()
    flusher = a_flusher(sink)
    flusher.put(an_outcome(1))
    assert sink.flushed.wait(2)
    assert flusher.close(1.0) == 0
    assert sink.batches == [[1]]


def test_outcomes_come_in_order_in_batches_and_all_of_them() -> None:
    sink = Sink()
    flusher = a_flusher(sink, batch=10, every_s=0.02)
    for key in range(105):
        flusher.put(an_outcome(key))
    assert flusher.close(2.0) == 0
    assert [key for batch in sink.batches for key in batch] == list(range(105))
    assert max(len(batch) for batch in sink.batches) == 10


def test_a_failing_sink_gets_the_same_outcomes_until_it_takes_them() -> None:
    sink = Sink(failures=3)
    flusher = a_flusher(sink)
    flusher.put(an_outcome(7))
    assert sink.flushed.wait(3)
    assert flusher.close(1.0) == 0
    assert sink.batches == [[7]]
    assert (flusher.failures, flusher.flushed) == (3, 1)


def test_a_sink_that_never_takes_them_is_told_at_the_end() -> None:
    sink = Sink(failures=1_000_000)
    flusher = a_flusher(sink)
    flusher.put(an_outcome(1))
    assert flusher.close(0.05) == 1


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_what_a_broken_thread_left_is_flushed_at_the_end() -> None:
    class Breaking(Sink):
        def flush(self, outcomes: Sequence[Outcome]) -> None:
            if not self.flushed.is_set():
                self.flushed.set()
                raise SystemExit
            super().flush(outcomes)

    sink = Breaking()
    flusher = a_flusher(sink)
    flusher.put(an_outcome(1))
    assert sink.flushed.wait(2)
    ends_at = time.monotonic() + 5
    while flusher.is_alive and time.monotonic() < ends_at:
        time.sleep(0.001)
    flusher.put(an_outcome(2))

    assert flusher.close(1.0) == 0
    assert sink.batches == [[1, 2]]


def test_a_full_buffer_says_so_and_tells_when_there_is_room() -> None:
    sink, room = Sink(), threading.Event()
    sink.gate.clear()
    flusher = Flusher(sink, on_room=room.set, every_s=0.001, batch=2, capacity=4)
    flusher.start()
    for key in range(6):
        flusher.put(an_outcome(key))
    assert flusher.is_full
    assert not room.is_set()
    sink.gate.set()
    assert room.wait(2)
    assert flusher.close(1.0) == 0


# --- connectivity -----------------------------------------------------------------------------

ROUTE_HEAD = "Iface Destination Gateway Flags RefCnt Use Metric Mask MTU Window IRTT"


def test_default_routes_are_read_from_the_kernels_tables() -> None:
    default = "eth0 00000000 0101A8C0 0003 0 0 0 00000000 0 0 0"
    lan = "eth0 0001A8C0 00000000 0001 0 0 0 00FFFFFF 0 0 0"
    rejected = "eth0 00000000 00000000 0200 0 0 0 00000000 0 0 0"
    assert has_ipv4_default([ROUTE_HEAD, lan, default])
    assert not has_ipv4_default([ROUTE_HEAD, lan, rejected])
    assert not has_ipv4_default([ROUTE_HEAD, default.replace("eth0", "lo")])
    zero = "0" * 32
    six = f"{zero} 00 {zero} 00 fe80{'0' * 28} 00000400 00000001 00000000 00000003 eth0"
    unreachable = f"{zero} 00 {zero} 00 {zero} ffffffff 00000001 00000000 00200200 lo"
    assert has_ipv6_default([unreachable, six])
    assert not has_ipv6_default([unreachable])
    assert isinstance(has_default_route(), bool)


@pytest.mark.parametrize(
    ("host", "far"),
    [
        ("example.org", True),
        ("8.8.8.8", True),
        ("[2606:4700::1111]", True),
        ("localhost", False),
        ("a.localhost.", False),
        ("127.0.0.1", False),
        ("10.1.2.3", False),
        ("::1", False),
        ("", False),
    ],
)
def test_only_far_hosts_can_be_unreachable_for_our_own_sake(
    host: str,
    far: bool,
) -> None:
    assert is_far(host) is far
    down = CheckResult(state=CheckState.DOWN, message="", evidence={"phase": "connect"})
    late = CheckResult(state=CheckState.DOWN, message="", evidence={"phase": "receive"})
    assert is_suspect(down, host) is far
    assert not is_suspect(late, host)
    assert not is_suspect(UP, host)


async def test_a_reference_that_answers_or_refuses_means_online() -> None:
    network = EngineNetwork(EgressPolicy(allow_private=True))
    with silent_port() as port:
        assert await ConnectivityProbe(network, [("127.0.0.1", port)]).is_online()
    assert await ConnectivityProbe(network, [("127.0.0.1", free_port())]).is_online()
    assert not await ConnectivityProbe(network, [("nosuch.invalid", 80)]).is_online()
    await network.aclose()


async def test_the_answer_is_asked_once_and_kept_for_a_while() -> None:
    asked, now = [], [0.0]

    def has_route() -> bool:
        asked.append(1)
        return False

    network = EngineNetwork(EgressPolicy())
    probe = ConnectivityProbe(network, monotonic=lambda: now[0], has_route=has_route)
    answers = await asyncio.gather(*(probe.is_online() for _ in range(10)))
    assert not any(answers)
    assert len(asked) == 1
    now[0] = 6.0
    await probe.is_online()
    assert len(asked) == 2
    await network.aclose()
