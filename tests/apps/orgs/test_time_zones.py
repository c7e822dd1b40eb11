"""An org's time zone: where it is set, and what begins with it."""

from typing import Any, cast

import pytest

from apps.notifications.services.payload import notification_of
from apps.notifications.services.samples import notification_sample, payload_completed
from apps.notifications.services.template_data import template_data
from apps.orgs.models import Org
from detectviz.contracts.alert_blocks import body_of, plain_markup
from tests.factories.orgs import make_org
from tests.factories.pages import make_browser

HERE = "/o/acme/organisation"
SHANGHAI = "Asia/Shanghai"
STORED = payload_completed(
    {"alerts": [{"labels": {"alertname": "Down"}, "starts_at": "2026-01-31T20:30:00+00:00"}]},
    org="acme",
)


@pytest.fixture
def acme() -> Org:
    return make_org("acme")


def told(zone: str) -> tuple[str, str]:
    notification = notification_of({**STORED, "time_zone": zone})
    data = cast("dict[str, Any]", template_data(notification))
    template = str(data["Alerts"][0]["StartsAt"])
    return body_of(notification, plain_markup(len), max_size=4_000), template


def test_notifications_tell_times_in_the_orgs_zone_and_old_ones_in_utc() -> None:
    message, template = told(SHANGHAI)
    assert "since 2026-02-01 04:30:00 CST" in message
    assert template.startswith("2026-02-01 04:30:00")
    assert "+0800" in template
    for zone in ("UTC", "Gone/Away"):
        message, template = told(zone)
        assert "since 2026-01-31 20:30:00 UTC" in message
        assert template.startswith("2026-01-31 20:30:00")
    assert notification_of(STORED).alerts[0].starts_at.tzname() == "UTC"


@pytest.mark.django_db
def test_an_admin_sets_it_and_what_is_made_begins_with_it(acme: Org) -> None:
    admin = make_browser(acme, "admin")
    refused = admin.post(HERE, {"title": "Acme", "time_zone": "Mars/Olympus"})
    assert refused.status_code == 422
    assert admin.post(HERE, {"title": "Acme", "time_zone": SHANGHAI}).status_code == 302
    assert admin.get("/apis/core/v1/orgs/acme").json()["spec"]["time_zone"] == SHANGHAI
    for page in (
        "/o/acme/maintenance/new",
        "/o/acme/on-call/new",
        "/o/acme/silences/new",
        "/o/acme/times/new",
        "/o/acme/me/notifications",
        "/o/acme/routing",
    ):
        assert f'value="{SHANGHAI}"' in admin.get(page).content.decode(), page
    assert f"({SHANGHAI})" in admin.get("/o/acme/rules/quality").content.decode()
    alerts = notification_sample(org=Org.objects.get(name="acme")).alerts
    assert {alert.starts_at.tzname() for alert in alerts} == {"CST"}


@pytest.mark.django_db
def test_programs_set_it_too_and_others_may_not(acme: Org) -> None:
    admin, path = make_browser(acme, "admin"), "/apis/core/v1/orgs/acme"
    body = {"apiVersion": "core/v1", "kind": "Org", "metadata": {"name": "acme"}}
    for zone, status in (("Mars/Olympus", 422), (SHANGHAI, 200)):
        asked = {**body, "spec": {"time_zone": zone}}
        answer = admin.put(path, asked, content_type="application/json")
        assert answer.status_code == status, answer.content
    acme.refresh_from_db()
    assert acme.time_zone == SHANGHAI
    assert make_browser(acme, "operator").get(HERE).status_code == 403
