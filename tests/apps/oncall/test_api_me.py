"""How I am told, by REST: mine alone."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.test import Client

from apps.accounts.models import User
from apps.oncall.models import ContactMethod, NotificationPreference
from apps.orgs.models import Org
from tests.factories.accounts import make_api_key
from tests.factories.dispatch import World, world_made
from tests.factories.orgs import make_org
from tests.factories.pages import make_browser

pytestmark = pytest.mark.django_db
MINE = "/apis/oncall/v1/orgs/acme/me"
HOOK = {
    "notifier": "webhook",
    "config": {"url": "https://hooks.example.org/me"},
    "secrets": {"secret": "hush"},
}


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


def put(client: Client, path: str, **spec: Any) -> Any:
    return client.put(f"{MINE}/{path}", {"spec": spec}, content_type="application/json")


def test_a_method_is_written_verified_and_deleted(viewer: Client, world: World) -> None:
    made = put(viewer, "contactmethods/phone", **HOOK)
    assert made.status_code == 201, made.content
    assert made.json()["spec"]["secrets"]["secret"] == {"set": True}
    assert "hush" not in made.content.decode()
    assert made.json()["status"]["verified_at"] is None
    told = viewer.post(f"{MINE}/contactmethods/phone/verify").json()
    assert told["delivered"] is True
    assert len(world.receiver.told) == 1
    (listed,) = viewer.get(f"{MINE}/contactmethods").json()["items"]
    assert listed["status"]["verified_at"] is not None
    kept = HOOK | {"secrets": {"secret": {"set": True}}}
    assert put(viewer, "contactmethods/phone", **kept).status_code == 200
    stored = ContactMethod.objects.for_org(world.org).get()
    assert dict(stored.secrets) == {"secret": "hush"}
    assert viewer.delete(f"{MINE}/contactmethods/phone").status_code == 204
    assert viewer.get(f"{MINE}/contactmethods/phone").status_code == 404


def test_preferences_are_written_and_read(viewer: Client, acme: Org) -> None:
    defaults = viewer.get(f"{MINE}/preferences").json()
    assert defaults["spec"]["quiet"]["except"] == ["critical"]
    assert defaults["status"]["methods"] == ["mail"]
    rules = [{"method": "mail", "severities": ["info"], "delay": "15m"}]
    quiet = {"time_zone": "Europe/Berlin", "start": "22:00", "end": "07:00", "except": []}
    answer = put(viewer, "preferences", rules=rules, quiet=quiet)
    assert answer.status_code == 200, answer.content
    assert viewer.get(f"{MINE}/preferences").json()["spec"] == {"rules": rules, "quiet": quiet}
    row = NotificationPreference.objects.for_org(acme).get()
    assert row.rules == [{"method": "mail", "severities": ["info"], "delay_s": 900}]


@pytest.mark.parametrize(
    ("path", "spec", "field"),
    [
        ("contactmethods/Not_Good", HOOK, "metadata.name"),
        ("contactmethods/mail", HOOK, "name"),
        ("contactmethods/x", {"notifier": "none"}, "notifier"),
        ("contactmethods/x", HOOK | {"config": {"url": 1}}, "spec.config.url"),
        ("contactmethods/x", HOOK | {"more": 1}, "spec.more"),
        ("preferences", {"rules": [{"method": "gone"}]}, "spec.rules[0].method"),
        ("preferences", {"rules": [{"method": "mail", "delay": "x"}]}, "spec.rules[0].delay"),
        ("preferences", {"quiet": {"time_zone": "Mars"}}, "spec.quiet.time_zone"),
        ("preferences", {"quiet": {"start": "22:00"}}, "quiet_end"),
    ],
)
def test_what_is_wrong_is_named(viewer: Client, path: str, spec: Any, field: str) -> None:
    answer = put(viewer, path, **spec)
    assert answer.status_code == 422, answer.content
    assert answer.json()["errors"][0]["field"] == field


def test_nobody_else_reads_or_changes_what_is_mine(viewer: Client, acme: Org) -> None:
    put(viewer, "contactmethods/phone", **HOOK)
    admin = make_browser(acme, "admin")
    assert admin.get(f"{MINE}/contactmethods").json()["items"] == []
    for path in ("contactmethods/phone", "contactmethods/phone/verify"):
        method = admin.post if path.endswith("verify") else admin.get
        assert method(f"{MINE}/{path}").status_code == 404
    assert admin.delete(f"{MINE}/contactmethods/phone").status_code == 404
    assert ContactMethod.objects.for_org(acme).exists()


def test_a_key_does_what_its_scopes_say() -> None:
    org = make_org("acme")
    put(make_browser(org, "viewer"), "contactmethods/phone", **HOOK)
    person = User.objects.get(username="viewer")

    def asked(name: str, *scopes: str) -> tuple[int, int]:
        key = make_api_key(org, person, *scopes, name=name)
        client = Client(headers={"Authorization": f"Bearer {key.token}"})
        read = client.get(f"{MINE}/contactmethods/phone").status_code
        return read, put(client, "contactmethods/phone", **HOOK).status_code

    assert asked("all", "*:*") == (200, 200)
    assert asked("reading", "*:read", "alerts:acknowledge") == (200, 403)
    assert asked("narrow", "monitors:read") == (403, 403)
