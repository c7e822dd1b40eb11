"""The pages of maintenance windows."""

from datetime import timedelta

import pytest

from apps.monitors.models import MaintenanceWindow
from apps.monitors.services.maintenance import windows_apply
from apps.orgs.models import Org
from detectviz.clock import utc_now
from tests.factories.monitors import make_monitor
from tests.factories.orgs import make_folder, make_org
from tests.factories.pages import make_browser

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("probe", "store")]
NEW = "/o/acme/maintenance/new"
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


MONTHLY = {
    "view": "form",
    "name": "patch",
    "title": "Patch night",
    "strategy": "monthly",
    "days": "-1",
    "~nth_weekdays": "",
    "nth_weekdays/0/which": "second",
    "nth_weekdays/0/weekday": "saturday",
    "start_time": "03:00",
    "duration": "2h",
    "location": "Europe/Berlin",
    "starts_at": "2026-07-01T00:00",
    "~all_monitors": "",
    "monitors": "home",
    "~collect": "",
    "~enabled": "",
    "enabled": "true",
}


@pytest.fixture
def acme() -> Org:
    return make_org("acme")


def test_a_window_is_written_begun_seen_on_its_monitor_ended_and_deleted(acme: Org) -> None:
    make_monitor(acme, "home", config={"host": "a.example", "answer": "up"})
    browser = make_browser(acme, "admin")
    page = browser.get(f"{NEW}?view=yaml").content.decode()
    assert "second saturday" in page
    answer = browser.post(NEW, {"view": "yaml", "name": "patch", "text": TEXT})
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
    said = {"view": "yaml", "name": "patch", "text": text}
    answer = make_browser(acme).post(NEW, said)
    assert answer.status_code == 422
    assert "duration" in answer.content.decode()


def test_an_org_without_windows_is_invited_to_add_one(acme: Org) -> None:
    assert "Nothing is planned" in make_browser(acme).get("/o/acme/maintenance").content.decode()


def test_a_form_makes_a_window_by_the_clocks_of_its_place_and_shows_it_again(acme: Org) -> None:
    browser = make_browser(acme)
    assert browser.post(NEW, MONTHLY).status_code == 302
    window = MaintenanceWindow.objects.for_org(acme).get()
    assert window.nth_weekdays == ["second saturday"]
    assert (window.days, window.monitors, window.is_collecting) == ([-1], ["home"], False)
    assert window.starts_at is not None
    assert window.starts_at.isoformat() == "2026-06-30T22:00:00+00:00"
    shown = browser.get("/o/acme/maintenance/w/patch/edit").content.decode()
    assert 'value="2026-07-01T00:00:00"' in shown
    assert '<option value="second" selected' in shown
    again = {**MONTHLY, "resource_version": "1"}
    assert browser.post("/o/acme/maintenance/w/patch/edit", again).status_code == 302
    window.refresh_from_db()
    assert window.starts_at.isoformat() == "2026-06-30T22:00:00+00:00"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({}, "Covers now"),
        ({"monitors": ""}, "Covers no monitor yet"),
        ({}, "05:00 CE"),
        ({"duration": ""}, "needs it"),
        ({"location": "Atlantis"}, "no time zone"),
        ({"strategy": "cron", "cron": "0 3 * *", "days": ""}, "cron"),
        ({"view": "yaml", "text": TEXT}, "Sat "),
        ({"view": "yaml", "text": "a: ["}, "Not valid YAML"),
    ],
)
def test_the_next_times_are_shown_while_one_writes(
    acme: Org, change: dict[str, str], said: str
) -> None:
    make_monitor(acme, "home", config={"host": "a.example", "answer": "up"})
    answer = make_browser(acme).post("/o/acme/maintenance/preview", {**MONTHLY, **change})
    assert said in answer.content.decode()
    assert not MaintenanceWindow.objects.for_org(acme).exists()


def test_labels_of_a_window_are_rows_in_both_views_and_stay_where_they_are_not_asked(
    acme: Org,
) -> None:
    make_monitor(acme, "home", config={"host": "a.example", "answer": "up"})
    browser = make_browser(acme)
    rows = {"~metadata/labels": "", "metadata/labels/0/key": "", "metadata/labels/0/value": "ops"}
    refused = browser.post(NEW, {**MONTHLY, **rows})
    assert (refused.status_code, "of 1 to 128" in refused.content.decode()) == (422, True)
    rows["metadata/labels/0/key"] = "team"
    assert browser.post(NEW, {**MONTHLY, **rows}).status_code == 302
    window = MaintenanceWindow.objects.for_org(acme).get()
    assert window.labels == {"team": "ops"}
    edit = "/o/acme/maintenance/w/patch/edit"
    for view in ("form", "yaml"):
        shown = browser.get(f"{edit}?view={view}").content.decode()
        assert 'name="metadata/labels/0/key" value="team"' in shown
    switched = browser.post(edit, {**MONTHLY, **rows, "show": "yaml"}).content.decode()
    assert 'name="metadata/labels/0/value" value="ops"' in switched
    browser.post(edit, {**MONTHLY, "resource_version": "1", "title": "Again"})
    window.refresh_from_db()
    assert (window.title, window.labels) == ("Again", {"team": "ops"})
    browser.post(edit, {**MONTHLY, "resource_version": "2", "~metadata/labels": ""})
    window.refresh_from_db()
    assert window.labels == {}


def test_a_window_is_put_into_a_folder_and_taken_out(acme: Org) -> None:
    make_folder(acme, "web")
    make_monitor(acme, "home", config={"host": "a.example", "answer": "up"})
    browser = make_browser(acme)
    inside = {**MONTHLY, "folder": "web"}
    preview = browser.post("/o/acme/maintenance/preview", inside).content.decode()
    assert "Covers no monitor yet" in preview  # it lies in no folder
    assert browser.post(NEW, inside).status_code == 302
    window = MaintenanceWindow.objects.for_org(acme).get()
    assert window.folder is not None
    edit = "/o/acme/maintenance/w/patch/edit"
    assert '<option value="web" selected>' in browser.get(edit).content.decode()
    unasked = {**MONTHLY, "resource_version": "1", "title": "Again"}
    assert browser.post(edit, unasked).status_code == 302
    window.refresh_from_db()
    assert (window.title, window.folder is None) == ("Again", False)
    browser.post(edit, {**unasked, "resource_version": "2", "folder": ""})
    window.refresh_from_db()
    assert window.folder is None
    wrong = browser.post(edit, {**unasked, "resource_version": "3", "folder": "gone"})
    assert (wrong.status_code, "There is no folder" in wrong.content.decode()) == (422, True)
