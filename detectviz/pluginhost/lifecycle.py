"""Calling the lifecycle hooks of a capability, each within its time."""

import logging
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final, Literal

from detectviz.contracts.lifecycle import HookContext
from detectviz.contracts.types import JsonObject
from detectviz.pluginhost.description import PluginDescription

Hook = Literal["on_register", "on_start", "on_stop", "on_shutdown"]
HOOK_TIMEOUT_S: Final = 10.0

logger = logging.getLogger(__name__)


class HookFailedError(Exception):
    """A hook raised or took too long; the message says which and why."""


def hook_context(plugin: PluginDescription, settings: JsonObject) -> HookContext:
    """Return what the hooks of ``plugin`` are given."""
    return HookContext(
        kind=plugin.kind,
        name=plugin.name,
        version=plugin.manifest.version if plugin.manifest else "",
        now=lambda: datetime.now(UTC),
        logger=logging.getLogger(f"detectviz.{plugin.kind.value}.{plugin.name}"),
        settings=settings,
    )


def hook_run(
    instance: object, hook: Hook, context: HookContext, *, timeout_s: float = HOOK_TIMEOUT_S
) -> None:
    """Call one hook if the capability has it; raise HookFailedError when it fails or overruns.

    One that overruns is left to its thread: Python can end no thread.
    """
    method = getattr(instance, hook, None)
    if not callable(method):
        return
    failures: list[BaseException] = []
    thread = threading.Thread(
        target=_guarded, args=(method, context, failures), name=f"plugin-{hook}", daemon=True
    )
    thread.start()
    thread.join(timeout_s)
    if thread.is_alive():
        raise HookFailedError(f"{hook} did not end within {timeout_s:g} s.")
    if failures:
        raise HookFailedError(
            f"{hook} failed: {type(failures[0]).__name__}: {failures[0]}"
        ) from failures[0]


def hook_try(instance: object, hook: Hook, context: HookContext, *, timeout_s: float) -> None:
    """Call a hook whose failure changes nothing."""
    try:
        hook_run(instance, hook, context, timeout_s=timeout_s)
    except HookFailedError as error:
        logger.warning("plugin %s/%s: %s", context.kind.value, context.name, error)


def _guarded(
    method: Callable[[HookContext], None], context: HookContext, failures: list[BaseException]
) -> None:
    try:
        method(context)
    except BaseException as error:  # noqa: BLE001 - SystemExit in a hook is a failed hook, too
        failures.append(error)
