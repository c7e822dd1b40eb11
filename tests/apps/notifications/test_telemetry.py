"""What notifications tell about themselves on /metrics."""

from datetime import timedelta

import pytest

from apps.notifications.models import RoutedAlert
from apps.notifications.services.telemetry import OUTBOX_AGE, notifications_read
from detectviz.clock import utc_now
from detectviz.observability.scrape import QUEUE_AGE, QUEUE_DEPTH
from tests.factories.notifications import make_delivery
from tests.factories.orgs import make_org

pytestmark = pytest.mark.django_db


def test_alerts_to_route_and_deliveries_to_make_are_queues() -> None:
    org = make_org()
    make_delivery(org, status="pending", created_at=utc_now() - timedelta(seconds=40))
    make_delivery(org, status="delivered", flush_number=7)
    for fingerprint, routed in (("waits", 0), ("done", 1)):
        RoutedAlert.objects.create_for(
            org, fingerprint=fingerprint, labels={}, starts_at=utc_now(), routed_version=routed
        )
    RoutedAlert.objects.for_org(org).update(updated_at=utc_now() - timedelta(seconds=10))

    read = {(metric, labels): value for metric, labels, value in notifications_read()}

    assert read[QUEUE_DEPTH, ("alerts",)] == 1
    assert read[QUEUE_DEPTH, ("deliveries",)] == 1
    assert 40 <= read[QUEUE_AGE, ("deliveries",)] < 80
    assert 10 <= read[OUTBOX_AGE, ()] < 50
