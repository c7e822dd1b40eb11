"""Schedules through REST, their pages and their feeds."""

import re
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client

from apps.oncall.models import OnCallOverride, OnCallSchedule
from apps.orgs.models import Org
from detectviz.clock import utc_now
from tests.factories.accounts import make_member, make_team
from tests.factories.orgs import make_org
from tests.factories.pages import HTMX, make_browser

pytestmark = pytest.mark.django_db
REST = "/apis/notifications/v1/orgs/acme/oncallschedules"
PAGES = "/o/acme/on-call"
SPEC = {
    "title": "First line",
    "time_zone": "Europe/Berlin",
    "layers": [
        {"name": "Weeks", "participants": ["ann", "team:web"], "starts_on": "2026-01-05"},
    ],
}


@pytest.fixture
def acme() -> Org:
    org = make_org("acme")
    ann = make_member(org, "ann")
    make_team(org, "web", ann)
    return org


@pytest.fixture
def operator(acme: Org) -> Client:
    return make_browser(acme)


def write(client: Client, name: str = "first", **changes: Any) -> Any:
    body = {
        "apiVersion": "notifications/v1",
        "kind": "OnCallSchedule",
        "metadata": {"name": name},
        "spec": {**SPEC, **changes},
    }
    return client.put(f"{REST}/{name}", body, content_type="application/json")


def test_a_schedule_is_written_and_says_who_is_on_call(operator: Client) -> None:
    answer = write(operator)
    assert answer.status_code == 201, answer.content
    stored = operator.get(f"{REST}/first").json()
    (layer,) = stored["spec"]["layers"]
    assert (layer["unit"], layer["handover"], layer["weekday"]) == ("weeks", "09:00", "monday")
    assert stored["status"]["on_call"] in {"ann", "team:web"}
    items = operator.get(f"{REST}/first/shifts").json()["items"]
    assert {item["participant"] for item in items} == {"ann", "team:web"}


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"time_zone": "Mars/Base"}, "spec.time_zone"),
        (
            {"layers": [{"name": "x", "participants": ["nobody"], "starts_on": "2026-01-01"}]},
            "spec.layers[0].participants[0]",
        ),
        (
            {"layers": [{"name": "x", "participants": ["ann"], "starts_on": "soon"}]},
            "spec.layers[0].starts_on",
        ),
        (
            {
                "layers": [
                    {
                        "name": "x",
                        "participants": ["ann"],
                        "starts_on": "2026-01-01",
                        "handover": "25:00",
                    }
                ]
            },
            "spec.layers[0].handover",
        ),
    ],
)
def test_what_is_wrong_is_named_by_its_path(
    operator: Client, changes: dict[str, Any], path: str
) -> None:
    answer = write(operator, **changes)
    assert answer.status_code == 422
    assert path in answer.content.decode()


def test_somebody_stands_in_for_a_while(operator: Client, acme: Org) -> None:
    write(operator)
    make_member(acme, "bob")
    now = utc_now()
    body = {
        "participant": "bob",
        "starts_at": (now - timedelta(hours=1)).isoformat(),
        "ends_at": (now + timedelta(hours=1)).isoformat(),
    }
    answer = operator.post(f"{REST}/first/override", body, content_type="application/json")
    assert answer.status_code == 200, answer.content
    assert operator.get(f"{REST}/first").json()["status"]["on_call"] == "bob"
    (one,) = answer.json()["items"]
    ended = operator.post(
        f"{REST}/first/override-end", {"override": one["uid"]}, content_type="application/json"
    )
    assert ended.json() == {"items": []}


def test_the_feed_needs_no_sign_in_but_its_secret(operator: Client, acme: Org) -> None:
    write(operator)
    schedule = OnCallSchedule.objects.for_org(acme).get()
    address = f"/calendar/{schedule.calendar['token']}.ics"
    text = Client().get(address).content.decode()
    assert text.startswith("BEGIN:VCALENDAR\r\n")
    assert "SUMMARY:ann on call: First line" in text
    assert all(len(line.encode()) <= 75 for line in text.split("\r\n"))
    assert "ann on call" not in Client().get(f"{address}?participant=team:web").content.decode()
    answer = operator.post(f"{REST}/first/rotate-token", {}, content_type="application/json")
    assert Client().get(address).status_code == 404
    path = answer.json()["url"].removeprefix("http://testserver")
    assert Client().get(path).status_code == 200


def test_pages_show_who_is_on_call_and_where_nobody_is(operator: Client) -> None:
    assert "Nobody is on call yet" in operator.get(PAGES).content.decode()
    layer = {**SPEC["layers"][0], "restrictions": [{"days": ["monday"], "end": "12:00"}]}  # type: ignore[dict-item]  # a test's shorthand
    write(operator, layers=[layer])
    assert "Gaps ahead" in operator.get(PAGES).content.decode()
    html = operator.get(f"{PAGES}/s/first").content.decode()
    assert "Nobody is on call at times of this span" in html
    part = operator.get(f"{PAGES}/s/first?at=1", headers=HTMX).content.decode()
    assert part.strip().startswith('<div class="card" id="schedule-timeline"')


def test_the_list_says_when_a_shift_or_a_gap_ends(operator: Client) -> None:
    ann = {"name": "Ann", "participants": ["ann"], "starts_on": "2026-01-05"}
    day = (utc_now() + timedelta(days=2)).strftime("%A").lower()
    write(operator, "always", layers=[ann])
    write(operator, "later", layers=[{**ann, "restrictions": [{"days": [day]}]}])
    html = operator.get(PAGES).content.decode()
    always, later = re.findall(r'data-label="Until">(.*?)</td>', html)
    assert always == "-"
    assert "from now" in later


def test_a_schedule_is_made_and_changed_as_text(operator: Client, acme: Org) -> None:
    text = operator.get(f"{PAGES}/new?view=yaml").content.decode()
    assert "time_zone: Europe/Berlin" in text
    said = {"view": "yaml", "name": "night", "text": "title: Night"}
    assert operator.post(f"{PAGES}/new", {**said, "text": "title: [oops"}).status_code == 422
    assert operator.post(f"{PAGES}/new", {**said, "name": "Not A Name"}).status_code == 422
    made = operator.post(f"{PAGES}/new", said)
    assert made.status_code == 302, made.content
    stale = {"view": "yaml", "text": "title: Day", "resource_version": "99"}
    assert operator.post(f"{PAGES}/s/night/edit", stale).status_code == 422
    operator.post(f"{PAGES}/s/night/edit", {**stale, "resource_version": "1"})
    assert OnCallSchedule.objects.for_org(acme).get().title == "Day"


def test_the_page_takes_an_override_in_the_schedules_own_time(operator: Client, acme: Org) -> None:
    write(operator)
    data = {
        "participant": "ann",
        "starts_at": "2126-07-01T10:00",
        "ends_at": "2126-07-01T12:00",
    }
    assert operator.post(f"{PAGES}/s/first/override", data).status_code == 302
    override = OnCallOverride.objects.for_org(acme).get()
    assert override.starts_at.hour == 8
    assert operator.post(f"{PAGES}/s/first/override", {**data, "starts_at": "x"}).status_code == 422
    operator.post(f"{PAGES}/s/first/override-end", {"override": override.uid})
    assert not OnCallOverride.objects.for_org(acme).exists()
    assert operator.post(f"{PAGES}/s/first/delete").status_code == 302
