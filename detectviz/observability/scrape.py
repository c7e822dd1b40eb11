"""Metrics that are looked up when they are scraped: what SQL knows, asked at most every 5 s.

Counters and histograms of what a process does live in ``prometheus_client``. What is true of the
whole deployment (how many alerts are active, how long a queue is) is read here, by functions that
apps and the framework register when Django is ready.
"""

import logging
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    UnknownMetricFamily,
)
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

KEPT_S = 5.0
MOST_SERIES = 500

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class ScrapedMetric:
    """A metric whose values are looked up. ``unknown`` is for gauges whose name ends in _total."""

    name: str
    help: str
    labels: tuple[str, ...] = ()
    kind: Literal["gauge", "counter", "unknown"] = "gauge"


Reading = tuple[ScrapedMetric, tuple[str, ...], float]
"""Metric, label values in the metric's order, value."""

Read = Callable[[], Iterable[Reading]]

QUEUE_DEPTH = ScrapedMetric(
    name="detectviz_queue_depth", help="Work in SQL that is due and not done.", labels=("queue",)
)
QUEUE_AGE = ScrapedMetric(
    name="detectviz_queue_age_seconds",
    help="How long the oldest due work in SQL has been waiting.",
    labels=("queue",),
)
SOURCE_UP = ScrapedMetric(
    name="detectviz_scrape_source_up",
    help="1 when the values of this source could be looked up, else 0.",
    labels=("source",),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ScrapeSource:
    """One registered function and the metrics it answers for."""

    name: str
    metrics: tuple[ScrapedMetric, ...]
    read: Read


sources: dict[str, ScrapeSource] = {}


def scraped(name: str, *metrics: ScrapedMetric) -> Callable[[Read], Read]:
    """Register the decorated function as the source ``name`` of ``metrics``."""

    def register(read: Read) -> Read:
        sources[name] = ScrapeSource(name=name, metrics=metrics, read=read)
        return read

    return register


def age_s(oldest_s: float | None, now_s: float) -> float:
    """Return how old the oldest thing is; 0 when there is none, or it is of the future."""
    return 0.0 if oldest_s is None else max(now_s - oldest_s, 0.0)


@dataclass(slots=True, eq=False)
class ScrapedCollector(Collector):
    """Asks every source, keeps the answers for ``KEPT_S``; a failing source stops no other."""

    asked: Callable[[], Sequence[ScrapeSource]] = lambda: tuple(sources.values())
    clock: Callable[[], float] = time.monotonic
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _kept: list[Metric] = field(default_factory=list)
    _stale_at: float = float("-inf")

    def collect(self) -> Iterable[Metric]:
        """Return all families, those of one name merged."""
        with self._lock:
            if self.clock() >= self._stale_at:
                self._kept = list(_families(self.asked()))
                self._stale_at = self.clock() + KEPT_S
            return self._kept

    def describe(self) -> Iterable[Metric]:
        """Say nothing at registration, so that nothing is asked before Django is ready."""
        return ()


def _families(asked: Sequence[ScrapeSource]) -> Iterator[Metric]:
    values: dict[ScrapedMetric, dict[tuple[str, ...], float]] = defaultdict(dict)
    for source in asked:
        readings = _ask(source)
        values[SOURCE_UP][(source.name,)] = float(readings is not None)
        for metric, labels, value in readings or ():
            if len(values[metric]) < MOST_SERIES:
                values[metric][labels] = value
    for metric, rows in values.items():
        yield _family(metric, rows)


def _ask(source: ScrapeSource) -> list[Reading] | None:
    try:
        return list(source.read())
    except Exception as error:  # noqa: BLE001 - whatever is wrong there, the others must be shown
        logger.warning("metrics of %s not read: %s", source.name, error)
        return None


def _family(metric: ScrapedMetric, rows: dict[tuple[str, ...], float]) -> Metric:
    kinds: dict[str, type[GaugeMetricFamily | CounterMetricFamily | UnknownMetricFamily]] = {
        "gauge": GaugeMetricFamily,
        "counter": CounterMetricFamily,
        "unknown": UnknownMetricFamily,
    }
    family = kinds[metric.kind](metric.name, metric.help, labels=metric.labels)
    for labels, value in rows.items():
        family.add_metric(labels, value)
    return family
