"""Events told to the plugins whose manifests ask for them."""

import logging
import threading
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import lru_cache, partial

from apps.extensions.selectors import is_enabled, plugin_client, plugin_host, policy_holder
from detectviz.contracts.lifecycle import HookContext, Listening, PluginEvent
from detectviz.pluginhost.description import PluginDescription, shown
from detectviz.pluginhost.errors import PluginHostError
from detectviz.pluginhost.lifecycle import hook_context
from detectviz.pluginhost.permissions import may_hear
from detectviz.pluginhost.store import Store

THREADS, MOST_WAITING = 4, 1000

logger = logging.getLogger(__name__)
_pool = ThreadPoolExecutor(THREADS, thread_name_prefix="plugin-events")
_slots = threading.BoundedSemaphore(MOST_WAITING)


@lru_cache(maxsize=1)
def _listeners(store: Store) -> Sequence[PluginDescription]:
    """Return the usable plugins that ask for any event; a store does not change."""
    return [
        plugin
        for plugin in store.list()
        if plugin.is_usable and plugin.manifest and plugin.manifest.permissions.events
    ]


def plugins_hearing(type_name: str) -> list[PluginDescription]:
    """Return the plugins to tell of events of a type."""
    return [
        plugin
        for plugin in _listeners(plugin_host().store)
        if plugin.manifest and may_hear(plugin.manifest.permissions, type_name)
    ]


def event_is_heard(type_name: str) -> bool:
    """Tell whether any plugin here asks for events of a type."""
    return bool(plugins_hearing(type_name))


def event_hand_over(*, event: PluginEvent) -> None:
    """Have the plugins told of an event from threads of their own, so that nobody waits for them.

    What comes while a thousand wait is dropped and logged.
    """
    if not _slots.acquire(blocking=False):
        logger.error("plugins are not told of event %s: they are too slow", event.uid)
        return
    _pool.submit(event_tell, event=event).add_done_callback(_free)


def _free(_: "Future[int]") -> None:
    _slots.release()


def _on_event(instance: Listening, *, event: PluginEvent, context: HookContext) -> None:
    instance.on_event(event, context)


def event_tell(*, event: PluginEvent) -> int:
    """Tell the plugins that ask for it and are enabled for its org; return how many took it.

    The client measures each call; one that fails is logged and keeps it from nobody else.
    """
    told = 0
    for plugin in plugins_hearing(event.type):
        if not is_enabled(plugin, event.org):
            continue
        context = hook_context(plugin, policy_holder().settings_of(plugin.key))
        try:
            plugin_client().call(
                plugin.kind,
                plugin.name,
                "on_event",
                partial(_on_event, event=event, context=context),
                org=event.org,
            )
        except PluginHostError as error:
            logger.warning("plugin %s was told of %s: %s", shown(plugin.key), event.type, error)
        else:
            told += 1
    return told
