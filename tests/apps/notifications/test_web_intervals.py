"""Time intervals on pages: ticked days, the strip, the routes that keep to them."""

from typing import Any

import pytest

from apps.notifications.models import RoutingTree, TimeInterval
from apps.orgs.models import Org
from tests.factories.accounts import make_full_org
from tests.factories.pages import make_browser

pytestmark = pytest.mark.django_db
BASE = "/o/acme/times"
ROW = "time_intervals/0/"
FORM: dict[str, Any] = {
    "view": "form",
    "name": "office",
    "title": "Office hours",
    "~time_intervals": "",
    f"~{ROW}weekdays": "",
    f"{ROW}weekdays": ["tuesday", "monday", "friday"],
    f"~{ROW}times": "",
    f"{ROW}times/0/start_time": "09:00",
    f"{ROW}times/0/end_time": "17:00",
    f"~{ROW}months": "",
    f"{ROW}days_of_month": "1:7, -1",
    f"{ROW}location": "Europe/Berlin",
}
WRITTEN = {
    "weekdays": ["monday:tuesday", "friday"],
    "times": [{"start_time": "09:00", "end_time": "17:00"}],
    "days_of_month": ["1:7", "-1"],
    "location": "Europe/Berlin",
}


@pytest.fixture
def org() -> Org:
    return make_full_org("acme")


@pytest.fixture
def browser(org: Org) -> Any:
    return make_browser(org, "admin")


def test_ticked_days_are_written_as_ranges_and_ticked_again(org: Org, browser: Any) -> None:
    assert "No times yet" in browser.get(BASE).content.decode()
    assert browser.post(f"{BASE}/new", FORM).headers["Location"] == f"{BASE}/t/office"
    assert TimeInterval.objects.for_org(org).get().intervals == [WRITTEN]
    resource = browser.get("/apis/alerting/v1/orgs/acme/timeintervals/office").json()
    assert resource["status"]["changes_at"] is not None
    text = browser.post(f"{BASE}/new", FORM | {"show": "yaml"}).content.decode()
    assert "monday:tuesday" in text
    form = browser.get(f"{BASE}/t/office/edit").content.decode()
    for day in ("monday", "tuesday", "friday"):
        assert f'value="{day}" checked' in form
    assert 'value="wednesday" checked' not in form
    assert 'value="1:7, -1"' in form
    shown = browser.get(f"{BASE}/t/office").content.decode()
    assert "monday to tuesday, friday" in shown
    assert "Clocks of Europe/Berlin." in shown
    assert "09:00 to 17:00" in browser.get(BASE).content.decode()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({}, "Clocks of Europe/Berlin."),
        ({f"{ROW}days_of_month": "", f"{ROW}weekdays": []}, "17:00"),
        ({f"{ROW}location": "Europe/Bonn"}, "is no time zone"),
        ({f"{ROW}years": "1999"}, "no change for more than a year"),
    ],
)
def test_what_is_typed_shows_when_it_is_on(browser: Any, change: dict[str, Any], said: str) -> None:
    assert said in browser.post(f"{BASE}/preview", FORM | change).content.decode()


def test_times_in_use_name_their_routes_and_stay(org: Org, browser: Any) -> None:
    TimeInterval.objects.create_for(org, name="night", intervals=[WRITTEN])
    tree = RoutingTree.objects.for_org(org).get()
    tree.root = {"routes": [{"matchers": ['team="web"'], "mute_time_intervals": ["night"]}]}
    tree.save()
    page = browser.get(f"{BASE}/t/night").content.decode()
    assert "Muted then" in page
    assert "routing#route-root-0" in page
    refused = browser.post(f"{BASE}/t/night/delete")
    assert refused.status_code == 409
    assert "team=&quot;web&quot; (muted)" in refused.content.decode()
    tree.root = {}
    tree.save()
    assert browser.post(f"{BASE}/t/night/delete").status_code == 302
    assert not TimeInterval.objects.for_org(org).exists()
