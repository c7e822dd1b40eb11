"""Pages of message templates, and of dead letters."""

import pytest

from apps.notifications.models import Delivery, NotificationTemplate
from apps.orgs.models import Org
from tests.factories.notifications import make_delivery, make_point
from tests.factories.orgs import make_org
from tests.factories.pages import make_browser

pytestmark = pytest.mark.django_db
BASE = "/o/acme/message-templates"
GOOD = '{{ define "own" }}{{ .Status }}-{{ len .Alerts }}{{ end }}'


@pytest.fixture
def acme() -> Org:
    return make_org("acme")


def test_a_template_is_written_listed_edited_and_deleted(acme: Org) -> None:
    browser = make_browser(acme, "admin")
    assert "own.title" in browser.get(f"{BASE}/new").content.decode()
    form = {"name": "mine", "title": "Mine", "template": GOOD, "sample": ""}
    assert browser.post(f"{BASE}/new", form).status_code == 302
    assert "own" in browser.get(BASE).content.decode()
    page = browser.get(f"{BASE}/t/mine").content.decode()
    assert "firing-2" in page
    changed = {**form, "template": GOOD.replace("own", "other"), "resource_version": "1"}
    assert browser.post(f"{BASE}/t/mine", changed).status_code == 302
    assert "other" in NotificationTemplate.all_orgs.get().template
    assert browser.post(f"{BASE}/t/mine/delete").status_code == 302
    assert not NotificationTemplate.all_orgs.exists()


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [("template", "{{ if }}", "line 1"), ("sample", "{", "no JSON"), ("sample", "[1]", "object")],
)
def test_what_is_wrong_is_said_and_kept(acme: Org, field: str, value: str, said: str) -> None:
    form = {"name": "mine", "template": GOOD, "sample": "", field: value}
    answer = make_browser(acme, "admin").post(f"{BASE}/new", form)
    assert answer.status_code == 422
    assert said in answer.content.decode()


def test_the_preview_takes_a_past_delivery_an_alert_or_a_sample(acme: Org) -> None:
    browser = make_browser(acme, "admin")
    sample = '{"alerts": [{"labels": {"a": "<b>"}}]}'
    text = '{{ define "x" }}{{ range .Alerts }}{{ .Labels.a }}{{ end }}{{ end }}'
    shown = browser.post(f"{BASE}/preview", {"template": text, "sample": sample}).content.decode()
    assert "&lt;b&gt;" in shown
    assert (
        "no delivery"
        in browser.post(
            f"{BASE}/preview", {"template": text, "with": "delivery:gone"}
        ).content.decode()
    )
    assert "line 1" in browser.post(f"{BASE}/preview", {"template": "{{ x }}"}).content.decode()


def test_a_dead_letter_shows_its_attempts_and_is_sent_again(acme: Org) -> None:
    make_point(acme)
    attempt = {
        "at": "2026-01-01T00:00:00+00:00",
        "status": "failed",
        "reason": "timeout",
        "error": "slow",
        "status_code": None,
        "duration_s": 1.5,
        "notes": ["the title, line 1: broken."],
    }
    row = make_delivery(acme, status="failed", history=[attempt])
    browser = make_browser(acme, "admin")
    page = browser.get(f"/o/acme/deliveries/d/{row.uid}").content.decode()
    assert "No answer in time" in page
    assert "line 1: broken" in page
    assert browser.post(f"/o/acme/deliveries/d/{row.uid}/replay").status_code == 302
    row.refresh_from_db()
    assert row.status == "pending"


def test_all_dead_letters_are_sent_again_at_once(acme: Org) -> None:
    for _ in range(3):
        make_delivery(acme, status="failed")
    browser = make_browser(acme, "admin")
    page = browser.get("/o/acme/deliveries?status=failed").content.decode()
    assert "Send all again" in page
    browser.post("/o/acme/deliveries/replay", {"all": "1"})
    assert Delivery.all_orgs.filter(status="pending").count() == 3
    viewer = make_browser(acme, "viewer", "vera")
    assert "Send all again" not in viewer.get("/o/acme/deliveries?status=failed").content.decode()
