"""Words about alerts become rows: by the batch, each the latest, on both databases."""

from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from apps.notifications.models import AlertGroup, RoutedAlert
from apps.notifications.services.bootstrap import org_prepare
from apps.notifications.services.dispatch import alerts_route
from apps.notifications.services.inbox import alerts_receive
from apps.orgs.models import Org
from detectviz.events.types import AlertChanged
from tests.factories.orgs import make_org

pytestmark = pytest.mark.usefixtures("database")
START = datetime(2026, 3, 1, 12, tzinfo=UTC)


def word(org: Org, fingerprint: str, status: str = "firing", *, value: float = 1.0) -> AlertChanged:
    return AlertChanged(
        org_id=org.pk,
        fingerprint=fingerprint,
        status="firing" if status == "firing" else "resolved",
        labels={"alertname": "Down", "host": f"ü{fingerprint}"},
        annotations={"summary": 'it said "no"'},
        starts_at=START,
        ends_at=None if status == "firing" else START + timedelta(minutes=1),
        rule_group="web",
        rule="Down",
        value=value,
        is_transition=True,
    )


def row(org: Org, fingerprint: str) -> RoutedAlert:
    found: RoutedAlert = RoutedAlert.objects.for_org(org).get(fingerprint=fingerprint)
    return found


def test_the_latest_word_counts_and_each_raises_the_version() -> None:
    org = make_org()
    alerts_receive(events=[word(org, "a"), word(org, "b"), word(org, "a", value=2.5)])
    assert (row(org, "a").value, row(org, "a").version) == (2.5, 1)
    alerts_receive(events=[word(org, "a", "resolved")])
    kept = row(org, "a")
    assert (kept.is_resolved, kept.version, kept.routed_version) == (True, 2, 0)
    assert kept.labels == {"alertname": "Down", "host": "üa"}
    assert kept.annotations == {"summary": 'it said "no"'}
    assert (kept.starts_at, kept.ends_at) == (START, START + timedelta(minutes=1))
    assert not row(org, "b").is_resolved


def test_the_end_of_what_nobody_heard_of_is_dropped() -> None:
    org, other = make_org(), make_org("other")
    alerts_receive(events=[word(other, "a")])
    alerts_receive(events=[word(org, "a", "resolved"), word(other, "a", "resolved")])
    assert not RoutedAlert.objects.for_org(org).exists()
    assert row(other, "a").is_resolved


def test_a_storm_takes_hardly_more_statements_than_a_breeze() -> None:
    org = make_org()
    org_prepare(org_id=org.pk)

    def statements(start: int, end: int) -> int:
        with CaptureQueriesContext(connection) as asked:
            alerts_receive(events=[word(org, f"{number:016x}") for number in range(start, end)])
            assert alerts_route(now=START) == end - start
        return len(asked)

    statements(0, 1)  # the group is new
    assert statements(3, 303) <= statements(1, 3) + 5  # SQLite takes no more than so many at once
    assert sum(group.alerts.count() for group in AlertGroup.objects.for_org(org)) == 303
