"""Whose presses are taken, and what their requests say: notifiers that can, and our own way.

Anybody may sign our way: HMAC-SHA-256 of ``timestamp.body`` in ``X-Detectviz-Signature: sha256=…``.
"""

from collections.abc import Callable
from datetime import datetime
from typing import TypeVar

from apps.extensions.selectors import plugin_client, plugin_list
from detectviz.contracts.errors import PluginError
from detectviz.contracts.manifest import Manifest
from detectviz.contracts.presses import (
    Pressed,
    Received,
    SignatureError,
    TakesPresses,
    UnreadableError,
    hmac_hex,
    read_object,
    require_equal,
    require_fresh,
    said_first,
)
from detectviz.contracts.types import JsonObject, PluginKind
from detectviz.pluginhost.errors import PluginHostError

GENERIC = "generic"
T = TypeVar("T")


def chat_services() -> dict[str, Manifest]:
    """Return the notifiers whose services tell of presses, by name."""
    found = (plugin.manifest for plugin in plugin_list(PluginKind.NOTIFIER) if plugin.is_usable)
    return {each.name: each for each in found if each is not None and each.callback}


def chat_titles() -> dict[str, str]:
    """Return what a door may be for, with its title."""
    titles = {name: manifest.title for name, manifest in chat_services().items()}
    return {**titles, GENERIC: "Signed by oneself"}


def press_read(service: str, received: Received, *, key: str, now: datetime, org: str) -> Pressed:
    """Check and read a request of a service; raise SignatureError or UnreadableError."""
    if service == GENERIC:
        return generic_read(received, key, now)

    def read(plugin: TakesPresses) -> Pressed | SignatureError | UnreadableError:
        try:
            return plugin.read_press(received, key=key, now=now)
        except (SignatureError, UnreadableError) as error:
            return error  # the plugin did its work: strangers' requests are no failures of it

    found = _call(service, "read_press", read, org)
    if isinstance(found, PluginError):
        raise found
    return found


def press_answer(service: str, pressed: Pressed, *, said: str, org: str) -> JsonObject:
    """Return what the service expects as answer."""
    if service == GENERIC:
        return {"said": said}

    def answer(plugin: TakesPresses) -> JsonObject:
        return plugin.answer_press(pressed, said=said)

    return _call(service, "answer_press", answer, org)


def generic_read(received: Received, key: str, now: datetime) -> Pressed:
    """Check and read ``{"value": …, "by": …}`` signed our way."""
    stamp = received.headers.get("x-detectviz-timestamp", "")
    require_fresh(stamp, now)
    given = received.headers.get("x-detectviz-signature", "")
    require_equal(given, "sha256=" + hmac_hex(key, stamp.encode() + b"." + received.body))
    said = read_object(received.body)
    return Pressed(value=said_first(said, "value"), by=said_first(said, "by"), nonce=given)


def _call(service: str, verb: str, work: Callable[[TakesPresses], T], org: str) -> T:
    try:
        return plugin_client().call(PluginKind.NOTIFIER, service, verb, work, org=org)
    except PluginHostError as error:
        raise UnreadableError(f"{service} cannot be understood now.") from error
