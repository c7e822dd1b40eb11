"""What is really published follows the JSON Schema of its type."""

import math
from datetime import timedelta
from typing import Any, Literal

import pytest
from jsonschema import Draft202012Validator, FormatChecker

from apps.orgs.models import Org
from detectviz.clock import utc_now
from detectviz.events.bus import publish
from detectviz.events.integration import EVENT_TYPES, schema_of
from detectviz.events.models import OutboxEvent
from detectviz.events.types import AlertChanged
from tests.factories.orgs import make_org
from tests.factories.pages import make_browser

pytestmark = pytest.mark.django_db
TYPES = {each.name: each for each in EVENT_TYPES}


def published(name: str) -> list[Any]:
    rows = OutboxEvent.all_orgs.filter(type=name).order_by("pk")
    validator = Draft202012Validator(schema_of(TYPES[name]), format_checker=FormatChecker())
    found = [row.data for row in rows]
    for data in found:
        validator.validate(data)
    return found


def alert(org: Org, status: Literal["firing", "resolved"], value: float | None) -> AlertChanged:
    now = utc_now()
    return AlertChanged(
        org_id=org.pk,
        fingerprint="ab12",
        status=status,
        labels={"alertname": "Down"},
        annotations={"summary": "It is down."},
        starts_at=now,
        ends_at=now + timedelta(days=1) if status == "resolved" else None,
        rule_group="web",
        rule="Down",
        value=value,
        is_transition=True,
    )


def test_alerts_that_fire_and_end_follow_their_schema() -> None:
    org = make_org("acme")
    publish(alert(org, "firing", 1.5), alert(org, "resolved", None))
    told = published("detectviz.alert.changed")
    assert [(each["status"], each["value"]) for each in told] == [
        ("firing", 1.5),
        ("resolved", None),
    ]


@pytest.mark.parametrize("value", [math.inf, -math.inf, math.nan])
def test_a_value_that_json_cannot_say_is_null(value: float) -> None:
    publish(alert(make_org("acme"), "firing", value))
    (told,) = published("detectviz.alert.changed")
    assert told["value"] is None


def test_resources_that_come_change_and_go_follow_their_schema() -> None:
    org = make_org("acme")
    browser = make_browser(org, "admin")
    address = "/apis/monitoring/v1/orgs/acme/monitors/home"
    spec: dict[str, Any] = {"type": "http", "config": {"url": "https://example.org/"}}
    body = {
        "apiVersion": "monitoring/v1",
        "kind": "Monitor",
        "metadata": {"name": "home"},
        "spec": spec,
    }
    spec["secrets"] = {"bearer_token": "hush-4711"}
    assert browser.put(address, body, content_type="application/json").status_code == 201
    spec["interval"] = "5m"
    assert browser.put(address, body, content_type="application/json").status_code == 200
    assert browser.delete(address).status_code in {200, 204}

    told = [each for each in published("detectviz.resource.changed") if each["kind"] == "Monitor"]
    assert [each["action"] for each in told] == ["create", "update", "delete"]
    assert "hush-4711" not in str(told)
