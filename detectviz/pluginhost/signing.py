"""Signed documents: one canonical spelling, one Ed25519 signature, one list of files.

A signature file is the JSON ``{"signature": …, "signed": {…}}`` in its canonical spelling (keys
sorted, no blanks, UTF-8), which is compared byte for byte: there is no second file with the same
meaning. Signed are the type of the document and the canonical bytes of ``signed``, so that a
signature of one type is none of another.
"""

import base64
import binascii
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

import orjson
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from detectviz.pluginhost.versions import version_key

SIGNATURE_FILE = "signature.json"
LARGEST_SIGNATURE_BYTES = 262_144
LARGEST_INDEX_BYTES = 8 << 20
FORMAT = 1
DocumentType = Literal["plugin", "index"]
_KEY_BYTES = 32
_TIME = "%Y-%m-%dT%H:%M:%SZ"
_COMMON = {"type", "format", "key_id", "issued_at", "expires_at"}
_PLUGIN = re.compile(r"[a-z]{1,30}/[a-z][a-z0-9]*(?:-[a-z0-9]+)*")  # noqa: TID251 - our own constant
_FIELDS: dict[DocumentType, set[str]] = {
    "plugin": _COMMON | {"plugin", "version", "files"},
    "index": _COMMON | {"registry", "version", "plugins"},
}


class SignatureError(Exception):
    """Something signed cannot be trusted; the message says why and what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Signed:
    """A document as it was read. Nothing in it is true before :func:`verify` has returned.

    ``digest`` is the SHA-256 of its canonical bytes, signature left out.
    """

    type: DocumentType
    key_id: str
    issued_at: datetime
    expires_at: datetime
    body: Mapping[str, Any]
    payload: bytes
    signature: bytes

    @property
    def digest(self) -> str:
        """Return what tells this document from every other."""
        return hashlib.sha256(self.payload).hexdigest()


def key_make() -> tuple[str, str]:
    """Return a new private and its public key, both PEM."""
    key = Ed25519PrivateKey.generate()
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return private.decode("ascii"), public.decode("ascii")


def private_key_read(pem: str) -> Ed25519PrivateKey:
    """Return the key; raise SignatureError when it is none of ours."""
    try:
        key = load_pem_private_key(pem.encode(), password=None)
    except (ValueError, TypeError) as error:
        raise SignatureError(
            f"This is no private key: {error}. Make one: plugins keygen."
        ) from None
    if not isinstance(key, Ed25519PrivateKey):
        raise SignatureError("This is no Ed25519 key; make one: detectviz plugins keygen.")
    return key


def public_key_read(text: str) -> bytes:
    """Return the 32 bytes of a public key, given as PEM or as their Base64."""
    try:
        if "BEGIN" not in text:
            raw = base64.b64decode(text.strip(), validate=True)
        else:
            key = load_pem_public_key(text.encode())
            if not isinstance(key, Ed25519PublicKey):
                raise SignatureError("This is no Ed25519 key.")
            raw = key.public_bytes_raw()
    except (ValueError, binascii.Error) as error:
        raise SignatureError(f"This is no public key: {error}.") from None
    if len(raw) != _KEY_BYTES:
        raise SignatureError(f"A public key has {_KEY_BYTES} bytes and this one {len(raw)}.")
    return raw


def key_id_of(public_key: bytes) -> str:
    """Return the name of a key: 32 hexadecimal digits of its SHA-256."""
    return hashlib.sha256(public_key).hexdigest()[:32]


def canonical(document: Mapping[str, Any]) -> bytes:
    """Return the one spelling of a JSON document."""
    return orjson.dumps(document, option=orjson.OPT_SORT_KEYS)


def time_text(moment: datetime) -> str:
    """Write a time as signed documents do: UTC, whole seconds."""
    return moment.astimezone(UTC).strftime(_TIME)


def sign(
    kind: DocumentType,
    body: Mapping[str, Any],
    key: Ed25519PrivateKey,
    *,
    issued_at: datetime,
    expires_at: datetime,
) -> bytes:
    """Return the signature file of ``body``; type, format, key and times are put in."""
    signed = {
        **body,
        "type": kind,
        "format": FORMAT,
        "key_id": key_id_of(key.public_key().public_bytes_raw()),
        "issued_at": time_text(issued_at),
        "expires_at": time_text(expires_at),
    }
    signature = base64.b64encode(key.sign(_message(kind, canonical(signed)))).decode("ascii")
    return canonical({"signed": signed, "signature": signature})


def read(data: bytes, kind: DocumentType) -> Signed:
    """Return the document in ``data``; raise SignatureError unless it is spelt as we would."""
    if len(data) > (LARGEST_INDEX_BYTES if kind == "index" else LARGEST_SIGNATURE_BYTES):
        raise SignatureError("The signature file is larger than any we make.")
    try:
        document = orjson.loads(data)
        if canonical(document) != data:
            raise SignatureError("The signature file is not in its canonical spelling.")
        return _build(document, kind)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise SignatureError(f"The signature file cannot be understood: {error}.") from None


def verify(document: Signed, public_key: bytes) -> None:
    """Raise SignatureError unless ``public_key`` signed the document and is the key it names."""
    if key_id_of(public_key) != document.key_id:
        raise SignatureError(f"The signature is by {document.key_id}, not by the key given.")
    try:
        Ed25519PublicKey.from_public_bytes(public_key).verify(
            document.signature, _message(document.type, document.payload)
        )
    except (InvalidSignature, ValueError):
        raise SignatureError("The signature does not belong to what was signed.") from None


def _message(kind: DocumentType, payload: bytes) -> bytes:
    return f"detectviz {kind} {FORMAT}\n".encode("ascii") + payload


def _build(document: dict[str, Any], kind: DocumentType) -> Signed:
    signed = document["signed"]
    if set(document) != {"signed", "signature"} or set(signed) != _FIELDS[kind]:
        raise SignatureError("The signature file has other fields than it must have.")
    if signed["type"] != kind or signed["format"] != FORMAT or isinstance(signed["format"], bool):
        raise SignatureError(f"The signature file is not of a {kind}, format {FORMAT}.")
    if not isinstance(signed["key_id"], str):
        raise SignatureError("The signature names no key.")
    if kind == "plugin":
        if not _PLUGIN.fullmatch(signed["plugin"]):
            raise SignatureError("The signature names no plugin.")
        version_key(signed["version"])
    elif type(signed["version"]) is not int or signed["version"] < 1:
        raise SignatureError("The index has no version.")
    issued_at, expires_at = _time(signed["issued_at"]), _time(signed["expires_at"])
    if expires_at <= issued_at:
        raise SignatureError("The signature expires before it was issued.")
    return Signed(
        type=kind,
        key_id=signed["key_id"],
        issued_at=issued_at,
        expires_at=expires_at,
        body=signed,
        payload=canonical(signed),
        signature=_base64(document["signature"]),
    )


def _base64(text: str) -> bytes:
    raw = base64.b64decode(text, validate=True)
    if base64.b64encode(raw).decode("ascii") != text:
        raise SignatureError("The signature is not in its canonical spelling.")
    return raw


def _time(text: str) -> datetime:
    moment = datetime.strptime(text, _TIME).replace(tzinfo=UTC)
    if time_text(moment) != text:
        raise SignatureError(f"{text} is not written as a time must be.")
    return moment
