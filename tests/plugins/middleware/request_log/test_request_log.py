import logging

import pytest

from detectviz.contracts.middleware import AnswerView
from detectviz.contracts.types import PluginKind
from detectviz.testing.middleware import MiddlewareConformance, make_context, make_request
from detectviz.testing.plugins import built_in_plugins

OK = AnswerView(status=200, duration_s=0.0123, bytes=42)


class TestRequestLog(MiddlewareConformance):
    name = "request-log"


def lines(
    caplog: pytest.LogCaptureFixture, config: dict[str, float | bool], answer: AnswerView
) -> list[str]:
    caplog.set_level(logging.INFO)
    plugin = built_in_plugins().load(PluginKind.MIDDLEWARE, "request-log")
    plugin.observe(make_request(), answer, make_context("request-log", config))
    return [record.getMessage() for record in caplog.records]


def test_a_line_says_what_was_asked_and_answered(caplog: pytest.LogCaptureFixture) -> None:
    (line,) = lines(caplog, {}, OK)
    assert line.startswith("GET /apis/core/v1/orgs/acme/users 200 12.3 ms 42 bytes org=acme")
    assert "192.0.2.1" not in line


def test_addresses_are_written_only_if_wanted(caplog: pytest.LogCaptureFixture) -> None:
    (line,) = lines(caplog, {"addresses": True}, OK)
    assert "192.0.2.1" in line


def test_what_was_fast_enough_is_left_out(caplog: pytest.LogCaptureFixture) -> None:
    assert lines(caplog, {"slower_than_s": 1}, OK) == []
    failed = AnswerView(status=503, duration_s=0.01, bytes=1)
    assert lines(caplog, {"slower_than_s": 1}, failed)
