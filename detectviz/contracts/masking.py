"""Take secrets out of data that is about to be logged, recorded or shown."""

import re
from collections.abc import Mapping
from functools import lru_cache

MASK = "••••"
_CONTAINERS = {"secrets", "secure_json_data"}  # every value inside is a secret, whatever its name
_NAMES = re.compile(  # noqa: TID251 - our own constant pattern
    r"passw|passphrase|secret|token|api_?key|private_?key|credential|authorization|bearer|cookie",
    re.IGNORECASE,
)
_PLAIN_NAMES = {"token_url", "is_secret", "secret_fields", "key_id", "apikey_id"}
_TOKENS = re.compile(r"dv_[0-9a-f]{6,}_[\w-]{8,}")  # noqa: TID251 - our own constant pattern
_USERINFO = re.compile(r"(?<=://)[^/\s:@]*:[^/\s@]+(?=@)")  # noqa: TID251 - our own constant pattern
_MAX_DEPTH = 64


def masked(value: object) -> object:
    """Return a copy of JSON-like ``value`` in which every secret is replaced.

    Hidden are: everything inside ``secrets`` and ``secure_json_data``, values under names that mean
    a secret, our own API keys, and passwords inside URLs. That something is set stays visible
    (``{"set": true}``).
    """
    return _masked(value, hide=False, depth=0)


def masked_mapping(value: Mapping[str, object]) -> dict[str, object]:
    """Return ``masked`` of a mapping, its own keys kept as they are."""
    return {key: _masked(item, hide=_is_secret(key), depth=1) for key, item in value.items()}


def _masked(value: object, *, hide: bool, depth: int) -> object:
    if depth > _MAX_DEPTH:
        return MASK
    if isinstance(value, Mapping):
        if set(value) == {"set"} and isinstance(value["set"], bool):
            return dict(value)
        return {
            _text(str(key)): _masked(item, hide=hide or _is_secret(str(key)), depth=depth + 1)
            for key, item in value.items()
        }
    if isinstance(value, list | tuple | set | frozenset):
        return [_masked(item, hide=hide, depth=depth + 1) for item in value]
    if value is None or isinstance(value, bool):
        return value
    if hide:
        return MASK
    return _text(value) if isinstance(value, str) else value


@lru_cache(maxsize=4096)
def _is_secret(name: str) -> bool:
    if name in _CONTAINERS:
        return True
    return name.lower() not in _PLAIN_NAMES and _NAMES.search(name) is not None


def _text(text: str) -> str:
    if "dv_" in text:  # most texts have neither, and there are very many
        text = _TOKENS.sub(MASK, text)
    return _USERINFO.sub(MASK, text) if "://" in text else text
