from datetime import timedelta
from typing import Any

import pytest

from apps.orgs.models import Org
from tests.factories.notifications import START, make_delivery
from tests.factories.orgs import make_org
from tests.factories.pages import make_browser

pytestmark = pytest.mark.django_db
LOG = "/apis/notifications/v1/orgs/acme/deliveries"


@pytest.fixture
def acme() -> Org:
    return make_org("acme")


def names(body: dict[str, Any]) -> list[str]:
    return [item["metadata"]["name"] for item in body["items"]]


def test_the_list_goes_back_in_time_page_by_page(acme: Org) -> None:
    made = [make_delivery(acme, created_at=START + timedelta(hours=n // 2)).uid for n in range(5)]
    browser = make_browser(acme, "viewer")
    seen: list[str] = []
    token = ""
    while True:
        body = browser.get(f"{LOG}?limit=2&continue={token}").json()
        seen += names(body)
        token = body["metadata"]["continue"]
        if not token:
            break
    assert seen == made[::-1]


def test_fields_select(acme: Org) -> None:
    failed = make_delivery(acme, status="failed", notifier="email")
    make_delivery(acme, contact_point="other")
    browser = make_browser(acme, "viewer")
    for selector in ("status=failed", "notifier=email", "contact_point=on-call,status=failed"):
        body = browser.get(LOG, {"field_selector": selector}).json()
        assert names(body) == [failed.uid]


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"field_selector": "color=red"}, "field_selector"),
        ({"limit": "0"}, "limit"),
        ({"continue": "nonsense"}, "continue"),
    ],
)
def test_a_wrong_question_is_named(acme: Org, query: dict[str, str], field: str) -> None:
    answer = make_browser(acme, "viewer").get(LOG, query)
    assert answer.status_code == 422
    assert field in answer.content.decode()


def test_one_is_read_with_its_payload(acme: Org) -> None:
    delivery = make_delivery(acme)
    body = make_browser(acme, "viewer").get(f"{LOG}/{delivery.uid}").json()
    assert body["kind"] == "Delivery"
    assert body["status"]["status"] == "delivered"
    assert body["status"]["payload"]["group_labels"] == {"alertname": "Down"}


def test_nothing_is_written_and_strangers_see_nothing(acme: Org) -> None:
    delivery = make_delivery(acme)
    assert make_browser(acme, "admin").post(LOG, {}).status_code == 405
    stranger = make_browser(make_org("other"), "admin", "stranger")
    assert stranger.get(LOG).status_code == 404
    path = f"/apis/notifications/v1/orgs/other/deliveries/{delivery.uid}"
    assert stranger.get(path).status_code == 404
    assert make_browser(acme, "", "nobody").get(LOG).status_code == 403
