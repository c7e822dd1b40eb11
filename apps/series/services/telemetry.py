"""What the series store tells about itself."""

from collections.abc import Iterator

from prometheus_client import Histogram

from apps.series.selectors import series_store
from detectviz.observability.scrape import Reading, ScrapedMetric, scraped
from detectviz.tsdb.embedded import EmbeddedStore

maintain_duration = Histogram(
    "detectviz_series_maintain_duration_seconds",
    "Duration of one round of compaction, rollups and retention.",
    buckets=(0.01, 0.1, 0.5, 2.5, 10, 30, 120),
)
BYTES = ScrapedMetric(
    name="detectviz_series_store_bytes",
    help="Size of the embedded series store on disk, its write-ahead log included.",
)
SERIES = ScrapedMetric(
    name="detectviz_series_stored", help="Series in the embedded store, of all organisations."
)
LOG_ROWS = ScrapedMetric(
    name="detectviz_series_log_rows", help="Appends that are not in blocks yet."
)
LOG_SAMPLES = ScrapedMetric(
    name="detectviz_series_log_samples", help="Samples that are not in blocks yet."
)
BLOCKS = ScrapedMetric(name="detectviz_series_blocks", help="Compressed blocks of raw samples.")
ROLLUPS = ScrapedMetric(
    name="detectviz_series_rollups", help="Compressed columns of 5-minute and 1-hour rollups."
)
QUARANTINED = ScrapedMetric(
    name="detectviz_series_quarantined", help="Damaged rows that were set aside."
)
APPENDS = ScrapedMetric(
    name="detectviz_series_appends_total",
    help="Appends to the embedded store since its file was made.",
    kind="counter",
)


@scraped(
    "series-store", BYTES, SERIES, LOG_ROWS, LOG_SAMPLES, BLOCKS, ROLLUPS, QUARANTINED, APPENDS
)
def store_read() -> Iterator[Reading]:
    """Look at the embedded store; other stores tell of themselves where they run."""
    store = series_store()
    if not isinstance(store, EmbeddedStore):
        return
    found = store.statistics()
    yield BYTES, (), found.bytes
    yield SERIES, (), found.series
    yield LOG_ROWS, (), found.log_rows
    yield LOG_SAMPLES, (), found.log_samples
    yield BLOCKS, (), found.blocks
    yield ROLLUPS, (), found.rollups
    yield QUARANTINED, (), found.quarantined
    yield APPENDS, (), found.appends
