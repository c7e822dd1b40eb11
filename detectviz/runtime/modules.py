"""Modules: named parts of a process, started in order of dependency, stopped in reverse."""

import logging
import signal
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from enum import StrEnum
from types import FrameType
from typing import Protocol, runtime_checkable

HEALTHY_TIMEOUT_S = 30.0
HEALTHY_POLL_S = 0.01
WATCH_EVERY_S = 1.0
LEAST_STOP_S = 0.5
START_FAILED, MODULE_FAILED = 1, 3

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


@runtime_checkable
class Watched(Protocol):
    """A module that can tell, cheaply and from any thread, that it no longer works."""

    def complaint(self) -> str:
        """Return why it does not work now, empty while it does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Remark:
    """What a running module says of itself; one that is not well goes on."""

    is_well: bool
    text: str


@runtime_checkable
class Remarking(Protocol):
    """A module with something to say while it runs, cheaply and from any thread."""

    def remark(self) -> Remark:
        """Return how it is now."""


class ModuleState(StrEnum):
    """Where a module is in its life. A degraded one runs and is not well."""

    WAITING = "waiting"
    STARTING = "starting"
    RUNNING = "running"
    DEGRADED = "degraded"
    STOPPING = "stopping"
    FAILED = "failed"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True, kw_only=True)
class ModuleStatus:
    """A module of this process as others see it. ``since`` is in Unix seconds."""

    name: str
    depends_on: tuple[str, ...]
    state: ModuleState
    since: float
    reason: str = ""


class Listener(Protocol):
    """Is told of every change of state, in the thread that runs the modules."""

    def on_module(self, status: ModuleStatus) -> None:
        """Take note; what it raises is logged and stops nobody."""


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
    """Runs a set of modules. ``stop_requested`` ends ``run``; one that fails stops all the rest.

    A module that can complain is waited for at its start until it works, and asked every second
    after. ``on_running`` is called once all modules run, ``on_tick`` every second from then on,
    ``on_stopping`` before they stop.
    """

    modules: Sequence[Module]
    deadline_s: float = 20.0
    stop_requested: threading.Event = field(default_factory=threading.Event)
    listeners: Sequence[Listener] = ()
    on_running: Callable[[], object] = lambda: None
    on_tick: Callable[[], object] | None = None
    on_stopping: Callable[[], object] = lambda: None
    watch_every_s: float = WATCH_EVERY_S
    healthy_timeout_s: float = HEALTHY_TIMEOUT_S
    _statuses: dict[str, ModuleStatus] = field(default_factory=dict)
    _running: list[Module] = field(default_factory=list)

    @property
    def states(self) -> dict[str, ModuleState]:
        """Return the state of every module by name."""
        return {name: status.state for name, status in self._statuses.items()}

    def statuses(self) -> tuple[ModuleStatus, ...]:
        """Return every module as it is now, in the order of the start; from any thread."""
        remarks = {
            module.name: module.remark()
            for module in self._running.copy()
            if isinstance(module, Remarking)
        }
        return tuple(_remarked(each, remarks.get(each.name)) for each in self._statuses.values())

    def run(self) -> int:
        """Start everything, watch, stop everything; return the exit status.

        0: stopped cleanly when asked. 1: one did not start, or did not stop cleanly.
        3: one failed while it ran.
        """
        try:
            self.start()
        except Exception as error:
            logger.exception("start failed")
            self.stop()
            logger.error("stopped: %s", error)  # noqa: TRY400 - the trace stands above, this is the sentence
            return START_FAILED
        self.on_running()
        failed = self._watch()
        self.on_stopping()
        is_clean = self.stop()
        if failed:
            logger.error("stopped: %s", failed)
            return MODULE_FAILED
        return 0 if is_clean else START_FAILED

    def start(self) -> None:
        """Start in order; raise ModuleError naming the module that could not."""
        ordered = start_order(self.modules)
        for module in ordered:
            self._become(module, ModuleState.WAITING)
        for module in ordered:
            self._become(module, ModuleState.STARTING)
            try:
                module.start()
                self._running.append(module)
                self._await_healthy(module)
            except Exception as error:
                self._become(module, ModuleState.FAILED, str(error))
                raise ModuleError(f"Module {module.name!r} did not start: {error}") from error
            self._become(module, ModuleState.RUNNING)

    def _await_healthy(self, module: Module) -> None:
        if not isinstance(module, Watched):
            return
        ends_at = time.monotonic() + self.healthy_timeout_s
        while complaint := module.complaint():
            if time.monotonic() >= ends_at:
                raise ModuleError(complaint)
            time.sleep(HEALTHY_POLL_S)

    def _watch(self) -> str:
        """Wait to be stopped; return what failed meanwhile, if anything did."""
        watched = [module for module in self._running if isinstance(module, Watched)]
        is_ticking = watched or self.on_tick is not None
        while not self.stop_requested.wait(self.watch_every_s if is_ticking else None):
            if self.on_tick is not None:
                self.on_tick()
            for module in watched:
                if complaint := module.complaint():
                    self._become(module, ModuleState.FAILED, complaint)
                    logger.error("module %s failed: %s; all stop", module.name, complaint)
                    return f"Module {module.name!r} failed: {complaint}"
        return ""

    def stop(self) -> bool:
        """Stop in reverse order within the deadline; say whether all stopped cleanly.

        Each is told how long it has. One that takes longer is left where it is, so that those
        it depends on still stop.
        """
        ends_at = time.monotonic() + self.deadline_s
        is_clean = True
        while self._running:
            module = self._running.pop()
            had_failed = self._statuses[module.name].state is ModuleState.FAILED
            if not had_failed:
                self._become(module, ModuleState.STOPPING)
            seconds = max(ends_at - time.monotonic(), LEAST_STOP_S)
            try:
                with _at_most(seconds + LEAST_STOP_S):
                    module.stop(seconds)
            except Exception as error:
                logger.exception("module %s did not stop cleanly", module.name)
                self._become(module, ModuleState.FAILED, str(error))
                is_clean = False
            else:
                if not had_failed:
                    self._become(module, ModuleState.STOPPED)
        return is_clean

    def _become(self, module: Module, state: ModuleState, reason: str = "") -> None:
        status = ModuleStatus(
            name=module.name,
            depends_on=tuple(module.depends_on),
            state=state,
            since=time.time(),
            reason=reason,
        )
        # A new dictionary each time: other threads read while this one writes.
        self._statuses = {**self._statuses, module.name: status}
        for listener in self.listeners:
            try:
                listener.on_module(status)
            except Exception:
                logger.exception("a listener of modules failed")


def _remarked(status: ModuleStatus, remark: Remark | None) -> ModuleStatus:
    if remark is None or status.state is not ModuleState.RUNNING:
        return status
    state = ModuleState.RUNNING if remark.is_well else ModuleState.DEGRADED
    return replace(status, state=state, reason=remark.text)


@contextmanager
def _at_most(seconds: float) -> Iterator[None]:
    """Interrupt what the main thread waits for after ``seconds``; elsewhere nothing interrupts."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise TimeoutError(f"it takes longer than {seconds:.1f} s")

    before = signal.signal(signal.SIGALRM, interrupt)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
