import pytest

from apps.notifications.models import ContactPoint
from apps.orgs.models import Org
from tests.factories.orgs import make_org
from tests.factories.pages import HTMX, make_browser

pytestmark = pytest.mark.django_db
LIST, NEW, OPS = (
    "/o/acme/contact-points",
    "/o/acme/contact-points/new/webhook",
    "/o/acme/contact-points/c/ops",
)
FORM = {
    "name": "ops",
    "title": "Operations",
    "config/url": "http://127.0.0.1:9/hook",
    "~send_resolved": "",
    "send_resolved": "true",
    "~enabled": "",
    "enabled": "true",
}


@pytest.fixture
def acme() -> Org:
    return make_org("acme")


def stored(org: Org) -> ContactPoint:
    point: ContactPoint = ContactPoint.objects.for_org(org).get(name="ops")
    return point


def test_an_empty_list_teaches_the_next_step(acme: Org) -> None:
    html = make_browser(acme, "admin").get(LIST).content.decode()
    assert "Nobody is told yet" in html
    assert 'href="/o/acme/contact-points/new"' in html


def test_every_usable_notifier_is_offered(acme: Org) -> None:
    html = make_browser(acme, "admin").get(f"{LIST}/new").content.decode()
    for name in ("webhook", "email", "apprise"):
        assert f'href="/o/acme/contact-points/new/{name}"' in html


def test_a_contact_point_is_made_with_its_first_receiver(acme: Org) -> None:
    answer = make_browser(acme, "admin").post(NEW, FORM)
    assert answer["Location"] == OPS
    [receiver] = stored(acme).receivers
    assert receiver["notifier"] == "webhook"
    assert receiver["config"]["url"] == "http://127.0.0.1:9/hook"


@pytest.mark.parametrize(
    ("change", "field"),
    [({"config/url": "nowhere"}, "f-config-url"), ({"name": "No Name"}, "f-name")],
)
def test_an_error_stands_at_its_field(acme: Org, change: dict[str, str], field: str) -> None:
    answer = make_browser(acme, "admin").post(NEW, {**FORM, **change})
    assert answer.status_code == 422
    assert f'id="{field}-error"' in answer.content.decode()
    assert not ContactPoint.objects.for_org(acme).filter(name="ops").exists()


def test_a_receiver_is_added_edited_and_removed_without_touching_the_others(acme: Org) -> None:
    browser = make_browser(acme, "admin")
    browser.post(NEW, FORM)
    browser.post(f"{OPS}/add/webhook", {**FORM, "receiver": "second"})
    first = stored(acme).receivers[0]["name"]
    browser.post(f"{OPS}/r/second", {**FORM, "config/url": "http://127.0.0.1:9/other"})
    urls = {each["name"]: each["config"]["url"] for each in stored(acme).receivers}
    assert urls == {first: "http://127.0.0.1:9/hook", "second": "http://127.0.0.1:9/other"}
    browser.post(f"{OPS}/r/{first}/delete")
    assert [each["name"] for each in stored(acme).receivers] == ["second"]


def test_the_error_of_a_second_receiver_stands_in_its_own_form(acme: Org) -> None:
    browser = make_browser(acme, "admin")
    browser.post(NEW, FORM)
    answer = browser.post(f"{OPS}/add/webhook", {**FORM, "config/url": "nowhere"})
    assert 'id="f-config-url-error"' in answer.content.decode()


def test_an_untouched_secret_stays_and_is_not_shown(acme: Org) -> None:
    browser = make_browser(acme, "admin")
    schema_secret = "config/secret"
    browser.post(NEW, {**FORM, schema_secret: "c2VjcmV0LXNlY3JldC1zZWNyZXQ="})
    before = dict(stored(acme).secrets)
    name = stored(acme).receivers[0]["name"]
    html = browser.get(f"{OPS}/r/{name}").content.decode()
    assert "c2VjcmV0" not in html
    browser.post(f"{OPS}/r/{name}", FORM)
    assert dict(stored(acme).secrets) == before


def test_a_test_shows_what_every_receiver_answered(acme: Org) -> None:
    browser = make_browser(acme, "admin")
    browser.post(NEW, FORM)
    html = browser.post(f"{OPS}/test", headers=HTMX).content.decode()
    assert "Result of the test" in html
    assert "Failed" in html


def test_deleting_leads_back_to_the_list(acme: Org) -> None:
    browser = make_browser(acme, "admin")
    browser.post(NEW, FORM)
    assert browser.post(f"{OPS}/delete")["Location"] == LIST
    assert not ContactPoint.objects.for_org(acme).filter(name="ops").exists()


def test_a_viewer_reads_and_changes_nothing(acme: Org) -> None:
    make_browser(acme, "admin").post(NEW, FORM)
    browser = make_browser(acme, "viewer")
    html = browser.get(OPS).content.decode()
    assert "Send test" not in html
    assert browser.post(f"{OPS}/test").status_code == 403
    assert browser.get(f"{OPS}/add").status_code == 403
    assert browser.post(f"{OPS}/delete").status_code == 403


def test_a_contact_point_of_another_org_is_not_there(acme: Org) -> None:
    make_browser(acme, "admin").post(NEW, FORM)
    globex = make_org("globex")
    browser = make_browser(globex, "admin", "gina")
    assert browser.get(OPS).status_code == 404
    assert browser.get("/o/globex/contact-points/c/ops").status_code == 404
