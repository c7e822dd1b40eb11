"""From a URL to a store."""

from pathlib import Path
from urllib.parse import urlsplit

from detectviz.tsdb.embedded import EmbeddedStore
from detectviz.tsdb.interface import SeriesStore, StoreError
from detectviz.tsdb.policy import PolicyOf, default_policy
from detectviz.tsdb.victoriametrics import SCHEMES, VictoriaMetricsStore

EMBEDDED_FILE = "series.sqlite"


def open_store(url: str, *, data_dir: Path, policy: PolicyOf = default_policy) -> SeriesStore:
    """Open the series store that ``DETECTVIZ_TSDB_URL`` names.

    Empty means the embedded store, in ``series.sqlite`` below ``data_dir``. ``policy`` gives the
    limits of a tenant; ``remote_limits`` says how far they hold on other servers.

    Raises:
        StoreError: the URL is not understood, or the embedded file can't be used.

    """
    if not url:
        return EmbeddedStore(data_dir / EMBEDDED_FILE, policy=policy)
    scheme = urlsplit(url).scheme
    if scheme in SCHEMES:
        return VictoriaMetricsStore(url, policy=policy)
    raise StoreError(
        f"no series store for {scheme!r} URLs: use victoriametrics+http://host:port, or leave"
        " DETECTVIZ_TSDB_URL empty for the embedded store",
        retryable=False,
    )
