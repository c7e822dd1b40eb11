"""Incidents: what joins them, what people change, and the story they write."""

from typing import Any

import pytest
from django.test import Client

from apps.alerting.models import Alert
from apps.alerting.services.handling import Actor, alerts_comment, subject_of
from apps.notifications.models import SuppressionEntry
from apps.oncall.models import Incident, IncidentAlert
from apps.oncall.services.incidents import incidents_gather
from apps.oncall.services.timelines import post_mortem
from apps.orgs.models import Org
from detectviz.clock import utc_now
from tests.factories.orgs import make_org
from tests.factories.pages import make_browser

pytestmark = pytest.mark.django_db
PAGES = "/o/acme/incidents"
REST = "/apis/notifications/v1/orgs/acme/incidents"


@pytest.fixture
def acme() -> Org:
    return make_org("acme")


@pytest.fixture
def operator(acme: Org) -> Client:
    return make_browser(acme)


def make_alert(org: Org, fingerprint: str, **labels: str) -> Alert:
    now = utc_now()
    alert: Alert = Alert.objects.create_for(
        org,
        name=f"external-{fingerprint}",
        fingerprint=fingerprint,
        labels={"alertname": "Down", **labels},
        state="firing",
        value="",
        active_at=now,
        fired_at=now,
    )
    return alert


def open_incident(client: Client, **data: Any) -> Any:
    answer = client.post(f"{PAGES}/new", {"title": "Shop is down", **data})
    assert answer.status_code == 302, answer.content.decode()
    return answer["Location"]


def the_incident(org: Org) -> Incident:
    found: Incident = Incident.objects.for_org(org).get()
    return found


def joined(org: Org) -> set[str]:
    return set(IncidentAlert.objects.for_org(org).values_list("fingerprint", flat=True))


def test_what_fires_joins_by_matchers_until_it_is_resolved(operator: Client, acme: Org) -> None:
    make_alert(acme, "a", team="web")
    make_alert(acme, "b", team="data")
    page = open_incident(operator, matchers='team="web"')
    assert joined(acme) == {"a"}
    make_alert(acme, "c", team="web")
    assert incidents_gather(now=utc_now()) == 1
    assert incidents_gather(now=utc_now()) == 0
    operator.post(f"{page}/update", {"status": "resolved"})
    make_alert(acme, "d", team="web")
    assert incidents_gather(now=utc_now()) == 0
    assert joined(acme) == {"a", "c"}
    assert the_incident(acme).resolved_at is not None


def test_alerts_are_added_by_hand_without_matchers(operator: Client, acme: Org) -> None:
    alert = make_alert(acme, "a")
    page = open_incident(operator)
    assert joined(acme) == set()
    operator.post(f"{page}/gather", {"alert": [alert.name]})
    operator.post(f"{page}/gather", {"alert": [alert.name]})
    assert joined(acme) == {"a"}


def test_the_story_tells_what_people_changed_and_did(operator: Client, acme: Org) -> None:
    alert = make_alert(acme, "a", team="web")
    page = open_incident(operator, matchers='team="web"', commander="operator")
    operator.post(f"{page}/update", {"status": "identified", "role/scribe": "operator"})
    operator.post(f"{page}/note", {"text": "It is | the disk"})
    alerts_comment(
        org=acme,
        actor=Actor(name="ann"),
        alerts=[subject_of(alert)],
        now=utc_now(),
        comment="Disk is full",
    )
    name = the_incident(acme).name
    items = operator.get(f"{REST}/{name}/timeline").json()["items"]
    assert [item["kind"] for item in items] == [
        "opened",
        "alert",
        "status",
        "role",
        "note",
        "handling",
    ]
    html = operator.get(page).content.decode()
    assert "Disk is full" in html
    text = post_mortem(incident=the_incident(acme))
    assert "# Shop is down" in text
    assert "- Commander: operator" in text
    assert "It is \\| the disk" in text
    assert "## Root cause" in text
    download = operator.get(f"{page}/post-mortem")
    assert download["Content-Type"] == "text/markdown"


def test_the_story_tells_of_silences_once_and_the_page_what_still_fires(
    operator: Client, acme: Org
) -> None:
    alert = make_alert(acme, "a", team="web")
    page = open_incident(operator, matchers='team="web"')
    for point in ("mail", "phone"):
        SuppressionEntry.objects.for_org(acme).create(
            org=acme,
            fingerprint="a",
            labels=alert.labels,
            contact_point=point,
            group_key="{}",
            key_digest="d",
            kind="silence",
            causes=[{"kind": "silence", "name": "quiet", "detail": "ann: disk"}],
            since=utc_now(),
        )
    items = operator.get(f"{REST}/{the_incident(acme).name}/timeline").json()["items"]
    said = [item["text"] for item in items if item["kind"] == "silence"]
    assert said == ["Down: it is silenced by quiet (ann: disk)"]
    assert "Firing" in operator.get(page).content.decode()
    alert.delete()
    assert "Resolved" in operator.get(page).content.decode()


@pytest.mark.parametrize(
    "data", [{"title": ""}, {"matchers": "=="}, {"commander": "nobody"}, {"severity": "huge"}]
)
def test_what_is_wrong_opens_nothing(operator: Client, acme: Org, data: dict[str, str]) -> None:
    answer = operator.post(f"{PAGES}/new", {"title": "Shop", **data})
    assert answer.status_code == 422
    assert not Incident.objects.for_org(acme).exists()


def test_a_viewer_reads_and_changes_nothing(operator: Client, acme: Org) -> None:
    page = open_incident(operator)
    viewer = make_browser(acme, "viewer")
    assert "Shop is down" in viewer.get(PAGES).content.decode()
    assert "Add note" not in viewer.get(page).content.decode()
    for path in ("update", "note", "gather", "delete"):
        assert viewer.post(f"{page}/{path}").status_code == 403
    assert operator.post(f"{page}/delete").status_code == 302


def test_chosen_alerts_open_an_incident_that_is_named_after_them(
    operator: Client, acme: Org
) -> None:
    first = make_alert(acme, "a1", severity="warning", monitor="shop")
    second = make_alert(acme, "a2", severity="critical")
    listed = operator.get("/o/acme/alerts").content.decode()
    assert 'action="/o/acme/incidents/new"' in listed
    query = {"alert": [first.name, second.name]}
    form = operator.get(f"{PAGES}/new", query).content.decode()
    assert 'value="Down (2 alerts)"' in form
    assert '<option value="critical" selected>' in form
    assert "Add to an open incident" not in form
    open_incident(operator, alert=query["alert"])
    assert joined(acme) == {"a1", "a2"}


def test_an_alert_s_page_adds_it_to_an_open_incident(operator: Client, acme: Org) -> None:
    alert = make_alert(acme, "a1")
    part = f"{PAGES}/for/a1/"
    assert f"/new?alert={alert.name}" in operator.get(part).content.decode()
    page = open_incident(operator)
    assert "Add to incident" in operator.get(part).content.decode()
    assert "Shop is down" in operator.get(f"{PAGES}/new", {"alert": alert.name}).content.decode()
    name = the_incident(acme).name
    added = operator.post(f"{PAGES}/add", {"incident": name, "alert": [alert.name]})
    assert added["Location"] == page
    assert joined(acme) == {"a1"}
    shown = operator.get(part).content.decode()
    assert page in shown
    assert "Add to incident" not in shown
    assert operator.post(f"{PAGES}/add", {"incident": "none", "alert": "x"}).status_code == 404
    viewer = make_browser(acme, "viewer")
    assert viewer.post(f"{PAGES}/add", {"incident": name, "alert": "x"}).status_code == 403
    assert "Open incident" not in viewer.get(part).content.decode()
