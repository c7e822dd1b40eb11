"""Notifiers: one verb, ``notify``. The host owns grouping, dedup, retry and the delivery log."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, Protocol

from detectviz.contracts.commands import BlockingCommandRunner
from detectviz.contracts.mailbox import Mailbox
from detectviz.contracts.network import HttpClient
from detectviz.contracts.types import AlertStatus, JsonObject, Labels


@dataclass(frozen=True, slots=True, kw_only=True)
class NotifiedAlert:
    """One alert of a notification, with the fields of Alertmanager's webhook version 4.

    Times are aware and in the org's time zone: print them with ``%Z``, and convert them where a
    service wants UTC.
    """

    status: AlertStatus
    labels: Labels
    annotations: Labels
    starts_at: datetime
    ends_at: datetime | None
    generator_url: str
    fingerprint: str
    value: float | None = None


ActionName = Literal["acknowledge", "snooze", "silence", "open"]


@dataclass(frozen=True, slots=True, kw_only=True)
class NotificationAction:
    """A button or link. ``url`` is signed and does what ``name`` says for whoever opens it."""

    name: ActionName
    title: str
    url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Notification:
    """What a receiver is told. ``delivery_id`` is stable over retries of the same delivery.

    ``title`` (one line) and ``text`` are plain text the host rendered, from the operator's
    templates where ``is_templated``, else short defaults; plugins read them through
    ``message.title_of`` and ``message.text_of``. A rich layout of the plugin's own gives way to
    ``text`` where ``is_templated``. ``actions`` may be empty.
    """

    receiver: str
    status: AlertStatus
    alerts: tuple[NotifiedAlert, ...]
    group_key: str
    group_labels: Labels
    common_labels: Labels
    common_annotations: Labels
    external_url: str
    org: str
    rule_group: str
    delivery_id: str
    url: str
    truncated_alerts: int = 0
    is_test: bool = False
    title: str = ""
    text: str = ""
    is_templated: bool = False
    actions: tuple[NotificationAction, ...] = ()

    @property
    def firing(self) -> tuple[NotifiedAlert, ...]:
        """The firing alerts, in order."""
        return tuple(alert for alert in self.alerts if alert.status is AlertStatus.FIRING)

    @property
    def resolved(self) -> tuple[NotifiedAlert, ...]:
        """The resolved alerts, in order."""
        return tuple(alert for alert in self.alerts if alert.status is AlertStatus.RESOLVED)


@dataclass(frozen=True, slots=True, kw_only=True)
class MailMessage:
    """One mail; ``headers`` may carry Message-ID, References, List-Id."""

    to: tuple[str, ...]
    subject: str
    text: str
    html: str = ""
    sender: str = ""
    reply_to: tuple[str, ...] = ()
    cc: tuple[str, ...] = ()
    headers: Mapping[str, str] = field(default_factory=dict)


class MailSender(Protocol):
    """The deployment's outgoing mail."""

    def send(self, message: MailMessage) -> str:
        """Hand ``message`` to the mail server and return its Message-ID; raise DeliveryError."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NotifierContext:
    """Everything one delivery may use. ``config`` has passed the schema, defaults filled.

    Texts the schema marks ``x-template`` are rendered already. ``thread`` is what the plugin's
    ``Receipt.thread`` was for the same group and receiver the last time it was told, to answer in
    a thread or to update in place; empty for a group that is new or was over. ``scripts`` runs the
    operator's programs for the org, ``mailbox`` looks into mailboxes, where that is possible.
    """

    config: JsonObject
    secrets: Mapping[str, str]
    timeout_s: float
    http: HttpClient
    mail: MailSender
    now: Callable[[], datetime]
    logger: logging.Logger
    thread: JsonObject = field(default_factory=dict)
    scripts: BlockingCommandRunner | None = None
    mailbox: Mailbox | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """A positive answer. ``request_digest`` is the SHA-256 of what was sent, hex.

    ``thread`` is remembered for the group and receiver until the group is over: ids of messages,
    never a secret; at most 4,096 bytes of JSON, more is forgotten.
    """

    status_code: int | None = None
    answer: str = ""
    request_digest: str = ""
    external_id: str = ""
    thread: JsonObject = field(default_factory=dict)


class Notifier(Protocol):
    """A notifier plugin's capability class; constructed once per process, without arguments."""

    def notify(self, notification: Notification, context: NotifierContext) -> Receipt:
        """Deliver once; raise DeliveryError (or NetworkError) unless the service said yes."""
