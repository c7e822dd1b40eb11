"""Keeping a process in step with SQL: policy and folders by their stamps, and counted use."""

import logging
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db import close_old_connections, connections, transaction
from django.db.models import F
from django.db.utils import DatabaseError

from apps.extensions.models import PluginUse
from apps.extensions.selectors import (
    plugin_host,
    plugins_scan,
    policy_holder,
    policy_read,
    stamp_get,
)
from detectviz.clock import utc_now
from detectviz.pluginhost import telemetry
from detectviz.pluginhost.description import PluginKey
from detectviz.pluginhost.registry import Statistics

LOOK_EVERY_S = 2.0
WRITE_EVERY_S = 60.0
KEPT_DAYS = 400

logger = logging.getLogger(__name__)
_lock = threading.Lock()
_written: dict[PluginKey, Statistics] = {}


def plugins_refresh() -> bool:
    """Take over what SQL says of plugins; return whether anything had changed.

    One small query when nothing has. Switched-off plugins stop, changed folders are loaded anew.
    """
    host, holder = plugin_host(), policy_holder()
    with _lock:
        known = (holder.policy.version, holder.policy.folders)
        if holder.is_loaded and stamp_get() == known:
            return False
        policy = policy_read()
        is_first = not holder.is_loaded
        holder.use(policy)
        if is_first or policy.folders != known[1]:
            host.replace_store(plugins_scan())
        if is_first or policy.version != known[0]:
            host.policy_apply()
    return True


def plugin_use_write(*, now: datetime) -> int:
    """Add the calls of this process since the last time to the day's; return how many."""
    with _lock:
        current = {
            key: ledger.statistics for key, ledger in plugin_host().registry.ledgers().items()
        }
        news = {
            key: statistics
            for key, statistics in current.items()
            if statistics.executions > _written.get(key, Statistics()).executions
        }
        with transaction.atomic():
            for key in sorted(news):
                _use_add(key, news[key], _written.get(key, Statistics()), now)
            kept_from = now.date() - timedelta(days=KEPT_DAYS)
            PluginUse.objects.filter(day__lt=kept_from).delete()
        total = sum(
            each.executions - _written.get(key, Statistics()).executions
            for key, each in news.items()
        )
        _written.update(news)
    return total


def _use_add(key: PluginKey, now_: Statistics, before: Statistics, now: datetime) -> None:
    identity: dict[str, Any] = {"kind": key[0].value, "name": key[1], "day": now.date()}
    PluginUse.objects.get_or_create(**identity)
    PluginUse.objects.filter(**identity).update(
        executions=F("executions") + now_.executions - before.executions,
        failed=F("failed") + now_.failed - before.failed,
        errors=F("errors") + now_.errors - before.errors,
        seconds=F("seconds") + now_.seconds - before.seconds,
    )


@dataclass(slots=True)
class PluginsModule:
    """The plugins of a process: eager ones start with it, all of them end with it.

    A thread follows the stamps in SQL, shows memory, and writes down the use.
    """

    name: str = "plugins"
    depends_on: Sequence[str] = ("drivers",)
    look_every_s: float = LOOK_EVERY_S
    _stopping: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def start(self) -> None:
        """Read the policy, start what does not wait for its first call, follow from now on."""
        plugins_refresh()
        self._thread = threading.Thread(target=self._follow, name="plugins", daemon=True)
        self._thread.start()

    def _follow(self) -> None:
        waited_s = 0.0
        while not self._stopping.wait(self.look_every_s):
            waited_s += self.look_every_s
            self._try(is_writing=waited_s >= WRITE_EVERY_S)
            if waited_s >= WRITE_EVERY_S:
                waited_s = 0.0
        self._try(is_writing=True)
        connections.close_all()

    def _try(self, *, is_writing: bool) -> None:
        try:
            close_old_connections()
            plugins_refresh()
            memory_show()
            if is_writing:
                plugin_use_write(now=utc_now())
        except DatabaseError as error:
            logger.warning("plugins: the switches could not be read: %s", error)
            connections.close_all()
        except Exception:
            logger.exception("plugins: could not follow what changed")

    def stop(self, deadline_s: float) -> None:
        """End the thread, then the plugins, dependants first."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join(deadline_s)
        plugin_host().shutdown(deadline_s)


def memory_show() -> None:
    """Show the memory of plugins that have processes of their own."""
    for key, running in plugin_host().registry.all().items():
        used = running.memory_bytes()
        if used is not None:
            telemetry.memory_bytes.labels(key[0].value, key[1]).set(used)
