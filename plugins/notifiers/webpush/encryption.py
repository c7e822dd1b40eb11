"""Message encryption for web push: aes128gcm (RFC 8188) with keys agreed by RFC 8291."""

import hashlib
import hmac
import struct
from dataclasses import dataclass
from typing import Final

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF, HKDFExpand
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

LARGEST_BODY: Final = 4096
"""What every push service takes (RFC 8030)."""
OVERHEAD: Final = 16 + 4 + 1 + 65 + 1 + 16  # salt, record size, key's length, key, delimiter, tag
LARGEST_TEXT: Final = LARGEST_BODY - OVERHEAD
_ORDER: Final = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
_AUTH_BYTES: Final = 16
_LAST_RECORD: Final = b"\x02"


@dataclass(frozen=True, slots=True, kw_only=True)
class Once:
    """What one message is encrypted with: a key pair of its own, and a salt of 16 bytes."""

    key: ec.EllipticCurvePrivateKey
    salt: bytes


def once_for(*, secret: bytes, message: bytes, name: str) -> Once:
    """Return key and salt for one message under one name.

    They are as good as random to whoever does not know ``secret``, another message has others, and
    a retry has the same: nothing is ever encrypted twice differently under one key.
    """
    said = b"detectviz web push\0" + name.encode("utf-8", "replace") + b"\0"
    seed = hmac.digest(secret, said + hashlib.sha256(message).digest(), "sha256")
    stream = HKDFExpand(algorithm=hashes.SHA256(), length=64, info=b"once").derive(seed)
    return Once(key=private_key(int.from_bytes(stream[:48])), salt=stream[48:])


def private_key(number: int) -> ec.EllipticCurvePrivateKey:
    """Return the P-256 key of a number, taken into the range of keys."""
    return ec.derive_private_key(number % (_ORDER - 1) + 1, ec.SECP256R1())


def public_bytes(key: ec.EllipticCurvePublicKey) -> bytes:
    """Return a public key as web push writes it: 65 bytes, uncompressed."""
    return key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)


def encrypt(message: bytes, *, receiver: bytes, auth: bytes, once: Once) -> bytes:
    """Return the request's body, one record, for a subscription's ``p256dh`` and ``auth``.

    Raise ValueError for a ``receiver`` that is no point of the curve, or a wrong ``auth``.
    """
    if len(auth) != _AUTH_BYTES:
        raise ValueError("The authentication secret has 16 bytes.")
    their_key = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), receiver)
    sender = public_bytes(once.key.public_key())
    shared = once.key.exchange(ec.ECDH(), their_key)
    agreed = _hkdf(auth, shared, b"WebPush: info\0" + receiver + sender, 32)
    content_key = _hkdf(once.salt, agreed, b"Content-Encoding: aes128gcm\0", 16)
    nonce = _hkdf(once.salt, agreed, b"Content-Encoding: nonce\0", 12)
    header = once.salt + struct.pack(">IB", LARGEST_BODY, len(sender)) + sender
    return header + AESGCM(content_key).encrypt(nonce, message + _LAST_RECORD, None)


def _hkdf(salt: bytes, secret: bytes, info: bytes, length: int) -> bytes:
    return HKDF(algorithm=hashes.SHA256(), length=length, salt=salt, info=info).derive(secret)
