"""Series for charts, and the process's one store."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pytest_django.fixtures import Settings

from apps.series.selectors import chart_series, series_store, series_store_use
from apps.series.services import series_maintain
from detectviz.clock import to_ms
from detectviz.tsdb.embedded import EmbeddedStore
from detectviz.tsdb.interface import STALE_NAN, Sample

START = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


@dataclass
class Tenant:
    uid: str = "acme"


@pytest.fixture(autouse=True)
def store(tmp_path: Path) -> Iterator[EmbeddedStore]:
    opened = EmbeddedStore(tmp_path / "series.sqlite")
    series_store_use(opened)
    yield opened
    series_store_use(None)


def fill(store: EmbeddedStore, values: list[float], tenant: str = "acme") -> None:
    store.append(
        tenant,
        [
            Sample({"__name__": "m", "monitor": "home"}, to_ms(START) + 1000 * index, value)
            for index, value in enumerate(values)
        ],
    )


def test_a_short_series_comes_as_it_is_with_gaps_for_stale_markers(store: EmbeddedStore) -> None:
    fill(store, [1.0, STALE_NAN, 3.0])
    end = START + timedelta(minutes=1)
    (line,) = chart_series(Tenant(), metric="m", equal={"monitor": "home"}, start=START, end=end)
    assert line.values == [1.0, None, 3.0]
    assert line.timestamps_ms == [to_ms(START) + 1000 * n for n in range(3)]
    assert line.labels["monitor"] == "home"


def test_a_long_series_is_thinned_to_means(store: EmbeddedStore) -> None:
    fill(store, [float(n) for n in range(100)])
    end = START + timedelta(seconds=99, milliseconds=999)
    (line,) = chart_series(Tenant(), metric="m", equal={}, start=START, end=end, points=10)
    assert line.values == [4.5 + 10 * n for n in range(10)]


def test_a_span_of_gaps_only_stays_a_gap(store: EmbeddedStore) -> None:
    fill(store, [1.0] * 10 + [STALE_NAN] * 10)
    end = START + timedelta(seconds=19, milliseconds=999)
    (line,) = chart_series(Tenant(), metric="m", equal={}, start=START, end=end, points=2)
    assert line.values == [1.0, None]


def test_series_of_another_tenant_are_not_seen(store: EmbeddedStore) -> None:
    fill(store, [1.0], tenant="other")
    end = START + timedelta(minutes=1)
    assert chart_series(Tenant(), metric="m", equal={}, start=START, end=end) == ()


def test_the_store_of_the_settings_is_opened_once(tmp_path: Path, settings: Settings) -> None:
    series_store_use(None)
    settings.DATA_DIR = tmp_path
    assert series_store() is series_store()
    series_maintain(now=START)
    assert (tmp_path / "series.sqlite").exists()
