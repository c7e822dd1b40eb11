"""Being told in a browser: subscribed, tested, signed with the deployment's key, taken away."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.test import Client

from apps.audit.models import AuditEvent
from apps.notifications.models import Delivery, RoutedAlert
from apps.notifications.services.delivery import deliveries_send
from apps.notifications.services.direct import DirectNotice, direct_delivery_create
from apps.oncall.models import ContactMethod
from apps.oncall.services.methods import SIGN, personal_receiver
from apps.oncall.services.subscriptions import browser_name
from apps.oncall.services.vapid import vapid_public_key
from apps.orgs.models import Org
from detectviz.contracts.errors import DeliveryError
from detectviz.contracts.notifier import Notifier
from detectviz.contracts.types import PluginKind
from detectviz.testing.notifiers import (
    FakeHttp,
    make_notification,
    make_notifier_context,
    make_response,
)
from detectviz.testing.plugins import built_in_plugins
from tests.factories.dispatch import World, world_made
from tests.factories.pages import make_browser

pytestmark = pytest.mark.django_db
HOME = "/o/acme/me/notifications"
SUBSCRIPTION = {
    "endpoint": "https://push.example/send/abc",
    "p256dh": "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkN"
    "toIAiw4",
    "auth": "BTBZMqHH6r4Tts7J_aSIgg",
}
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    with world_made(monkeypatch) as world:
        yield world


@pytest.fixture
def acme(world: World) -> Org:
    return world.org


@pytest.fixture
def viewer(acme: Org) -> Client:
    return make_browser(acme, "viewer")


def subscribe(client: Client, **more: str) -> Any:
    data = SUBSCRIPTION | more
    return client.post(f"{HOME}/browser", data, headers={"User-Agent": FIREFOX})


def test_a_browser_subscribes_gets_a_test_and_counts(
    viewer: Client, acme: Org, world: World
) -> None:
    page = viewer.get(HOME).content.decode()
    assert f'data-key="{vapid_public_key()}"' in page
    assert "js/push" in page
    assert subscribe(viewer)["Location"] == HOME
    assert [told.is_test for told in world.receiver.told] == [True]
    method = ContactMethod.objects.for_org(acme).get()
    assert (method.name, method.notifier) == ("firefox-linux", "webpush")
    assert method.verified_at is not None
    assert "vapid_private_key" not in method.secrets
    subscribe(viewer)
    subscribe(viewer, endpoint="https://push.example/send/other")
    names = ContactMethod.objects.for_org(acme).order_by("name").values_list("name", flat=True)
    assert list(names) == ["firefox-linux", "firefox-linux-2"]
    assert SUBSCRIPTION["endpoint"] not in viewer.get(HOME).content.decode()


def test_what_is_no_subscription_is_refused(viewer: Client, acme: Org) -> None:
    assert subscribe(viewer, endpoint="").status_code == 422
    assert subscribe(viewer, endpoint="http://push.example/").status_code == 422
    assert subscribe(viewer, auth="short").status_code == 422
    assert not ContactMethod.objects.for_org(acme).exists()


def test_it_is_signed_with_the_key_the_browser_subscribed_for(viewer: Client, acme: Org) -> None:
    subscribe(viewer)
    found = personal_receiver(acme.pk, f"{SIGN}viewer", "firefox-linux")
    assert found is not None
    http = FakeHttp(answer=make_response(201))
    plugin: Notifier = built_in_plugins().load(PluginKind.NOTIFIER, "webpush")
    secrets: Any = found.secrets
    context = make_notifier_context("webpush", found.receiver["config"], secrets, http=http)
    plugin.notify(make_notification(), context)
    headers = dict(http.requests[0].headers)
    assert headers["Authorization"].endswith(f", k={vapid_public_key()}")
    assert found.receiver["config"]["subject"].startswith("mailto:")


def test_a_subscription_that_is_over_is_taken_away(viewer: Client, acme: Org, world: World) -> None:
    subscribe(viewer)
    alert = RoutedAlert.objects.create_for(acme, fingerprint="a", labels={}, starts_at=world.now)
    notice = DirectNotice(
        key="k",
        contact_point=f"{SIGN}viewer",
        receiver="firefox-linux",
        notifier="webpush",
        group_key="{}",
        group_labels={},
        reason="escalation",
    )
    delivery = direct_delivery_create(org=acme, notice=notice, alerts=[alert], now=world.now)
    gone = DeliveryError("over", reason="clientError", permanent=True, is_gone=True)
    world.receiver.failures.append(gone)
    deliveries_send(delivery_ids=[delivery.pk], clock=lambda: world.now)
    assert Delivery.objects.for_org(acme).get().status == "failed"
    assert not ContactMethod.objects.for_org(acme).exists()
    event = AuditEvent.objects.get(org=acme, action="contactmethod.retire")
    assert (event.name, event.actor_id) == ("firefox-linux", None)


def test_the_worker_has_an_address_that_stays(client: Client) -> None:
    answer = client.get("/push-worker.js")
    assert answer["Content-Type"] == "text/javascript"
    assert b"showNotification" in answer.content
    assert "script-src 'self'" in answer["Content-Security-Policy"]
    assert client.post("/push-worker.js").status_code == 405


@pytest.mark.parametrize(
    ("said", "name"),
    [
        (FIREFOX, "firefox-linux"),
        ("Mozilla/5.0 (Windows NT 10.0) Chrome/140.0 Safari/537.36 Edg/140.0", "edge-windows"),
        ("Mozilla/5.0 (Linux; Android 15) Chrome/140.0 Mobile Safari/537.36", "chrome-android"),
        ("Mozilla/5.0 (Macintosh; Intel Mac OS X 15_0) Version/18 Safari/605", "safari-mac"),
        ("curl/8", "browser"),
    ],
)
def test_browsers_are_called_by_what_they_say_they_are(said: str, name: str) -> None:
    assert browser_name(said) == name
