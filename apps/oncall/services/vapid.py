"""The deployment's own key for web push: who it says it is to push services (RFC 8292).

Nothing is stored: the key is derived from the platform's key for records, which is made once, kept
wrapped by the master keys and survives their rotation. Subscriptions are bound to it.
"""

import base64
from collections.abc import Mapping
from email.utils import parseaddr

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from django.conf import settings

from detectviz.crypto.services import mac_key

WEB_PUSH = "webpush"  # the notifier
_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
_WIDE_BYTES = 48  # so much more than the order that no key is likelier than others


def vapid_public_key() -> str:
    """Return the key a browser subscribes for, 65 bytes in URL-safe Base64."""
    point = _key().public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    return _encoded(point)


def sender_secrets(notifier: str) -> dict[str, str]:
    """Return what the deployment adds to the secrets of a person's method."""
    if notifier != WEB_PUSH:
        return {}
    number = _key().private_numbers().private_value
    return {"vapid_private_key": _encoded(number.to_bytes(32))}


def sender_config(notifier: str, config: Mapping[str, object]) -> dict[str, object]:
    """Return a method's settings with whom a push service may ask."""
    _, address = parseaddr(settings.DEFAULT_FROM_EMAIL)
    if notifier != WEB_PUSH or config.get("subject") or not address:
        return dict(config)
    return {**config, "subject": f"mailto:{address}"}


def _key() -> ec.EllipticCurvePrivateKey:
    seed = mac_key("web-push-vapid")
    wide = HKDFExpand(algorithm=SHA256(), length=_WIDE_BYTES, info=b"P-256").derive(seed)
    return ec.derive_private_key(int.from_bytes(wide) % (_ORDER - 1) + 1, ec.SECP256R1())


def _encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
