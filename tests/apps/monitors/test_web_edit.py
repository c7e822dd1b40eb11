import pytest

from apps.monitors.models import Monitor
from apps.orgs.models import Org
from tests.factories.monitors import make_monitor
from tests.factories.orgs import make_folder, make_org
from tests.factories.pages import HTMX, make_browser

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("probe", "store")]
NEW = "/o/acme/monitors/new/probe"
EDIT = "/o/acme/monitors/m/home/edit"
FORM = {
    "name": "home",
    "title": "Home page",
    "interval": "30s",
    "timeout": "5s",
    "retries": "1",
    "config/host": "www.example.org",
    "config/port": "8080",
    "config/answer": "degraded",
    "config/token": "hush",
    "~labels": "",
    "labels/0/key": "team",
    "labels/0/value": "web",
    "~inverted": "",
    "~maintenance": "",
    "location": "default",
}


@pytest.fixture
def acme() -> Org:
    return make_org("acme")


def stored(org: Org) -> Monitor:
    monitor: Monitor = Monitor.objects.for_org(org).get()
    return monitor


def test_every_usable_type_is_offered(acme: Org) -> None:
    html = make_browser(acme).get("/o/acme/monitors/new").content.decode()
    assert 'href="/o/acme/monitors/new/probe"' in html
    assert "Answers what its configuration says." in html


def test_the_form_is_made_from_the_schema_of_the_plugin(acme: Org) -> None:
    html = make_browser(acme).get(NEW).content.decode()
    assert 'name="config/host"' in html
    assert 'type="password"' in html
    assert 'name="interval"' in html


def test_a_submitted_form_becomes_a_monitor(acme: Org) -> None:
    make_folder(acme, "web")
    answer = make_browser(acme).post(NEW, {**FORM, "folder": "web"})
    assert answer["Location"] == "/o/acme/monitors/m/home"
    made = stored(acme)
    assert (made.title, made.interval_s, made.retries) == ("Home page", 30.0, 1)
    assert made.config == {"host": "www.example.org", "port": 8080, "answer": "degraded"}
    assert made.secrets == {"token": "hush"}
    assert made.labels == {"team": "web"}
    assert made.folder is not None
    assert made.folder.name == "web"


@pytest.mark.parametrize(
    ("change", "label", "field"),
    [
        ({"config/host": "not a host"}, "Host", "f-config-host"),
        ({"config/port": "many"}, "port", "f-config-port"),
        ({"interval": "soon"}, "Interval", "f-interval"),
        ({"timeout": "40s"}, "Timeout", "f-timeout"),
        ({"name": "Not A Name"}, "Name", "f-name"),
    ],
)
def test_an_error_stands_at_its_field_and_nothing_is_written(
    acme: Org, change: dict[str, str], label: str, field: str
) -> None:
    answer = make_browser(acme).post(NEW, {**FORM, **change})
    html = answer.content.decode()
    assert answer.status_code == 422
    assert f'id="{field}-error"' in html
    assert f'<a href="#{field}">{label}</a>' in html
    assert "hush" not in html
    assert not Monitor.objects.for_org(acme).exists()


def test_a_taken_name_is_told_at_the_name(acme: Org) -> None:
    make_monitor(acme, "home")
    html = make_browser(acme).post(NEW, FORM).content.decode()
    assert 'id="f-name-error"' in html


def test_an_untouched_secret_stays_and_is_not_shown(acme: Org) -> None:
    browser = make_browser(acme)
    browser.post(NEW, FORM)
    html = browser.get(EDIT).content.decode()
    assert "Leave empty to keep it" in html
    assert "hush" not in html
    browser.post(EDIT, {**FORM, "config/token": "", "title": "New title"})
    assert stored(acme).title == "New title"
    assert stored(acme).secrets == {"token": "hush"}


def test_a_secret_must_be_entered_again_when_the_target_changes(acme: Org) -> None:
    browser = make_browser(acme)
    browser.post(NEW, FORM)
    change = {**FORM, "config/token": "", "config/host": "evil.example"}
    answer = browser.post(EDIT, change)
    assert answer.status_code == 422
    assert 'id="f-config-token-error"' in answer.content.decode()


def test_saving_keeps_a_paused_monitor_paused(acme: Org) -> None:
    make_monitor(acme, "home", is_enabled=False, config={"host": "www.example.org"})
    make_browser(acme).post(EDIT, {**FORM, "title": "Still paused"})
    assert (stored(acme).title, stored(acme).is_enabled) == ("Still paused", False)


def test_a_change_by_somebody_else_meanwhile_is_not_overwritten(acme: Org) -> None:
    browser = make_browser(acme)
    browser.post(NEW, FORM)
    version = stored(acme).resource_version
    browser.post(EDIT, {**FORM, "title": "First", "resource_version": version})
    answer = browser.post(EDIT, {**FORM, "title": "Second", "resource_version": version})
    assert answer.status_code == 422
    assert stored(acme).title == "First"


def test_running_once_shows_the_result_before_anything_is_saved(acme: Org) -> None:
    browser = make_browser(acme, "admin")
    html = browser.post("/o/acme/monitors/try/probe", FORM, headers=HTMX).content.decode()
    assert "as configured" in html
    assert "Degraded" in html
    assert "token_length" in html
    assert not Monitor.objects.for_org(acme).exists()


def test_running_once_names_what_is_wrong(acme: Org) -> None:
    browser = make_browser(acme, "admin")
    change = {**FORM, "config/host": ""}
    html = browser.post("/o/acme/monitors/try/probe", change, headers=HTMX).content.decode()
    assert "It was not run" in html
    assert "Host is required" in html


def test_a_viewer_may_neither_create_nor_edit(acme: Org) -> None:
    make_monitor(acme, "home")
    browser = make_browser(acme, "viewer")
    assert browser.get(NEW).status_code == 403
    assert browser.post(EDIT, FORM).status_code == 403


def test_deleting_leads_back_to_the_list(acme: Org) -> None:
    make_monitor(acme, "home", config={"host": "www.example.org"})
    answer = make_browser(acme, "admin").post("/o/acme/monitors/m/home/delete")
    assert answer["Location"] == "/o/acme/monitors"
    assert not Monitor.objects.for_org(acme).exists()


def test_an_unknown_type_is_not_there(acme: Org) -> None:
    assert make_browser(acme).get("/o/acme/monitors/new/nothing").status_code == 404


def test_the_icon_of_a_plugin_is_served_without_powers(acme: Org) -> None:
    answer = make_browser(acme).get("/plugins/collectors/push/icon.svg")
    assert answer["Content-Type"] == "image/svg+xml"
    assert answer["Content-Security-Policy"].startswith("default-src 'none'")
    assert (
        make_browser(acme, username="x").get("/plugins/collectors/no/icon.svg").status_code == 404
    )
