"""The conformance suite of notifiers, and the ports they are tested with."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

import pytest

from detectviz.contracts.errors import DeliveryError, EgressDeniedError, PluginError
from detectviz.contracts.network import HttpClient, HttpRequest, HttpResponse, Phases
from detectviz.contracts.notifier import (
    MailMessage,
    MailSender,
    Notification,
    NotifiedAlert,
    Notifier,
    NotifierContext,
)
from detectviz.contracts.types import AlertStatus, JsonObject, JsonValue, PluginKind
from detectviz.testing.plugins import built_in_plugins, checked_config

NOW = datetime(2026, 1, 31, 8, 30, tzinfo=UTC)
REASONS = {"clientError", "serverError", "authError", "rateLimited", "timeout"}
HOSTILE = (
    "\r\nBcc: mallory@evil.example\r\n\r\n",
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "{{ 7 * 7 }} ${7*7} %s %n {0}",
    "\x00\x1b[31m\u202eevil",
    "@everyone <!channel> *bold* [link](javascript:alert(1))",
    "💥" * 500,
    "\ud800",
)


def make_response(
    status_code: int = 200, body: bytes = b"ok", headers: Sequence[tuple[str, str]] = ()
) -> HttpResponse:
    """Return an answer as the network would."""
    return HttpResponse(
        status_code=status_code,
        headers=tuple(headers),
        body=body,
        body_truncated=False,
        content_length=len(body),
        effective_url="http://127.0.0.1/",
        version="1.1",
        redirects=0,
        remote_ip="127.0.0.1",
        remote_port=80,
        phases=Phases(),
    )


@dataclass(slots=True)
class FakeHttp:
    """An HttpClient that answers as told and remembers what it was asked."""

    answer: HttpResponse | Exception = field(default_factory=make_response)
    denied_hosts: frozenset[str] = frozenset()
    requests: list[HttpRequest] = field(default_factory=list)
    checked: list[tuple[str, int]] = field(default_factory=list)

    def fetch(self, request: HttpRequest) -> HttpResponse:
        """Return or raise the answer."""
        self.requests.append(request)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    def require_allowed(self, host: str, port: int) -> None:
        """Refuse the denied hosts."""
        self.checked.append((host, port))
        if host in self.denied_hosts:
            raise EgressDeniedError(f"{host} may not be reached.")


@dataclass(slots=True)
class FakeMail:
    """A MailSender that keeps the mails."""

    failure: DeliveryError | None = None
    sent: list[MailMessage] = field(default_factory=list)

    def send(self, message: MailMessage) -> str:
        """Keep ``message`` or fail as told."""
        if self.failure is not None:
            raise self.failure
        self.sent.append(message)
        return message.headers.get("Message-ID", "<made-up@host>")


def make_alert(status: AlertStatus = AlertStatus.FIRING, **labels: str) -> NotifiedAlert:
    """Return one alert of HomeDown with more ``labels``."""
    return NotifiedAlert(
        status=status,
        labels={"alertname": "HomeDown", "severity": "critical", **labels},
        annotations={"summary": "home is down"},
        starts_at=NOW,
        ends_at=NOW if status is AlertStatus.RESOLVED else None,
        generator_url="https://detectviz.example/o/acme/alerts/1",
        fingerprint="0123456789abcdef",
        value=0.0,
    )


def make_notification(
    *alerts: NotifiedAlert,
    status: AlertStatus = AlertStatus.FIRING,
    truncated_alerts: int = 0,
    is_test: bool = False,
) -> Notification:
    """Return a notification of one group with ``alerts``, or with one firing alert."""
    return Notification(
        receiver="ops",
        status=status,
        alerts=alerts or (make_alert(status, monitor="home"),),
        group_key='{}/{}:{alertname="HomeDown"}',
        group_labels={"alertname": "HomeDown"},
        common_labels={"alertname": "HomeDown", "severity": "critical"},
        common_annotations={"summary": "home is down"},
        external_url="https://detectviz.example",
        org="acme",
        rule_group="web",
        delivery_id="dlv_01",
        url="https://detectviz.example/o/acme/alerts",
        truncated_alerts=truncated_alerts,
        is_test=is_test,
    )


def hostile_notification() -> Notification:
    """Return a notification whose every outside text tries something."""
    labels = {f"l{index}": text for index, text in enumerate(HOSTILE)}
    return replace(
        make_notification(replace(make_alert(), labels=labels, annotations=labels)),
        group_labels=labels,
        common_labels=labels,
        common_annotations={"summary": "".join(HOSTILE)},
    )


def make_notifier_context(
    name: str,
    config: JsonObject,
    secrets: dict[str, JsonValue] | None = None,
    *,
    http: HttpClient | None = None,
    mail: MailSender | None = None,
    now: Callable[[], datetime] = lambda: NOW,
) -> NotifierContext:
    """Return the context the host would give the notifier ``name``; the schema must agree."""
    checked = checked_config(PluginKind.NOTIFIER, name, config, secrets)
    return NotifierContext(
        config=checked.config,
        secrets=checked.secrets,
        timeout_s=2.0,
        http=http or FakeHttp(),
        mail=mail or FakeMail(),
        now=now,
        logger=logging.getLogger(f"tests.notifiers.{name}"),
    )


class NotifierSuite:
    """What every notifier must do. Subclass it, set ``name`` and give the two contexts.

    ``good_context`` leads to a service that accepts; ``bad_context`` to one that refuses with a
    wrong credential or fails. Put ``SECRET`` into a secret of both where there is one.
    """

    name = ""
    SECRET = "c4n4ry-t0k3n"

    @pytest.fixture
    def notifier(self) -> Notifier:
        """Return the plugin, loaded as the host loads it."""
        return built_in_plugins().load(PluginKind.NOTIFIER, self.name)

    @pytest.fixture
    def good_context(self) -> NotifierContext:
        """Return a context whose service accepts."""
        raise NotImplementedError

    @pytest.fixture
    def bad_context(self) -> NotifierContext:
        """Return a context whose service refuses."""
        raise NotImplementedError

    def test_a_positive_answer_makes_a_receipt(
        self, notifier: Notifier, good_context: NotifierContext
    ) -> None:
        receipt = notifier.notify(make_notification(), good_context)
        assert len(receipt.request_digest) == 64
        assert self.SECRET not in repr(receipt)

    @pytest.mark.parametrize("status", list(AlertStatus))
    def test_firing_and_resolved_are_both_delivered(
        self, notifier: Notifier, good_context: NotifierContext, status: AlertStatus
    ) -> None:
        receipt = notifier.notify(make_notification(status=status), good_context)
        assert receipt.request_digest

    def test_the_same_delivery_says_the_same_thing_again(
        self, notifier: Notifier, good_context: NotifierContext
    ) -> None:
        first = notifier.notify(make_notification(), good_context)
        second = notifier.notify(make_notification(), good_context)
        assert first.request_digest == second.request_digest

    def test_hostile_labels_are_delivered_like_any_other(
        self, notifier: Notifier, good_context: NotifierContext
    ) -> None:
        assert notifier.notify(hostile_notification(), good_context).request_digest

    def test_a_thousand_alerts_are_delivered(
        self, notifier: Notifier, good_context: NotifierContext
    ) -> None:
        alerts = tuple(make_alert(monitor=f"m{index}") for index in range(1_000))
        assert notifier.notify(make_notification(*alerts), good_context).request_digest

    def test_a_refusal_is_a_typed_error_that_keeps_the_secret(
        self,
        notifier: Notifier,
        bad_context: NotifierContext,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        with caplog.at_level(logging.DEBUG), pytest.raises(PluginError) as refused:
            notifier.notify(make_notification(), bad_context)
        error = refused.value
        if isinstance(error, DeliveryError):
            assert error.reason in REASONS
        assert error.message
        assert self.SECRET not in f"{error!r} {error.message} {caplog.text}"
