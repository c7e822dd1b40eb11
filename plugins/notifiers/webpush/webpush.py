"""The web push notifier."""

from http import HTTPStatus
from typing import Final

from cryptography.hazmat.primitives.asymmetric import ec

from detectviz.contracts.config import get_int, get_text
from detectviz.contracts.errors import ConfigurationError
from detectviz.contracts.notifier import Notification, NotifierContext, Receipt
from detectviz.contracts.posting import Outgoing, send_bytes
from plugins.notifiers.webpush.encryption import LARGEST_TEXT, encrypt, once_for
from plugins.notifiers.webpush.payload import message_of, topic_of, urgency_of
from plugins.notifiers.webpush.vapid import authorization, decode64

_SERVICE: Final = "The push service"
_DEFAULT_TTL_S: Final = 86_400
_GONE: Final = frozenset({HTTPStatus.NOT_FOUND, HTTPStatus.GONE})


class WebPushNotifier:
    """Sends one encrypted message to a browser's push service."""

    def notify(self, notification: Notification, context: NotifierContext) -> Receipt:
        """Deliver once; raise DeliveryError unless the push service took the message."""
        key, endpoint = _key(context), context.secrets["endpoint"]
        message = message_of(notification, context.config, largest=LARGEST_TEXT)
        headers = (
            ("Content-Encoding", "aes128gcm"),
            ("TTL", str(get_int(context.config, "ttl_s", _DEFAULT_TTL_S))),
            ("Topic", topic_of(notification)),
            ("Urgency", urgency_of(notification, context.config)),
            (
                "Authorization",
                authorization(
                    key=key,
                    endpoint=endpoint,
                    subject=get_text(context.config, "subject"),
                    now_s=int(context.now().timestamp()),
                ),
            ),
        )
        outgoing = Outgoing(service=_SERVICE, url=endpoint, headers=headers)
        body = _encrypted(message, notification.delivery_id, key, context)
        exchange = send_bytes(context, outgoing, body, content_type="application/octet-stream")
        if exchange.response.status_code in _GONE:
            error = exchange.refusal(says="the browser's subscription is over")
            error.is_gone = True
            raise error
        exchange.require_success(says=exchange.said("message", "reason", "error"))
        return exchange.receipt()


def _encrypted(
    message: bytes, delivery_id: str, key: ec.EllipticCurvePrivateKey, context: NotifierContext
) -> bytes:
    try:
        receiver = decode64(get_text(context.config, "p256dh"))
        auth = decode64(context.secrets["auth"])
        secret = key.private_numbers().private_value.to_bytes(32) + auth
        once = once_for(secret=secret, message=message, name=delivery_id)
        return encrypt(message, receiver=receiver, auth=auth, once=once)
    except ValueError as error:
        raise ConfigurationError(
            "The keys of the subscription are not right: subscribe again.", field="/p256dh"
        ) from error


def _key(context: NotifierContext) -> ec.EllipticCurvePrivateKey:
    try:
        number = int.from_bytes(decode64(context.secrets.get("vapid_private_key", "")))
        return ec.derive_private_key(number, ec.SECP256R1())
    except ValueError as error:
        raise ConfigurationError(
            "There is no right private key: subscribe on the page How I am told.",
            field="/vapid_private_key",
        ) from error
