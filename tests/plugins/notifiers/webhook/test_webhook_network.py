"""The webhook through the real way out, to a real server on loopback."""

from collections.abc import Iterator

import pytest

from detectviz.contracts.errors import DeliveryError, EgressDeniedError, NetworkError
from detectviz.contracts.notifier import Notifier, Receipt
from detectviz.contracts.types import JsonObject, JsonValue, PluginKind
from detectviz.net.guard import EgressPolicy
from detectviz.net.http import SyncHttpClient
from detectviz.testing.http_server import (
    Answer,
    TestAuthority,
    http_server,
    silent_port,
)
from detectviz.testing.notifiers import make_notification, make_notifier_context
from detectviz.testing.plugins import built_in_plugins
from detectviz.testing.services import free_port


@pytest.fixture
def client() -> Iterator[SyncHttpClient]:
    made = SyncHttpClient(EgressPolicy(allow_private=True))
    yield made
    made.close()


def _notify(client: SyncHttpClient, config: JsonObject, **secrets: JsonValue) -> Receipt:
    notifier: Notifier = built_in_plugins().load(PluginKind.NOTIFIER, "webhook")
    context = make_notifier_context("webhook", config, secrets, http=client)
    return notifier.notify(make_notification(), context)


def test_a_notification_arrives_signed_and_with_credentials(client: SyncHttpClient) -> None:
    with http_server(lambda _: Answer(status=202, body=b"thanks")) as running:
        config: JsonObject = {"url": f"{running.url}/hook", "auth": "basic", "username": "u"}
        receipt = _notify(client, config, password="p", secret="s")
    (request,) = running.requests
    assert (receipt.status_code, receipt.answer) == (202, "thanks")
    assert (request.method, request.path) == ("POST", "/hook")
    assert request.headers["authorization"].startswith("Basic ")
    assert request.headers["webhook-id"] == "dlv_01"
    assert request.headers["webhook-signature"].startswith("v1,")
    assert request.headers["content-type"] == "application/json"
    assert b'"version":"4"' in request.body


def test_a_redirect_is_refused_and_not_followed(client: SyncHttpClient) -> None:
    answer = Answer(status=302, headers=[("Location", "/elsewhere")])
    with http_server(lambda _: answer) as running, pytest.raises(DeliveryError, match="final URL"):
        _notify(client, {"url": f"{running.url}/hook"})
    assert [request.path for request in running.requests] == ["/hook"]


def test_the_certificate_is_verified_unless_told_otherwise(client: SyncHttpClient) -> None:
    authority = TestAuthority()
    with http_server(lambda _: Answer(), tls=authority.server_context()) as running:
        with pytest.raises(NetworkError):
            _notify(client, {"url": running.url})
        assert _notify(client, {"url": running.url, "ca_pem": authority.ca_pem}).status_code == 200
        assert _notify(client, {"url": running.url, "verify_tls": False}).status_code == 200


def test_nobody_there_and_nobody_answering_are_told_apart(client: SyncHttpClient) -> None:
    with pytest.raises(NetworkError):
        _notify(client, {"url": f"http://127.0.0.1:{free_port()}/"})
    with silent_port() as port, pytest.raises(DeliveryError) as refused:
        _notify(client, {"url": f"http://127.0.0.1:{port}/"})
    assert refused.value.reason == "timeout"


def test_the_guard_is_asked() -> None:
    strict = SyncHttpClient(EgressPolicy())
    with pytest.raises(EgressDeniedError):
        _notify(strict, {"url": "http://127.0.0.1:1/"})
    strict.close()
