"""PromQL over an org's series."""

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from django.conf import settings
from prometheus_client import Counter, Histogram

from apps.series.selectors.store import series_store
from detectviz.promql.engine import Engine
from detectviz.promql.errors import PromqlError
from detectviz.promql.limits import CancellationToken
from detectviz.promql.push_down import push_down_instant, push_down_range
from detectviz.promql.results import Result
from detectviz.tsdb.interface import StoreError

SLOW_S = 5.0
LOOKBACK_MS = 300_000
_LONGEST_LOGGED = 500

query_duration = Histogram(
    "detectviz_query_duration_seconds",
    "Duration of PromQL queries, without writing the answer.",
    ["kind"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0, 30.0, 120.0),
)
query_failures_total = Counter(
    "detectviz_query_failures",
    "PromQL queries without an answer, by the error that ended them.",
    ["error"],
)
query_samples_total = Counter(
    "detectviz_query_samples", "Samples that PromQL queries have read and made."
)

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class QueryOptions:
    """How a query may run: no timeout and a lookback of 0 mean the installation's own."""

    timeout_s: float | None = None
    lookback_ms: int = 0
    gone: threading.Event | None = None  # set when nobody waits for the answer any more
    push_down: bool = False  # let the store's own engine answer


DEFAULTS = QueryOptions()


@dataclass(frozen=True, slots=True, kw_only=True)
class Timed:
    """A result and how long it took."""

    result: Result
    took_s: float


def query_instant(
    *, tenant: str, promql: str, at_ms: int, options: QueryOptions = DEFAULTS
) -> Timed:
    """Evaluate PromQL over a tenant's series at one time; raise PromqlError or StoreError."""
    engine, token = _engine(options)

    def run() -> Result:
        if options.push_down:
            return push_down_instant(
                engine.store, tenant, promql, at_ms, timeout_s=engine.timeout_s
            )
        return engine.instant(tenant, promql, at_ms, token=token)

    return _timed("instant", tenant, promql, run)


def query_range(
    *,
    tenant: str,
    promql: str,
    start_ms: int,
    end_ms: int,
    step_ms: int,
    options: QueryOptions = DEFAULTS,
) -> Timed:
    """Evaluate PromQL at every step from start to end, both included."""
    engine, token = _engine(options)

    def run() -> Result:
        if options.push_down:
            return push_down_range(
                engine.store,
                tenant,
                promql,
                start_ms=start_ms,
                end_ms=end_ms,
                step_ms=step_ms,
                timeout_s=engine.timeout_s,
            )
        return engine.range(tenant, promql, start_ms, end_ms, step_ms, token=token)

    return _timed("range", tenant, promql, run)


def _engine(options: QueryOptions) -> tuple[Engine, CancellationToken | None]:
    longest_s: float = settings.QUERY_TIMEOUT_S
    engine = Engine(
        series_store(),
        lookback_ms=options.lookback_ms or LOOKBACK_MS,
        max_samples=settings.QUERY_MAX_SAMPLES,
        max_series=settings.QUERY_MAX_SERIES or None,
        max_bytes=settings.QUERY_MAX_BYTES or None,
        timeout_s=longest_s if options.timeout_s is None else min(options.timeout_s, longest_s),
    )
    return engine, None if options.gone is None else CancellationToken(options.gone)


def _timed(kind: str, tenant: str, promql: str, run: Callable[[], Result]) -> Timed:
    started = time.perf_counter()
    outcome = "ok"
    try:
        result = run()
    except (PromqlError, StoreError) as error:
        outcome = type(error).__name__
        query_failures_total.labels(outcome).inc()
        raise
    finally:
        took_s = time.perf_counter() - started
        query_duration.labels(kind).observe(took_s)
        if took_s > SLOW_S:
            logger.warning(
                "slow query: org=%s kind=%s took_s=%.3f outcome=%s query=%r",
                tenant,
                kind,
                took_s,
                outcome,
                promql[:_LONGEST_LOGGED],
            )
    query_samples_total.inc(result.samples)
    return Timed(result=result, took_s=took_s)
