"""Reading back: a notifier's second, optional verb, by which a delivery is found again.

The host calls it some time after ``notify`` said yes, as proof that the message is there and was
not only taken. A notifier without it stands by the service's answer.
"""

from dataclasses import dataclass, field, replace
from http import HTTPStatus
from typing import Protocol

from detectviz.contracts.errors import PluginError
from detectviz.contracts.http_answers import LARGEST_ANSWER_BYTES
from detectviz.contracts.notifier import Notification, NotifierContext
from detectviz.contracts.posting import Exchange, Outgoing, send
from detectviz.contracts.types import JsonObject


class NotReadableError(PluginError):
    """With these settings the service lets nobody look; the message says what to set."""

    def __init__(self, message: str) -> None:
        super().__init__(message, permanent=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What was told. ``external_id`` and ``thread`` are those of ``notify``'s receipt."""

    notification: Notification
    external_id: str
    thread: JsonObject = field(default_factory=dict)


class ReadsBack(Protocol):
    """A notifier whose service can be asked for what it was told."""

    def read_back(self, told: Told, context: NotifierContext) -> bool:
        """Return whether the service has the message now; it changes nothing but what is found.

        Raise NotReadableError where the settings do not allow it, DeliveryError or NetworkError
        where the service does not answer the question.
        """


def ask(context: NotifierContext, *, url: str, like: Outgoing) -> Exchange:
    """GET an address as ``like`` goes (credentials, TLS); return any answer."""
    asked = replace(like, url=url, method="GET")
    return send(context, asked, max_body_bytes=4 * LARGEST_ANSWER_BYTES)


def is_found(exchange: Exchange, *, says: str = "") -> bool:
    """Return whether the status is 2xx, False for 404; raise the failure another one means."""
    if exchange.response.status_code in {HTTPStatus.NOT_FOUND, HTTPStatus.GONE}:
        return False
    exchange.require_success(says=says)
    return True
