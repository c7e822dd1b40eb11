"""Apprise is kept to services that may be called, and says why one refused."""

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from detectviz.contracts.errors import ConfigurationError, DeliveryError, EgressDeniedError
from detectviz.contracts.notifier import Notifier, NotifierContext, Receipt
from detectviz.contracts.types import PluginKind
from detectviz.pluginhost.configuration import validate
from detectviz.testing.notifiers import (
    FakeHttp,
    NotifierSuite,
    make_alert,
    make_notification,
    make_notifier_context,
)
from detectviz.testing.plugins import built_in_plugins
from plugins.notifiers.apprise.schemes import FIXED_HOSTS, GUARDED_HOSTS


@dataclass(slots=True)
class Receiver:
    """A service that answers with ``status`` and remembers what it was told."""

    port: int
    status: int = 200
    location: str = ""
    bodies: list[bytes] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            heard.paths.append(self.path)
            heard.bodies.append(self.rfile.read(int(self.headers.get("Content-Length", 0))))
            self.send_response(heard.status)
            if heard.location:
                self.send_header("Location", heard.location)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Stay silent."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    heard = Receiver(port=server.server_port)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield heard
    server.shutdown()
    server.server_close()
    thread.join()


class TestConformance(NotifierSuite):
    name = "apprise"

    @pytest.fixture
    def good_context(self, receiver: Receiver) -> NotifierContext:
        url = f"gotify://127.0.0.1:{receiver.port}/{self.SECRET}"
        return make_notifier_context("apprise", {}, {"url": url})

    @pytest.fixture
    def bad_context(self, receiver: Receiver) -> NotifierContext:
        receiver.status = 401
        url = f"gotify://127.0.0.1:{receiver.port}/{self.SECRET}"
        return make_notifier_context("apprise", {}, {"url": url})


def _notify(url: str, http: FakeHttp | None = None) -> Receipt:
    notifier: Notifier = built_in_plugins().load(PluginKind.NOTIFIER, "apprise")
    context = make_notifier_context("apprise", {}, {"url": url}, http=http)
    return notifier.notify(make_notification(make_alert(monitor="home @everyone <!here>")), context)


def test_title_and_text_arrive(receiver: Receiver) -> None:
    _notify(f"json://127.0.0.1:{receiver.port}/hook")
    body = json.loads(receiver.bodies[0])
    assert body["title"] == "[FIRING:1] HomeDown (critical)"
    assert "summary = home is down" in body["message"]


def test_a_label_pages_nobody(receiver: Receiver) -> None:
    _notify(f"json://127.0.0.1:{receiver.port}/hook")
    message = json.loads(receiver.bodies[0])["message"]
    assert "@everyone" not in message
    assert "<!here" not in message
    assert "everyone" in message


@pytest.mark.parametrize(
    ("status", "reason", "permanent"),
    [
        (401, "authError", True),
        (404, "clientError", True),
        (429, "rateLimited", False),
        (500, "serverError", False),
    ],
)
def test_each_refusal_has_its_class(
    receiver: Receiver, status: int, reason: str, *, permanent: bool
) -> None:
    receiver.status = status
    with pytest.raises(DeliveryError) as refused:
        _notify(f"json://127.0.0.1:{receiver.port}/a-secret-path")
    error = refused.value
    assert (error.reason, error.permanent, error.status_code) == (reason, permanent, status)
    assert "a-secret-path" not in error.answer


def test_a_service_that_cannot_be_reached_is_tried_again() -> None:
    with pytest.raises(DeliveryError) as refused:
        _notify("json://127.0.0.1:9/")
    assert (refused.value.reason, refused.value.permanent) == ("serverError", False)


def test_redirects_are_not_followed(receiver: Receiver) -> None:
    receiver.status = 307
    receiver.location = f"http://127.0.0.1:{receiver.port}/inside"
    with pytest.raises(DeliveryError):
        _notify(f"json://127.0.0.1:{receiver.port}/hook")
    assert receiver.paths == ["/hook"]


@pytest.mark.parametrize(
    ("url", "host", "port"),
    [
        ("json://10.0.0.1/x", "10.0.0.1", 80),
        ("jsons://10.0.0.1/x", "10.0.0.1", 443),
        ("gotify://10.0.0.1:8080/token", "10.0.0.1", 8080),
        ("ntfy://10.0.0.1/topic", "10.0.0.1", 80),
        ("mmosts://10.0.0.1/abcdefghijklmnopqrstuvwx", "10.0.0.1", 443),
        ("matrixs://user:pass@10.0.0.1/#room", "10.0.0.1", 443),
        ("hassio://10.0.0.1/token", "10.0.0.1", 8123),
        ("rockets://user:pass@10.0.0.1/#room", "10.0.0.1", 443),
    ],
)
def test_a_host_of_ones_own_is_asked_about_first(url: str, host: str, port: int) -> None:
    http = FakeHttp(denied_hosts=frozenset({host}))
    with pytest.raises(EgressDeniedError):
        _notify(url, http)
    assert http.checked == [(host, port)]


@pytest.mark.parametrize(
    "url",
    [
        "syslog://here",
        "rsyslog://127.0.0.1/",
        "mqtt://127.0.0.1/topic",
        "file:///etc/passwd",
        "dbus://here",
        "windows://here",
        "mailto://user:pass@example.org",
        "mailtos://user:pass@example.org",
        "fcm://project/?keyfile=/etc/passwd",
        "vapid://a@b.example/c@d.example",
        "nostr://key",
        "https://discord.com/api/webhooks/1/2",
        "http://127.0.0.1/",
        "discord://id/token?template=/etc/passwd",
        "discord://id/token?TEMPLATE=/etc/passwd",
        "discord://id/token?x=1&%74emplate=/etc/passwd",
        "json://127.0.0.1/?redirect=yes",
        "json://127.0.0.1/?store=yes",
        "json://allowed.example%40127.0.0.1/",
        "json://allowed.example%2F@127.0.0.1%23/",
        "slack://incomplete",
    ],
)
def test_what_is_not_allowed_is_refused_before_any_request(url: str) -> None:
    http = FakeHttp(denied_hosts=frozenset({"127.0.0.1"}))
    with pytest.raises((ConfigurationError, EgressDeniedError)):
        _notify(url, http)


def test_the_ntfy_cloud_needs_no_question() -> None:
    from plugins.notifiers.apprise.service import open_service  # noqa: PLC0415 - the inner door

    http = FakeHttp()
    open_service("ntfy://topic", http, 1.0)
    assert http.checked == []


def test_every_listed_scheme_is_one_of_apprises_and_none_is_listed_twice() -> None:
    import apprise  # noqa: PLC0415 - slow to import

    known: set[str] = set()
    for service in apprise.Apprise().details()["schemas"]:
        known |= {*(service["protocols"] or ()), *(service["secure_protocols"] or ())}
    assert known >= FIXED_HOSTS | GUARDED_HOSTS
    assert not FIXED_HOSTS & GUARDED_HOSTS
    assert len(FIXED_HOSTS) > 100


def test_no_service_of_a_fixed_host_takes_a_host_from_its_address() -> None:
    import apprise  # noqa: PLC0415 - slow to import

    for service in apprise.Apprise().details()["schemas"]:
        schemes = {*(service["protocols"] or ()), *(service["secure_protocols"] or ())}
        if schemes & FIXED_HOSTS:
            assert not {"host", "port", "hostname"} & set(service["details"]["tokens"]), schemes


def test_the_address_is_a_required_secret() -> None:
    schema = built_in_plugins().manifest(PluginKind.NOTIFIER, "apprise").config_schema
    (missing,) = validate(schema, {}, {}).problems
    assert (missing.field, missing.is_secret) == ("/url", True)
    (misplaced,) = validate(schema, {"url": "tgram://x/y"}, {"url": "tgram://x/y"}).problems
    assert "move it out of config" in misplaced.message
