"""Would somebody be told at a time: by REST, on the command line, on the page."""

from datetime import timedelta
from io import StringIO
from typing import Any

import orjson
import pytest
from django.core.management import call_command
from django.test import Client

from apps.notifications.models import RoutedAlert
from apps.notifications.services.explanations import routes_explain
from apps.orgs.models import Org
from detectviz.clock import utc_now
from detectviz.resources.registry import registry
from detectviz.resources.services import resource_write
from tests.factories.accounts import make_full_org
from tests.factories.pages import HTMX, make_browser

pytestmark = pytest.mark.django_db
EXPLAIN = "/apis/notifications/v1/orgs/acme/routingtrees/default/explain"
SUNDAY_NIGHT, MONDAY_NOON = "2026-01-04T03:00", "2026-01-05T12:00"
LABELS = {"alertname": "Down", "team": "web", "monitor": "home"}
ZONE = "Europe/Berlin"


def write(org: Org, api_version: str, kind: str, name: str, **spec: Any) -> None:
    found = registry.by_kind(api_version, kind)
    assert found is not None
    resource_write(found, org=org, actor=None, name=name, spec=spec)


@pytest.fixture
def org() -> Org:
    org = make_full_org("acme")
    webhook = {"notifier": "webhook", "config": {"url": "http://127.0.0.1:9/"}}
    for name in ("ops", "web"):
        write(org, "notifications/v1", "ContactPoint", name, receivers=[webhook])
    hours = {"times": [{"start_time": "08:00", "end_time": "18:00"}], "location": ZONE}
    weekdays = {**hours, "weekdays": ["monday:friday"]}
    write(org, "alerting/v1", "TimeInterval", "office", time_intervals=[weekdays])
    write(
        org,
        "notifications/v1",
        "RoutingTree",
        "default",
        contact_point="ops",
        routes=[
            {
                "matchers": ['team="web"'],
                "contact_point": "web",
                "active_time_intervals": ["office"],
                "continue": True,
            },
            {"matchers": ['team=~".+"']},
        ],
    )
    return org


@pytest.fixture
def browser(org: Org) -> Client:
    return make_browser(org)


def explain(browser: Client, at: str, **labels: str) -> Any:
    body = {"labels": LABELS | labels, "at": at, "location": ZONE}
    answer = browser.post(EXPLAIN, body, content_type="application/json")
    assert answer.status_code == 200, answer.content
    return answer.json()


def test_at_three_on_sunday_only_those_without_office_hours_are_told(browser: Client) -> None:
    night = explain(browser, SUNDAY_NIGHT)
    assert night["at"] == "2026-01-04T02:00:00+00:00"
    web, ops = night["routes"]
    assert (web["contact_point"], web["told"]) == ("web", False)
    assert web["active_time_intervals"] == [{"name": "office", "applies": False}]
    assert web["sentence"] == (
        "Contact point web would not be told: it is outside the active times office, "
        "until 2026-01-05 08:00:00 CET."
    )
    assert (ops["contact_point"], ops["told"], ops["causes"]) == ("ops", True, [])
    assert ops["receivers"] == ["webhook"]
    noon = explain(browser, MONDAY_NOON)
    assert [each["told"] for each in noon["routes"]] == [True, True]


def test_silences_windows_and_inhibition_of_that_time_are_named(org: Org, browser: Client) -> None:
    write(
        org,
        "alerting/v1",
        "Silence",
        "weekend",
        matchers=['team="web"'],
        ends_at=(utc_now() + timedelta(days=30)).isoformat(),
        recurrence={"rrule": "FREQ=WEEKLY;BYDAY=SA", "duration": "48h", "location": ZONE},
        comment="quiet",
    )
    write(org, "monitoring/v1", "Monitor", "home", type="push", config={"period": "1h"})
    write(
        org,
        "monitoring/v1",
        "MaintenanceWindow",
        "patches",
        strategy="weekly",
        weekdays=["sunday"],
        start_time="02:00",
        duration="2h",
        location=ZONE,
        monitors=["home"],
    )
    write(
        org,
        "alerting/v1",
        "InhibitionRule",
        "power",
        source_matchers=['alertname="PowerLoss"'],
        target_matchers=['alertname="Down"'],
    )
    RoutedAlert.objects.create_for(
        org, fingerprint="f", labels={"alertname": "PowerLoss"}, starts_at=utc_now()
    )
    sunday = utc_now() + timedelta(days=(6 - utc_now().weekday()) % 7 + 7)
    causes = explain(browser, f"{sunday:%Y-%m-%d}T03:00")["routes"][1]["causes"]
    assert {each["kind"]: each["name"] for each in causes} == {
        "inhibition": "power",
        "maintenance": "patches",
        "silence": "weekend",
    }
    tuesday = sunday + timedelta(days=2)
    other = explain(browser, f"{tuesday:%Y-%m-%d}T03:00", alertname="Slow")["routes"][1]
    assert other["told"]


def test_who_may_read_no_alerts_is_told_the_kind_of_what_holds_back_alone(org: Org) -> None:
    write(
        org,
        "alerting/v1",
        "Silence",
        "secret",
        matchers=['team="web"'],
        ends_at=(utc_now() + timedelta(hours=1)).isoformat(),
        comment="quiet",
    )
    shown = routes_explain(org=org, labels=LABELS, now=utc_now(), is_named=False)[1]
    assert [(each.kind, each.name, each.detail) for each in shown.causes] == [("silence", "", "")]
    assert "secret" not in shown.sentence


def test_a_wrong_time_or_place_is_named(browser: Client) -> None:
    for body, field in (({"at": "soon"}, "at"), ({"location": "Mars"}, "location")):
        asked = {"labels": LABELS, **body}
        answer = browser.post(EXPLAIN, asked, content_type="application/json")
        assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, field)
    far = {"labels": LABELS, "at": "9999-12-31T23:59"}
    assert browser.post(EXPLAIN, far, content_type="application/json").status_code == 422


def test_the_command_line_says_it_in_a_sentence(org: Org) -> None:
    out = StringIO()
    options = {"org": "acme", "label": ["team=web"], "at": SUNDAY_NIGHT, "location": ZONE}
    call_command("route", "explain", **options, output="json", stdout=out)
    assert [each["told"] for each in orjson.loads(out.getvalue())] == [False, True]


def test_the_page_shows_times_of_routes_and_answers_for_a_time(browser: Client) -> None:
    query = {"labels": "team=web", "at": SUNDAY_NIGHT, "location": ZONE}
    html = browser.get("/o/acme/routing", query, headers=HTMX).content.decode()
    assert "Told at Sun 04 Jan 2026 03:00 CET?" in html
    assert "outside the active times office" in html
    assert "quiet then" in html
    assert "Matched, not told" in html
    noon = {**query, "at": MONDAY_NOON}
    assert "tells then" in browser.get("/o/acme/routing", noon, headers=HTMX).content.decode()
    wrong = {**query, "location": "Mars"}
    page = browser.get("/o/acme/routing", wrong, headers=HTMX).content.decode()
    assert "is no time zone" in page
