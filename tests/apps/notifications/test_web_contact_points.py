import pytest
from pytest_django import DjangoAssertNumQueries

from apps.notifications.models import ContactPoint, RoutingTree
from apps.notifications.services.bootstrap import org_prepare
from apps.notifications.services.outcomes import Attempt
from apps.orgs.models import Org
from detectviz.contracts.errors import DeliveryError
from detectviz.contracts.notifier import Receipt
from tests.factories.notifications import make_delivery, make_point
from tests.factories.orgs import make_org
from tests.factories.pages import HTMX, make_browser

pytestmark = pytest.mark.django_db
LIST = "/o/acme/contact-points"
NEW = f"{LIST}/new/webhook"
DETAIL = f"{LIST}/c/on-call"
EDIT = f"{DETAIL}/edit"
URL = "https://hooks.example.org/alerts"
FORM = {
    "name": "on-call",
    "title": "On call",
    "receivers/0/notifier": "webhook",
    "receivers/0/config/url": URL,
    "receivers/0/config/secret": "hush",
    "~receivers/0/send_resolved": "",
    "receivers/0/send_resolved": "true",
    "~receivers/0/enabled": "",
    "receivers/0/enabled": "true",
}
MAIL = {"receivers/1/notifier": "email", "receivers/1/config/to": "a@example.org\nb@example.org"}
STORED = {**FORM, "receivers/0/stored": "webhook", "receivers/0/config/secret": ""}


@pytest.fixture
def acme() -> Org:
    org = make_org("acme")
    org_prepare(org_id=org.pk)
    return org


def stored(org: Org) -> ContactPoint:
    point: ContactPoint = ContactPoint.objects.for_org(org).get()
    return point


def test_an_empty_list_teaches_the_next_step(acme: Org) -> None:
    html = make_browser(acme).get(LIST).content.decode()
    assert "Nobody can be told yet" in html
    assert f'href="{LIST}/new"' in html


def test_the_list_shows_receivers_and_the_last_delivery(acme: Org) -> None:
    make_point(acme, title="On call")
    make_delivery(acme, status="failed", error="refused")
    html = make_browser(acme).get(LIST).content.decode()
    assert "On call" in html
    assert "Webhook" in html
    assert "Failed" in html
    assert "no route leads here" in html
    assert "hush" not in html


def test_the_list_says_while_nobody_is_told(acme: Org) -> None:
    make_point(acme)
    browser = make_browser(acme, "admin")
    assert "Nobody is told about alerts yet" in browser.get(LIST).content.decode()
    RoutingTree.objects.for_org(acme).update(root={"contact_point": "on-call"})
    html = browser.get(LIST).content.decode()
    assert "Nobody is told about alerts yet" not in html
    assert "no route leads here" not in html


def test_the_list_takes_the_same_queries_however_long_it_is(
    acme: Org, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    for index in range(20):
        make_point(acme, f"point-{index}")
        make_delivery(acme, contact_point=f"point-{index}")
    browser = make_browser(acme)
    with django_assert_max_num_queries(14):
        browser.get(LIST)


def test_every_usable_notifier_is_offered(acme: Org) -> None:
    html = make_browser(acme).get(f"{LIST}/new").content.decode()
    assert f'href="{NEW}"' in html
    assert f'href="{LIST}/new/email"' in html
    assert make_browser(acme, "admin").get(f"{LIST}/new/nothing").status_code == 404


def test_the_form_is_made_from_the_schema_of_the_notifier(acme: Org) -> None:
    html = make_browser(acme).get(NEW).content.decode()
    assert 'name="receivers/0/config/url"' in html
    assert 'name="receivers/0/config/secret"' in html
    assert 'type="password"' in html


def test_a_submitted_form_becomes_a_contact_point_of_several_receivers(acme: Org) -> None:
    answer = make_browser(acme).post(NEW, {**FORM, **MAIL, "~receivers/1/enabled": ""})
    assert answer["Location"] == DETAIL
    point = stored(acme)
    assert point.title == "On call"
    assert [each["name"] for each in point.receivers] == ["webhook", "email"]
    assert point.receivers[0]["config"]["url"] == URL
    assert point.receivers[1]["config"]["to"] == ["a@example.org", "b@example.org"]
    assert [each["enabled"] for each in point.receivers] == [True, False]
    assert point.secrets == {"webhook/secret": "hush"}


@pytest.mark.parametrize(
    ("change", "label", "field"),
    [
        ({"receivers/0/config/url": "nowhere"}, "Webhook, URL", "f-receivers-0-config-url"),
        ({"receivers/0/config/max_alerts": "-1"}, "Webhook, Most", "f-receivers-0-config-max"),
        ({"receivers/0/name": "Not A Name"}, "Webhook, Receiver name", "f-receivers-0-name"),
        ({"name": "Not A Name"}, "Name", "f-name"),
    ],
)
def test_an_error_stands_at_its_field_and_nothing_is_written(
    acme: Org, change: dict[str, str], label: str, field: str
) -> None:
    answer = make_browser(acme).post(NEW, {**FORM, **change})
    html = answer.content.decode()
    assert answer.status_code == 422
    assert f'id="{field}' in html
    assert f">{label}" in html
    assert "hush" not in html
    assert not ContactPoint.objects.for_org(acme).exists()


def test_errors_follow_a_receiver_whose_neighbour_was_removed(acme: Org) -> None:
    data = {**FORM, "receivers/4/notifier": "email", "receivers/4/config/to": "nobody"}
    html = make_browser(acme).post(NEW, data).content.decode()
    assert 'name="receivers/1/config/to"' in html
    assert 'id="f-receivers-1-config-to-error"' in html


def test_a_contact_point_without_receivers_is_refused(acme: Org) -> None:
    answer = make_browser(acme).post(NEW, {"name": "on-call"})
    assert answer.status_code == 422
    assert "receivers" in answer.content.decode()


def test_one_more_receiver_gets_the_next_number(acme: Org) -> None:
    query = {"add": "email", "receivers/0/notifier": "webhook", "receivers/3/notifier": "email"}
    html = make_browser(acme).get(f"{LIST}/receiver", query, headers=HTMX).content.decode()
    assert 'name="receivers/4/config/to"' in html
    assert make_browser(acme, "admin").get(f"{LIST}/receiver").status_code == 404


def test_an_untouched_secret_stays_and_is_not_shown(acme: Org) -> None:
    make_point(acme)
    browser = make_browser(acme, "admin")
    html = browser.get(EDIT).content.decode()
    assert "Leave empty to keep it" in html
    assert "hush" not in html
    browser.post(EDIT, {**STORED, "title": "Changed"})
    assert stored(acme).title == "Changed"
    assert stored(acme).secrets == {"webhook/secret": "hush"}


def test_a_secret_must_be_entered_again_when_the_target_changes(acme: Org) -> None:
    make_point(acme)
    change = {**STORED, "receivers/0/config/url": "https://evil.example/"}
    answer = make_browser(acme, "admin").post(EDIT, change)
    assert answer.status_code == 422
    assert 'id="f-receivers-0-config-secret-error"' in answer.content.decode()


def test_a_removed_receiver_goes_with_its_secret(acme: Org) -> None:
    make_point(acme)
    make_browser(acme, "admin").post(EDIT, {"title": "", **MAIL})
    assert [each["notifier"] for each in stored(acme).receivers] == ["email"]
    assert stored(acme).secrets == {}


def test_a_change_by_somebody_else_meanwhile_is_not_overwritten(acme: Org) -> None:
    make_point(acme)
    browser = make_browser(acme, "admin")
    browser.post(EDIT, {**STORED, "title": "First", "resource_version": "1"})
    answer = browser.post(EDIT, {**STORED, "title": "Second", "resource_version": "1"})
    assert answer.status_code == 422
    assert stored(acme).title == "First"


def test_a_receiver_of_a_missing_plugin_says_so_and_can_be_removed(acme: Org) -> None:
    receiver = {"name": "old", "notifier": "gone", "config": {}, "send_resolved": True}
    make_point(acme, receivers=[{**receiver, "enabled": True}], secrets={})
    browser = make_browser(acme, "admin")
    for path in (LIST, DETAIL, EDIT):
        assert "not usable" in browser.get(path).content.decode()
    data = {"receivers/0/notifier": "gone", "receivers/0/stored": "old"}
    assert browser.post(EDIT, data).status_code == 422
    assert browser.post(EDIT, MAIL).status_code == 302


def test_the_page_of_a_contact_point_shows_targets_routes_and_deliveries(acme: Org) -> None:
    make_point(acme)
    make_delivery(acme)
    html = make_browser(acme).get(DETAIL).content.decode()
    assert URL in html
    assert "1 firing" in html
    assert "None: it is told nothing" in html
    assert "hush" not in html


def test_a_test_shows_what_each_receiver_answered(
    acme: Org, monkeypatch: pytest.MonkeyPatch
) -> None:
    mail = {"name": "mail", "notifier": "email", "config": {"to": ["a@example.org"]}}
    more = {"send_resolved": False, "enabled": True}
    hook = {"name": "hook", "notifier": "webhook", "config": {"url": URL}}
    make_point(acme, receivers=[{**mail, **more}, {**hook, **more}], secrets={})
    refusal = DeliveryError("The server said no.", reason="clientError", permanent=True)
    answers = {
        "email": Attempt(duration_s=0.2, error=refusal),
        "webhook": Attempt(duration_s=0.1, receipt=Receipt(status_code=202, answer="taken")),
    }
    monkeypatch.setattr(
        "apps.notifications.services.trials.receiver_notify",
        lambda *, notifier, **_: answers[notifier],
    )
    answer = make_browser(acme, "admin").post(f"{DETAIL}/test", headers=HTMX)
    html = answer.content.decode()
    assert "The server said no." in html
    assert "taken" in html
    assert "202" in html


def test_a_viewer_sees_and_can_change_nothing(acme: Org) -> None:
    make_point(acme)
    browser = make_browser(acme, "viewer")
    for path in (LIST, DETAIL):
        html = browser.get(path).content.decode()
        assert "on-call" in html
        assert "Send test" not in html
        assert "/edit" not in html
    assert browser.get(EDIT).status_code == 403
    assert browser.post(NEW, FORM).status_code == 403
    assert browser.post(f"{DETAIL}/test").status_code == 403
    assert browser.post(f"{DETAIL}/delete").status_code == 403


def test_another_org_is_not_there(acme: Org) -> None:
    make_point(acme)
    stranger = make_browser(make_org("other"), "admin", "stranger")
    for path in (LIST, DETAIL, EDIT, NEW):
        assert stranger.get(path).status_code == 404
    assert stranger.get("/o/other/contact-points/c/on-call").status_code == 404


def test_a_contact_point_in_use_stays(acme: Org) -> None:
    make_point(acme)
    browser = make_browser(acme, "admin")
    routing = {"resource_version": "1", "contact_point": "on-call"}
    browser.post("/o/acme/routing/edit/root", routing)
    assert browser.post(f"{DETAIL}/delete").status_code == 409
    browser.post("/o/acme/routing/edit/root", {"resource_version": "2"})
    assert browser.post(f"{DETAIL}/delete")["Location"] == LIST
    assert not ContactPoint.objects.for_org(acme).exists()
