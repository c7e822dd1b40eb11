"""Watchdogs on pages."""

from datetime import timedelta

import pytest

from apps.notifications.models import Watchdog
from apps.notifications.services.watchdogs import watchdogs_run
from detectviz.clock import utc_now
from tests.factories.orgs import make_org
from tests.factories.pages import make_browser

pytestmark = pytest.mark.django_db
PAGES = "/o/acme/watchdogs"
FORM = {
    "view": "form",
    "name": "path",
    "~labels": "",
    "labels/0/key": "team",
    "labels/0/value": "web",
    "every": "15m",
    "within": "10m",
    "proof": "delivered",
    "dead_mans_switch_url": "https://hc.example.org/ping/x",
    "~enabled": "",
    "enabled": "true",
}


def test_a_watchdog_is_made_says_where_its_alert_goes_and_what_is_missing() -> None:
    org = make_org("acme")
    browser = make_browser(org, "admin")
    assert "Nobody proves that alerts arrive" in browser.get(PAGES).content.decode()
    preview = browser.post(f"{PAGES}/preview", {**FORM, "within": "20m"}).content.decode()
    assert "No route sends its alert to anybody" in preview
    assert "Proved within: Must be more than nothing" in preview
    assert browser.post(f"{PAGES}/new", FORM).status_code == 302
    assert Watchdog.objects.for_org(org).get().route_labels == {"team": "web"}
    now = utc_now()
    watchdogs_run(now=now)
    for minute in range(1, 12):
        watchdogs_run(now=now + timedelta(minutes=minute))
    listed = browser.get(PAGES).content.decode()
    assert "Proof is missing" in listed
    detail = browser.get(f"{PAGES}/w/path").content.decode()
    assert "the routing tree tells nobody of it" in detail
    assert "It is routed to nobody" in detail
    assert 'value="15m"' in browser.get(f"{PAGES}/w/path/edit").content.decode()
    browser.post(f"{PAGES}/w/path/delete")
    assert not Watchdog.objects.for_org(org).exists()
