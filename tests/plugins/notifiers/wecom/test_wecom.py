"""WeCom's robots and applications, with their documented answers."""

import json
from pathlib import Path
from typing import Any

import pytest

from detectviz.contracts.alert_blocks import CUT_NOTE, utf8_size
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

OVER = make_notification(status=AlertStatus.RESOLVED)


HOOK = "https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key="
# One answer that both gettoken and message/send could give.
DONE = make_response(
    200, b'{"errcode":0,"errmsg":"ok","access_token":"acc3sst0k3n","expires_in":7200,"msgid":"m1"}'
)
FAILURES = {
    "clientError": make_response(
        200, b'{"errcode":40058,"errmsg":"markdown.content exceed max length 4096"}'
    ),
    "authError": make_response(200, b'{"errcode":93000,"errmsg":"invalid webhook url"}'),
    "rateLimited": make_response(200, b'{"errcode":45009,"errmsg":"api freq out of limit"}'),
    "serverError": make_response(200, b'{"errcode":-1,"errmsg":"system busy"}'),
}
APPLICATION: JsonObject = {"corp_id": "ww1", "agent_id": "1000002", "to_user": "a|b"}


class TestRobotConformance(HttpNotifierSuite):
    name = "wecom"
    recordings = Path(__file__).parent / "data" / "robot"
    uses_actions = True
    limited_wait_s = 60.0
    success = DONE
    failures = FAILURES

    def make_context(self, http: FakeHttp) -> NotifierContext:
        return make_notifier_context("wecom", {}, {"webhook_url": HOOK + self.SECRET}, http=http)


class TestApplicationConformance(HttpNotifierSuite):
    name = "wecom"
    recordings = Path(__file__).parent / "data" / "application"
    uses_actions = True
    limited_wait_s = 60.0
    success = DONE
    failures = FAILURES | {
        "authError": make_response(200, b'{"errcode":40001,"errmsg":"invalid credential"}')
    }

    def make_context(self, http: FakeHttp) -> NotifierContext:
        return make_notifier_context("wecom", APPLICATION, {"api_secret": self.SECRET}, http=http)


@pytest.fixture
def notifier() -> Notifier:
    return built_in_plugins().load(PluginKind.NOTIFIER, "wecom")


def _robot(
    notifier: Notifier, notification: Notification, config: JsonObject | None = None
) -> dict[str, Any]:
    http = FakeHttp(answer=DONE)
    context = make_notifier_context("wecom", config or {}, {"webhook_url": HOOK + "k"}, http=http)
    notifier.notify(notification, context)
    return dict(json.loads(http.requests[0].body))


def test_an_application_gets_a_token_and_sends_with_it(notifier: Notifier) -> None:
    http = FakeHttp(answer=DONE)
    context = make_notifier_context("wecom", APPLICATION, {"api_secret": "s3"}, http=http)
    receipt = notifier.notify(make_notification(), context)
    asked, sent = http.requests
    assert (asked.method, asked.url) == (
        "GET",
        "https://qyapi.weixin.qq.com/cgi-bin/gettoken?corpid=ww1&corpsecret=s3",
    )
    assert sent.url == "https://qyapi.weixin.qq.com/cgi-bin/message/send?access_token=acc3sst0k3n"
    body = json.loads(sent.body)
    assert (body["touser"], body["agentid"]) == ("a|b", 1000002)
    assert receipt.external_id == "m1"
    assert "acc3sst0k3n" not in receipt.answer


def test_lengths_in_bytes_are_kept(notifier: Notifier) -> None:
    many = make_notification(*(make_alert(monitor="\u76d1" * 50 + str(n)) for n in range(60)))
    content = _robot(notifier, many)["markdown"]["content"]
    assert utf8_size(content) <= 4_096
    assert "more alerts are not shown" in content
    text = _robot(notifier, many, {"message_type": "text"})["text"]["content"]
    assert utf8_size(text) <= 2_048
    own = _robot(notifier, many, {"message": "\u76d1" * 3_000})["markdown"]["content"]
    assert own.endswith(CUT_NOTE)


def test_people_are_called_while_something_fires(notifier: Notifier) -> None:
    config: JsonObject = {"mentions": ["zhang", "@all"]}
    assert _robot(notifier, make_notification(), config)["markdown"]["content"].endswith("<@zhang>")
    assert "<@zhang>" not in _robot(notifier, OVER, config)["markdown"]["content"]
    plain = _robot(notifier, make_notification(), {**config, "message_type": "text"})
    assert plain["text"]["mentioned_list"] == ["zhang", "@all"]


def test_labels_bring_no_markup_and_call_nobody(notifier: Notifier) -> None:
    alert = make_alert(monitor="<@all> [x](y) **b**")
    content = _robot(notifier, make_notification(alert))["markdown"]["content"]
    assert "\uff1c\uff20all\uff1e \uff3bx\uff3d" in content


@pytest.mark.parametrize(
    ("config", "secrets", "field"),
    [
        ({}, {}, "/webhook_url"),
        ({}, {"api_secret": "x"}, "/corp_id"),
        ({"corp_id": "ww"}, {"api_secret": "x"}, "/agent_id"),
    ],
)
def test_a_wrong_configuration_names_its_field(
    config: JsonObject, secrets: dict[str, JsonValue], field: str
) -> None:
    schema = built_in_plugins().manifest(PluginKind.NOTIFIER, "wecom").config_schema
    assert field in {problem.field for problem in validate(schema, config, secrets).problems}
