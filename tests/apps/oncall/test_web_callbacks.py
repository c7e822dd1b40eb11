"""Doors for buttons of chats on pages."""

import pytest

from apps.oncall.models import ChatCallback
from tests.factories.orgs import make_org
from tests.factories.pages import make_browser

pytestmark = pytest.mark.django_db
PAGES = "/o/acme/chat-buttons"
FORM = {
    "view": "form",
    "name": "room",
    "title": "The room",
    "service": "slack",
    "secrets/key": "",
    "~enabled": "",
    "enabled": "true",
}


def test_a_door_is_made_says_where_its_address_goes_and_keeps_its_key() -> None:
    org = make_org("acme")
    browser = make_browser(org, "admin")
    assert "No chat answers yet" in browser.get(PAGES).content.decode()
    refused = browser.post(f"{PAGES}/new", FORM)
    assert refused.status_code == 422
    assert 'href="#f-secrets-key"' in refused.content.decode()
    made = browser.post(f"{PAGES}/new", {**FORM, "secrets/key": "of-slack"})
    assert made.status_code == 302
    door = ChatCallback.objects.for_org(org).get()
    shown = browser.get(f"{PAGES}/c/room").content.decode()
    assert f"/callbacks/{door.uid}" in shown
    assert "Interactivity" in shown
    page = browser.get(f"{PAGES}/c/room/edit").content.decode()
    assert "Leave empty to keep it" in page
    assert "of-slack" not in page
    again = {**FORM, "title": "Another", "resource_version": "1"}
    assert browser.post(f"{PAGES}/c/room/edit", again).status_code == 302
    door.refresh_from_db()
    assert (door.title, door.secrets) == ("Another", {"key": "of-slack"})
    browser.post(f"{PAGES}/c/room/delete")
    assert not ChatCallback.objects.for_org(org).exists()
