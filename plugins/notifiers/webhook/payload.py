"""The body of Alertmanager's webhook, version "4", and its Standard Webhooks signature."""

import base64
import binascii
import hashlib
import hmac
import json
from collections.abc import Iterable
from datetime import UTC, datetime

from detectviz.contracts.errors import ConfigurationError
from detectviz.contracts.notifier import Notification, NotifiedAlert
from detectviz.contracts.types import JsonObject

VERSION = "4"
_NO_TIME = "0001-01-01T00:00:00Z"
_SECRET_PREFIX = "whsec_"  # noqa: S105 - the public prefix of every such secret


def build_body(notification: Notification, *, max_alerts: int) -> bytes:
    """Return the JSON body; alerts beyond ``max_alerts`` are only counted, 0 keeps all."""
    alerts = notification.alerts[:max_alerts] if max_alerts else notification.alerts
    left_out = len(notification.alerts) - len(alerts)
    document: JsonObject = {
        "version": VERSION,
        "groupKey": notification.group_key,
        "truncatedAlerts": notification.truncated_alerts + left_out,
        "status": notification.status.value,
        "receiver": notification.receiver,
        "groupLabels": dict(notification.group_labels),
        "commonLabels": dict(notification.common_labels),
        "commonAnnotations": dict(notification.common_annotations),
        "externalURL": notification.external_url,
        "alerts": [_alert(alert) for alert in alerts],
        "detectviz": _ours(notification),
    }
    text = json.dumps(document, ensure_ascii=False, separators=(",", ":"))
    return text.encode("utf-8", "replace")


def sign(delivery_id: str, at: datetime, body: bytes, secrets: Iterable[str]) -> str:
    """Return the value of ``webhook-signature``: one ``v1,…`` per secret, space between."""
    signed = b".".join((delivery_id.encode(), str(int(at.timestamp())).encode(), body))
    return " ".join(f"v1,{_signature(_key(secret), signed)}" for secret in secrets)


def _alert(alert: NotifiedAlert) -> JsonObject:
    return {
        "status": alert.status.value,
        "labels": dict(alert.labels),
        "annotations": dict(alert.annotations),
        "startsAt": _time(alert.starts_at),
        "endsAt": _time(alert.ends_at),
        "generatorURL": alert.generator_url,
        "fingerprint": alert.fingerprint,
    }


def _ours(notification: Notification) -> JsonObject:
    ours: dict[str, str | bool] = {
        "org": notification.org,
        "rule_group": notification.rule_group,
        "delivery_id": notification.delivery_id,
        "url": notification.url,
    }
    if notification.is_test:
        ours["test"] = True
    return ours


def _time(at: datetime | None) -> str:
    if at is None:
        return _NO_TIME
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


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
