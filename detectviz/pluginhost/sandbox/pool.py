"""The children of one plugin: one per scope, started when needed, with back-off after a failure."""

import os
import random
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from detectviz.contracts.errors import PluginError
from detectviz.pluginhost.sandbox.child.failures import failure_decode
from detectviz.pluginhost.sandbox.limits import Limits
from detectviz.pluginhost.sandbox.memory import tree_memory_bytes
from detectviz.pluginhost.sandbox.process import ChildProcess, Launch, Told
from detectviz.pluginhost.sandbox.telemetry import child_ends_total, child_starts_total, children

FIRST_WAIT_S: Final = 0.5
LONGEST_WAIT_S: Final = 60.0
STEADY_S: Final = 60.0
_REMEMBERED: Final = 1_000


@dataclass(slots=True)
class _Scope:
    """The child of one scope. ``failures`` are ends in a row that nobody wanted."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    child: ChildProcess | None = None
    failures: int = 0
    next_start_at: float = 0.0


class ChildPool:
    """Hands out running children; calls of two scopes never meet in one process."""

    def __init__(
        self,
        *,
        kind: str,
        name: str,
        launch: Callable[[], Launch],
        limits: Limits,
        on_start: Callable[[ChildProcess], None],
        on_end: Told,
        on_try: Told,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._labels = (kind, name)
        self._launch = launch
        self._limits = limits
        self._on_start = on_start
        self._on_end = on_end
        self._on_try = on_try
        self._clock = clock
        self._lock = threading.Lock()
        self._scopes: OrderedDict[str, _Scope] = OrderedDict()
        self._pid = os.getpid()
        self._is_closed = False
        self.welcome: dict[str, Any] = {}

    def running(self, scope: str) -> ChildProcess | None:
        """Return the scope's child if it runs and has room; never blocks."""
        self._forget_after_fork()
        found = self._scopes.get(scope)
        child = found.child if found else None
        if child is None or child.is_ended or child.ending:
            return None
        self._require_room(child)
        return child

    def acquire(self, scope: str) -> ChildProcess:
        """Return the scope's child, started if need be; blocks. Raise PluginError in back-off."""
        child = self.running(scope)
        if child is not None:
            return child
        found = self._scope(scope)
        with found.lock:
            child = self.running(scope)
            return child if child is not None else self._start(found)

    def memory_bytes(self) -> int:
        """Return the resident memory of all children and what they started."""
        pids = [each.child.pid for each in list(self._scopes.values()) if each.child]
        return sum(tree_memory_bytes(pid) for pid in pids if pid is not None)

    def waiting(self) -> str:
        """Say what keeps a failing plugin from being started again at once; empty: nothing."""
        scopes = [each for each in list(self._scopes.values()) if each.failures]
        if not scopes:
            return ""
        latest = max(scopes, key=lambda each: each.next_start_at)
        left_s = latest.next_start_at - self._clock()
        if left_s <= 0:
            return ""
        return f"It failed {latest.failures} times in a row and starts again in {left_s:.0f} s."

    def close(self) -> None:
        """End every child."""
        self._is_closed = True
        for found in list(self._scopes.values()):
            if found.child is not None:
                found.child.end("idle", "The plugin was stopped.")
                found.child.join(self._limits.grace_s * 5)

    def _require_room(self, child: ChildProcess) -> None:
        if child.calls >= self._limits.calls:
            raise PluginError(f"The plugin already has {self._limits.calls} calls under way.")

    def _scope(self, name: str) -> _Scope:
        with self._lock:
            found = self._scopes.pop(name, None) or _Scope()
            self._scopes[name] = found
            self._shrink()
            return found

    def _shrink(self) -> None:
        """End the children used longest ago when there are too many, and the idle ones."""
        now = time.monotonic()
        alive = [each for each in self._scopes.values() if each.child and not each.child.is_ended]
        for place, each in enumerate(alive):
            child = each.child
            if child is None or child.calls:
                continue
            is_many = len(alive) - place >= self._limits.children
            if is_many or now - child.used_at > self._limits.idle_s:
                child.end("idle", "It was not used for a while.")
        while len(self._scopes) > _REMEMBERED:
            self._scopes.popitem(last=False)

    def _start(self, found: _Scope) -> ChildProcess:
        if self._is_closed:
            raise PluginError("The plugin has been stopped.")
        left_s = found.next_start_at - self._clock()
        if left_s > 0:
            raise PluginError(
                f"The plugin failed {found.failures} times in a row and starts again in "
                f"{left_s:.1f} s."
            )
        child = ChildProcess(
            self._launch(),
            self._limits,
            on_end=lambda reason, text: self._ended(found, reason, text),
            on_try=self._on_try,
        )
        child_starts_total.labels(*self._labels).inc()
        children.labels(*self._labels).inc()
        found.child = child
        answer = child.start()
        if "error" in answer or "result" not in answer:
            child.end("start", "It could not be started.")
            child.join(self._limits.grace_s * 5)
            raise failure_decode(answer.get("error"))
        self.welcome = answer["result"]
        try:
            self._on_start(child)
        except BaseException:
            child.end("start", "It could not be prepared.")
            raise
        return child

    def _ended(self, found: _Scope, reason: str, message: str) -> None:
        children.labels(*self._labels).dec()
        child_ends_total.labels(*self._labels, reason).inc()
        if reason == "idle":
            return
        child = found.child
        if child is not None and time.monotonic() - child.started_at > STEADY_S:
            found.failures = 0
        found.failures += 1
        wait_s = min(LONGEST_WAIT_S, FIRST_WAIT_S * 2 ** (found.failures - 1))
        spread = random.uniform(0.8, 1.2)  # noqa: S311 - spreads restarts, protects nothing
        found.next_start_at = self._clock() + wait_s * spread
        self._on_end(reason, message)

    def _forget_after_fork(self) -> None:
        """Start anew in a forked process: the threads that watched are the parent's."""
        if self._pid != os.getpid():
            self._pid = os.getpid()
            self._lock = threading.Lock()
            self._scopes = OrderedDict()
