from collections.abc import Iterator
from pathlib import Path

import pytest
from pytest_django import Settings

from apps.series.selectors import series_store_use
from detectviz.observability.health import health_report
from detectviz.runtime.drivers import series_driver
from detectviz.runtime.modules import ModuleError
from detectviz.runtime.series import SeriesSenderModule, series_queue_read
from detectviz.tsdb.interface import Sample, StoreError
from detectviz.tsdb.sending.store import RemoteStore
from tests.detectviz.tsdb.sending.fake_backend import FakeBackend

AWAY = StoreError("not reachable", retryable=True)


@pytest.fixture
def backend(tmp_path: Path, settings: Settings) -> Iterator[FakeBackend]:
    settings.TSDB_URL = "victoriametrics+http://127.0.0.1:1"
    backend = FakeBackend()
    store = RemoteStore(backend, data_dir=tmp_path, limits=backend.limits)
    series_store_use(store)
    store.append("t", [Sample({"__name__": "m"}, 1000, 1.0)])
    yield backend
    series_store_use(None)


def readings() -> dict[str, float]:
    return {metric.name: value for metric, _, value in series_queue_read()}


def test_the_module_sends_and_metrics_tell(backend: FakeBackend) -> None:
    assert readings()["detectviz_series_queue_samples"] == 1
    module = SeriesSenderModule()
    module.start()
    for _ in range(200):
        if readings()["detectviz_series_queue_sent_total"]:
            break
        module.stop(5)
        module.start()
    module.stop(5)
    assert backend.taken == [("t", [1.0])]
    assert readings()["detectviz_series_queue_samples"] == 0


@pytest.mark.django_db
def test_readiness_says_what_waits(backend: FakeBackend) -> None:
    (tsdb,) = [one for one in health_report().components if one.name == "tsdb"]
    assert tsdb.is_ok
    assert tsdb.message.startswith("fake; 1 samples wait in the queue")
    backend.errors[""] = AWAY
    (tsdb,) = [one for one in health_report().components if one.name == "tsdb"]
    assert not tsdb.is_ok
    assert "1 samples wait" in tsdb.message


def test_a_store_that_never_answered_stops_the_start_and_one_that_did_does_not(
    backend: FakeBackend,
) -> None:
    backend.errors[""] = AWAY
    driver = series_driver()
    driver.timeout_s, driver.sleep = 0, lambda _: None
    with pytest.raises(ModuleError, match="DETECTVIZ_TSDB_URL"):
        driver.start()
    del backend.errors[""]
    module = SeriesSenderModule()
    module.start()
    module.stop(5)
    while not readings()["detectviz_series_queue_sent_total"]:
        module.start()
        module.stop(5)
    backend.errors[""] = AWAY
    driver.start()
