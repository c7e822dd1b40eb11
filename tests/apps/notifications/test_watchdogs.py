"""Watchdogs: rounds through the real path, proofs, and the alarm on another path."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client

from apps.extensions.selectors import plugin_host_use
from apps.notifications.models import Delivery, Watchdog
from apps.notifications.services import watchdogs
from apps.notifications.services.configuration import contact_point_write
from apps.notifications.services.watchdog_specs import watchdog_write
from apps.notifications.services.watchdogs import watchdogs_run
from detectviz.clock import utc_now
from detectviz.contracts.errors import DeliveryError, PluginError
from detectviz.contracts.network import HttpRequest
from detectviz.contracts.notifier import Notification, NotifierContext, Receipt
from detectviz.contracts.read_back import NotReadableError, Told
from detectviz.pluginhost.host import HostOptions, PluginHost
from detectviz.resources.errors import InvalidFieldsError
from detectviz.testing.plugins import built_in_plugins
from tests.factories.dispatch import Receiver, World, world_made
from tests.factories.pages import make_browser

pytestmark = pytest.mark.django_db
SPEC: dict[str, Any] = {
    "title": "",
    "labels": {"team": "web"},
    "every": "15m",
    "within": "5m",
    "proof": "delivered",
    "fallback": "mail",
    "dead_mans_switch_url": "",
    "enabled": True,
}


class Switch:
    """A dead man's switch that counts who reaches it."""

    def __init__(self, status: int = 200) -> None:
        self.asked: list[str] = []
        self.status = status

    def fetch(self, request: HttpRequest) -> Any:
        self.asked.append(request.url)
        return type("Answer", (), {"status_code": self.status})()


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    with world_made(monkeypatch) as made:
        receiver = {"notifier": "webhook", "config": {"url": "http://127.0.0.1:9/other"}}
        contact_point_write(
            org=made.org, name="mail", title="", receivers=[receiver], instance=None
        )
        yield made


def watch(world: World, **changes: Any) -> Watchdog:
    return watchdog_write(org=world.org, name="web", spec={**SPEC, **changes}, instance=None)


def turn(world: World, seconds: int) -> Watchdog:
    """Let time pass with the watcher looking every ten seconds."""
    for _ in range(seconds // 10):
        watchdogs_run(now=world.now)
        world.run(10)
    row: Watchdog = Watchdog.objects.for_org(world.org).get()
    return row


def told_by(world: World, point: str) -> list[Delivery]:
    return list(Delivery.objects.for_org(world.org).filter(contact_point=point).order_by("pk"))


def test_a_round_is_proved_by_the_providers_answer(world: World) -> None:
    watch(world)
    row = turn(world, 60)
    assert row.round == 1
    assert row.proved_at is not None
    assert not row.is_failing
    assert told_by(world, "mail") == []
    first = world.receiver.told[0].firing[0]
    assert first.labels["alertname"] == "DetectvizWatchdog"
    assert turn(world, 900).round == 2


def receivers(browser: Client, world: World) -> list[dict[str, Any]]:
    """Return what the watchdog's REST status says of each receiver."""
    path = f"/apis/notifications/v1/orgs/{world.org.name}/watchdogs/web"
    found: list[dict[str, Any]] = browser.get(path).json()["status"]["receivers"]
    return found


class Readable(Receiver):
    """A service that answers yes, and whose messages can be looked for."""

    def __init__(self) -> None:
        super().__init__()
        self.has_it = True
        self.looked: list[Told] = []
        self.problem: PluginError | None = None

    def notify(self, notification: Notification, context: NotifierContext) -> Receipt:
        receipt = super().notify(notification, context)
        return replace(receipt, external_id=f"m{len(self.told)}")

    def read_back(self, told: Told, context: NotifierContext) -> bool:
        self.looked.append(told)
        if self.problem is not None:
            raise self.problem
        return self.has_it


@pytest.fixture
def readable(world: World) -> Readable:
    made = Readable()
    store = built_in_plugins().store
    plugin_host_use(PluginHost(store, HostOptions(loader=lambda *_: made)))
    world.receiver = made
    return made


def test_a_message_that_is_found_again_is_the_proof_and_looked_for_once(
    world: World, readable: Readable
) -> None:
    watch(world, proof="read_back")
    row = turn(world, 60)
    assert row.proved_at is not None
    (told,) = readable.looked
    assert told.external_id == "m1"
    assert [alert.labels["watchdog"] for alert in told.notification.alerts] == ["web"]
    browser = make_browser(world.org, "viewer")
    assert "Found again" in browser.get(f"/o/{world.org.name}/watchdogs/w/web").content.decode()


def test_a_message_that_was_taken_and_is_not_there_breaks_the_path(
    world: World, readable: Readable
) -> None:
    watch(world, proof="read_back", within="1m")
    readable.has_it = False
    failing = turn(world, 90)
    assert failing.is_failing
    assert failing.problem == "ops/webhook took it, but the message is not found there"
    assert 2 <= len(readable.looked) <= 4  # not every time it looks, services have limits
    browser = make_browser(world.org, "viewer")
    (told,) = receivers(browser, world)
    assert (told["contact_point"], told["reading"], told["state"]) == (
        "ops",
        "missing",
        "delivered",
    )
    assert told["delivery"] == told_by(world, "ops")[0].uid
    assert told["finished_at"]
    assert "Not found yet" in browser.get(f"/o/{world.org.name}/watchdogs/w/web").content.decode()

    readable.problem = DeliveryError("Slack answered 200: missing_scope.", reason="authError")
    assert "missing_scope" in turn(world, 960).problem


@pytest.mark.parametrize("can_read", [True, False])
def test_where_nobody_can_look_the_services_answer_is_proof(world: World, can_read: bool) -> None:
    if can_read:
        made = Readable()
        made.problem = NotReadableError("Set a bot token.")
        store = built_in_plugins().store
        plugin_host_use(PluginHost(store, HostOptions(loader=lambda *_: made)))
    watch(world, proof="read_back")
    browser = make_browser(world.org, "viewer")
    before = browser.get(f"/o/{world.org.name}/watchdogs/w/web")
    assert "Not yet" in before.content.decode()
    assert receivers(browser, world)[0]["delivery"] is None
    assert turn(world, 60).proved_at is not None
    (told,) = receivers(browser, world)
    assert (told["reading"], told["state"]) == ("unreadable", "delivered")
    page = browser.get(f"/o/{world.org.name}/watchdogs/w/web").content.decode()
    assert ("Set a bot token." if can_read else "lets nobody read back") in page


def test_a_missing_proof_is_told_on_the_other_path_and_its_end_too(world: World) -> None:
    watch(world, within="1m")
    world.receiver.failures = [DeliveryError("It is down.", reason="serverError")] * 6
    failing = turn(world, 90)
    assert failing.is_failing
    assert "ops/webhook was not told: It is down." in failing.problem
    (alarm,) = told_by(world, "mail")
    assert alarm.payload["alerts"][0]["labels"]["alertname"] == "DetectvizAlertingPathBroken"

    world.receiver.failures = []
    assert not turn(world, 960).is_failing
    assert len(told_by(world, "mail")) == 2


def test_an_echo_proves_the_round_that_is_under_way_and_no_other(
    world: World, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.now = utc_now()
    watch(world, proof="echo")
    assert turn(world, 60).proved_at is None
    url = world.receiver.told[0].firing[0].annotations["echo_url"]
    path = url[url.index("/orgs/") :]
    assert client.post(path.replace("/acme/", "/other/")).status_code == 404
    assert client.post(path[:-2]).status_code == 404
    assert client.put(path).status_code == 405
    assert client.post(path).status_code == 200
    assert turn(world, 20).proved_at is not None
    assert client.post(path).status_code == 404


def test_the_dead_mans_switch_is_reached_as_long_as_proofs_come(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    switch = Switch()
    monkeypatch.setattr(watchdogs, "http_client", lambda: switch)
    watch(world, dead_mans_switch_url="http://127.0.0.1:9/ping")
    row = turn(world, 60)
    assert switch.asked == ["http://127.0.0.1:9/ping"]
    assert row.switch_at is not None
    switch.status = 500
    assert turn(world, 900).switch_error == "It answered 500."


def test_nobody_is_blamed_for_the_time_in_which_we_were_away(world: World) -> None:
    watch(world, within="1m")
    watchdogs_run(now=world.now)
    world.now += timedelta(hours=1)
    row = turn(world, 40)
    assert not row.is_failing
    assert row.proved_at is not None


def test_the_contact_points_page_shows_the_last_proof(world: World) -> None:
    watch(world)
    turn(world, 60)
    browser = make_browser(world.org, "viewer")
    html = browser.get(f"/o/{world.org.name}/contact-points/c/ops").content.decode()
    assert "Proof of delivery" in html
    assert "last proof" in html
    other = browser.get(f"/o/{world.org.name}/contact-points/c/mail").content.decode()
    assert "Proof of delivery" not in other


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"every": "10s", "within": "5s"}, "spec.every"),
        ({"within": "1h"}, "spec.within"),
        ({"fallback": ""}, "spec.fallback"),
        ({"fallback": "nobody"}, "spec.fallback"),
        ({"fallback": "ops"}, "spec.fallback"),
        ({"dead_mans_switch_url": "ftp://x"}, "spec.dead_mans_switch_url"),
    ],
)
def test_a_watchdog_that_proves_nothing_is_refused(
    world: World, changes: dict[str, Any], field: str
) -> None:
    with pytest.raises(InvalidFieldsError) as wrong:
        watch(world, **changes)
    assert field in wrong.value.fields
