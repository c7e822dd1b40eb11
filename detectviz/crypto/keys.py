"""Key-encryption keys, derived from the operator's master secrets."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings

from detectviz.crypto.errors import MasterKeysFormatError, UnknownKeyError

KEY_BYTES = 32
_ID = r"[a-z0-9][a-z0-9-]{0,15}"
_MINIMUM_SECRET = 16


def derived_key(secret: bytes, purpose: str) -> bytes:
    """Return 32 bytes derived from ``secret`` for one purpose (HKDF, RFC 5869, SHA-256)."""
    return HKDF(
        algorithm=SHA256(), length=KEY_BYTES, salt=b"detectviz", info=purpose.encode()
    ).derive(secret)


@dataclass(frozen=True, slots=True, kw_only=True)
class Keyring:
    """The key-encryption keys by id; ``current_id`` wraps what is new."""

    current_id: str
    keys: Mapping[str, bytes]

    def __repr__(self) -> str:
        """Show ids only."""
        return f"Keyring(current_id={self.current_id!r}, ids={sorted(self.keys)})"

    def key(self, key_id: str) -> bytes:
        """Return a key-encryption key; raise UnknownKeyError with what to do when missing."""
        try:
            return self.keys[key_id]
        except KeyError:
            raise UnknownKeyError(
                f"DETECTVIZ_MASTER_KEYS has no key {key_id!r}: add it after the current one."
            ) from None


def parse_entry(entry: str) -> tuple[str, bytes]:
    """Return (id, key) of ``id:secret``, or of a bare secret, whose id is a fingerprint."""
    identifier, separator, secret = entry.partition(":")
    if not separator:
        identifier, secret = "", entry
    if len(secret) < _MINIMUM_SECRET or (separator and not re.fullmatch(_ID, identifier)):
        raise MasterKeysFormatError(
            "DETECTVIZ_MASTER_KEYS: expected one secret, or id:secret words separated by commas; "
            f"ids of lowercase letters, digits and dashes, secrets of {_MINIMUM_SECRET} or more "
            "characters."
        )
    fingerprint = derived_key(secret.encode(), "kek-id").hex()[:12]
    return identifier or fingerprint, derived_key(secret.encode(), "kek")


@lru_cache(maxsize=8)
def parse_keyring(text: str) -> Keyring:
    """Return the keyring of ``id:secret,id:secret``; the first is the current one."""
    entries = [parse_entry(word.strip()) for word in text.split(",") if word.strip()]
    if not entries or len({identifier for identifier, _ in entries}) != len(entries):
        raise MasterKeysFormatError(
            "DETECTVIZ_MASTER_KEYS: expected at least one key, no id twice."
        )
    return Keyring(current_id=entries[0][0], keys=dict(entries))


def keyring() -> Keyring:
    """Return the keyring the settings name."""
    return parse_keyring(settings.MASTER_KEYS)
