"""`detectviz deliveries`."""

import json
from io import StringIO

import pytest
from django.core.management import call_command

from apps.notifications.models import Delivery
from apps.orgs.models import Org
from detectviz.resources.errors import InvalidFieldsError
from tests.factories.notifications import make_delivery
from tests.factories.orgs import make_org

pytestmark = pytest.mark.django_db


@pytest.fixture
def acme() -> Org:
    return make_org("acme")


def run(*words: str) -> str:
    out = StringIO()
    call_command("deliveries", *words, "--org", "acme", stdout=out)
    return out.getvalue()


def test_the_log_is_listed_and_one_shown_with_its_attempts(acme: Org) -> None:
    attempt = {"at": "2026-01-01", "status": "failed", "reason": "timeout", "error": "slow"}
    row = make_delivery(acme, status="failed", history=[attempt], error="slow")
    (listed,) = json.loads(run("list", "--status", "failed", "-o", "json"))
    assert listed["name"] == row.uid
    assert json.loads(run("list", "--status", "delivered", "-o", "json")) == []
    shown = json.loads(run("show", row.uid, "-o", "json"))
    assert shown["history"] == [attempt]


def test_dead_letters_are_sent_again_by_name_or_all(acme: Org) -> None:
    first, _ = make_delivery(acme, status="failed"), make_delivery(acme, status="failed")
    assert json.loads(run("replay", first.uid, "-o", "json")) == {"replayed": 1}
    assert run("replay", "--all").startswith("1 sent again")
    assert not Delivery.all_orgs.filter(status="failed").exists()
    with pytest.raises(InvalidFieldsError, match="--all"):
        run("replay")
