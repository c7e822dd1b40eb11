"""From a URL to a store."""

from pathlib import Path
from urllib.parse import urlsplit

from detectviz.tsdb.embedded import EmbeddedStore
from detectviz.tsdb.interface import SeriesStore, StoreError
from detectviz.tsdb.victoriametrics import SCHEMES, VictoriaMetricsStore

EMBEDDED_FILE = "series.sqlite"


def open_store(url: str, *, data_dir: Path) -> SeriesStore:
    """Open the series store that ``DETECTVIZ_TSDB_URL`` names.

    Empty means the embedded store, in ``series.sqlite`` below ``data_dir``.

    Raises:
        StoreError: the URL is not understood, or the embedded file can't be used.

    """
    if not url:
        return EmbeddedStore(data_dir / EMBEDDED_FILE)
    scheme = urlsplit(url).scheme
    if scheme in SCHEMES:
        return VictoriaMetricsStore(url)
    raise StoreError(
        f"no series store for {scheme!r} URLs: use victoriametrics+http://host:port, or leave"
        " DETECTVIZ_TSDB_URL empty for the embedded store",
        retryable=False,
    )
