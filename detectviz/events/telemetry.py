"""How the events fare, for ``/metrics``."""

from collections.abc import Iterator

from django.db.models import Count, Min
from prometheus_client import Counter

from detectviz.clock import utc_now
from detectviz.events.models import DeliveryStatus, EventDelivery
from detectviz.observability.scrape import (
    QUEUE_AGE,
    QUEUE_DEPTH,
    Reading,
    ScrapedMetric,
    age_s,
    scraped,
)

published_total = Counter(
    "detectviz_events_published", "Events the bus took, by type; repeats count.", ["type"]
)
consumed_total = Counter(
    "detectviz_events_consumed",
    "Events a subscriber worked on, by outcome: done or failed.",
    ["subscriber", "outcome"],
)
retries_total = Counter(
    "detectviz_events_retries", "Attempts that will be made again, by target.", ["target"]
)
rejected_total = Counter(
    "detectviz_events_rejected", "Messages from the bus that are no event of this deployment."
)
bus_failures_total = Counter(
    "detectviz_eventbus_failures", "Times the event bus did not answer.", ["driver"]
)
DEAD = ScrapedMetric(
    name="detectviz_events_dead", help="Dead letters that wait for a decision.", labels=("target",)
)


@scraped("events", QUEUE_DEPTH, QUEUE_AGE, DEAD)
def events_read() -> Iterator[Reading]:
    """Measure the outbox and the dead letters."""
    rows = EventDelivery.objects.across_orgs(reason="the platform's own metrics are about all orgs")
    waiting = rows.filter(status=DeliveryStatus.PENDING).aggregate(
        count=Count("pk"), oldest=Min("event__created_at")
    )
    oldest_s = waiting["oldest"].timestamp() if waiting["oldest"] else None
    yield QUEUE_DEPTH, ("events",), float(waiting["count"])
    yield QUEUE_AGE, ("events",), age_s(oldest_s, utc_now().timestamp())
    dead = rows.filter(status=DeliveryStatus.DEAD).order_by().values("target")
    for row in dead.annotate(count=Count("pk")):
        yield DEAD, (row["target"],), float(row["count"])
