"""The webhook speaks Alertmanager's format and Standard Webhooks' signature."""

import base64
import hashlib
import hmac
import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from detectviz.contracts.errors import (
    ConfigurationError,
    DeadlineExceededError,
    DeliveryError,
    EgressDeniedError,
    NetworkError,
)
from detectviz.contracts.notifier import Notifier, NotifierContext
from detectviz.contracts.types import AlertStatus, JsonObject, JsonValue, PluginKind
from detectviz.pluginhost.configuration import validate
from detectviz.testing.notifiers import (
    NOW,
    FakeHttp,
    HttpNotifierSuite,
    make_alert,
    make_notification,
    make_notifier_context,
    make_response,
)
from detectviz.testing.plugins import built_in_plugins
from plugins.notifiers.webhook.payload import sign

URL = "https://hooks.example/alerts"


class TestConformance(HttpNotifierSuite):
    name = "webhook"
    uses_text = False
    recordings = Path(__file__).with_name("data") / "traffic"

    def make_context(self, http: FakeHttp) -> NotifierContext:
        config = {"url": URL, "auth": "bearer"}
        return make_notifier_context("webhook", config, {"bearer_token": self.SECRET}, http=http)


@pytest.fixture
def notifier() -> Notifier:
    return built_in_plugins().load(PluginKind.NOTIFIER, "webhook")


@pytest.fixture
def http() -> FakeHttp:
    return FakeHttp()


def _context(
    http: FakeHttp, config: JsonObject | None = None, **secrets: JsonValue
) -> NotifierContext:
    return make_notifier_context("webhook", {"url": URL, **(config or {})}, secrets, http=http)


def _headers(http: FakeHttp) -> dict[str, str]:
    return {name.lower(): value for name, value in http.requests[-1].headers}


def test_the_body_is_alertmanagers(notifier: Notifier, http: FakeHttp) -> None:
    firing, resolved = make_alert(monitor="home"), make_alert(AlertStatus.RESOLVED, monitor="shop")
    receipt = notifier.notify(make_notification(firing, resolved), _context(http))
    (request,) = http.requests
    recorded = Path(__file__).with_name("data") / "firing.json"
    assert json.loads(request.body) == json.loads(recorded.read_text())
    assert receipt.request_digest == hashlib.sha256(request.body).hexdigest()
    assert receipt.status_code == 200
    assert receipt.answer == "ok"
    assert (request.method, request.url, request.follow_redirects) == ("POST", URL, False)
    assert _headers(http)["content-type"] == "application/json"


def test_alerts_beyond_the_limit_are_counted(notifier: Notifier, http: FakeHttp) -> None:
    alerts = [make_alert(monitor=str(index)) for index in range(5)]
    notification = make_notification(*alerts, truncated_alerts=3)
    notifier.notify(notification, _context(http, {"max_alerts": 2}))
    body = json.loads(http.requests[0].body)
    assert len(body["alerts"]) == 2
    assert body["truncatedAlerts"] == 6


def test_the_signature_is_the_one_of_the_specification() -> None:
    # The example of the Standard Webhooks specification.
    signature = sign(
        "msg_p5jXN8AQM9LWM0D4loKWxJek",
        datetime.fromtimestamp(1614265330, tz=UTC),
        b'{"test": 2432232314}',
        ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"],
    )
    assert signature == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_both_secrets_sign_while_one_replaces_the_other(notifier: Notifier, http: FakeHttp) -> None:
    notifier.notify(make_notification(), _context(http, secret="new", previous_secret="old"))
    headers = _headers(http)
    assert headers["webhook-id"] == "dlv_01"
    assert headers["webhook-timestamp"] == str(int(NOW.timestamp()))
    signed = f"dlv_01.{int(NOW.timestamp())}.".encode() + http.requests[0].body
    expected = [
        "v1," + base64.b64encode(hmac.new(key, signed, "sha256").digest()).decode()
        for key in (b"new", b"old")
    ]
    assert headers["webhook-signature"].split(" ") == expected


def test_without_a_secret_there_is_no_signature(notifier: Notifier, http: FakeHttp) -> None:
    notifier.notify(make_notification(), _context(http))
    assert "webhook-signature" not in _headers(http)


def test_a_signing_secret_that_is_no_base64_is_refused(notifier: Notifier, http: FakeHttp) -> None:
    with pytest.raises(ConfigurationError, match="enter it again"):
        notifier.notify(make_notification(), _context(http, secret="whsec_%%%"))


def test_own_headers_are_sent_and_cannot_replace_ours(notifier: Notifier, http: FakeHttp) -> None:
    config: JsonObject = {"headers": {"X-Team": "web", "Webhook-Id": "x", "content-type": "a/b"}}
    notifier.notify(make_notification(), _context(http, config))
    headers = _headers(http)
    assert headers["x-team"] == "web"
    assert headers["webhook-id"] == "dlv_01"
    assert headers["content-type"] == "a/b"
    assert len(http.requests[0].headers) == len(headers)


def test_credentials_travel_as_chosen(notifier: Notifier, http: FakeHttp) -> None:
    basic: JsonObject = {"auth": "basic", "username": "u"}
    notifier.notify(make_notification(), _context(http, basic, password="p"))
    assert http.requests[0].basic_auth == ("u", "p")
    notifier.notify(make_notification(), _context(http, {"auth": "bearer"}, bearer_token="t"))
    assert _headers(http)["authorization"] == "Bearer t"
    assert http.requests[1].basic_auth is None


@pytest.mark.parametrize(
    ("status", "reason", "permanent"),
    [
        (301, "clientError", True),
        (400, "clientError", True),
        (401, "authError", True),
        (403, "authError", True),
        (404, "clientError", True),
        (408, "serverError", False),
        (410, "clientError", True),
        (425, "serverError", False),
        (429, "rateLimited", False),
        (500, "serverError", False),
        (503, "serverError", False),
    ],
)
def test_each_refusal_has_its_class(
    notifier: Notifier, http: FakeHttp, status: int, reason: str, *, permanent: bool
) -> None:
    http.answer = make_response(status, b"no " * 5_000)
    with pytest.raises(DeliveryError) as refused:
        notifier.notify(make_notification(), _context(http))
    error = refused.value
    assert (error.reason, error.permanent, error.status_code) == (reason, permanent, status)
    assert len(error.answer) == 2_000


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("120", 120.0),
        ("99999999", 86_400.0),
        ("Sat, 31 Jan 2026 08:31:00 GMT", 60.0),
        ("Sat, 31 Jan 2026 08:00:00 GMT", 0.0),
        ("soon", None),
        ("-5", None),
    ],
)
def test_retry_after_is_understood_in_both_forms(
    notifier: Notifier, http: FakeHttp, value: str, seconds: float | None
) -> None:
    http.answer = make_response(429, headers=[("retry-after", value)])
    with pytest.raises(DeliveryError) as refused:
        notifier.notify(make_notification(), _context(http))
    assert refused.value.retry_after_s == seconds


def test_no_answer_in_time_is_a_timeout(notifier: Notifier, http: FakeHttp) -> None:
    http.answer = DeadlineExceededError("too slow", phase="receive")
    with pytest.raises(DeliveryError) as refused:
        notifier.notify(make_notification(), _context(http))
    assert (refused.value.reason, refused.value.permanent) == ("timeout", False)


@pytest.mark.parametrize(
    "failure", [NetworkError("refused", phase="connect"), EgressDeniedError("not there")]
)
def test_network_failures_pass_through(
    notifier: Notifier, http: FakeHttp, failure: NetworkError
) -> None:
    http.answer = failure
    with pytest.raises(NetworkError) as refused:
        notifier.notify(make_notification(), _context(http))
    assert refused.value is failure


def test_a_test_notification_says_so(notifier: Notifier, http: FakeHttp) -> None:
    notifier.notify(replace(make_notification(), is_test=True), _context(http))
    assert json.loads(http.requests[0].body)["detectviz"]["test"] is True


@pytest.mark.parametrize(
    ("config", "field"),
    [
        ({}, "/url"),
        ({"url": "ftp://example.org/"}, "/url"),
        ({"url": "http://e.org/\r\nX: y"}, "/url"),
        ({"url": URL, "headers": {"X": "a\r\nY: b"}}, "/headers/X"),
        ({"url": URL, "headers": {"X Y": "a"}}, "/headers"),
        ({"url": URL, "auth": "basic"}, "/password"),
        ({"url": URL, "auth": "bearer"}, "/bearer_token"),
        ({"url": URL, "max_alerts": -1}, "/max_alerts"),
    ],
)
def test_a_wrong_configuration_names_its_field(config: JsonObject, field: str) -> None:
    schema = built_in_plugins().manifest(PluginKind.NOTIFIER, "webhook").config_schema
    assert field in {problem.field for problem in validate(schema, config, {}).problems}
