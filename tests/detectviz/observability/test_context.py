import ipaddress
import logging
import logging.config

import pytest
from django.http import HttpRequest, HttpResponse
from django.test import Client, RequestFactory
from pytest_django import Settings

from detectviz.observability.context import (
    SYSTEM,
    Actor,
    RequestContext,
    client_address,
    context,
    current_context,
)
from detectviz.observability.logs import logging_settings
from detectviz.observability.middleware import RequestContextMiddleware
from tests.factories.accounts import make_user

PROXIES = (ipaddress.ip_network("10.0.0.0/8"), ipaddress.ip_network("fd00::/8"))


@pytest.mark.parametrize(
    ("peer", "forwarded", "address"),
    [
        ("192.0.2.1", "", "192.0.2.1"),
        ("192.0.2.1", "203.0.113.9", "192.0.2.1"),  # nobody we trust wrote that
        ("10.0.0.1", "203.0.113.9", "203.0.113.9"),
        ("10.0.0.1", "203.0.113.9, 10.0.0.2", "203.0.113.9"),
        ("10.0.0.1", "1.1.1.1, 203.0.113.9", "203.0.113.9"),  # the client wrote 1.1.1.1
        ("10.0.0.1", "1.1.1.1, nonsense", "10.0.0.1"),
        ("10.0.0.1", "", "10.0.0.1"),
        ("fd00::1", "2001:db8::1", "2001:db8::1"),
        ("::ffff:10.0.0.1", "203.0.113.9", "203.0.113.9"),
        ("", "203.0.113.9", None),
        ("unix:", "", None),
    ],
)
def test_the_address_is_the_last_one_that_can_be_believed(
    peer: str, forwarded: str, address: str | None
) -> None:
    assert client_address(peer, forwarded, PROXIES) == address


def test_outside_a_request_the_system_acts() -> None:
    assert current_context().actor == SYSTEM


def test_a_context_ends_with_its_block() -> None:
    actor = Actor(user_id=1, name="alice", via="session")
    with context(RequestContext(actor_source=lambda: actor)):
        assert current_context().actor is actor
    assert current_context().actor == SYSTEM


@pytest.mark.parametrize(
    ("offered", "kept"),
    [("abc-12345678", True), ("short", False), ("x" * 65, False), ("bad\nheader", False)],
)
def test_every_answer_carries_a_request_id(client: Client, offered: str, *, kept: bool) -> None:
    answer = client.get("/healthz", headers={"X-Request-ID": offered})
    assert (answer["X-Request-ID"] == offered) is kept
    assert len(answer["X-Request-ID"]) >= 8


@pytest.mark.django_db
def test_the_session_s_user_acts_and_is_looked_up_only_when_asked(settings: Settings) -> None:
    settings.TRUSTED_PROXIES = PROXIES
    user = make_user("alice")
    seen: list[object] = []

    def view(request: HttpRequest) -> HttpResponse:
        request.user = user
        seen.extend([current_context().actor, current_context().address])
        return HttpResponse()

    request = RequestFactory().get(
        "/", REMOTE_ADDR="10.0.0.1", headers={"X-Forwarded-For": "192.0.2.7"}
    )
    RequestContextMiddleware(view)(request)
    assert seen == [Actor(user_id=user.pk, name="alice", via="session"), "192.0.2.7"]


@pytest.mark.parametrize("log_format", ["console", "json"])
def test_logs_show_no_secret_and_no_local_variable(log_format: str) -> None:
    formatter = logging_settings(log_format)["formatters"]["structured"]
    factory = formatter.pop("()")
    handler_formatter: logging.Formatter = factory(**formatter)
    try:
        hidden = "hunter" + str(2)
        _ = [][len(hidden)]
    except IndexError as error:
        info = (type(error), error, error.__traceback__)
    token = f"dv_0123456789ab_{hidden * 4}"
    record = logging.LogRecord("x", logging.WARNING, "f", 1, f"key {token}", None, info)
    text = handler_formatter.format(record)
    assert "IndexError" in text
    assert "hunter2" not in text
