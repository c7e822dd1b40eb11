"""The body of Alertmanager's webhook, version "4", and its Standard Webhooks signature."""

import base64
import binascii
import hashlib
import hmac
import json
from collections.abc import Iterable
from datetime import datetime

import orjson

from detectviz.contracts.errors import ConfigurationError
from detectviz.contracts.notifier import Notification
from detectviz.contracts.webhook_document import webhook_document

_SECRET_PREFIX = "whsec_"  # noqa: S105 - the public prefix of every such secret


def build_body(notification: Notification, *, max_alerts: int) -> bytes:
    """Return the JSON body; alerts beyond ``max_alerts`` are only counted, 0 keeps all."""
    document = webhook_document(notification, max_alerts=max_alerts)
    try:
        return orjson.dumps(document)
    except TypeError:  # it refuses lone surrogates, which are no UTF-8
        text = json.dumps(document, ensure_ascii=False, separators=(",", ":"))
        return text.encode("utf-8", "replace")


def sign(delivery_id: str, at: datetime, body: bytes, secrets: Iterable[str]) -> str:
    """Return the value of ``webhook-signature``: one ``v1,…`` per secret, space between."""
    signed = b".".join((delivery_id.encode(), str(int(at.timestamp())).encode(), body))
    return " ".join(f"v1,{_signature(_key(secret), signed)}" for secret in secrets)


def _signature(key: bytes, signed: bytes) -> str:
    return base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()


def _key(secret: str) -> bytes:
    if not secret.startswith(_SECRET_PREFIX):
        return secret.encode()
    try:
        return base64.b64decode(secret.removeprefix(_SECRET_PREFIX), validate=True)
    except binascii.Error as error:
        message = "A signing secret that starts with whsec_ must go on in base64; enter it again."
        raise ConfigurationError(message, field="/secret") from error
