from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from detectviz.clock import utc_now
from detectviz.events.models import BUS, DeliveryStatus, EventDelivery, OutboxEvent
from tests.factories.orgs import make_org

pytestmark = pytest.mark.django_db


def make_dead(org_name: str) -> EventDelivery:
    org, now = make_org(name=org_name), utc_now()
    event = OutboxEvent.objects.create_for(
        org, type="t", version=1, subject="s", key="k", data={}, at=now, created_at=now
    )
    row: EventDelivery = EventDelivery.objects.create_for(
        org,
        event=event,
        target=BUS,
        status=DeliveryStatus.DEAD,
        next_attempt_at=now,
        changed_at=now,
        last_error="too large",
    )
    return row


def run(*words: str) -> str:
    out = StringIO()
    call_command("events", *words, stdout=out)
    return out.getvalue()


def test_a_dead_letter_is_inspected_and_replayed() -> None:
    row = make_dead("mine")
    assert "too large" in run("inspect", row.uid, "--org", "mine")
    assert run("replay", row.uid, "--org", "mine") == "replay: 1\n"
    row.refresh_from_db()
    assert row.status == DeliveryStatus.PENDING


def test_all_of_an_org_are_discarded_and_no_others() -> None:
    mine, other = make_dead("mine"), make_dead("other")
    run("discard", "--all", "--org", "mine")
    mine.refresh_from_db()
    other.refresh_from_db()
    assert (mine.status, other.status) == (DeliveryStatus.DISCARDED, DeliveryStatus.DEAD)


def test_a_dead_letter_of_another_org_is_not_found() -> None:
    make_org(name="mine")
    with pytest.raises(CommandError, match="no dead letter"):
        run("replay", make_dead("other").uid, "--org", "mine")
