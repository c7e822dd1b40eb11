"""How much is on its way to people and programs, for ``/metrics``."""

from collections.abc import Iterator

from django.db.models import Count, F, Min

from apps.notifications.enums import DeliveryStatus
from apps.notifications.models import Delivery, RoutedAlert, Watchdog
from detectviz.clock import utc_now
from detectviz.observability.scrape import (
    QUEUE_AGE,
    QUEUE_DEPTH,
    Reading,
    ScrapedMetric,
    age_s,
    scraped,
)

_ACROSS = "the platform's own metrics are about all orgs"

OUTBOX_AGE = ScrapedMetric(
    name="detectviz_outbox_age_seconds",
    help="How long the oldest change of an alert has been waiting to be routed.",
)

WATCHDOGS_FAILING = ScrapedMetric(
    name="detectviz_watchdogs_failing",
    help="How many watchdogs miss the proof that their alerts arrive.",
)
WATCHDOG_PROOF_AGE = ScrapedMetric(
    name="detectviz_watchdog_proof_age_seconds",
    help="How old the last proof is of the watchdog that waits longest for one.",
)


@scraped("watchdogs", WATCHDOGS_FAILING, WATCHDOG_PROOF_AGE)
def watchdogs_read() -> Iterator[Reading]:
    """Measure how the watchdogs of all orgs are."""
    rows = Watchdog.objects.across_orgs(reason=_ACROSS).filter(is_enabled=True)
    oldest = rows.aggregate(at=Min("proved_at"))["at"]
    yield WATCHDOGS_FAILING, (), float(rows.filter(is_failing=True).count())
    oldest_s = oldest.timestamp() if oldest else None
    yield WATCHDOG_PROOF_AGE, (), age_s(oldest_s, utc_now().timestamp())


@scraped("notifications", QUEUE_DEPTH, QUEUE_AGE, OUTBOX_AGE)
def notifications_read() -> Iterator[Reading]:
    """Measure the outbox of alerts and the deliveries that are pending."""
    now = utc_now().timestamp()
    alerts = RoutedAlert.objects.across_orgs(reason=_ACROSS)
    unrouted = alerts.filter(routed_version__lt=F("version")).aggregate(
        rows=Count("pk"), oldest=Min("updated_at")
    )
    deliveries = Delivery.objects.across_orgs(reason=_ACROSS)
    pending = deliveries.filter(status=DeliveryStatus.PENDING).aggregate(
        rows=Count("pk"), oldest=Min("created_at")
    )
    for queue, waiting in (("alerts", unrouted), ("deliveries", pending)):
        oldest_s = waiting["oldest"].timestamp() if waiting["oldest"] else None
        yield QUEUE_DEPTH, (queue,), float(waiting["rows"])
        yield QUEUE_AGE, (queue,), age_s(oldest_s, now)
        if queue == "alerts":
            yield OUTBOX_AGE, (), age_s(oldest_s, now)
