"""Links in notifications and buttons in chats: who may, for how long, how often."""

import hashlib
import hmac
import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode

import pytest
from django.core.cache import cache
from django.test import Client, override_settings

from apps.alerting.models import Alert, AlertHandling
from apps.notifications.models import Delivery, Silence
from apps.oncall.models import ChatCallback
from apps.oncall.services import chat
from apps.oncall.services.links import delivery_actions, token_of
from apps.orgs.models import Org
from detectviz.clock import utc_now
from tests.factories.notifications import make_delivery
from tests.factories.orgs import make_org
from tests.factories.pages import make_browser

pytestmark = pytest.mark.django_db
KEY = "8f742231b10e8888abcd99yyyzzz85a5"


@pytest.fixture
def acme() -> Org:
    return make_org("acme")


@pytest.fixture
def alert(acme: Org) -> Alert:
    at = utc_now() - timedelta(minutes=10)
    found: Alert = Alert.objects.create_for(
        acme,
        name="external-00000000000000aa",
        fingerprint="00000000000000aa",
        labels={"alertname": "Down", "team": "web"},
        state="firing",
        value="",
        active_at=at,
        fired_at=at,
    )
    return found


@pytest.fixture
def delivery(acme: Org, alert: Alert) -> Delivery:
    payload = {"org": "acme", "group_labels": {"alertname": "Down"}, "common_labels": {}}
    return make_delivery(acme, firing=[alert.fingerprint], payload=payload, created_at=utc_now())


@pytest.fixture(autouse=True)
def _calm() -> Iterator[None]:
    cache.clear()
    yield
    cache.clear()


def link(delivery: Delivery, action: Any) -> str:
    return f"/act/{token_of(delivery, action)}"


def acknowledged(org: Org) -> str:
    row = AlertHandling.objects.for_org(org).first()
    return row.acknowledged_by if row else ""


def test_looking_at_a_link_changes_nothing_and_pressing_does(delivery: Delivery, acme: Org) -> None:
    client = Client(enforce_csrf_checks=True)
    shown = client.get(link(delivery, "acknowledge"))
    assert shown.status_code == 200
    assert "1 alert: Down" in shown.content.decode()
    assert acknowledged(acme) == ""
    assert "Acknowledged: 1 of 1" in client.post(link(delivery, "acknowledge")).content.decode()
    assert acknowledged(acme) == "Somebody at on-call"


def test_a_persons_own_notification_acts_in_their_name(delivery: Delivery, acme: Org) -> None:
    Delivery.objects.for_org(acme).update(contact_point="~ann")
    Client().post(link(delivery, "snooze"))
    row = AlertHandling.objects.for_org(acme).get()
    assert row.snoozed_by == "ann"


def test_a_silence_covers_what_the_group_had_in_common(delivery: Delivery, acme: Org) -> None:
    Client().post(link(delivery, "silence"))
    silence = Silence.objects.for_org(acme).get()
    assert silence.matcher_sets == [['alertname="Down"']]


def test_a_link_to_silence_leads_to_the_form_who_may_fill_it(delivery: Delivery, acme: Org) -> None:
    form = "/o/acme/silences/new?matcher=alertname%3D%22Down%22&amp;for=2h"
    for reader in (Client(), make_browser(acme, "viewer")):
        assert form in reader.get(link(delivery, "silence")).content.decode()
    led = make_browser(acme, "operator").get(link(delivery, "silence"))
    assert led.status_code == 302
    assert led.headers["Location"].startswith(form.replace("&amp;", "&"))
    assert led.headers["Cache-Control"] == "no-store"
    assert not Silence.objects.for_org(acme).exists()


def test_a_link_says_nothing_of_a_later_firing(delivery: Delivery, alert: Alert, acme: Org) -> None:
    later = utc_now() + timedelta(seconds=1)
    Alert.objects.for_org(acme).update(active_at=later, fired_at=later)
    for method in ("get", "post"):
        answer = getattr(Client(), method)(link(delivery, "acknowledge"))
        assert answer.status_code == 410
    assert acknowledged(acme) == ""


def test_a_forged_or_old_link_does_nothing(
    delivery: Delivery, acme: Org, monkeypatch: pytest.MonkeyPatch
) -> None:
    good = link(delivery, "acknowledge")
    assert Client().post(f"{good}x").status_code == 410
    with override_settings(SECRET_KEY="another"):
        assert Client().post(good).status_code == 410
    with override_settings(SECRET_KEY="another", SECRET_KEY_FALLBACKS=["before"]):
        assert Client().post(good).status_code == 410
    monkeypatch.setattr("apps.oncall.services.links.LIFETIME", timedelta(seconds=-1))
    assert "too old" in Client().post(good).content.decode()
    assert acknowledged(acme) == ""


def test_a_link_stays_good_over_a_change_of_the_key(delivery: Delivery, acme: Org) -> None:
    with override_settings(SECRET_KEY="before"):
        good = link(delivery, "acknowledge")
    with override_settings(SECRET_KEY="after", SECRET_KEY_FALLBACKS=["before"]):
        assert Client().post(good).status_code == 200
    assert acknowledged(acme)


def test_notifications_carry_links_while_something_fires(delivery: Delivery) -> None:
    names = [action.name for action in delivery_actions(delivery)]
    assert names == ["acknowledge", "snooze", "silence", "open"]
    delivery.firing = []
    assert list(delivery_actions(delivery)) == []


def generic(value: str, *, at: datetime, key: str = KEY) -> dict[str, Any]:
    """Return the arguments of a signed POST."""
    body = json.dumps({"value": value, "by": "ann"}).encode()
    stamp = str(int(at.timestamp()))
    digest = hmac.new(key.encode(), f"{stamp}.".encode() + body, hashlib.sha256).hexdigest()
    headers = {"X-Detectviz-Timestamp": stamp, "X-Detectviz-Signature": f"sha256={digest}"}
    return {"data": body, "content_type": "application/json", "headers": headers}


@pytest.fixture
def door(acme: Org) -> ChatCallback:
    found: ChatCallback = ChatCallback.objects.create_for(
        acme, name="chat", service="generic", secrets={"key": KEY}
    )
    return found


def test_a_button_acts_once_by_a_signed_request(
    door: ChatCallback, delivery: Delivery, acme: Org
) -> None:
    path = f"/callbacks/{door.uid}"
    asked = generic(f"acknowledge:{delivery.uid}", at=utc_now())
    assert Client().post(path, **asked).json() == {"said": "Acknowledged: 1 of 1."}
    assert acknowledged(acme) == "ann via on-call"
    assert Client().post(path, **asked).status_code == 409
    assert Client().post(path, **generic("x", at=utc_now(), key="bad")).status_code == 401
    old = utc_now() - timedelta(minutes=6)
    assert Client().post(path, **generic("x", at=old)).status_code == 401
    assert Client().post("/callbacks/none", **asked).status_code == 404


def test_a_door_acts_in_its_own_org_alone(door: ChatCallback, acme: Org) -> None:
    other = make_org("globex")
    theirs = make_delivery(other, created_at=utc_now())
    path = f"/callbacks/{door.uid}"
    for value in (f"acknowledge:{theirs.uid}", link(theirs, "acknowledge")):
        answer = Client().post(path, **generic(value, at=utc_now()))
        assert "Acknowledged" not in answer.json()["said"]
        cache.clear()


def test_a_door_is_not_knocked_at_too_often(
    door: ChatCallback, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chat, "PER_MINUTE", 2)
    path = f"/callbacks/{door.uid}"
    answers = [Client().post(path, data={}).status_code for _ in range(3)]
    assert answers == [401, 401, 429]


def test_slack_is_answered_in_its_own_words(
    acme: Org, delivery: Delivery, door: ChatCallback
) -> None:
    ChatCallback.objects.for_org(acme).update(service="slack")
    payload = {
        "user": {"username": "ann"},
        "actions": [{"url": f"http://testserver{link(delivery, 'acknowledge')}"}],
    }
    body = urlencode({"payload": json.dumps(payload)})
    stamp = str(int(utc_now().timestamp()))
    digest = hmac.new(KEY.encode(), f"v0:{stamp}:{body}".encode(), hashlib.sha256).hexdigest()
    answer = Client().post(
        f"/callbacks/{door.uid}",
        data=body,
        content_type="application/x-www-form-urlencoded",
        headers={"X-Slack-Request-Timestamp": stamp, "X-Slack-Signature": f"v0={digest}"},
    )
    assert answer.json()["text"] == "Acknowledged: 1 of 1."


def test_a_doors_key_is_kept_and_never_shown(acme: Org) -> None:
    client = make_browser(acme, "admin")
    path = "/apis/notifications/v1/orgs/acme/chatcallbacks/chat"
    body: dict[str, Any] = {
        "apiVersion": "notifications/v1",
        "kind": "ChatCallback",
        "metadata": {"name": "chat"},
        "spec": {"service": "slack"},
    }
    assert client.put(path, body, content_type="application/json").status_code == 422
    body["spec"]["secrets"] = {"key": KEY}
    made = client.put(path, body, content_type="application/json")
    assert made.status_code == 201, made.content
    assert KEY not in made.content.decode()
    stored = made.json()
    assert stored["status"]["url"].endswith(ChatCallback.objects.for_org(acme).get().uid)
    stored["spec"]["title"] = "Ours"
    assert client.put(path, stored, content_type="application/json").status_code == 200
    assert ChatCallback.objects.for_org(acme).get().secrets == {"key": KEY}


def test_a_service_that_is_not_understood_is_refused_and_asked_for_in_words(
    acme: Org, door: ChatCallback
) -> None:
    ChatCallback.objects.for_org(acme).update(service="webhook")
    answer = Client().post(f"/callbacks/{door.uid}", **generic("x", at=utc_now()))
    assert (answer.status_code, b"cannot be understood" in answer.content) == (400, True)
    path = "/apis/notifications/v1/orgs/acme/chatcallbacks/other"
    body = {
        "apiVersion": "notifications/v1",
        "kind": "ChatCallback",
        "metadata": {"name": "other"},
        "spec": {"service": "webhook", "secrets": {"key": KEY}},
    }
    refused = make_browser(acme, "admin").put(path, body, content_type="application/json")
    assert refused.status_code == 422
    assert "slack" in refused.content.decode()


@pytest.mark.parametrize("service", ["discord", "feishu", "mattermost", "telegram"])
def test_each_door_says_what_to_do_with_its_address(acme: Org, service: str) -> None:
    ChatCallback.objects.create_for(acme, name=service, service=service, secrets={"key": KEY})
    page = make_browser(acme, "admin").get(f"/o/acme/chat-buttons/c/{service}").content.decode()
    assert page.count("<li>") >= 2
    assert "{url}" not in page
