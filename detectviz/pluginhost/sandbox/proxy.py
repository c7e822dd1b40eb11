"""Isolated plugins as the host sees them: objects with their kind's verb."""

import asyncio
import atexit
import weakref
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

from detectviz.contracts import lifecycle
from detectviz.contracts.errors import PluginError
from detectviz.contracts.lifecycle import HookContext, PluginEvent
from detectviz.contracts.manifest import Manifest
from detectviz.pluginhost.kinds import KINDS
from detectviz.pluginhost.refusals import Refusal, ledger
from detectviz.pluginhost.sandbox.calls import (
    Call,
    call_awaiting,
    call_blocking,
    stream_blocking,
)
from detectviz.pluginhost.sandbox.child.codec import Codec
from detectviz.pluginhost.sandbox.child.ports import Method, ports_in
from detectviz.pluginhost.sandbox.launching import plugin_launch
from detectviz.pluginhost.sandbox.limits import SandboxPolicy
from detectviz.pluginhost.sandbox.pool import ChildPool
from detectviz.pluginhost.sandbox.process import ChildProcess

OnTry = Callable[[Manifest, str, str], None]
_HOOKS = {
    name: method for port in ports_in(lifecycle).values() for name, method in port.methods.items()
}
_pools: "weakref.WeakSet[ChildPool]" = weakref.WeakSet()


class IsolatedPlugin:
    """A plugin that runs in processes of its own; its class gets the methods it really has."""

    pool: ChildPool
    policy: SandboxPolicy

    def __init__(self) -> None:
        self._hooks: dict[str, HookContext] = {}

    def on_register(self, context: HookContext) -> None:
        """Have every child told, those started later as well."""
        self._remember("on_register", context)

    def on_start(self, context: HookContext) -> None:
        """Have every child told, those started later as well."""
        self._remember("on_start", context)

    def on_stop(self, context: HookContext) -> None:
        """Tell the running child, then end all of them; a later call fails."""
        child = self.pool.running(self.policy.scope())
        try:
            if child is not None:
                self._tell(child, "on_stop", context)
        finally:
            self.pool.close()

    def on_event(self, event: PluginEvent, context: HookContext) -> None:
        """Tell the child of the event's org."""
        child = self.pool.acquire(self.policy.scope())
        if "on_event" not in self.pool.welcome.get("methods", ()):
            raise PluginError("The plugin asks for events and has no on_event.", permanent=True)
        values = {"event": event, "context": context}
        call_blocking(
            child, Call(method=_HOOKS["on_event"], values=values, limits=self.policy.limits)
        )

    def memory_bytes(self) -> int:
        """Return the resident memory of its processes."""
        return self.pool.memory_bytes()

    def waiting(self) -> str:
        """Say why it is not started again at once after it failed; empty: it may be."""
        return self.pool.waiting()

    def close(self) -> None:
        """End its processes; a later call fails."""
        self.pool.close()

    def prepare(self, child: ChildProcess) -> None:
        """Tell a child that has just started what its siblings were told."""
        for name, context in list(self._hooks.items()):
            self._tell(child, name, context)

    def _remember(self, name: str, context: HookContext) -> None:
        child = self.pool.acquire(self.policy.scope())
        self._hooks[name] = context
        self._tell(child, name, context)

    def _tell(self, child: ChildProcess, name: str, context: HookContext) -> None:
        if name in self.pool.welcome.get("methods", ()):
            method = _HOOKS[name]
            limits = self.policy.limits
            call_blocking(child, Call(method=method, values={"context": context}, limits=limits))


def record_attempt(manifest: Manifest, permission: str, wanted: str) -> None:
    """Record what an isolated plugin tried, or did to be ended, as a refusal."""
    ledger.record(
        Refusal(kind=manifest.kind, plugin=manifest.name, permission=permission, wanted=wanted)
    )


def isolated_loader(
    policy: SandboxPolicy, *, on_try: OnTry = record_attempt
) -> Callable[[Path, Manifest], IsolatedPlugin]:
    """Return a loader whose plugins run in processes of their own.

    The loader starts one child, to learn which methods the plugin has. It raises PluginError when
    the plugin does not start there, and PluginHostError (SandboxUnavailableError) where the
    machine cannot isolate and the policy does not let it do without. ``on_try`` is told
    in the child's own thread what a plugin tried and was refused, and why a child ended unasked.
    """

    def load(folder: Path, manifest: Manifest) -> IsolatedPlugin:
        launch = plugin_launch(folder, manifest, policy)
        plugins: list[IsolatedPlugin] = []

        def prepare(child: ChildProcess) -> None:
            for each in plugins:
                each.prepare(child)

        def ended(reason: str, message: str) -> None:
            on_try(manifest, "process", f"{reason}: {message}")

        def tried(permission: str, wanted: str) -> None:
            on_try(manifest, permission, wanted)

        pool = ChildPool(
            kind=manifest.kind.value,
            name=manifest.name,
            launch=launch,
            limits=policy.limits,
            on_start=prepare,
            on_end=ended,
            on_try=tried,
        )
        pool.acquire(policy.scope())
        _pools.add(pool)
        cls = _class_of(manifest, pool.welcome)
        plugin = cls()
        plugin.pool, plugin.policy = pool, policy
        plugins.append(plugin)
        return plugin

    return load


def _class_of(manifest: Manifest, welcome: dict[str, Any]) -> type[IsolatedPlugin]:
    """Return a class with the methods and attributes of the contract that the child has."""
    module = import_module(KINDS[manifest.kind].contract.partition(":")[0])
    answered = set(welcome.get("methods") or ())
    attributes = welcome.get("attributes") or {}
    members: dict[str, Any] = {}
    codec = Codec()
    for port in ports_in(module).values():
        if not answered.issuperset(port.methods) or not port.properties.keys() <= attributes.keys():
            continue
        for name, method in port.methods.items():
            members[name] = _verb(method)
        for name, hint in port.properties.items():
            members[name] = codec.decode(hint, attributes[name])
    name = f"Isolated{manifest.capability.partition(':')[2]}"
    return type(name, (IsolatedPlugin,), members)


def _verb(method: Method) -> Any:
    if method.is_async:
        return _async_verb(method)
    return _sync_verb(method) if method.streams is None else _stream_verb(method)


def _stream_verb(method: Method) -> Any:
    def verb(plugin: IsolatedPlugin, *args: Any, **kwargs: Any) -> Iterator[Any]:
        child = plugin.pool.acquire(plugin.policy.scope())
        yield from stream_blocking(child, _call(plugin, method, args, kwargs))

    return _named(verb, method)


def _sync_verb(method: Method) -> Any:
    def verb(plugin: IsolatedPlugin, *args: Any, **kwargs: Any) -> Any:
        child = plugin.pool.acquire(plugin.policy.scope())
        return call_blocking(child, _call(plugin, method, args, kwargs))

    return _named(verb, method)


def _async_verb(method: Method) -> Any:
    async def verb(plugin: IsolatedPlugin, *args: Any, **kwargs: Any) -> Any:
        scope = plugin.policy.scope()
        child = plugin.pool.running(scope)
        if child is None:
            child = await asyncio.to_thread(plugin.pool.acquire, scope)
        return await call_awaiting(child, _call(plugin, method, args, kwargs))

    return _named(verb, method)


def _call(
    plugin: IsolatedPlugin, method: Method, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Call:
    values = method.arguments(args, kwargs)
    return Call(method=method, values=values, limits=plugin.policy.limits)


def _named(verb: Any, method: Method) -> Any:
    verb.__name__ = method.name
    verb.__doc__ = f"Run {method.name} in the plugin's own process."
    return verb


def _close_all() -> None:
    for pool in list(_pools):
        pool.close()


atexit.register(_close_all)
