"""Targets as Prometheus' clients ask for them."""

from collections.abc import Iterator
from typing import Any

import pytest

from apps.monitors.models import Monitor, ScrapeStatus
from apps.series.selectors.metadata import MetricDescription
from apps.series.services import metadata_record, series_store_use
from detectviz.clock import to_ms
from detectviz.promql.memory_store import MemoryStore
from tests.factories.accounts import make_full_org
from tests.factories.monitors import START, make_monitor
from tests.factories.queries import Asker, make_asker

pytestmark = pytest.mark.django_db
TARGET = {
    "discovered_labels": {"__address__": "a:9100"},
    "labels": {"instance": "a:9100", "job": "node"},
    "url": "http://a:9100/metrics",
    "health": "up",
    "error": "",
    "duration_s": 0.25,
    "scraped_at_ms": to_ms(START),
}


def add_status(monitor: Monitor) -> None:
    ScrapeStatus.objects.create_for(
        monitor.org,
        monitor=monitor,
        active=[TARGET],
        dropped=[{"discovered_labels": {"__address__": "b:1"}}],
        active_total=1,
        dropped_total=3,
        scraped_at=START,
    )


@pytest.fixture
def asker() -> Iterator[Asker]:
    store = MemoryStore()
    series_store_use(store)
    org = make_full_org("acme")
    add_status(make_monitor(org, "node", interval_s=15.0))
    add_status(make_monitor(make_full_org("rival"), "secret"))
    yield make_asker(org, store)
    series_store_use(None)


def test_targets_are_those_of_the_orgs_monitors(asker: Asker) -> None:
    found = asker.get("targets")["data"]
    assert found == {
        "activeTargets": [
            {
                "discoveredLabels": {"__address__": "a:9100"},
                "labels": {"instance": "a:9100", "job": "node"},
                "scrapePool": "node",
                "scrapeUrl": "http://a:9100/metrics",
                "globalUrl": "http://a:9100/metrics",
                "lastError": "",
                "lastScrape": "2026-03-01T12:00:00Z",
                "lastScrapeDuration": 0.25,
                "health": "up",
                "scrapeInterval": "15s",
                "scrapeTimeout": "10s",
            }
        ],
        "droppedTargets": [{"discoveredLabels": {"__address__": "b:1"}, "scrapePool": "node"}],
        "droppedTargetCounts": {"node": 3},
    }
    assert asker.get("scrape_pools")["data"] == {"scrapePools": ["node"]}


@pytest.mark.parametrize(
    ("parameters", "counts"),
    [({"state": "active"}, (1, 0)), ({"state": "dropped"}, (0, 1)), ({"scrapePool": "x"}, (0, 0))],
)
def test_targets_are_chosen(
    asker: Asker, parameters: dict[str, Any], counts: tuple[int, int]
) -> None:
    found = asker.get("targets", **parameters)["data"]
    assert (len(found["activeTargets"]), len(found["droppedTargets"])) == counts


def test_metadata_stands_beside_each_target(asker: Asker) -> None:
    up = MetricDescription(metric="up", type="gauge", help="h", unit="")
    metadata_record(org=asker.org, said=[up], now=START)
    target = {"instance": "a:9100", "job": "node"}
    said = {"type": "gauge", "help": "h", "unit": ""}
    assert asker.get("targets/metadata")["data"] == [{"target": target, "metric": "up", **said}]
    chosen = asker.get("targets/metadata", metric="up", match_target='{job="node"}')
    assert chosen["data"] == [{"target": target, **said}]
    assert asker.get("targets/metadata", match_target='{job="web"}')["data"] == []
    assert asker.get("metadata")["data"] == {"up": [said]}


@pytest.mark.parametrize(
    ("path", "parameters"),
    [("targets", {"state": "x"}), ("targets/metadata", {"match_target": "up("})],
)
def test_bad_input_is_bad_data(asker: Asker, path: str, parameters: dict[str, Any]) -> None:
    assert asker.get(path, status=400, **parameters)["errorType"] == "bad_data"
