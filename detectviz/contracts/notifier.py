"""Notifiers: one verb, ``notify``. The host owns grouping, dedup, retry and the delivery log."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from detectviz.contracts.network import HttpClient
from detectviz.contracts.types import AlertStatus, JsonObject, Labels


@dataclass(frozen=True, slots=True, kw_only=True)
class NotifiedAlert:
    """One alert of a notification, with the fields of Alertmanager's webhook version 4."""

    status: AlertStatus
    labels: Labels
    annotations: Labels
    starts_at: datetime
    ends_at: datetime | None
    generator_url: str
    fingerprint: str
    value: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Notification:
    """What a receiver is told. ``delivery_id`` is stable over retries of the same delivery."""

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
    """Everything one delivery may use. ``config`` has passed the schema, defaults filled."""

    config: JsonObject
    secrets: Mapping[str, str]
    timeout_s: float
    http: HttpClient
    mail: MailSender
    now: Callable[[], datetime]
    logger: logging.Logger


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """A positive answer. ``request_digest`` is the SHA-256 of what was sent, hex."""

    status_code: int | None = None
    answer: str = ""
    request_digest: str = ""
    external_id: str = ""


class Notifier(Protocol):
    """A notifier plugin's capability class; constructed once per process, without arguments."""

    def notify(self, notification: Notification, context: NotifierContext) -> Receipt:
        """Deliver once; raise DeliveryError (or NetworkError) unless the service said yes."""
