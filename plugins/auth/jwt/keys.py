"""Keys that tokens are verified with: one that is configured, or the issuer's published set."""

import threading
from dataclasses import dataclass, field

import jwt
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from detectviz.contracts.auth import AuthContext
from detectviz.contracts.errors import ConfigurationError, NetworkError, PluginError
from detectviz.contracts.network import HttpRequest

LEAST_SECRET_BYTES = 32
MAX_SET_BYTES = 1 << 20
# A token with an unknown key id has the set read again, but strangers cannot make us do it often.
LEAST_PAUSE_S = 30.0
OK = 200


def static_key(pem: str, *, is_shared: bool) -> str | bytes:
    """Return the configured key; raise ConfigurationError for one that is no use.

    A public key is never a shared secret: everybody could sign with it.
    """
    text = pem.strip()
    if not is_shared:
        try:
            load_pem_public_key(text.encode())
        except (ValueError, TypeError) as error:
            message = "This is no public key in PEM form (-----BEGIN PUBLIC KEY-----)."
            raise ConfigurationError(message, field="/key") from error
        return text
    if "-----BEGIN" in text or text.startswith(("ssh-", "ecdsa-")):
        raise ConfigurationError(
            "A public key or certificate cannot be the secret of HS…; choose RS… or ES….",
            field="/key",
        )
    if len(text.encode()) < LEAST_SECRET_BYTES:
        message = f"A shared secret has at least {LEAST_SECRET_BYTES} bytes."
        raise ConfigurationError(message, field="/key")
    return text.encode()


@dataclass(slots=True)
class KeySets:
    """Published keys by address, read when they are first needed, when old and when they change."""

    sets: dict[str, tuple[float, list[jwt.PyJWK]]] = field(default_factory=dict)
    asked_at: dict[str, float] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def find(self, key_id: str | None, context: AuthContext) -> jwt.PyJWK | None:
        """Return the key of this id, or the only one where a token names none.

        Raise PluginError while the set cannot be read and none is known.
        """
        now_s, url = context.now().timestamp(), str(context.config["jwks_url"])
        with self.lock:
            read_at, keys = self.sets.get(url, (float("-inf"), []))
            is_old = now_s - read_at > float(str(context.config["jwks_max_age_s"]))
            found = _choose(keys, key_id)
            may_ask = now_s - self.asked_at.get(url, float("-inf")) >= LEAST_PAUSE_S
            if (is_old or found is None) and (may_ask or not keys):
                found = _choose(self._read(url, now_s, keys, context), key_id)
        return found

    def _read(
        self, url: str, now_s: float, known: list[jwt.PyJWK], context: AuthContext
    ) -> list[jwt.PyJWK]:
        self.asked_at[url] = now_s
        try:
            keys = _fetch(url, context)
        except PluginError as error:
            if not known:
                raise
            context.logger.warning("the key set %s is kept as it was: %s", url, error)
            return known
        self.sets[url] = (now_s, keys)
        return keys


def _choose(keys: list[jwt.PyJWK], key_id: str | None) -> jwt.PyJWK | None:
    if key_id is None:
        return keys[0] if len(keys) == 1 else None
    return next((key for key in keys if key.key_id == key_id), None)


def _fetch(url: str, context: AuthContext) -> list[jwt.PyJWK]:
    request = HttpRequest(url=url, timeout_s=context.timeout_s, max_body_bytes=MAX_SET_BYTES)
    answer = context.http.fetch(request)
    if answer.status_code != OK or answer.body_truncated:
        raise NetworkError(f"The key set answers {answer.status_code}.", phase="receive")
    try:
        keys = jwt.PyJWKSet.from_json(answer.body.decode()).keys
    except (jwt.PyJWTError, ValueError, AttributeError, TypeError) as error:
        raise PluginError(f"The key set cannot be read: {error}") from error
    # A shared secret does not stand in a published set, and an encryption key signs nothing.
    return [key for key in keys if key.key_type != "oct" and key.public_key_use in {None, "sig"}]
