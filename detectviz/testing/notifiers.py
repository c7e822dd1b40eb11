"""The conformance suite of notifiers, and the ports they are tested with."""

import json
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import ClassVar, cast
from urllib.parse import unquote_plus

import pytest

from detectviz.contracts.commands import BlockingCommandRunner
from detectviz.contracts.errors import (
    DeadlineExceededError,
    DeliveryError,
    EgressDeniedError,
    NetworkError,
    PluginError,
)
from detectviz.contracts.mailbox import Mailbox
from detectviz.contracts.network import HttpClient, HttpRequest, HttpResponse, Phases
from detectviz.contracts.notifier import (
    MailMessage,
    MailSender,
    Notification,
    NotificationAction,
    NotifiedAlert,
    Notifier,
    NotifierContext,
)
from detectviz.contracts.read_back import ReadsBack, Told
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
    """An HttpClient that answers as told and remembers what it was asked.

    ``first`` are the answers of the first requests, ``answer`` is that of all the others.
    """

    answer: HttpResponse | Exception = field(default_factory=make_response)
    first: list[HttpResponse | Exception] = field(default_factory=list)
    denied_hosts: frozenset[str] = frozenset()
    requests: list[HttpRequest] = field(default_factory=list)
    checked: list[tuple[str, int]] = field(default_factory=list)

    def fetch(self, request: HttpRequest) -> HttpResponse:
        """Return or raise the answer."""
        self.requests.append(request)
        answer = self.first.pop(0) if self.first else self.answer
        if isinstance(answer, Exception):
            raise answer
        return answer

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


def templated_notification() -> Notification:
    """Return a notification whose title and text the operator's templates wrote."""
    return replace(
        make_notification(), title="Own title 4711", text="Own text 0815", is_templated=True
    )


def notification_with_actions() -> Notification:
    """Return a notification that offers to acknowledge."""
    url = "https://detectviz.example/callbacks/4ct10n"
    return replace(
        make_notification(),
        actions=(NotificationAction(name="acknowledge", title="Acknowledge", url=url),),
    )


def make_notifier_context(
    name: str,
    config: JsonObject,
    secrets: dict[str, JsonValue] | None = None,
    *,
    http: HttpClient | None = None,
    mail: MailSender | None = None,
    now: Callable[[], datetime] = lambda: NOW,
    thread: JsonObject | None = None,
    scripts: BlockingCommandRunner | None = None,
    mailbox: Mailbox | None = None,
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
        thread=thread or {},
        scripts=scripts,
        mailbox=mailbox,
    )


CASES: dict[str, Callable[[], Notification]] = {
    "firing": make_notification,
    "resolved": lambda: make_notification(status=AlertStatus.RESOLVED),
    "many": lambda: make_notification(
        *(make_alert(monitor=f"m{index}") for index in range(30)),
        make_alert(AlertStatus.RESOLVED, monitor="back"),
        truncated_alerts=4,
    ),
    "unicode": lambda: make_notification(make_alert(monitor="café 监控 🔥", region="שלום")),
    "long": lambda: make_notification(
        replace(make_alert(monitor="m"), annotations={"summary": "long " * 2_000})
    ),
    "templated": templated_notification,
    "actions": notification_with_actions,
    "test": lambda: make_notification(is_test=True),
}
FAILURES: dict[str, HttpResponse] = {
    "clientError": make_response(400, b"bad request"),
    "authError": make_response(401, b"who are you?"),
    "rateLimited": make_response(429, b"slow down", [("Retry-After", "30")]),
    "serverError": make_response(503, b"later"),
}
_PERMANENT = {"clientError", "authError"}
_LARGEST_THREAD_BYTES = 4_096


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

    @pytest.mark.parametrize("case", list(CASES))
    def test_each_case_is_delivered(
        self, notifier: Notifier, good_context: NotifierContext, case: str
    ) -> None:
        receipt = notifier.notify(CASES[case](), good_context)
        assert len(receipt.request_digest) == 64
        thread = json.dumps(receipt.thread)
        assert len(thread) <= _LARGEST_THREAD_BYTES
        assert self.SECRET not in thread


class HttpNotifierSuite(NotifierSuite):
    """What a notifier must do that goes by ``context.http``: set ``make_context``, too.

    ``success`` is its service's answer to a good request, ``failures`` are its answers by class,
    the limited one asking for ``limited_wait_s`` (such an answer may have the status 200; some
    services do not say for how long, and their notifier knows). With
    ``recordings`` (a folder) every case's requests are compared with ``<case>.json`` there; a file
    that is missing is written, and its test fails once, so that somebody looks at it.
    ``uses_text`` says that title and text of the host are sent, ``uses_actions`` that actions are.
    """

    success: ClassVar[HttpResponse] = make_response()
    failures: ClassVar[Mapping[str, HttpResponse]] = FAILURES
    recordings: ClassVar[Path]
    uses_text: ClassVar[bool] = True
    uses_actions: ClassVar[bool] = False
    limited_wait_s: ClassVar[float] = 30.0
    reads_back: ClassVar[bool] = False

    def make_context(self, http: FakeHttp) -> NotifierContext:
        """Return a context, its secret being ``SECRET``, whose service is ``http``."""
        raise NotImplementedError

    @pytest.fixture
    def good_context(self) -> NotifierContext:
        """Return a context whose service accepts."""
        return self.make_context(FakeHttp(answer=self.success))

    @pytest.fixture
    def bad_context(self) -> NotifierContext:
        """Return a context whose service refuses."""
        return self.make_context(FakeHttp(answer=self.failures["authError"]))

    def _deliver(self, notifier: Notifier, notification: Notification) -> list[HttpRequest]:
        http = FakeHttp(answer=self.success)
        notifier.notify(notification, self.make_context(http))
        return http.requests

    @pytest.mark.parametrize("case", list(CASES))
    def test_requests_are_as_recorded(self, notifier: Notifier, case: str) -> None:
        requests = self._deliver(notifier, CASES[case]())
        said = [recorded_request(request, self.SECRET) for request in requests]
        path = self.recordings / f"{case}.json"
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(said, indent=2, ensure_ascii=False, sort_keys=True) + "\n")
            pytest.fail(f"{path.name} was missing and is written now; look whether it is right.")
        assert said == json.loads(path.read_text())

    def test_the_hosts_text_is_said_where_the_notifier_says_text(self, notifier: Notifier) -> None:
        said = _said(self._deliver(notifier, templated_notification()))
        assert ("Own text 0815" in said) == self.uses_text

    def test_actions_are_offered_where_the_notifier_can(self, notifier: Notifier) -> None:
        said = _said(self._deliver(notifier, notification_with_actions()))
        assert ("4ct10n" in said) == self.uses_actions

    def test_a_threads_next_message_is_delivered_with_what_was_kept(
        self, notifier: Notifier
    ) -> None:
        first = FakeHttp(answer=self.success)
        kept = notifier.notify(make_notification(), self.make_context(first)).thread
        later = replace(self.make_context(FakeHttp(answer=self.success)), thread=kept)
        over = replace(make_notification(status=AlertStatus.RESOLVED), delivery_id="dlv_02")
        assert notifier.notify(over, later).request_digest

    @pytest.mark.parametrize("reason", ["clientError", "authError", "rateLimited", "serverError"])
    def test_each_refusal_has_its_class(self, notifier: Notifier, reason: str) -> None:
        http = FakeHttp(answer=self.failures[reason])
        with pytest.raises(DeliveryError) as refused:
            notifier.notify(make_notification(), self.make_context(http))
        error = refused.value
        assert (error.reason, error.permanent) == (reason, reason in _PERMANENT)
        assert error.message
        if reason == "rateLimited":
            assert error.retry_after_s == self.limited_wait_s

    def test_no_answer_in_time_is_a_timeout(self, notifier: Notifier) -> None:
        http = FakeHttp(answer=DeadlineExceededError("too slow", phase="receive"))
        with pytest.raises(DeliveryError) as refused:
            notifier.notify(make_notification(), self.make_context(http))
        assert (refused.value.reason, refused.value.permanent) == ("timeout", False)

    def test_a_failing_network_is_told_without_the_secret(self, notifier: Notifier) -> None:
        failure = NetworkError(f"no route to https://x.example/{self.SECRET}", phase="connect")
        with pytest.raises(PluginError) as refused:
            notifier.notify(make_notification(), self.make_context(FakeHttp(answer=failure)))
        assert not refused.value.permanent
        assert self.SECRET not in f"{refused.value!r} {refused.value.message}"

    def test_a_service_that_repeats_the_secret_is_not_quoted(self, notifier: Notifier) -> None:
        answer = make_response(500, f"no such token: {self.SECRET}".encode())
        with pytest.raises(DeliveryError) as refused:
            notifier.notify(make_notification(), self.make_context(FakeHttp(answer=answer)))
        error = refused.value
        assert self.SECRET not in f"{error!r} {error.message} {error.answer}"

    def test_reading_back_is_proved_where_it_is_offered(self, notifier: Notifier) -> None:
        assert callable(getattr(notifier, "read_back", None)) == self.reads_back

    def test_presses_are_taken_where_the_manifest_says_so(self, notifier: Notifier) -> None:
        manifest = built_in_plugins().manifest(PluginKind.NOTIFIER, self.name)
        verbs = {callable(getattr(notifier, name, None)) for name in ("read_press", "answer_press")}
        assert verbs == {bool(manifest.callback)}


class ReadableNotifierSuite(HttpNotifierSuite):
    """What a notifier must do that reads back (``contracts.read_back.ReadsBack``) by HTTP.

    ``found`` is the service's answer where the message is, ``missing`` where it is not.
    """

    reads_back = True
    found: ClassVar[HttpResponse]
    missing: ClassVar[HttpResponse] = make_response(404, b"{}")

    def _look(self, notifier: Notifier, answer: HttpResponse | Exception) -> bool:
        told_by = self.make_context(FakeHttp(answer=self.success))
        receipt = notifier.notify(make_notification(), told_by)
        told = Told(
            notification=make_notification(),
            external_id=receipt.external_id,
            thread=receipt.thread,
        )
        http = FakeHttp(answer=answer)
        is_there = cast("ReadsBack", notifier).read_back(told, self.make_context(http))
        assert {request.method for request in http.requests} == {"GET"}
        return is_there

    def test_what_is_there_is_found_again(self, notifier: Notifier) -> None:
        assert self._look(notifier, self.found)

    def test_what_is_not_there_is_not_found(self, notifier: Notifier) -> None:
        assert not self._look(notifier, self.missing)

    @pytest.mark.parametrize("reason", ["authError", "rateLimited", "serverError"])
    def test_a_service_that_lets_nobody_look_says_nothing_about_the_message(
        self, notifier: Notifier, reason: str
    ) -> None:
        with pytest.raises(DeliveryError) as refused:
            self._look(notifier, self.failures[reason])
        assert refused.value.reason == reason
        assert self.SECRET not in f"{refused.value!r} {refused.value.message}"


def recorded_request(request: HttpRequest, secret: str) -> JsonObject:
    """Return a request as recordings keep it: no secret, the body as JSON where it is JSON."""
    recorded: JsonObject = {
        "method": request.method,
        "url": request.url,
        "headers": {name.lower(): value for name, value in request.headers},
        "body": _body(request.body),
    }
    text = json.dumps(recorded).replace(secret, "SECRET")
    known: JsonObject = json.loads(text)
    return known


def _body(body: bytes) -> JsonValue:
    text = body.decode("utf-8", "replace")
    try:
        known: JsonValue = json.loads(text)
    except ValueError:
        return text
    return known


def _said(requests: Sequence[HttpRequest]) -> str:
    bodies = " ".join(request.body.decode("utf-8", "replace") for request in requests)
    return unquote_plus(f"{bodies} {' '.join(request.url for request in requests)}")
