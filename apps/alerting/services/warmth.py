"""The store rules are evaluated over: on a remote backend it keeps what rules ask again."""

import threading

from prometheus_client import Counter, Gauge

from apps.series.selectors.policies import tenant_policy
from apps.series.services import series_store
from detectviz.tsdb.interface import SeriesStore
from detectviz.tsdb.sending.store import RemoteStore
from detectviz.tsdb.warm import ReadKind, WarmLimits, WarmStore

MOST_BYTES = 128 << 20

warm_reads_total = Counter(
    "detectviz_rule_reads",
    "Selections of rules on a remote series store: held (in memory), newest (only the end of the"
    " window asked for) or whole.",
    ["kind"],
)
warm_bytes = Gauge(
    "detectviz_rule_kept_bytes",
    "About how many bytes of samples rule evaluation keeps in memory, of all processes.",
    multiprocess_mode="livesum",
)

_lock = threading.Lock()
_warm: list[WarmStore] = []


def rules_store() -> SeriesStore:
    """Return the process's series store, kept warm where it is a remote one."""
    store = series_store()
    if not isinstance(store, RemoteStore):
        return store
    with _lock:
        if not _warm or _warm[0].store is not store:
            limits = WarmLimits(most_bytes=MOST_BYTES, policy=tenant_policy, observe=_observe)
            _warm[:] = [WarmStore(store, limits)]
        return _warm[0]


def _observe(kind: ReadKind, held_bytes: int) -> None:
    warm_reads_total.labels(kind.value).inc()
    warm_bytes.set(held_bytes)
