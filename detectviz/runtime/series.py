"""The sender of samples that wait for a remote series backend, as a module and as metrics."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from django.conf import settings
from django.utils.module_loading import import_string

from detectviz.observability.scrape import Reading, ScrapedMetric, scraped
from detectviz.tsdb.sending.store import RemoteStore

WAITING = ScrapedMetric(
    name="detectviz_series_queue_samples",
    help="Samples in this data directory's queue that the remote series backend has not taken.",
)
WAITING_BYTES = ScrapedMetric(
    name="detectviz_series_queue_bytes", help="Bytes of the samples that wait in the queue."
)
AGE = ScrapedMetric(
    name="detectviz_series_queue_age_seconds",
    help="How long the oldest samples in the queue have been waiting.",
)
SENT = ScrapedMetric(
    name="detectviz_series_queue_sent_total",
    help="Samples the backend took; what it may have lost is taken off again until it is resent.",
    kind="unknown",
)
RETRIED = ScrapedMetric(
    name="detectviz_series_queue_retried_total",
    help="Requests to the backend that failed and are tried again.",
    kind="counter",
)
DEAD = ScrapedMetric(
    name="detectviz_series_queue_dead_letters_total",
    help="Samples the backend refused for good; they are in queue/dead-letters.jsonl.",
    kind="counter",
)
REFUSED = ScrapedMetric(
    name="detectviz_series_queue_refused_total",
    help="Samples not acknowledged because the queue was full.",
    kind="counter",
)


@dataclass(slots=True)
class SeriesSenderModule:
    """Sends what waits; every process that opens the store has one, one of them works."""

    name: str = "series-sender"
    depends_on: Sequence[str] = ("drivers",)

    def start(self) -> None:
        """Begin, where the series store is a remote one."""
        store = _store()
        if isinstance(store, RemoteStore):
            store.start_sending()

    def stop(self, deadline_s: float) -> None:
        """Finish the request under way."""
        store = _store()
        if isinstance(store, RemoteStore):
            store.stop_sending(deadline_s)


@scraped("series-queue", WAITING, WAITING_BYTES, AGE, SENT, RETRIED, DEAD, REFUSED)
def series_queue_read() -> Iterator[Reading]:
    """Tell how the queue is doing; nothing for the embedded store, which has none."""
    if not settings.TSDB_URL:
        return
    store = _store()
    if not isinstance(store, RemoteStore):
        return
    status = store.queue_status()
    yield WAITING, (), float(status.waiting_samples)
    yield WAITING_BYTES, (), float(status.waiting_bytes)
    yield AGE, (), status.oldest_age_s
    yield SENT, (), float(status.sent)
    yield RETRIED, (), float(status.retried)
    yield DEAD, (), float(status.dead)
    yield REFUSED, (), float(status.refused)


def _store() -> object:
    return import_string(settings.DETECTVIZ_SERIES_STORE)()
