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


def test_a_dead_letter_is_sent_again_by_name(acme: Org) -> None:
    failed = make_delivery(acme, status="failed", history=[{"status": "failed", "reason": "x"}])
    browser = make_browser(acme, "admin")
    assert browser.get(f"{LOG}/{failed.uid}").json()["status"]["history"][0]["reason"] == "x"
    answer = browser.post(f"{LOG}/{failed.uid}/replay")
    assert answer.json()["status"]["status"] == "pending"
    assert browser.post(f"{LOG}/{failed.uid}/replay").status_code == 409
    assert (
        make_browser(acme, "viewer", "vera").post(f"{LOG}/{failed.uid}/replay").status_code == 403
    )


def test_many_dead_letters_are_sent_again_and_others_left(acme: Org) -> None:
    here = [make_delivery(acme, status="failed") for _ in range(2)]
    make_delivery(acme, status="failed", contact_point="other")
    make_delivery(acme)
    browser = make_browser(acme, "admin")
    path = "/apis/notifications/v1/orgs/acme/deadletters/replay"
    named = browser.post(path, {"names": [here[0].uid]}, content_type="application/json")
    assert named.json() == {"replayed": 1}
    rest = browser.post(path, {"contact_point": "on-call"}, content_type="application/json")
    assert rest.json() == {"replayed": 1}


def test_the_log_is_found_by_alert(acme: Org) -> None:
    told = make_delivery(acme, firing=["00000000000000bb"])
    make_delivery(acme)
    body = make_browser(acme).get(LOG, {"field_selector": "alert=00000000000000bb"}).json()
    assert names(body) == [told.uid]


def test_a_template_is_previewed_with_what_one_may_read(acme: Org) -> None:
    browser = make_browser(acme, "operator")
    path = "/apis/notifications/v1/orgs/acme/notificationtemplates/preview"
    body = {"template": '{{ define "a" }}{{ .Status }}{{ end }}'}
    answer = browser.post(path, body, content_type="application/json")
    assert answer.json() == {"previews": [{"name": "a", "text": "firing", "error": ""}]}
    gone = browser.post(path, {**body, "delivery": "gone"}, content_type="application/json")
    assert gone.status_code == 404


def test_templates_and_reliability_are_resources(acme: Org) -> None:
    browser = make_browser(acme, "operator")
    base = "/apis/notifications/v1/orgs/acme"
    spec = {"template": '{{ define "a" }}x{{ end }}', "sample": {"alerts": [{"labels": {}}]}}
    put = browser.put(
        f"{base}/notificationtemplates/own", {"spec": spec}, content_type="application/json"
    )
    assert put.status_code in {200, 201}, put.content
    receiver = {
        "notifier": "webhook",
        "config": {"url": "http://127.0.0.1:9/"},
        "title_template": "{{ if }}",
        "rate_limit": "30/1m",
    }
    wrong = browser.put(
        f"{base}/contactpoints/ops",
        {"spec": {"receivers": [receiver]}},
        content_type="application/json",
    )
    assert wrong.status_code == 422
    assert "title_template" in wrong.content.decode()
    good = browser.put(
        f"{base}/contactpoints/ops",
        {"spec": {"receivers": [{**receiver, "title_template": "x"}], "give_up_after": "2h"}},
        content_type="application/json",
    )
    assert good.status_code in {200, 201}, good.content
    stored = browser.get(f"{base}/contactpoints/ops").json()
    assert stored["spec"]["give_up_after"] == "2h"
    assert stored["spec"]["receivers"][0]["rate_limit"] == "30/1m"
    assert stored["status"]["endpoints"] == []
