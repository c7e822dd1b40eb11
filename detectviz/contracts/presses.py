"""Presses: a notifier's verbs, optional, by which buttons in its messages act.

The service posts each press to the address of an org's ChatCallback. The plugin says whether the
request is genuine and what it asks for, and puts the host's answer into the service's words. Such
a plugin describes the key in its manifest (``callback``).
"""

import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Protocol

from detectviz.contracts.errors import PluginError
from detectviz.contracts.types import JsonObject

OLDEST: Final = timedelta(minutes=5)


class SignatureError(PluginError):
    """A request that is not what it says, or too old."""

    def __init__(self, message: str) -> None:
        super().__init__(message, permanent=True)


class UnreadableError(PluginError):
    """A genuine request that asks for nothing we know."""

    def __init__(self, message: str) -> None:
        super().__init__(message, permanent=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """A request: its body and headers by lowercase names."""

    body: bytes
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pressed:
    """A button somebody pressed: its value, who, and what answers the service may need.

    ``value`` is what ``alert_blocks.button_value`` gave the button, or the link it had. ``nonce``
    is different for every press; ``is_ping`` is a service's question whether we are here.
    """

    value: str
    by: str = ""
    nonce: str
    reference: str = ""
    is_ping: bool = False


class TakesPresses(Protocol):
    """A notifier whose service tells which button somebody pressed. Both verbs are pure."""

    def read_press(self, received: Received, *, key: str, now: datetime) -> Pressed:
        """Check and read a request by the ChatCallback's key.

        Raise SignatureError unless it is the service's and new, UnreadableError where it is but
        tells of no button.
        """

    def answer_press(self, pressed: Pressed, *, said: str) -> JsonObject:
        """Return the JSON the service expects; ``said`` is for who pressed, empty for a ping."""


def require_equal(given: str, expected: str) -> None:
    """Raise SignatureError unless both are the same and not empty, in constant time."""
    if not expected or not hmac.compare_digest(
        given.encode("utf-8", "replace"), expected.encode("utf-8", "replace")
    ):
        raise SignatureError("The signature does not fit.")


def require_fresh(stamp: str, now: datetime, *, oldest: timedelta = OLDEST) -> None:
    """Raise SignatureError unless ``stamp`` (Unix seconds) is near enough to ``now``."""
    if not (stamp.isascii() and stamp.isdecimal() and len(stamp) <= len("9999999999")):
        raise SignatureError("The request carries no time.")
    if abs(now.timestamp() - int(stamp)) > oldest.total_seconds():
        raise SignatureError("The request is too old.")


def hmac_hex(key: str, text: bytes) -> str:
    """Return the HMAC-SHA-256 of ``text`` in hex."""
    return hmac.new(key.encode(), text, hashlib.sha256).hexdigest()


def read_object(text: str | bytes) -> JsonObject:
    """Return a JSON object; raise UnreadableError for anything else."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UnreadableError("The body is no JSON.") from error
    if not isinstance(found, dict):
        raise UnreadableError("The body is no JSON object.")
    return found


def said_first(document: JsonObject, *names: str) -> str:
    """Return the first of some members that is a text or number and not empty, as text."""
    for name in names:
        value = document.get(name)
        if value and isinstance(value, (str, int)) and not isinstance(value, bool):
            return str(value)
    return ""
