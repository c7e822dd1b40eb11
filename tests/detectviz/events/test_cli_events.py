from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from apps.audit.models import AuditEvent
from detectviz.events.models import DeliveryStatus, EventDelivery
from tests.factories.events import make_dead_letter
from tests.factories.orgs import make_org

pytestmark = pytest.mark.django_db


def make_dead(org_name: str) -> EventDelivery:
    return make_dead_letter(make_org(name=org_name))


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
    told = AuditEvent.objects.get(action="deadletter.replay")
    assert told.org is not None
    assert (told.org.name, told.name) == ("mine", row.uid)


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
