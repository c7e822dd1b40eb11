"""Workflows of Microsoft Teams: Adaptive Cards, and the answers of workflows and connectors."""

import json
from pathlib import Path

import pytest

from detectviz.contracts.errors import DeliveryError
from detectviz.contracts.notifier import Notification, Notifier, NotifierContext
from detectviz.contracts.types import AlertStatus, JsonObject, JsonValue, PluginKind
from detectviz.testing.notifiers import (
    FakeHttp,
    HttpNotifierSuite,
    hostile_notification,
    make_alert,
    make_notification,
    make_notifier_context,
    make_response,
)
from detectviz.testing.plugins import built_in_plugins

HOOK = "https://prod-1.westus.logic.azure.com:443/workflows/1/triggers/manual/paths/invoke?sig="
ACCEPTED = make_response(202, b"")
CONNECTOR_ERROR = (
    b"Webhook message delivery failed with error: Microsoft Teams endpoint returned HTTP error "
    b"429 with ContextId tcid=0,server=x."
)


class TestConformance(HttpNotifierSuite):
    name = "teams"
    recordings = Path(__file__).parent / "data"
    uses_actions = True
    success = ACCEPTED
    failures = {
        "clientError": make_response(
            400, b'{"error":{"code":"TriggerInputSchemaMismatch","message":"does not match"}}'
        ),
        "authError": make_response(
            401, b'{"error":{"code":"DirectApiAuthorizationRequired","message":"no"}}'
        ),
        "rateLimited": make_response(
            429,
            b'{"error":{"code":"WorkflowRunActionRateLimited","message":"wait"}}',
            [("Retry-After", "30")],
        ),
        "serverError": make_response(502, b'{"error":{"code":"BadGateway","message":"later"}}'),
    }

    def make_context(self, http: FakeHttp) -> NotifierContext:
        return make_notifier_context("teams", {}, {"webhook_url": HOOK + self.SECRET}, http=http)


@pytest.fixture
def notifier() -> Notifier:
    return built_in_plugins().load(PluginKind.NOTIFIER, "teams")


def _card(notifier: Notifier, notification: Notification, **config: JsonValue) -> JsonObject:
    http = FakeHttp(answer=ACCEPTED)
    secrets: dict[str, JsonValue] = {"webhook_url": HOOK + "x"}
    notifier.notify(notification, make_notifier_context("teams", config, secrets, http=http))
    assert len(http.requests[0].body) < 28_000
    content = json.loads(http.requests[0].body)["attachments"][0]["content"]
    assert isinstance(content, dict)
    return content


def _refused(notifier: Notifier, status: int, body: bytes) -> DeliveryError:
    http = FakeHttp(answer=make_response(status, body))
    context = make_notifier_context("teams", {}, {"webhook_url": HOOK + "x"}, http=http)
    with pytest.raises(DeliveryError) as refused:
        notifier.notify(make_notification(), context)
    return refused.value


def test_texts_of_alerts_stand_where_no_markdown_is_read(notifier: Notifier) -> None:
    card = _card(notifier, hostile_notification())
    assert '"TextBlock"' not in json.dumps(card)


def test_a_resolved_group_is_green(notifier: Notifier) -> None:
    card = _card(notifier, make_notification(status=AlertStatus.RESOLVED))
    assert '"color": "good"' in json.dumps(card)


def test_a_large_group_shows_what_fits_and_counts_the_rest(notifier: Notifier) -> None:
    many = make_notification(*(make_alert(monitor="监" * 900 + str(n)) for n in range(60)))
    assert "more alerts are not shown" in json.dumps(_card(notifier, many), ensure_ascii=False)


def test_own_text_is_markdown_and_is_cut_with_a_note(notifier: Notifier) -> None:
    card = _card(notifier, make_notification(), text="**a** " * 3_000, full_width=False)
    assert "… (cut)" in json.dumps(card, ensure_ascii=False)
    assert "msteams" not in card


def test_an_error_within_a_200_counts(notifier: Notifier) -> None:
    error = _refused(notifier, 200, CONNECTOR_ERROR)
    assert (error.reason, error.permanent) == ("rateLimited", False)


def test_the_workflows_own_words_are_repeated(notifier: Notifier) -> None:
    body = b'{"error":{"code":"WorkflowTriggerIsNotEnabled","message":"Trigger is off"}}'
    assert "Trigger is off" in _refused(notifier, 400, body).message
