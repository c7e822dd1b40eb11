import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectviz.promql.memory_store import MemoryStore
from detectviz.tsdb.interface import STALE_NAN, Matcher, MatchOp, Sample, SeriesSet, StoreError
from detectviz.tsdb.warm import REFETCH_S, ReadKind, WarmLimits, WarmStore

UP = (Matcher("__name__", MatchOp.EQUAL, "up"),)
MATCHERS = (UP, (*UP, Matcher("i", MatchOp.NOT_EQUAL, "0")), (Matcher("i", MatchOp.REGEX, "1|2"),))
START_S = 1_000_000


class Bench:
    """A warm store over one in memory, with a clock and the reads it made."""

    def __init__(self, most_bytes: int = 1 << 20) -> None:
        self.cold = MemoryStore()
        self.now_s = START_S
        self.kinds: list[ReadKind] = []
        limits = WarmLimits(
            most_bytes=most_bytes,
            now_ms=lambda: self.now_s * 1000,
            monotonic_s=lambda: float(self.now_s),
            observe=lambda kind, _: self.kinds.append(kind),
        )
        self.warm = WarmStore(self.cold, limits)

    def put(self, tenant: str, series: int, at_s: int, value: float) -> None:
        labels = {"__name__": "up", "i": str(series)}
        start_ms = START_S if series == 1 else 0
        self.cold.append(tenant, [Sample(labels, at_s * 1000, value, start_ms=start_ms)])

    def check(self, tenant: str, matchers: tuple[Matcher, ...], window_s: int) -> None:
        low, high = (self.now_s - window_s) * 1000, self.now_s * 1000
        same(
            self.warm.select(tenant, matchers, low, high),
            self.cold.select(tenant, matchers, low, high),
        )


def same(found: SeriesSet, expected: SeriesSet) -> None:
    assert found.labels == expected.labels
    assert found.offsets.tolist() == expected.offsets.tolist()
    assert found.timestamps_ms.tolist() == expected.timestamps_ms.tolist()
    assert found.values.view(np.int64).tolist() == expected.values.view(np.int64).tolist()
    assert (found.start_times_ms is None) == (expected.start_times_ms is None)
    if found.start_times_ms is not None and expected.start_times_ms is not None:
        assert found.start_times_ms.tolist() == expected.start_times_ms.tolist()


TENANTS = st.sampled_from(["a", "b"])
STEPS = st.one_of(
    st.tuples(st.just("move"), st.integers(1, 200)),
    st.tuples(st.just("put"), TENANTS, st.integers(0, 3), st.integers(0, 59), st.booleans()),
    st.tuples(st.just("ask"), TENANTS, st.sampled_from(MATCHERS), st.integers(1, 2000)),
    st.tuples(st.just("delete"), TENANTS, st.sampled_from(MATCHERS), st.integers(0, 500)),
)


@settings(max_examples=150)
@given(st.lists(STEPS, max_size=60), st.sampled_from([2000, 1 << 20]))
def test_warm_answers_are_the_cold_ones(steps: list[tuple], most_bytes: int) -> None:  # type: ignore[type-arg] # steps differ in shape
    bench = Bench(most_bytes)
    for count, (kind, *rest) in enumerate(steps):
        if kind == "move":
            bench.now_s += rest[0]
        elif kind == "put":
            tenant, series, late_s, is_stale = rest
            value = STALE_NAN if is_stale else float(count)
            bench.put(tenant, series, bench.now_s - late_s, value)
        elif kind == "ask":
            bench.check(*rest)
        else:
            tenant, matchers, ago_s = rest
            at_ms = (bench.now_s - ago_s) * 1000
            bench.warm.delete(tenant, matchers, at_ms, at_ms + 100_000)
        assert bench.warm.held_bytes <= most_bytes


def test_only_the_newest_are_asked_for_again_and_all_after_a_while() -> None:
    bench = Bench()
    for ago_s in range(0, 900, 15):
        bench.put("a", 1, bench.now_s - ago_s, 1.0)
    bench.check("a", UP, 600)
    bench.now_s += 15
    bench.check("a", UP, 600)
    bench.now_s += int(REFETCH_S)
    bench.check("a", UP, 600)
    assert bench.kinds == [ReadKind.WHOLE, ReadKind.NEWEST, ReadKind.WHOLE]


def test_an_error_of_the_store_forgets(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench()
    for ago_s in range(0, 900, 15):
        bench.put("a", 1, bench.now_s - ago_s, 1.0)
    bench.check("a", UP, 600)
    assert bench.warm.held_bytes

    def failing(*_: object) -> SeriesSet:
        raise StoreError("away")

    monkeypatch.setattr(bench.cold, "select", failing)
    with pytest.raises(StoreError):
        bench.warm.select("a", UP, (bench.now_s - 600) * 1000, bench.now_s * 1000)
    assert not bench.warm.held_bytes


def test_what_is_appended_late_through_it_is_seen_at_once() -> None:
    bench = Bench()
    for ago_s in range(0, 900, 15):
        bench.put("a", 1, bench.now_s - ago_s, 1.0)
    bench.check("a", UP, 600)
    late = Sample({"__name__": "up", "i": "9"}, (bench.now_s - 400) * 1000, 2.0)
    bench.warm.append("a", [late])
    bench.check("a", UP, 600)
    assert len(bench.warm.select("a", UP, (bench.now_s - 600) * 1000, bench.now_s * 1000)) == 2
