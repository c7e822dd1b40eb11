"""The event bus and its dead letters: pages and REST."""

from typing import Any

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from apps.audit.models import AuditEvent
from apps.orgs.models import Org
from detectviz.clock import utc_now
from detectviz.events.models import DeliveryStatus
from detectviz.events.selectors import RELAY_LEASE
from detectviz.runtime.leases import lease_acquire
from tests.factories.accounts import make_user
from tests.factories.events import make_dead_letter
from tests.factories.orgs import make_org
from tests.factories.pages import make_browser

pytestmark = pytest.mark.django_db
PAGE = "/o/acme/events"
REST = "/apis/core/v1/orgs/acme/deadletters"


@pytest.fixture
def acme() -> Org:
    return make_org("acme")


@pytest.fixture
def admin(acme: Org) -> Client:
    return make_browser(acme, "admin")


@pytest.fixture
def platform(acme: Org) -> Client:
    client = Client()
    client.force_login(make_user("root", is_superuser=True))
    return client


def read(client: Client, path: str = PAGE) -> str:
    answer = client.get(path)
    assert answer.status_code == 200
    return answer.content.decode()


def test_an_org_sees_its_own_dead_letters_only(acme: Org, admin: Client) -> None:
    make_dead_letter(acme, subject="mine-to-see")
    make_dead_letter(make_org("rival"), subject="not-mine")

    html = read(admin)

    assert "mine-to-see" in html
    assert "not-mine" not in html
    assert "rival" not in html


def test_the_platform_sees_who_has_dead_letters_and_who_publishes(platform: Client) -> None:
    make_dead_letter(make_org("rival"))
    lease_acquire(name=RELAY_LEASE, owner="relay-process", ttl_s=20, now=utc_now())

    html = read(platform)

    for words in ("rival", "relay-process", "Targets of all organisations"):
        assert words in html


def test_the_address_of_the_bus_is_shown_without_who_signs_in(
    platform: Client, admin: Client, settings: Any
) -> None:
    settings.EVENTBUS_URL = "redis://user:hush@bus.example.org:6379/0"

    html = read(platform)

    assert "redis://bus.example.org:6379" in html
    assert "hush" not in html
    assert "bus.example.org" not in read(admin)


def test_the_bus_is_asked_by_the_platform_alone(platform: Client, admin: Client) -> None:
    assert admin.post(f"{PAGE}/measure").status_code == 403
    assert "detectviz.alert.changed" in platform.post(f"{PAGE}/measure").content.decode()


@pytest.mark.parametrize(
    ("action", "status"),
    [("replay", DeliveryStatus.PENDING), ("discard", DeliveryStatus.DISCARDED)],
)
def test_settling_one_is_done_once_and_audited(
    acme: Org, admin: Client, action: str, status: str
) -> None:
    row = make_dead_letter(acme)
    assert row.uid in read(admin, f"{PAGE}/dead/{row.uid}")

    assert admin.post(f"{PAGE}/dead/{row.uid}/{action}").status_code == 302

    row.refresh_from_db()
    assert row.status == status
    told = AuditEvent.objects.get(action=f"deadletter.{action}")
    assert (told.org, told.name, told.actor_name) == (acme, row.uid, "admin")
    assert admin.post(f"{PAGE}/dead/{row.uid}/{action}").status_code == 404


def test_rest_lists_reads_and_settles(acme: Org, admin: Client) -> None:
    rows = [make_dead_letter(acme, subject=f"s{number}") for number in range(3)]

    first = admin.get(f"{REST}?limit=2").json()
    rest = admin.get(f"{REST}?limit=2&continue={first['metadata']['continue']}").json()
    names = [each["metadata"]["name"] for each in (*first["items"], *rest["items"])]
    assert names == [row.uid for row in reversed(rows)]
    assert rest["metadata"]["continue"] == ""

    one = admin.get(f"{REST}/{rows[0].uid}").json()
    assert one["status"]["error"] == "too large"
    assert admin.post(f"{REST}/{rows[0].uid}/replay").json()["action"] == "replay"
    assert admin.post(f"{REST}/{rows[1].uid}/discard").status_code == 200
    assert admin.post(f"{REST}/{rows[1].uid}/discard").status_code == 404
    assert AuditEvent.objects.filter(action__startswith="deadletter.").count() == 2


@pytest.mark.parametrize("query", ["limit=x", "continue=-1", "limit=99999999999"])
def test_rest_names_the_wrong_parameter(admin: Client, query: str) -> None:
    assert admin.get(f"{REST}?{query}").status_code == 422


def test_operators_settle_nothing(acme: Org) -> None:
    row = make_dead_letter(acme)
    browser = make_browser(acme)
    assert browser.get(PAGE).status_code == 403
    assert browser.post(f"{REST}/{row.uid}/replay").status_code == 403


def test_the_page_has_a_query_budget(
    acme: Org, admin: Client, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    for number in range(30):
        make_dead_letter(acme, subject=f"s{number}")
    with django_assert_max_num_queries(14):
        read(admin)
