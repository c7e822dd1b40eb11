"""Modules: named parts of a process, started in order of dependency, stopped in reverse."""

import logging
import threading
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

logger = logging.getLogger(__name__)


class ModuleError(RuntimeError):
    """The set of modules is impossible, or one of them failed; the message names it."""


class Module(Protocol):
    """A startable part of an application."""

    @property
    def name(self) -> str:
        """Unique within the process."""

    @property
    def depends_on(self) -> Sequence[str]:
        """Names of the modules that must run before this one starts."""

    def start(self) -> None:
        """Start and return once it works; raise when it can't."""

    def stop(self, deadline_s: float) -> None:
        """Finish what is under way within ``deadline_s`` seconds, then end."""


class ModuleState(StrEnum):
    """Where a module is in its life."""

    WAITING = "waiting"
    RUNNING = "running"
    FAILED = "failed"
    STOPPED = "stopped"


def start_order(modules: Iterable[Module]) -> list[Module]:
    """Return modules so that each comes after what it depends on; name missing ones and cycles."""
    by_name: dict[str, Module] = {}
    for module in modules:
        if module.name in by_name:
            raise ModuleError(f"Two modules are called {module.name!r}.")
        by_name[module.name] = module
    ordered: list[Module] = []
    visiting: list[str] = []

    def visit(name: str, wanted_by: str) -> None:
        if name in visiting:
            cycle = " → ".join([*visiting[visiting.index(name) :], name])
            raise ModuleError(f"Modules depend on each other in a circle: {cycle}.")
        module = by_name.get(name)
        if module is None:
            raise ModuleError(
                f"Module {wanted_by!r} needs {name!r}, which is not part of this process."
            )
        if module in ordered:
            return
        visiting.append(name)
        for dependency in module.depends_on:
            visit(dependency, name)
        visiting.pop()
        ordered.append(module)

    for name in by_name:
        visit(name, name)
    return ordered


@dataclass(slots=True)
class Runner:
    """Runs a set of modules. ``stop_requested`` ends ``run``; a failed start stops the rest."""

    modules: Sequence[Module]
    deadline_s: float = 20.0
    stop_requested: threading.Event = field(default_factory=threading.Event)
    states: dict[str, ModuleState] = field(default_factory=dict)
    _running: list[Module] = field(default_factory=list)

    def run(self) -> int:
        """Start everything, wait to be stopped, stop everything; return the exit status."""
        try:
            self.start()
        except Exception as error:
            logger.exception("start failed")
            self.stop()
            logger.error("stopped: %s", error)  # noqa: TRY400 - the trace stands above, this is the sentence
            return 1
        self.stop_requested.wait()
        return 0 if self.stop() else 1

    def start(self) -> None:
        """Start in order; raise ModuleError naming the module that could not."""
        self.states = {module.name: ModuleState.WAITING for module in self.modules}
        for module in start_order(self.modules):
            try:
                module.start()
            except Exception as error:
                self.states[module.name] = ModuleState.FAILED
                raise ModuleError(f"Module {module.name!r} did not start: {error}") from error
            self.states[module.name] = ModuleState.RUNNING
            self._running.append(module)

    def stop(self) -> bool:
        """Stop in reverse order within the deadline; say whether all stopped cleanly."""
        ends_at = time.monotonic() + self.deadline_s
        is_clean = True
        while self._running:
            module = self._running.pop()
            try:
                module.stop(max(ends_at - time.monotonic(), 0.5))
                self.states[module.name] = ModuleState.STOPPED
            except Exception:
                self.states[module.name] = ModuleState.FAILED
                logger.exception("module %s did not stop cleanly", module.name)
                is_clean = False
        return is_clean
