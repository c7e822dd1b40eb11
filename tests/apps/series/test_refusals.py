from datetime import UTC, datetime, timedelta

import pytest

from apps.orgs.models import Org
from apps.series.models import Refusal
from apps.series.selectors.usage import refusal_list
from apps.series.services.refusals import refusals_note, refusals_prune, refusals_write
from tests.factories.orgs import make_org

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 3, 1, 12, 30, tzinfo=UTC)
DAY = timedelta(days=1)


@pytest.fixture
def acme() -> Org:
    refusals_write(is_urgent=True)  # what other tests left in the process's memory
    return make_org("acme")


def note(
    org: Org, count: int, *, reason: str = "limit", at: datetime = NOW, said: str = "x"
) -> None:
    refusals_note(tenant=org.uid, door="otlp", counts={reason: count}, example=said, now=at)


def test_refused_samples_are_added_up_by_door_and_reason(acme: Org) -> None:
    note(acme, 2)
    note(acme, 3, said="y", at=NOW + timedelta(minutes=1))
    note(acme, 1, reason="too_old")
    refusals_write(is_urgent=True)
    note(acme, 4, at=NOW + timedelta(hours=1), said="z")
    refusals_write(is_urgent=True)
    found = refusal_list(acme, now=NOW + timedelta(hours=1), within=DAY)
    assert [(one.door, one.reason, one.count, one.example) for one in found] == [
        ("otlp", "limit", 9, "z"),
        ("otlp", "too_old", 1, "x"),
    ]
    assert found[0].last_at == NOW + timedelta(hours=1)
    assert refusal_list(make_org("other"), now=NOW, within=DAY) == []


def test_a_storm_of_refusals_is_written_now_and_then(acme: Org) -> None:
    for _ in range(50):
        note(acme, 1)
    rows = Refusal.objects.for_org(acme)
    assert sum(row.count for row in rows) < 50
    refusals_write(is_urgent=True)
    assert [row.count for row in rows.all()] == [50]


def test_counts_are_kept_for_a_week_and_of_known_orgs_only(acme: Org) -> None:
    note(acme, 1, at=NOW - timedelta(days=8))
    note(acme, 1)
    refusals_note(tenant="gone", door="otlp", counts={"limit": 1}, example="x", now=NOW)
    refusals_write(is_urgent=True)
    assert refusals_prune(now=NOW) == 1
    assert Refusal.objects.across_orgs(reason="a test counts").count() == 1
