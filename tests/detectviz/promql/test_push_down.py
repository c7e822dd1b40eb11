import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import orjson
import pytest

from detectviz.promql.engine import Engine
from detectviz.promql.errors import EvaluationError, ParseError, UnsupportedError
from detectviz.promql.memory_store import MemoryStore
from detectviz.promql.push_down import can_push_down, push_down_instant, push_down_range
from detectviz.promql.results import Matrix, Scalar, String, Vector
from detectviz.testing.backends import prometheus, victoria_metrics
from detectviz.tsdb.interface import Sample
from detectviz.tsdb.opening import open_store
from detectviz.tsdb.sending.store import RemoteStore
from tests.detectviz.tsdb.sending.fake_backend import FakeBackend

STEP_MS = 15_000


@pytest.fixture(params=["prometheus", "victoria-metrics"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[RemoteStore]:
    run, kind = {
        "prometheus": (prometheus, "prometheus"),
        "victoria-metrics": (victoria_metrics, "victoriametrics"),
    }[request.param]
    with run(tmp_path / "server") as (port, _):
        store = open_store(f"{kind}+http://127.0.0.1:{port}", data_dir=tmp_path)
        assert isinstance(store, RemoteStore)
        yield store
        store.close()


def fill(store: RemoteStore) -> int:
    start_ms = (int(time.time() * 1000) - 600_000) // STEP_MS * STEP_MS
    for tenant, factor in (("acme", 1.0), ("other", 100.0)):
        store.append(
            tenant,
            [
                Sample({"__name__": "m", "job": job}, start_ms + n * STEP_MS, factor * n)
                for job in "ab"
                for n in range(20)
            ],
        )
    assert store.drain()
    time.sleep(2 if store.backend.settles_after_s else 0)
    return start_ms


@pytest.mark.services("prometheus", "victoria-metrics")
@pytest.mark.parametrize("query", ["m", "sum by (job) (m) * 2", "sum(m)", "count({job=~'.+'})"])
def test_the_backend_answers_as_we_do_and_sees_one_tenant(store: RemoteStore, query: str) -> None:
    start_ms = fill(store)
    end_ms = start_ms + 10 * STEP_MS
    theirs = push_down_range(
        store, "acme", query, start_ms=start_ms, end_ms=end_ms, step_ms=STEP_MS
    )
    ours = Engine(store).range("acme", query, start_ms, end_ms, STEP_MS)
    assert isinstance(theirs.value, Matrix)
    assert isinstance(ours.value, Matrix)
    assert theirs.value.labels == ours.value.labels
    np.testing.assert_array_equal(theirs.value.values, ours.value.values)
    assert "evaluated by" in theirs.warnings[0]
    instant = push_down_instant(store, "acme", query, start_ms + 3 * STEP_MS)
    assert isinstance(instant.value, Vector)
    assert sorted(map(dict, instant.value.labels), key=str) == sorted(
        map(dict, theirs.value.labels), key=str
    )


@pytest.mark.services("prometheus", "victoria-metrics")
def test_a_query_that_the_backend_refuses_is_an_evaluation_error(store: RemoteStore) -> None:
    start_ms = fill(store)
    with pytest.raises(EvaluationError, match=r"answered 4\d\d"):
        push_down_instant(store, "acme", "m + on () group_left () m", start_ms + STEP_MS)


@pytest.fixture
def fake(tmp_path: Path) -> Iterator[tuple[RemoteStore, FakeBackend]]:
    backend = FakeBackend()
    store = RemoteStore(backend, data_dir=tmp_path, limits=backend.limits)
    yield store, backend
    store.close()


def answer(kind: str, result: object, **more: object) -> bytes:
    return orjson.dumps(
        {"status": "success", "data": {"resultType": kind, "result": result}, **more}
    )


def test_other_kinds_of_answers(fake: tuple[RemoteStore, FakeBackend]) -> None:
    store, backend = fake
    backend.answers = [
        answer("scalar", [1.0, "+Inf"]),
        answer("string", [1.0, "text"], warnings=["odd"]),
        answer("matrix", [{"metric": {"a": "b"}, "values": [[1.0, "1"], [3.0, "NaN"]]}]),
    ]
    scalar = push_down_instant(store, "t", "scalar(m)", 1000)
    assert scalar.value == Scalar(timestamp_ms=1000, value=float("inf"))
    string = push_down_instant(store, "t", '"text"', 1000)
    assert string.value == String(timestamp_ms=1000, value="text")
    assert "odd" in string.warnings[1]
    raw = push_down_instant(store, "t", "m[1m]", 3000).value
    assert isinstance(raw, Matrix)
    assert raw.timestamps_ms.tolist() == [1000, 3000]
    assert [tenant for tenant, _ in backend.queries] == ["t", "t", "t"]


def test_histograms_are_no_answer(fake: tuple[RemoteStore, FakeBackend]) -> None:
    store, backend = fake
    backend.answers = [answer("vector", [{"metric": {}, "histogram": [1, {}]}])]
    with pytest.raises(EvaluationError, match="native histograms"):
        push_down_instant(store, "t", "m", 1000)


def test_nothing_is_sent_that_is_no_query_or_reaches_beyond_the_tenant(
    fake: tuple[RemoteStore, FakeBackend],
) -> None:
    store, backend = fake
    backend.query_tenant_label = "detectviz_tenant"
    with pytest.raises(ParseError):
        push_down_instant(store, "t", "m{", 1000)
    with pytest.raises(UnsupportedError, match="reserved label"):
        push_down_instant(store, "t", 'm{detectviz_tenant="u"}', 1000)
    with pytest.raises(EvaluationError, match="positive step"):
        push_down_range(store, "t", "m", start_ms=0, end_ms=1000, step_ms=0)
    assert backend.queries == []


def test_the_embedded_store_has_no_other_engine() -> None:
    assert not can_push_down(MemoryStore())
    with pytest.raises(EvaluationError, match="no engine of its own"):
        push_down_instant(MemoryStore(), "t", "m", 1000)
