"""Work on the process's series store."""

from datetime import datetime

from apps.series.selectors import series_store
from apps.series.services.telemetry import maintain_duration
from detectviz.clock import to_ms


def series_maintain(*, now: datetime) -> None:
    """Compact the store and drop what is past retention; safe in several processes at once."""
    with maintain_duration.time():
        series_store().maintain(to_ms(now))
