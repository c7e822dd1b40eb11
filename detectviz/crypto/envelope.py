"""AES-256-GCM sealing, bound to the place of a value: moving it breaks the seal."""

import base64
import binascii
import secrets
from dataclasses import dataclass

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from detectviz.crypto.errors import SealBrokenError

FORMAT = "dv1"
_NONCE_BYTES = 12  # the size GCM is defined for (NIST SP 800-38D)


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a sealed value lives. Equal places open each other's values, others never do."""

    org_uid: str
    model: str
    row_uid: str
    field: str

    def associated_data(self, key_id: str) -> bytes:
        """Return the bytes authenticated with the value; no part can run into the next."""
        parts = (FORMAT, key_id, self.org_uid, self.model, self.row_uid, self.field)
        return "\x1f".join(parts).encode()


def seal(key: bytes, key_id: str, plaintext: bytes, place: Place) -> str:
    """Return ``dv1.<key id>.<base64 of nonce and ciphertext>``."""
    nonce = secrets.token_bytes(_NONCE_BYTES)
    sealed = AESGCM(key).encrypt(nonce, plaintext, place.associated_data(key_id))
    return f"{FORMAT}.{key_id}.{base64.urlsafe_b64encode(nonce + sealed).decode()}"


def key_id_of(blob: str) -> str:
    """Return the id of the data key that sealed ``blob``."""
    return _split(blob)[0]


def unseal(key: bytes, blob: str, place: Place) -> bytes:
    """Return the plaintext; raise SealBrokenError when anything at all was changed."""
    key_id, data = _split(blob)
    try:
        return AESGCM(key).decrypt(
            data[:_NONCE_BYTES], data[_NONCE_BYTES:], place.associated_data(key_id)
        )
    except (InvalidTag, ValueError):
        raise SealBrokenError(
            f"{place.model} {place.row_uid}: the stored {place.field} can't be opened here. "
            "Enter the secret again."
        ) from None


def _split(blob: str) -> tuple[str, bytes]:
    version, _, rest = blob.partition(".")
    key_id, _, encoded = rest.partition(".")
    try:
        data = base64.b64decode(encoded, altchars=b"-_", validate=True)
    except (ValueError, binascii.Error):
        data = b""
    if version != FORMAT or not key_id or not data:
        raise SealBrokenError("A stored secret is not in a format this version knows.")
    return key_id, data
