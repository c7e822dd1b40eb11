"""How I am told: methods, their test, rules and quiet hours."""

from collections.abc import Iterator

import pytest
from django.test import Client

from apps.oncall.models import ContactMethod, NotificationPreference
from apps.oncall.services.methods import SIGN, personal_receiver
from apps.orgs.models import Org
from tests.factories.dispatch import World, world_made
from tests.factories.pages import make_browser

pytestmark = pytest.mark.django_db
HOME = "/o/acme/me/notifications"
HOOK = {"name": "phone", "config/url": "https://hooks.example.org/me", "config/secret": "hush"}


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


def test_a_method_counts_once_its_test_was_taken(viewer: Client, acme: Org, world: World) -> None:
    assert "viewer@example.org" in viewer.get(HOME).content.decode()
    answer = viewer.post(f"{HOME}/add/webhook", HOOK)
    assert answer.status_code == 302, answer.content.decode()
    assert "Not verified" in viewer.get(HOME).content.decode()
    viewer.post(f"{HOME}/m/phone/test")
    assert len(world.receiver.told) == 1
    assert "Verified" in viewer.get(HOME).content.decode()
    found = personal_receiver(acme.pk, f"{SIGN}viewer", "phone")
    assert found is not None
    assert found.secrets == {"secret": "hush"}
    viewer.post(f"{HOME}/m/phone", {"config/url": "https://hooks.example.org/other"})
    method = ContactMethod.objects.for_org(acme).get()
    assert (method.verified_at, dict(method.secrets)) == (None, {"secret": "hush"})


def test_wrong_settings_are_named_and_nothing_is_saved(viewer: Client, acme: Org) -> None:
    answer = viewer.post(f"{HOME}/add/webhook", {"name": "Not Good", "config/url": "x"})
    assert answer.status_code == 422
    assert viewer.post(f"{HOME}/add/webhook", {**HOOK, "name": "mail"}).status_code == 422
    assert viewer.get(f"{HOME}/add/nothing").status_code == 404
    assert not ContactMethod.objects.for_org(acme).exists()


def test_rules_and_quiet_hours_are_kept(viewer: Client, acme: Org) -> None:
    data = {
        "rule/mail/critical": "0",
        "rule/mail/warning": "900",
        "rule/nothing/info": "0",
        "quiet_start": "22:00",
        "quiet_end": "07:00",
        "time_zone": "Europe/Berlin",
        "quiet_except": ["critical"],
    }
    assert viewer.post(HOME, data).status_code == 302
    stored = NotificationPreference.objects.for_org(acme).get()
    assert stored.rules == [
        {"severities": ["critical"], "method": "mail", "delay_s": 0},
        {"severities": ["warning"], "method": "mail", "delay_s": 900},
    ]
    assert (stored.quiet_start, stored.quiet_except) == ("22:00", ["critical"])
    assert 'value="22:00"' in viewer.get(HOME).content.decode()
    assert viewer.post(HOME, {**data, "quiet_end": ""}).status_code == 422
    assert viewer.post(HOME, {**data, "quiet_start": "25:99"}).status_code == 422
    assert viewer.post(HOME, {**data, "time_zone": "Mars"}).status_code == 422


def test_nobody_touches_anybody_elses_methods(viewer: Client, acme: Org) -> None:
    viewer.post(f"{HOME}/add/webhook", HOOK)
    other = make_browser(acme, "admin")
    assert "/m/phone" not in other.get(HOME).content.decode()
    for path in ("test", "delete"):
        assert other.post(f"{HOME}/m/phone/{path}").status_code == 404
    assert viewer.post(f"{HOME}/m/phone/delete").status_code == 302
