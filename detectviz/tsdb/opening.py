"""From a URL to a store."""

from collections.abc import Callable, Mapping
from pathlib import Path
from urllib.parse import urlsplit

from detectviz.tsdb.embedded import EmbeddedStore
from detectviz.tsdb.interface import SeriesStore, StoreError
from detectviz.tsdb.policy import PolicyOf, default_policy
from detectviz.tsdb.prometheus import (
    MIMIR_SCHEMES,
    PROMETHEUS_SCHEMES,
    mimir_backend,
    prometheus_backend,
)
from detectviz.tsdb.sending.backend import Backend
from detectviz.tsdb.sending.store import RemoteStore
from detectviz.tsdb.victoriametrics import SCHEMES as VICTORIAMETRICS_SCHEMES
from detectviz.tsdb.victoriametrics import VictoriaMetrics

EMBEDDED_FILE = "series.sqlite"
SCHEMES = VICTORIAMETRICS_SCHEMES | PROMETHEUS_SCHEMES | MIMIR_SCHEMES

_BACKENDS: Mapping[str, Callable[[str], Backend]] = {
    **dict.fromkeys(VICTORIAMETRICS_SCHEMES, VictoriaMetrics),
    **dict.fromkeys(PROMETHEUS_SCHEMES, prometheus_backend),
    **dict.fromkeys(MIMIR_SCHEMES, mimir_backend),
}


def open_store(url: str, *, data_dir: Path, policy: PolicyOf = default_policy) -> SeriesStore:
    """Open the series store that ``DETECTVIZ_TSDB_URL`` names.

    Empty means the embedded store, in ``series.sqlite`` below ``data_dir``; the queue of a remote
    one is in ``queue/`` there. ``policy`` gives the limits of a tenant; ``remote_limits`` says how
    far they hold on other servers.

    Raises:
        StoreError: the URL is not understood, or a file can't be used.

    """
    if not url:
        return EmbeddedStore(data_dir / EMBEDDED_FILE, policy=policy)
    backend = open_backend(url)
    return RemoteStore(backend, data_dir=data_dir, limits=backend.limits, policy=policy)


def open_backend(url: str) -> Backend:
    """Return the backend that a URL names, without a queue; nothing is sent yet.

    Raises:
        StoreError: the URL is not understood.

    """
    scheme = urlsplit(url).scheme
    if scheme not in SCHEMES:
        raise StoreError(
            f"no series store for {scheme!r} URLs: use one of {', '.join(sorted(SCHEMES))}, as in"
            " victoriametrics+http://host:8428, or leave DETECTVIZ_TSDB_URL empty for the embedded"
            " store",
            retryable=False,
        )
    return _BACKENDS[scheme](url)
