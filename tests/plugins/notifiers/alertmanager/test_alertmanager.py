"""Another Alertmanager's POST /api/v2/alerts."""

import json
from pathlib import Path
from typing import Any

import pytest

from detectviz.contracts.errors import DeliveryError
from detectviz.contracts.notifier import Notification, Notifier, NotifierContext
from detectviz.contracts.types import AlertStatus, JsonObject, PluginKind
from detectviz.testing.notifiers import (
    FakeHttp,
    ReadableNotifierSuite,
    make_alert,
    make_notification,
    make_notifier_context,
    make_response,
)
from detectviz.testing.plugins import built_in_plugins

OVER = make_notification(status=AlertStatus.RESOLVED)


CONFIG: JsonObject = {"url": "https://am.example/prefix/"}


class TestConformance(ReadableNotifierSuite):
    name = "alertmanager"
    recordings = Path(__file__).parent / "data"
    uses_text = False
    success = make_response(200, b"")
    found = make_response(
        200, json.dumps([{"labels": dict(make_alert(monitor="home").labels)}]).encode()
    )
    missing = make_response(200, b"[]")
    failures = {
        "clientError": make_response(400, b'"start time must be before end time"'),
        "authError": make_response(401, b"Unauthorized"),
        "rateLimited": make_response(429, b"", [("Retry-After", "30")]),
        "serverError": make_response(500, b'"oops"'),
    }

    def make_context(self, http: FakeHttp) -> NotifierContext:
        return make_notifier_context(
            "alertmanager", CONFIG, {"bearer_token": self.SECRET}, http=http
        )


@pytest.fixture
def notifier() -> Notifier:
    return built_in_plugins().load(PluginKind.NOTIFIER, "alertmanager")


def _sent(
    notifier: Notifier, notification: Notification, config: JsonObject | None = None
) -> list[dict[str, Any]]:
    http = FakeHttp()
    given: JsonObject = {**CONFIG, **(config or {})}
    notifier.notify(notification, make_notifier_context("alertmanager", given, {}, http=http))
    assert http.requests[0].url == "https://am.example/prefix/api/v2/alerts"
    return list(json.loads(http.requests[0].body))


def test_a_firing_alert_lasts_until_it_is_told_again(notifier: Notifier) -> None:
    (alert,) = _sent(notifier, make_notification(), {"lifetime": "2h"})
    assert (alert["startsAt"], alert["endsAt"]) == (
        "2026-01-31T08:30:00.000Z",
        "2026-01-31T10:30:00.000Z",
    )
    assert alert["labels"]["alertname"] == "HomeDown"


def test_a_resolved_alert_ends_when_it_ended(notifier: Notifier) -> None:
    (alert,) = _sent(notifier, make_notification(make_alert(AlertStatus.RESOLVED, empty="")))
    assert alert["endsAt"] == "2026-01-31T08:30:00.000Z"
    assert "empty" not in alert["labels"]


def test_a_user_signs_in_with_a_password(notifier: Notifier) -> None:
    http = FakeHttp()
    config: JsonObject = {**CONFIG, "username": "u"}
    context = make_notifier_context("alertmanager", config, {"password": "p"}, http=http)
    notifier.notify(make_notification(), context)
    assert http.requests[0].basic_auth == ("u", "p")


def test_what_alertmanager_says_is_repeated(notifier: Notifier) -> None:
    http = FakeHttp(answer=make_response(400, b'"invalid label set"'))
    with pytest.raises(DeliveryError, match="invalid label set"):
        notifier.notify(
            make_notification(), make_notifier_context("alertmanager", CONFIG, {}, http=http)
        )
