"""The plugin host of a process: one store, one registry, one client, and the life of instances."""

import logging
import math
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, Literal, overload

from detectviz.contracts.collector import Collector
from detectviz.contracts.datasource import Datasource
from detectviz.contracts.discovery import Discovery
from detectviz.contracts.manifest import Manifest
from detectviz.contracts.notifier import Notifier
from detectviz.contracts.types import JsonObject, PluginKind
from detectviz.pluginhost import telemetry
from detectviz.pluginhost.client import PluginClient, Switch
from detectviz.pluginhost.dependencies import dependencies_of
from detectviz.pluginhost.description import PluginDescription, PluginKey, shown
from detectviz.pluginhost.errors import BrokenPluginError, PluginProblem
from detectviz.pluginhost.kinds import KINDS
from detectviz.pluginhost.lifecycle import (
    HOOK_TIMEOUT_S,
    Hook,
    HookFailedError,
    hook_context,
    hook_run,
    hook_try,
)
from detectviz.pluginhost.loading import load_capability, package_forget
from detectviz.pluginhost.manifest import MANIFEST_FILE
from detectviz.pluginhost.registry import Registry, Running
from detectviz.pluginhost.store import Store

Loader = Callable[[Path, Manifest], object]

DRAIN_S: Final = 30.0
_SICK_AFTER: Final = 5
_RETRY_S: Final = 5.0
_LONGEST_RETRY_S: Final = 300.0
_FIRST_HOOKS: Final[tuple[Hook, ...]] = ("on_register", "on_start")

logger = logging.getLogger(__name__)


def enabled_everywhere(key: PluginKey, org: str | None) -> bool:
    """Say yes: what a host without a policy does."""
    return True


def no_settings(key: PluginKey) -> JsonObject:
    """Return no settings: what a host without a policy has."""
    return {}


def no_isolation(folder: Path, manifest: Manifest) -> object:
    """Refuse: this host has no sandbox."""
    raise PermissionError(
        "The plugin must run in a process of its own and this host has no sandbox."
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class HostOptions:
    """What a host asks others for: whether a plugin is enabled, its settings, and how it loads."""

    is_enabled: Switch = enabled_everywhere
    settings_of: Callable[[PluginKey], JsonObject] = no_settings
    loader: Loader = load_capability
    isolated_loader: Loader = no_isolation
    hook_timeout_s: float = HOOK_TIMEOUT_S
    drain_s: float = DRAIN_S


@dataclass(frozen=True, slots=True, kw_only=True)
class PluginHealth:
    """How a plugin is in this process; ``status`` is idle while it has not been loaded."""

    status: Literal["ok", "idle", "degraded", "error"]
    message: str
    memory_bytes: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Failure:
    """Why a plugin could not be loaded, and until when nobody tries again (monotonic)."""

    problem: PluginProblem
    ends_at: float
    tries: int


class PluginHost:
    """Everything a process knows of plugins and does with them. Thread-safe.

    ``store`` is replaced as a whole by ``replace_store``; instances whose plugin changed are
    decommissioned, the others go on.
    """

    def __init__(self, store: Store, options: HostOptions | None = None) -> None:
        self.store = store
        self.registry = Registry()
        self._options = options or HostOptions()
        self._failures: dict[PluginKey, _Failure] = {}
        self._lock = threading.RLock()
        self.client = PluginClient(
            self.registry,
            describe=self.describe,
            open_=self._open,
            is_enabled=self._is_enabled,
        )

    # --- what there is -----------------------------------------------------------------------

    def list(self, kind: PluginKind | None = None) -> tuple[PluginDescription, ...]:
        """Return every plugin as it is in this process, broken ones too, by kind and name."""
        return tuple(self._as_is(plugin) for plugin in self.store.list(kind))

    def describe(self, kind: PluginKind, name: str) -> PluginDescription:
        """Return one plugin as it is in this process; raise NotRegisteredError."""
        return self._as_is(self.store.describe(kind, name))

    def manifest(self, kind: PluginKind, name: str) -> Manifest:
        """Return the manifest of a plugin that can be used.

        Raise NotRegisteredError, BrokenPluginError or UnavailableError.
        """
        return self.describe(kind, name).require()

    def health(self, kind: PluginKind, name: str) -> PluginHealth:
        """Return how a plugin is; raise NotRegisteredError."""
        plugin = self.describe(kind, name)
        if not plugin.is_usable:
            reasons = "; ".join(problem.message for problem in plugin.problems)
            return PluginHealth(status="error", message=reasons)
        running = self.registry.find(plugin.key)
        if running is None:
            return PluginHealth(status="idle", message="It has not been used in this process.")
        statistics, memory = running.statistics, running.memory_bytes()
        if statistics.errors_in_row >= _SICK_AFTER:
            message = f"The last {statistics.errors_in_row} calls raised: {statistics.last_error}"
            return PluginHealth(status="degraded", message=message, memory_bytes=memory)
        waiting = running.waiting()
        if waiting:
            return PluginHealth(status="degraded", message=waiting, memory_bytes=memory)
        return PluginHealth(status="ok", message="It works.", memory_bytes=memory)

    def _as_is(self, plugin: PluginDescription) -> PluginDescription:
        if self.registry.find(plugin.key) is not None:
            return replace(plugin, status="loaded")
        failed = self._failures.get(plugin.key)
        if failed is not None and time.monotonic() < failed.ends_at:
            return replace(plugin, status="broken", problems=(failed.problem,))
        return plugin

    def _is_enabled(self, key: PluginKey, org: str | None) -> bool:
        is_enabled = self._options.is_enabled
        for each in self.store.family(key):  # noqa: SIM110 - once per call: a generator costs more
            if not is_enabled(each, org):
                return False
        return True

    # --- initialisation ----------------------------------------------------------------------

    @overload
    def load(self, kind: Literal[PluginKind.COLLECTOR], name: str) -> Collector: ...
    @overload
    def load(self, kind: Literal[PluginKind.DATASOURCE], name: str) -> Datasource: ...
    @overload
    def load(self, kind: Literal[PluginKind.DISCOVERY], name: str) -> Discovery: ...
    @overload
    def load(self, kind: Literal[PluginKind.NOTIFIER], name: str) -> Notifier: ...
    @overload
    def load(self, kind: PluginKind, name: str) -> Any: ...
    def load(self, kind: PluginKind, name: str) -> Any:
        """Return the plugin's one instance, importing it the first time.

        Raise NotRegisteredError or UnavailableError.
        """
        return self.client.instance(kind, name)

    def _open(self, plugin: PluginDescription) -> Running:
        with self._lock:
            running = self.registry.find(plugin.key)
            return self._initialise(plugin) if running is None else running

    def _initialise(self, plugin: PluginDescription) -> Running:
        """Construct, register and start, after what the plugin needs; whatever fails breaks it."""
        manifest = plugin.require()
        try:
            for needed in dependencies_of(plugin):
                self._open(self.describe(PluginKind(needed.kind), needed.name))
            instance = self._construct(plugin, manifest)
            context = hook_context(plugin, self._options.settings_of(plugin.key))
            for hook in _FIRST_HOOKS:
                hook_run(instance, hook, context, timeout_s=self._options.hook_timeout_s)
        except Exception as error:
            self._fail(plugin, error)
            self.describe(plugin.kind, plugin.name).require()
            raise
        running = Running(plugin, instance, self.registry.ledger(plugin.key))
        self._failures.pop(plugin.key, None)
        self.registry.add(running)
        telemetry.loads_total.labels(plugin.kind.value, plugin.name, "ok").inc()
        return running

    def _construct(self, plugin: PluginDescription, manifest: Manifest) -> object:
        options = self._options
        load = options.isolated_loader if plugin.is_isolated else options.loader
        instance = load(plugin.folder, manifest)
        verb = KINDS[plugin.kind].verb
        if not callable(getattr(instance, verb, None)):
            raise TypeError(f"{manifest.capability} has no method {verb}.")
        return instance

    def _fail(self, plugin: PluginDescription, error: Exception) -> None:
        telemetry.loads_total.labels(plugin.kind.value, plugin.name, "broken").inc()
        logger.error("plugin %s cannot be used: %s", shown(plugin.key), error)
        problem = PluginProblem(
            path=plugin.folder / MANIFEST_FILE,
            field="/capability",
            message=f"{type(error).__name__}: {error}",
        )
        earlier = self._failures.get(plugin.key)
        tries = earlier.tries + 1 if earlier else 1
        # What a start lacked may come; code that does not load stays as it is.
        is_passing = isinstance(error, HookFailedError)
        wait_s = min(_RETRY_S * 2 ** (tries - 1), _LONGEST_RETRY_S) if is_passing else math.inf
        self._failures[plugin.key] = _Failure(
            problem=problem, ends_at=time.monotonic() + wait_s, tries=tries
        )

    def start(self) -> None:
        """Load the plugins that do not want to wait for their first call; failures are shown."""
        for key in self.store.order:
            plugin = self.store.find(*key)
            is_eager = plugin and plugin.is_usable and plugin.manifest and plugin.manifest.is_eager
            if plugin is not None and is_eager and self._is_enabled(key, None):
                try:
                    self._open(self._as_is(plugin))
                except BrokenPluginError as error:
                    logger.warning("%s", error)

    # --- termination -------------------------------------------------------------------------

    def replace_store(self, store: Store) -> None:
        """Go over to what a new scan found: changed and vanished plugins are decommissioned.

        Those that ran and are still there run again at once, in their new version.
        """
        with self._lock:
            before, self.store = self.registry.all(), store
            self._failures.clear()
            changed = [key for key, running in before.items() if self._has_changed(running)]
            for key in self._stop_order(changed):
                self.decommission(key)
        for key in store.order:
            plugin = store.find(*key)
            if key in changed and plugin is not None and plugin.is_usable:
                self._try_again(plugin)
        self.start()

    def _has_changed(self, running: Running) -> bool:
        now = self.store.find(*running.plugin.key)
        return now is None or not now.is_usable or now.fingerprint != running.plugin.fingerprint

    def _try_again(self, plugin: PluginDescription) -> None:
        try:
            if self._is_enabled(plugin.key, None):
                self._open(plugin)
        except BrokenPluginError as error:
            logger.warning("%s", error)

    def policy_apply(self) -> None:
        """Take out of service what was switched off for the deployment, start what came back."""
        with self._lock:
            self._failures.clear()
            off = [key for key in self.registry.all() if not self._is_enabled(key, None)]
            for key in self._stop_order(off):
                self.decommission(key)
        self.start()

    def decommission(self, key: PluginKey) -> None:
        """Take a plugin out of service: no new calls; it stops when those under way have ended.

        Its next call, if it may have one, loads it anew.
        """
        running = self.registry.remove(key)
        if running is not None:
            package_forget(*key)
            threading.Thread(
                target=self._end, args=(running,), name=f"plugin-end-{key[1]}", daemon=True
            ).start()

    def _end(self, running: Running) -> None:
        if not running.drain(self._options.drain_s):
            logger.warning(
                "plugin %s: calls still run %g s after it was taken out of service",
                shown(running.plugin.key),
                self._options.drain_s,
            )
        self._run_last(running, ("on_stop",))

    def _run_last(self, running: Running, hooks: tuple[Hook, ...]) -> None:
        context = hook_context(running.plugin, self._options.settings_of(running.plugin.key))
        for hook in hooks:
            hook_try(running.instance, hook, context, timeout_s=self._options.hook_timeout_s)

    def _stop_order(self, keys: Iterable[PluginKey]) -> Sequence[PluginKey]:
        """Return ``keys`` so that each comes before what it depends on."""
        place = {key: index for index, key in enumerate(self.store.order)}
        return sorted(keys, key=lambda key: place.get(key, len(place)), reverse=True)

    def shutdown(self, deadline_s: float = DRAIN_S) -> None:
        """Stop and shut down everything that runs, dependants first; the process ends."""
        ends_at = time.monotonic() + min(deadline_s, self._options.drain_s)
        with self._lock:
            for key in self._stop_order(self.registry.all()):
                running = self.registry.remove(key)
                if running is not None:
                    running.drain(max(ends_at - time.monotonic(), 0.0))
                    self._run_last(running, ("on_stop", "on_shutdown"))
