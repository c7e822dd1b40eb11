"""Values that stand elsewhere: ``{env: NAME}`` or ``{file: /path}``. Secrets are always such."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from urllib.parse import urlsplit

from detectviz.contracts.types import JsonValue

Lookup = Callable[[str], str | None]
SECRET_WORDS = ("password", "passwd", "secret", "token", "api_key", "apikey", "private_key")


class MissingReferenceError(ValueError):
    """What is referred to is not there; the message says what to set."""


def is_reference(value: JsonValue) -> bool:
    """Return whether the value stands elsewhere."""
    return isinstance(value, Mapping) and len(value) == 1 and bool(set(value) & {"env", "file"})


def reference_resolve(value: JsonValue, look_up: Lookup) -> str:
    """Return the text meant; raise MissingReferenceError. An empty variable counts as unset."""
    if not isinstance(value, Mapping):
        return str(value)
    if "env" in value:
        text = look_up(str(value["env"]))
        if not text:
            raise MissingReferenceError(f"The variable {value['env']} is not set; set it.")
        return text
    path = str(value["file"])
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise MissingReferenceError(
            f"Cannot read {path} ({error}); create it or name another."
        ) from error


def references_resolved(value: JsonValue, look_up: Lookup) -> JsonValue:
    """Return ``value`` with its references replaced by text; raise MissingReferenceError."""
    if is_reference(value):
        return reference_resolve(value, look_up)
    if isinstance(value, Mapping):
        return {name: references_resolved(inner, look_up) for name, inner in value.items()}
    if isinstance(value, list):
        return [references_resolved(inner, look_up) for inner in value]
    return value


def secrets_in(value: JsonValue, where: str) -> Iterator[str]:
    """Yield the pointers of what reads like a secret and stands there as text."""
    if isinstance(value, Mapping):
        for name, inner in value.items():
            here = f"{where}/{name}"
            if (
                isinstance(inner, str)
                and inner
                and any(word in name.lower() for word in SECRET_WORDS)
            ):
                yield here
            else:
                yield from secrets_in(inner, here)
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from secrets_in(inner, f"{where}/{index}")
    elif isinstance(value, str) and url_has_password(value):
        yield where


def url_has_password(url: str) -> bool:
    """Return whether an address carries a password."""
    try:
        return bool(urlsplit(url).password)
    except ValueError:
        return False
