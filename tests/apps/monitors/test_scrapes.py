"""Storing scrapes: columns, staleness, refusals, what is told of targets."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any, cast

import numpy as np
import pytest

from apps.monitors.models import Monitor, MonitorState
from apps.monitors.selectors.targets import scrape_targets
from apps.monitors.services.monitors import monitor_delete
from apps.monitors.services.results import StoredResults, results_store
from apps.monitors.services.schedule import claim_due
from apps.monitors.services.scrape_book import ScrapeBook
from apps.orgs.models import Org
from apps.series.selectors.metadata import metadata_list
from apps.series.services import series_store_use
from detectviz.clock import to_ms
from detectviz.contracts.collector import CheckResult, Scrape, ScrapeTarget
from detectviz.contracts.exposition.result import NO_TIMESTAMP, Exposition
from detectviz.contracts.exposition.series import labels_of, token_of
from detectviz.contracts.exposition.text import parse_openmetrics
from detectviz.contracts.histograms import Histogram
from detectviz.contracts.types import CheckState
from detectviz.promql.memory_store import MemoryStore
from detectviz.tsdb.interface import (
    STALE_NAN_BITS,
    ColumnsReport,
    Matcher,
    MatchOp,
    RateLimitedError,
    SampleColumns,
    SeriesStore,
)
from tests.factories.monitors import START, make_monitor, make_report
from tests.factories.orgs import make_org

pytestmark = pytest.mark.usefixtures("database")

NODE = {"job": "node", "instance": "a:1"}


class LimitedStore(MemoryStore):
    """Refuses what it is told to."""

    limited: Mapping[int, str] = {}
    error: Exception | None = None

    def append_columns(self, tenant: str, columns: SampleColumns) -> ColumnsReport:
        if self.error is not None:
            raise self.error
        stored = super().append_columns(tenant, columns)
        return replace(stored, limited=self.limited)


def scrape(*lines: str, labels: Mapping[str, str] = NODE, **times: int) -> Scrape:
    """Return a scrape of ``name value`` lines; ``times`` gives some a time of their own."""
    pairs = [line.split(" ") for line in lines]
    tokens = tuple(token_of({"__name__": name, **labels}) for name, _ in pairs)
    own = [times.get(name, NO_TIMESTAMP) for name, _ in pairs]
    return Scrape(
        target=ScrapeTarget(
            discovered_labels={"__address__": "a:1"},
            labels=labels,
            url="http://a:1/metrics",
            is_up=True,
        ),
        exposition=Exposition(
            series=tokens,
            owners=np.arange(len(tokens), dtype=np.int64),
            values=np.array([float(value) for _, value in pairs]),
            timestamps_ms=np.array(own, dtype=np.int64) if times else None,
        ),
        untracked=frozenset(
            token for token, (name, _) in zip(tokens, pairs, strict=True) if name in times
        ),
    )


class Setting:
    """A monitor checked every 15 s by one process, and what its store holds."""

    def __init__(self) -> None:
        self.org: Org = make_org()
        self.monitor: Monitor = make_monitor(self.org, "node", interval_s=15.0)
        self.store = LimitedStore()
        self.book = ScrapeBook()
        self.at = START

    def check(self, *scrapes: Scrape, is_offline: bool = False) -> StoredResults:
        claim_due(owner="one", now=self.at, location="default")
        result = CheckResult(state=CheckState.UP, message="fine", scrapes=scrapes)
        report = make_report(self.monitor, result, at=self.at, is_offline=is_offline)
        stored = results_store(
            reports=[report], store=cast("SeriesStore", self.store), book=self.book
        )
        self.at += timedelta(seconds=15)
        return stored

    def values(self, name: str) -> list[tuple[int, float | str]]:
        """Return (seconds after the start, value or "stale") of one metric's samples."""
        matcher = Matcher("__name__", MatchOp.EQUAL, name)
        found = self.store.select(self.org.uid, [matcher], 0, 2**50)
        stale = found.values.view(np.uint64) == STALE_NAN_BITS
        seconds = (found.timestamps_ms - to_ms(START)) // 1000
        return [
            (int(second), "stale" if is_stale else float(value))
            for second, value, is_stale in zip(seconds, found.values, stale, strict=True)
        ]

    def state(self) -> MonitorState:
        found: MonitorState = MonitorState.objects.for_org(self.org).get(monitor=self.monitor)
        return found


@pytest.fixture
def setting() -> Setting:
    return Setting()


def test_samples_get_the_time_of_the_slot_and_what_vanishes_is_marked_stale(
    setting: Setting,
) -> None:
    setting.check(scrape("up 1", "a 1", "b 2"))
    setting.check(scrape("up 1", "a 3"))
    setting.check(scrape("up 1", "a 4"))
    assert setting.values("a") == [(0, 1.0), (15, 3.0), (30, 4.0)]
    assert setting.values("b") == [(0, 2.0), (15, "stale")]


def test_a_failed_scrape_and_a_vanished_target_end_all_their_series(setting: Setting) -> None:
    other = {"job": "node", "instance": "b:1"}
    setting.check(scrape("up 1", "a 1"), scrape("up 1", "c 1", labels=other))
    setting.check(scrape("up 0"))
    assert setting.values("a")[-1] == (15, "stale")
    assert setting.values("c") == [(0, 1.0), (15, "stale")]
    assert sorted(map(str, setting.values("up"))) == sorted(
        map(str, [(0, 1.0), (0, 1.0), (15, 0.0), (15, "stale")])
    )


def test_series_with_times_of_their_own_are_not_tracked(setting: Setting) -> None:
    setting.check(scrape("up 1", "a 1", a=to_ms(START) - 5000))
    setting.check(scrape("up 1"))
    assert setting.values("a") == [(-5, 1.0)]


def test_another_process_ends_what_vanished_while_nobody_looked(setting: Setting) -> None:
    other = {"job": "node", "instance": "b:1"}
    setting.check(scrape("up 1", "a 1", "b 2"), scrape("c 1", labels=other))
    setting.book = ScrapeBook()
    setting.check(scrape("up 1", "a 3"))
    assert setting.values("b") == [(0, 2.0), (15, "stale")]
    assert setting.values("c") == [(0, 1.0), (15, "stale")]
    assert setting.values("a") == [(0, 1.0), (15, 3.0)]


def test_a_limit_of_the_org_is_told_and_makes_the_monitor_degraded(setting: Setting) -> None:
    setting.store.limited = {1: "too many series"}
    setting.check(scrape("up 1", "a 1"))
    state = setting.state()
    assert state.state == "degraded"
    assert state.message.startswith("1 samples not stored: too many series")
    (target,) = scrape_targets(setting.org).active
    assert target.last_error == "1 samples not stored: too many series"


def test_too_many_samples_a_second_are_told_and_hold_up_nobody(setting: Setting) -> None:
    setting.store.error = RateLimitedError("100 samples a second at most", retry_after_s=1)
    stored = setting.check(scrape("up 1", "a 1"))
    assert stored.stored == 1
    assert "2 samples not stored: 100 samples a second" in setting.state().message


def test_a_prober_without_network_says_nothing_of_targets(setting: Setting) -> None:
    setting.check(scrape("up 1", "a 1"))
    setting.check(scrape("up 0"), is_offline=True)
    assert setting.values("up") == [(0, 1.0)]
    assert setting.values("a") == [(0, 1.0)]


def test_targets_are_listed_with_health_times_and_labels(setting: Setting) -> None:
    setting.check(scrape("up 1"))
    targets = scrape_targets(setting.org)
    (row,) = targets.active
    assert (row.pool, row.health, row.scrape_url) == ("node", "up", "http://a:1/metrics")
    assert (row.labels, row.discovered_labels) == (NODE, {"__address__": "a:1"})
    assert row.last_scrape == START
    assert targets.active_totals == {"node": 1}
    assert scrape_targets(make_org("other")).active == ()


def test_metadata_and_exemplars_are_recorded(setting: Setting) -> None:
    body = b'# TYPE a counter\n# HELP a Things.\na_total 1 # {trace_id="t"} 1\n# EOF\n'
    found = replace(scrape("x 1"), exposition=parse_openmetrics(body))
    setting.check(found)
    assert [(each.metric, each.type, each.help) for each in metadata_list(setting.org)] == [
        ("a", "counter", "Things.")
    ]


def test_deleting_the_monitor_ends_the_series_of_its_targets(
    setting: Setting, django_capture_on_commit_callbacks: Any
) -> None:
    setting.check(scrape("up 1", "a 1"))
    series_store_use(cast("SeriesStore", setting.store))
    try:
        with django_capture_on_commit_callbacks(execute=True):
            monitor_delete(monitor=setting.monitor, now=setting.at)
    finally:
        series_store_use(None)
    assert setting.values("a") == [(0, 1.0), (15, "stale")]


def test_tokens_of_targets_are_labels() -> None:
    assert labels_of(token_of({"__name__": "a", **NODE})) == {"__name__": "a", **NODE}


def test_native_histograms_reach_the_store_and_end_stale(setting: Setting) -> None:
    histogram = Histogram(count=3, sum=2.5, schema=1, positive_spans=((0, 1),), positive=(3.0,))
    found = scrape("up 1", "h 0")
    column = np.array([None, histogram], dtype=np.object_)
    setting.check(replace(found, exposition=replace(found.exposition, histograms=column)))
    setting.check(scrape("up 1"))
    matcher = Matcher("__name__", MatchOp.EQUAL, "h")
    stored = setting.store.select(setting.org.uid, [matcher], 0, 2**50)
    assert stored.histograms is not None
    assert list(stored.histograms) == [histogram, None]
    assert setting.values("h")[1] == (15, "stale")
