"""SNS' Publish, signed with Signature Version 4, with its documented answers."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import parse_qsl

import pytest

from detectviz.contracts.alert_blocks import utf8_size
from detectviz.contracts.network import HttpRequest, HttpResponse
from detectviz.contracts.notifier import Notification, Notifier, NotifierContext
from detectviz.contracts.types import AlertStatus, JsonObject, JsonValue, PluginKind
from detectviz.pluginhost.configuration import validate
from detectviz.testing.notifiers import (
    FakeHttp,
    HttpNotifierSuite,
    make_alert,
    make_notification,
    make_notifier_context,
    make_response,
)
from detectviz.testing.plugins import built_in_plugins
from plugins.notifiers.sns.sigv4 import AccessKey, signed_headers

OVER = make_notification(status=AlertStatus.RESOLVED)


PUBLISHED = make_response(
    200,
    b'<PublishResponse xmlns="https://sns.amazonaws.com/doc/2010-03-31/"><PublishResult>'
    b"<MessageId>94f20ce6-13c5</MessageId></PublishResult></PublishResponse>",
)
TOPIC = "arn:aws:sns:eu-central-1:123456789012:alerts"
ACCESS: JsonObject = {"region": "eu-central-1", "access_key": "AKIDEXAMPLE"}


def _error(status: int, code: str) -> HttpResponse:
    body = f"<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code><Message>no</Message>"
    return make_response(status, f"{body}</Error></ErrorResponse>".encode())


class TestConformance(HttpNotifierSuite):
    name = "sns"
    recordings = Path(__file__).parent / "data"
    uses_actions = True
    success = PUBLISHED
    failures = {
        "clientError": _error(400, "InvalidParameter"),
        "authError": _error(403, "SignatureDoesNotMatch"),
        "rateLimited": replace(_error(400, "Throttling"), headers=(("Retry-After", "30"),)),
        "serverError": _error(500, "InternalFailure"),
    }

    def make_context(self, http: FakeHttp) -> NotifierContext:
        secrets: dict[str, JsonValue] = {"sigv4/secret_key": self.SECRET}
        config: JsonObject = {"sigv4": ACCESS, "topic_arn": TOPIC}
        return make_notifier_context("sns", config, secrets, http=http)


@pytest.fixture
def notifier() -> Notifier:
    return built_in_plugins().load(PluginKind.NOTIFIER, "sns")


def _request(
    notifier: Notifier, notification: Notification, config: JsonObject | None = None
) -> HttpRequest:
    http = FakeHttp(answer=PUBLISHED)
    given: JsonObject = {"sigv4": ACCESS, "topic_arn": TOPIC, **(config or {})}
    secrets: dict[str, JsonValue] = {"sigv4/secret_key": "s"}
    context = make_notifier_context("sns", given, secrets, http=http)
    assert notifier.notify(notification, context).external_id == "94f20ce6-13c5"
    return http.requests[0]


def _fields(request: HttpRequest) -> dict[str, str]:
    return dict(parse_qsl(request.body.decode()))


def test_the_signature_is_that_of_awss_test_suite() -> None:
    # post-x-www-form-urlencoded of the Signature Version 4 test suite.
    key = AccessKey(
        access_key="AKIDEXAMPLE",
        secret_key="wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
        region="us-east-1",
        service="service",
    )
    headers = signed_headers(
        key,
        url="https://example.amazonaws.com/",
        body=b"Param1=value1",
        headers={"Content-Type": "application/x-www-form-urlencoded"},
        at=datetime(2015, 8, 30, 12, 36, tzinfo=UTC),
    )
    assert headers["Authorization"] == (
        "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, "
        "SignedHeaders=content-type;host;x-amz-date, "
        "Signature=ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a"
    )


def test_the_region_says_where_it_is_published(notifier: Notifier) -> None:
    request = _request(notifier, make_notification())
    headers = dict(request.headers)
    assert request.url == "https://sns.eu-central-1.amazonaws.com/"
    assert "/eu-central-1/sns/aws4_request" in headers["Authorization"]
    assert headers["X-Amz-Date"] == "20260131T083000Z"
    assert "content-type;host;x-amz-date" in headers["Authorization"]
    china: JsonObject = {"sigv4": {**ACCESS, "region": "cn-north-1"}}
    assert _request(notifier, OVER, china).url == "https://sns.cn-north-1.amazonaws.com.cn/"


def test_temporary_credentials_are_signed_with_their_token() -> None:
    key = AccessKey(access_key="A", secret_key="s", region="r", service="sns", session_token="t0k")
    at = datetime(2026, 1, 1, tzinfo=UTC)
    headers = signed_headers(key, url="https://x.example/", body=b"", headers={}, at=at)
    assert headers["X-Amz-Security-Token"] == "t0k"
    assert "x-amz-security-token" in headers["Authorization"]


def test_fifo_topics_get_a_group_and_drop_what_is_sent_twice(notifier: Notifier) -> None:
    fifo: JsonObject = {"topic_arn": TOPIC + ".fifo"}
    first = _fields(_request(notifier, make_notification(), fifo))
    again = _fields(_request(notifier, make_notification(), fifo))
    other = _fields(_request(notifier, replace(OVER, delivery_id="dlv_2"), fifo))
    name = "MessageDeduplicationId"
    assert first[name] == again[name] != other[name]
    assert first["MessageGroupId"] == other["MessageGroupId"]


def test_a_subject_is_ascii_and_short(notifier: Notifier) -> None:
    fields = _fields(_request(notifier, OVER, {"subject": "\u76d1\n" + "s" * 200}))
    assert fields["Subject"].isascii()
    assert (len(fields["Subject"]), fields["Subject"][:2]) == (99, "? ")


def test_a_phone_gets_a_short_text_without_subject(notifier: Notifier) -> None:
    config: JsonObject = {
        "topic_arn": "",
        "phone_number": "+4912345",
        "attributes": {"AWS.SNS.SMS.SMSType": "Transactional"},
    }
    many = make_notification(*(make_alert(monitor="\u76d1" * 90 + str(n)) for n in range(40)))
    fields = _fields(_request(notifier, many, config))
    assert (fields["PhoneNumber"], "Subject" in fields) == ("+4912345", False)
    assert utf8_size(fields["Message"]) <= 1_600
    assert fields["MessageAttributes.entry.1.Value.StringValue"] == "Transactional"


def test_an_endpoint_needs_no_topic(notifier: Notifier) -> None:
    fields = _fields(_request(notifier, OVER, {"topic_arn": "", "target_arn": "arn:e"}))
    assert (fields["TargetArn"], fields["Message"] != "") == ("arn:e", True)


def test_somebody_has_to_be_told() -> None:
    schema = built_in_plugins().manifest(PluginKind.NOTIFIER, "sns").config_schema
    problems = validate(schema, {"sigv4": ACCESS}, {"sigv4/secret_key": "s"}).problems
    assert {problem.field for problem in problems} == {"/topic_arn"}
