"""Lifecycle hooks: what a capability may offer beside its verb. All of them are optional.

The host calls ``on_register`` once after construction, ``on_start`` before the first call,
``on_stop`` when no call is under way any more and none will come (the plugin was switched off,
replaced or removed, or the process ends), ``on_shutdown`` last, when the process ends. Each has a
few seconds. A failed ``on_register`` or ``on_start`` keeps the plugin out of use, with the reason
shown; failures of the other two are logged and change nothing.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from detectviz.contracts.types import JsonObject, PluginKind


@dataclass(frozen=True, slots=True, kw_only=True)
class HookContext:
    """What a hook may use. ``settings`` are the deployment's for this plugin, without secrets."""

    kind: PluginKind
    name: str
    version: str
    now: Callable[[], datetime]
    logger: logging.Logger
    settings: JsonObject = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class PluginEvent:
    """What happened in ``org`` (its name). ``data`` follows the JSON Schema of ``type``.

    ``uid`` is the same when an event is told again.
    """

    uid: str
    type: str
    version: int
    subject: str
    org: str
    data: JsonObject
    at: datetime


class Listening(Protocol):
    """A capability that is told of events its manifest asks for (``subscribe:`` and their type)."""

    def on_event(self, event: PluginEvent, context: HookContext) -> None:
        """Take note, soon and from any thread; what it raises is shown and not tried again."""


class Registering(Protocol):
    """A capability that is told when the host has admitted it."""

    def on_register(self, context: HookContext) -> None:
        """Prepare what needs no outside system; raise to be kept out."""


class Starting(Protocol):
    """A capability that prepares before its first call."""

    def on_start(self, context: HookContext) -> None:
        """Get ready for calls; raise PluginError when that cannot be done now."""


class Stopping(Protocol):
    """A capability that lets go of what it held."""

    def on_stop(self, context: HookContext) -> None:
        """Let go; no call is under way."""


class ShuttingDown(Protocol):
    """A capability that is told when the process ends."""

    def on_shutdown(self, context: HookContext) -> None:
        """Do the last thing."""
