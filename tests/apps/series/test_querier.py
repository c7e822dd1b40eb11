"""The org's series as a datasource plugin reads them."""

from collections.abc import Iterator

import pytest

from apps.series.selectors import series_store_use
from apps.series.selectors.querier import OrgSeries, series_querier
from detectviz.contracts.errors import PluginError, QueryError
from detectviz.contracts.frames import FieldType
from detectviz.contracts.series import SeriesQuerier
from detectviz.promql.memory_store import MemoryStore
from detectviz.tsdb.interface import METRIC_NAME, Sample

START_MS = 1_700_000_000_000


class Tenant:
    def __init__(self, uid: str) -> None:
        self.uid = uid


@pytest.fixture
def store() -> Iterator[MemoryStore]:
    store = MemoryStore()
    for tenant, jobs in (("own", ("a", "b")), ("foreign", ("secret",))):
        store.append(
            tenant,
            [
                Sample(
                    labels={METRIC_NAME: "up", "job": job},
                    timestamp_ms=START_MS + 60_000 * step,
                    value=float(step),
                )
                for job in jobs
                for step in range(3)
            ],
        )
    series_store_use(store)
    yield store
    series_store_use(None)


@pytest.fixture
def querier(store: MemoryStore) -> OrgSeries:
    return series_querier(Tenant("own"), is_cancelled=lambda: False)


def test_an_instant_is_one_numeric_frame(querier: SeriesQuerier) -> None:
    frame = querier.instant("up", time_ms=START_MS + 120_000, timeout_s=5)

    assert frame.shape == "numeric"
    assert [(each.name, dict(each.labels)) for each in frame.fields] == [
        ("up", {"job": "a"}),
        ("up", {"job": "b"}),
    ]
    assert [list(each.values) for each in frame.fields] == [[2.0], [2.0]]


def test_numbers_and_texts_are_frames_too(querier: SeriesQuerier) -> None:
    number = querier.instant("1 + 1", time_ms=START_MS, timeout_s=5)
    text = querier.instant('"hello"', time_ms=START_MS, timeout_s=5)

    assert list(number.fields[0].values) == [2.0]
    assert (text.fields[0].type, list(text.fields[0].values)) == (FieldType.STRING, ["hello"])


def test_a_range_is_one_frame_for_each_series(querier: SeriesQuerier) -> None:
    frames = querier.range(
        "up", start_ms=START_MS, end_ms=START_MS + 120_000, step_ms=60_000, timeout_s=5
    )

    assert [each.shape for each in frames] == ["time-series", "time-series"]
    times, values = frames[0].fields
    assert list(times.values) == [START_MS, START_MS + 60_000, START_MS + 120_000]
    assert list(values.values) == [0.0, 1.0, 2.0]
    assert dict(values.labels) == {"job": "a"}


def test_labels_are_those_of_the_org(querier: SeriesQuerier) -> None:
    span = {"start_ms": START_MS, "end_ms": START_MS + 120_000}

    assert querier.label_names([], **span) == [METRIC_NAME, "job"]
    assert querier.label_values("job", [], **span) == ["a", "b"]
    assert querier.label_values("job", ['up{job="b"}', '{job="none"}'], **span) == ["b"]
    assert querier.label_values(METRIC_NAME, [], **span) == ["up"]


@pytest.mark.parametrize(
    ("promql", "status", "words"),
    [("up{", 400, "parse error"), ("up[5m]", 400, "ranges"), ("up * on() up", 422, "many")],
)
def test_a_refused_query_says_why(
    querier: SeriesQuerier, promql: str, status: int, words: str
) -> None:
    with pytest.raises(QueryError, match=words) as refusal:
        querier.instant(promql, time_ms=START_MS + 120_000, timeout_s=5)

    assert refusal.value.status == status


def test_what_is_no_selector_selects_nothing(querier: SeriesQuerier) -> None:
    with pytest.raises(QueryError, match="selector"):
        querier.label_names(["rate(up[5m])"], start_ms=0, end_ms=START_MS)


def test_a_query_nobody_waits_for_ends(store: MemoryStore) -> None:
    gone = series_querier(Tenant("own"), is_cancelled=lambda: True)

    with pytest.raises(PluginError, match="cancel"):
        gone.instant("up", time_ms=START_MS, timeout_s=5)
