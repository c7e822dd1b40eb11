"""Several queries of one request: side by side, under limits, each with its own outcome."""

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from detectviz.contracts.datasource import TimeRange
from detectviz.contracts.errors import NetworkError, QueryError
from detectviz.contracts.frames import Field, FieldType, Frame
from detectviz.queries import executor
from detectviz.queries.breaker import Breakers, CircuitState
from detectviz.queries.caps import Caps, capped
from detectviz.queries.errors import CircuitOpenError, CrowdedError, RefusedQueryError
from detectviz.queries.executor import Control, Executor, Source
from detectviz.queries.model import EXPRESSIONS, Query, QueryRequest, Results
from detectviz.queries.slots import SlotLimits, Slots

SPAN = TimeRange(start_ms=0, end_ms=60_000)
SOON_S = 10.0
Ask = Callable[[Query, Control], Sequence[Frame]]


def query(ref_id: str, source: str = "one", *, hide: bool = False, **model: Any) -> Query:
    return Query(
        ref_id=ref_id, model=model, range=SPAN, interval_ms=1000, max_points=60,
        datasource=source, is_hidden=hide,
    )  # fmt: skip


def math_of(ref_id: str, expression: str, *, hide: bool = False) -> Query:
    return query(ref_id, EXPRESSIONS, hide=hide, type="math", expression=expression)


def answer(value: float = 1.0, rows: int = 1) -> list[Frame]:
    return [
        Frame(
            fields=(Field(name="v", type=FieldType.NUMBER, values=[value] * rows),),
            shape="numeric" if rows == 1 else "table",
        )
    ]


def answering(*values: float) -> Ask:
    def ask(query: Query, control: Control) -> Sequence[Frame]:
        return [frame for value in values for frame in answer(value)]

    return ask


@dataclass
class World:
    """An executor and what its datasources do."""

    asks: dict[str, Ask] = field(default_factory=dict)
    limits: SlotLimits = field(default_factory=SlotLimits)
    caps: Caps = field(default_factory=lambda: Caps(rows=1000, bytes=10**6))
    breakers: Breakers = field(default_factory=Breakers)
    asked: list[str] = field(default_factory=list)
    gone: Callable[[], bool] = lambda: False

    def __post_init__(self) -> None:
        self.slots = Slots(self.limits)
        self.executor = Executor(slots=self.slots, breakers=self.breakers, caps=self.caps)

    def run(self, *queries: Query, timeout_s: float = SOON_S, org: str = "acme") -> Results:
        return self.executor.run(
            QueryRequest(queries=queries),
            org=org,
            prepare=self.prepare,
            timeout_s=timeout_s,
            is_gone=self.gone,
        )

    def prepare(self, query: Query) -> Source:
        if query.datasource == "unknown":
            raise RefusedQueryError("there is no such datasource", status=404)

        def ask(query: Query, control: Control) -> Sequence[Frame]:
            self.asked.append(query.ref_id)
            return self.asks.get(query.datasource, answering(1))(query, control)

        return Source(key=query.datasource, name=query.datasource, ask=ask)


def failing(error: Exception) -> Ask:
    def ask(query: Query, control: Control) -> Sequence[Frame]:
        raise error

    return ask


def until_cancelled(query: Query, control: Control) -> Sequence[Frame]:
    ends_at = time.monotonic() + SOON_S
    while not control.is_cancelled() and time.monotonic() < ends_at:
        time.sleep(0.005)
    return []


def test_one_failure_is_no_other_ones() -> None:
    world = World(
        asks={"bad": failing(QueryError("syntax", status=422)), "broken": failing(KeyError())}
    )
    found = world.run(query("A"), query("B", "bad"), query("C", "broken"), query("D", "unknown"))
    assert {name: each.status for name, each in found.outcomes.items()} == {
        "A": 200, "B": 422, "C": 500, "D": 404,
    }  # fmt: skip
    assert found.outcomes["A"].frames[0].ref_id == "A"
    assert "log says why" in str(found.outcomes["C"].error)


def test_queries_of_one_request_run_side_by_side() -> None:
    together = threading.Barrier(4, timeout=SOON_S)

    def ask(query: Query, control: Control) -> Sequence[Frame]:
        together.wait()
        return answer()

    found = World(asks={"one": ask}).run(*(query(name) for name in "ABCD"))
    assert all(each.error is None for each in found.outcomes.values())


def test_fifty_requests_at_once_keep_within_every_limit() -> None:
    limits = SlotLimits(total=10, per_org=6, per_source=3)
    running: dict[str, int] = {"all": 0}
    most: dict[str, int] = {}
    lock = threading.Lock()

    def counted(name: str, by: int) -> None:
        running[name] = running.get(name, 0) + by
        most[name] = max(most.get(name, 0), running[name])

    def ask(query: Query, control: Control) -> Sequence[Frame]:
        org = str(query.model["org"])
        names = ("all", org, f"{org}/{query.datasource}")
        with lock:
            for name in names:
                counted(name, 1)
        time.sleep(0.004)
        with lock:
            for name in names:
                counted(name, -1)
        return answer(float(query.model["n"]))  # type: ignore[arg-type]  # a number

    world = World(asks={"one": ask, "two": ask, "three": ask}, limits=limits)
    found: list[float] = []

    def request(n: int) -> None:
        org = f"org{n % 3}"
        source = ("one", "two", "three")[n % 5 % 3]
        results = world.run(query("A", source, org=org, n=n), org=org)
        with lock:
            found.append(results.outcomes["A"].frames[0].fields[0].values[0])  # type: ignore[arg-type]  # a number

    threads = [threading.Thread(target=request, args=(n,)) for n in range(50)]
    for each in threads:
        each.start()
    for each in threads:
        each.join(SOON_S)
    assert sorted(found) == [float(n) for n in range(50)]
    assert most["all"] <= 10
    assert (
        max(count for name, count in most.items() if name.startswith("org") and "/" not in name)
        <= 6
    )
    assert max(count for name, count in most.items() if "/" in name) <= 3
    while world.slots.running():  # a thread counts itself out after it has handed its answer over
        time.sleep(0.001)


def test_a_slow_datasource_holds_nobody_elses_threads() -> None:
    release = threading.Event()

    def until_released(query: Query, control: Control) -> Sequence[Frame]:
        release.wait(SOON_S)
        return []

    world = World(asks={"slow": until_released}, limits=SlotLimits(total=4, per_source=2))
    stuck = threading.Thread(target=lambda: world.run(*(query(f"S{n}", "slow") for n in range(8))))
    stuck.start()
    while world.slots.running() < 2:
        time.sleep(0.001)
    assert world.run(query("A", "fast")).outcomes["A"].error is None
    assert world.slots.running() >= 2
    assert stuck.is_alive()
    release.set()
    stuck.join(SOON_S)


def test_too_many_waiting_are_refused() -> None:
    slots = Slots(SlotLimits(total=1, per_org=1, per_source=1, waiting_per_org=2))
    release = threading.Event()
    futures = [slots.submit(lambda: release.wait(SOON_S), org="a", source="x")]
    futures += [slots.submit(lambda: True, org="a", source="x") for _ in range(2)]
    with pytest.raises(CrowdedError, match="2 queries"):
        slots.submit(lambda: True, org="a", source="x")
    release.set()
    assert all(each.result(SOON_S) for each in futures)


def test_the_org_with_the_fewest_running_is_next() -> None:
    slots = Slots(SlotLimits(total=2, per_org=2, per_source=2))
    release, order, lock = threading.Event(), [], threading.Lock()

    def note(name: str) -> bool:
        with lock:
            order.append(name)
        return release.wait(SOON_S)

    first = threading.Event()
    futures = [slots.submit(lambda: first.wait(SOON_S), org="loud", source="x")]
    futures += [slots.submit(lambda: note("loud"), org="loud", source="x") for _ in range(3)]
    while not order:
        time.sleep(0.001)
    futures.append(slots.submit(lambda: note("quiet"), org="quiet", source="x"))
    first.set()
    while len(order) < 2:
        time.sleep(0.001)
    release.set()
    assert order[1] == "quiet"
    assert all(each.result(SOON_S) for each in futures)


def test_time_runs_out_for_what_runs_and_what_waits() -> None:
    world = World(asks={"slow": until_cancelled}, limits=SlotLimits(per_source=1))
    began = time.monotonic()
    found = world.run(query("A"), query("B", "slow"), query("C", "slow"), timeout_s=1.0)
    assert time.monotonic() - began < SOON_S / 2
    assert [each.status for each in found.outcomes.values()] == [200, 504, 504]
    assert world.asked.count("C") == 0


def test_a_client_that_hangs_up_stops_its_queries() -> None:
    stopped = threading.Event()

    def ask(query: Query, control: Control) -> Sequence[Frame]:
        until_cancelled(query, control)
        stopped.set()
        return []

    began = time.monotonic()
    world = World(asks={"slow": ask}, gone=lambda: time.monotonic() > began + 0.1)
    found = world.run(query("A", "slow"))
    assert found.outcomes["A"].status == 499
    assert stopped.wait(SOON_S)
    assert world.breakers.state("slow") is CircuitState.CLOSED


def test_expressions_stand_on_queries_and_on_each_other() -> None:
    world = World(asks={"one": answering(20)})
    found = world.run(math_of("C", "$B + 1"), math_of("B", "$A * 2"), query("A"))
    assert list(found.outcomes) == ["C", "B", "A"]
    (frame,) = found.outcomes["C"].frames
    assert frame.fields[0].values == [41]
    assert frame.ref_id == "C"


def test_an_expression_tells_which_query_failed() -> None:
    world = World(asks={"bad": failing(QueryError("no such table"))})
    found = world.run(query("A", "bad"), math_of("B", "$A + 1"), math_of("C", "$B + 1"))
    assert found.outcomes["B"].status == 424
    assert "A, which it needs, failed: no such table" in str(found.outcomes["B"].error)
    assert "B, which it needs" in str(found.outcomes["C"].error)


def test_cycles_and_unknown_references_are_named() -> None:
    found = World().run(math_of("A", "$B"), math_of("B", "$A"), query("X"))
    assert found.outcomes["X"].error is None
    assert "A -> B -> A" in str(found.outcomes["A"].error) or "B -> A -> B" in str(
        found.outcomes["A"].error
    )
    found = World().run(math_of("A", "$Q + 1"))
    assert "there is no query Q" in str(found.outcomes["A"].error)
    found = World().run(math_of("A", "$A + 1"))
    assert "A -> A" in str(found.outcomes["A"].error)


def test_hidden_queries_run_only_when_needed_and_are_not_shown() -> None:
    world = World()
    found = world.run(query("A", hide=True), query("Z", hide=True), math_of("B", "$A + 1"))
    assert world.asked == ["A"]
    assert [each.ref_id for each in found.shown()] == ["B"]


def test_an_empty_answer_is_no_data_for_expressions() -> None:
    world = World(asks={"one": answering()})
    found = world.run(query("A"), math_of("B", "$A > 1"))
    assert found.outcomes["B"].error is None
    assert found.outcomes["B"].frames[0].fields == ()


class Clock:
    now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def test_a_failing_datasource_is_left_alone_and_tried_again() -> None:
    clock = Clock()
    breakers = Breakers(failures=3, rest_s=30, monotonic=clock)
    down: dict[str, Ask] = {"one": failing(NetworkError("connection refused", phase="connect"))}
    world = World(asks=down, breakers=breakers)
    for _ in range(3):
        assert world.run(query("A")).outcomes["A"].status == 502
    outcome = world.run(query("A")).outcomes["A"]
    assert (outcome.status, len(world.asked)) == (503, 3)
    assert "one is left alone after 3 failures in a row" in str(outcome.error)
    assert "in 30 s" in str(outcome.error)
    assert "connection refused" in str(outcome.error)
    clock.now_s = 31
    assert breakers.state("one") is CircuitState.HALF_OPEN
    assert world.run(query("A")).outcomes["A"].status == 502
    assert breakers.state("one") is CircuitState.OPEN
    clock.now_s = 62
    world.asks = {}
    assert world.run(query("A")).outcomes["A"].status == 200
    assert breakers.state("one") is CircuitState.CLOSED


def test_half_open_lets_one_through() -> None:
    clock = Clock()
    breakers = Breakers(failures=1, rest_s=1, monotonic=clock)
    breakers.fail("x", "down")
    clock.now_s = 2
    breakers.enter("x", "x")
    with pytest.raises(CircuitOpenError, match="call under way"):
        breakers.enter("x", "x")
    breakers.leave("x")
    breakers.enter("x", "x")


def test_refused_queries_open_no_circuit() -> None:
    world = World(asks={"one": failing(QueryError("syntax"))}, breakers=Breakers(failures=1))
    for _ in range(3):
        assert world.run(query("A")).outcomes["A"].status == 400


def test_an_answer_is_cut_at_the_rows_and_bytes_with_a_notice() -> None:
    (frame,) = capped(answer(rows=100), Caps(rows=10, bytes=10**6))
    assert frame.rows == 10
    assert "10 rows" in frame.notices[0].text
    (frame,) = capped(answer(rows=100), Caps(rows=1000, bytes=180))
    assert frame.rows == 10
    assert "180 bytes" in frame.notices[0].text
    found = capped([*answer(rows=6), *answer(rows=6)], Caps(rows=10, bytes=10**6))
    assert [each.rows for each in found] == [6, 4]
    assert not found[0].notices
    found = capped([answer()[0]] * 5, Caps(rows=10, bytes=10**6, frames=2))
    assert len(found) == 2
    assert "2 of 5" in found[-1].notices[0].text
    text = Field(name="t", type=FieldType.STRING, values=["x" * 1000] * 10)
    assert capped([Frame(fields=(text,))], Caps(rows=100, bytes=3010))[0].rows == 3


def test_a_datasource_that_never_answers_is_left_alone_too(monkeypatch: pytest.MonkeyPatch) -> None:
    ended = threading.Semaphore(0)

    def silent(query: Query, control: Control) -> Sequence[Frame]:
        until_cancelled(query, control)
        ended.release()
        raise NetworkError("given up", phase="receive")

    world = World(asks={"one": silent}, breakers=Breakers(failures=2))
    for silent_s, expected in ((60.0, CircuitState.CLOSED), (0.01, CircuitState.OPEN)):
        monkeypatch.setattr(executor, "SILENT_S", silent_s)
        for _ in range(2):
            assert world.run(query("A"), timeout_s=0.05).outcomes["A"].status == 504
            assert ended.acquire(timeout=SOON_S)
        while world.slots.running():
            time.sleep(0.001)
        assert world.breakers.state("one") is expected
