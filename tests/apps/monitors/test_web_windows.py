"""The pages of maintenance windows."""

from datetime import timedelta

import pytest

from apps.monitors.models import MaintenanceWindow
from apps.monitors.services.maintenance import windows_apply
from apps.orgs.models import Org
from detectviz.clock import utc_now
from tests.factories.monitors import make_monitor
from tests.factories.orgs import make_org
from tests.factories.pages import make_browser

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("probe", "store")]
TEXT = """\
title: Patch night
strategy: weekly
weekdays: [saturday]
start_time: "03:00"
duration: 2h
location: Europe/Berlin
all_monitors: true
collect: false
note: We patch
"""


@pytest.fixture
def acme() -> Org:
    return make_org("acme")


def test_a_window_is_written_begun_seen_on_its_monitor_ended_and_deleted(acme: Org) -> None:
    make_monitor(acme, "home", config={"host": "a.example", "answer": "up"})
    browser = make_browser(acme, "admin")
    page = browser.get("/o/acme/maintenance/new").content.decode()
    assert "second saturday" in page
    answer = browser.post("/o/acme/maintenance/new", {"name": "patch", "text": TEXT})
    assert answer["Location"] == "/o/acme/maintenance/w/patch"
    detail = browser.get("/o/acme/maintenance/w/patch").content.decode()
    assert "03:00 CE" in detail
    browser.post("/o/acme/maintenance/w/patch/turn", {"turn": "begin"})
    windows_apply(now=utc_now() + timedelta(seconds=1))
    assert "In maintenance until" in browser.get("/o/acme/monitors/m/home").content.decode()
    assert "until" in browser.get("/o/acme/monitors").content.decode()
    assert "Patch night" in browser.get("/o/acme/maintenance").content.decode()
    browser.post("/o/acme/maintenance/w/patch/turn", {"turn": "end"})
    assert "Scheduled" in browser.get("/o/acme/maintenance/w/patch").content.decode()
    browser.post("/o/acme/maintenance/w/patch/delete")
    assert not MaintenanceWindow.objects.for_org(acme).exists()


def test_what_is_wrong_is_named(acme: Org) -> None:
    text = TEXT.replace("2h", "40d")
    answer = make_browser(acme).post("/o/acme/maintenance/new", {"name": "patch", "text": text})
    assert answer.status_code == 422
    assert "duration" in answer.content.decode()


def test_an_org_without_windows_is_invited_to_add_one(acme: Org) -> None:
    assert "Nothing is planned" in make_browser(acme).get("/o/acme/maintenance").content.decode()
