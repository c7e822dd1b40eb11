"""Voluntary application server identification (VAPID, RFC 8292)."""

import base64
import json
from collections.abc import Mapping
from typing import Final
from urllib.parse import urlsplit

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from plugins.notifiers.webpush.encryption import public_bytes

LIFETIME_S: Final = 12 * 3600  # a day at most
_HALF: Final = 32
_HEADER: Final = {"typ": "JWT", "alg": "ES256"}


def authorization(
    *, key: ec.EllipticCurvePrivateKey, endpoint: str, subject: str, now_s: int
) -> str:
    """Return the header's value: a signed token for the push service of ``endpoint``, and the key.

    Signatures are deterministic (RFC 6979), so that a retry within a second sends the same.
    """
    parts = urlsplit(endpoint)
    claims: dict[str, object] = {
        "aud": f"{parts.scheme}://{parts.netloc}",
        "exp": now_s + LIFETIME_S,
    }
    if subject:
        claims["sub"] = subject
    signed = f"{_json64(_HEADER)}.{_json64(claims)}"
    algorithm = ec.ECDSA(hashes.SHA256(), deterministic_signing=True)
    first, second = decode_dss_signature(key.sign(signed.encode(), algorithm))
    signature = first.to_bytes(_HALF) + second.to_bytes(_HALF)
    return f"vapid t={signed}.{encode64(signature)}, k={encode64(public_bytes(key.public_key()))}"


def encode64(data: bytes) -> str:
    """Return ``data`` in URL-safe Base64 without padding."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def decode64(text: str) -> bytes:
    """Read either alphabet of Base64, padded or not; raise ValueError."""
    plain = text.strip().rstrip("=").translate(str.maketrans("+/", "-_"))
    return base64.b64decode(plain + "=" * (-len(plain) % 4), altchars=b"-_", validate=True)


def _json64(value: Mapping[str, object]) -> str:
    return encode64(json.dumps(value, separators=(",", ":")).encode())
