"""One command, several processes: fork, watch, restart, stop."""

import gc
import logging
import os
import select
import signal
import socket
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import FrameType

from django.db import connections

from detectviz.observability.metrics import process_forget
from detectviz.runtime.memory import freed_return
from detectviz.runtime.priority import priority_lower
from detectviz.runtime.systemd import Notifier

MIN_BACKOFF_S = 0.2
MAX_BACKOFF_S = 5.0
STABLE_AFTER_S = 10.0
STOP_DEADLINE_S = 25.0
POLL_S = 0.1
ORPHAN_POLL_S = 0.5

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Late:
    """A role that starts when somebody connects, as a session of its own, that nice."""

    listener: socket.socket
    niceness: int


@dataclass(slots=True)
class _Child:
    """One supervised process. Times are seconds of the monotonic clock."""

    role: str
    pid: int = 0
    started_at: float = 0.0
    restart_at: float = 0.0
    backoff_s: float = MIN_BACKOFF_S
    has_worked: bool = False
    late: Late | None = None

    @property
    def wakes(self) -> socket.socket | None:
        """What is connected to when a late child is wanted."""
        return self.late.listener if self.late else None


@dataclass(slots=True)
class Supervisor:
    """Forks one child per role from this loaded process, so that they share its memory.

    A child that dies is started again after a growing pause; a child that ends by itself with
    status 1 during its first seconds means the configuration is wrong, and everything stops.

    ``late`` roles run from when somebody connects to their listening socket
    until they end with status 0; the socket is theirs to accept from. ``service`` hears when all
    ``roles`` run, that we still supervise, and when the end begins.
    """

    roles: Sequence[str]
    run_role: Callable[[str, Callable[[], object]], int]
    late: Mapping[str, Late] = field(default_factory=dict)
    service: Notifier = field(default_factory=Notifier)
    _told: tuple[int, int] = field(default_factory=os.pipe)
    _running: set[int] = field(default_factory=set)
    _is_ready: bool = False
    _children: list[_Child] = field(default_factory=list)
    _stopping: bool = False
    _status: int = 0

    def run(self) -> int:
        """Supervise until SIGTERM or SIGINT; return the exit status."""
        signal.signal(signal.SIGTERM, self._on_signal)
        signal.signal(signal.SIGINT, self._on_signal)
        connections.close_all()
        gc.collect()
        gc.freeze()
        freed_return()
        self._children = [_Child(role) for role in self.roles]
        for child in self._children:
            self._spawn(child)
        self._children += [_Child(role, late=late) for role, late in self.late.items()]
        while not self._stopping:
            self._reap()
            called = self._wait()
            self.service.beat()
            for child in self._children:
                is_due = not child.pid and time.monotonic() >= child.restart_at
                if is_due and child.wakes in called and not self._stopping:
                    self._spawn(child)
        self.service.stopping()
        self._stop_children()
        return self._status

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        self._stopping = True

    def _wait(self) -> Sequence[socket.socket | None]:
        """Sleep a little; return the sockets of late children where somebody waits, and None."""
        asleep = [child.wakes for child in self._children if child.wakes and not child.pid]
        waited_for: list[socket.socket | int] = [self._told[0], *asleep]
        heard = select.select(waited_for, [], [], POLL_S)[0]
        if self._told[0] in heard:
            self._hear()
        called = [one for one in heard if isinstance(one, socket.socket)]
        if called and any(time.monotonic() < child.restart_at for child in self._children):
            time.sleep(POLL_S)
        return [None, *called]

    def _hear(self) -> None:
        """Note which children run; tell the service manager when all have come up once."""
        self._running |= {int(word) for word in os.read(self._told[0], 4096).split()}
        if not self._is_ready and {child.pid for child in self._children if not child.late} <= (
            self._running
        ):
            self._is_ready = True
            self.service.ready(f"runs {', '.join(self.roles)}")

    def _tell_running(self) -> None:
        os.write(self._told[1], f"{os.getpid()} ".encode("ascii"))

    def _spawn(self, child: _Child) -> None:
        pid = os.fork()
        if pid == 0:
            status = 1
            try:
                _end_with_parent(os.getppid())
                if child.late:
                    priority_lower(child.late.niceness)
                status = self.run_role(child.role, self._tell_running)
            finally:
                logging.shutdown()
                os._exit(status)
        child.pid = pid
        child.started_at = time.monotonic()

    def _reap(self) -> None:
        for child in self._children:
            if not child.pid:
                continue
            pid, wait_status = os.waitpid(child.pid, os.WNOHANG)
            if pid:
                self._on_exit(child, os.waitstatus_to_exitcode(wait_status))

    def _on_exit(self, child: _Child, status: int) -> None:
        lived_s = time.monotonic() - child.started_at
        process_forget(child.pid)
        self._running.discard(child.pid)
        child.pid = 0
        if child.wakes and status == 0:
            return
        child.has_worked = child.has_worked or lived_s > STABLE_AFTER_S
        if status == 1 and not child.has_worked and not child.wakes:
            logger.error("%s could not start; stopping (its message stands above)", child.role)
            self._status = 1
            self._stopping = True
            return
        child.backoff_s = (
            MIN_BACKOFF_S if lived_s > STABLE_AFTER_S else min(child.backoff_s * 2, MAX_BACKOFF_S)
        )
        child.restart_at = time.monotonic() + child.backoff_s
        logger.error(
            "%s ended with status %d; restart in %.1f s", child.role, status, child.backoff_s
        )

    def _stop_children(self) -> None:
        for child in self._children:
            if child.pid:
                os.kill(child.pid, signal.SIGTERM)
        ends_at = time.monotonic() + STOP_DEADLINE_S
        while any(child.pid for child in self._children) and time.monotonic() < ends_at:
            for child in self._children:
                if child.pid and os.waitpid(child.pid, os.WNOHANG)[0]:
                    child.pid = 0
            time.sleep(POLL_S / 2)
        for child in self._children:
            if child.pid:
                logger.error("%s did not stop in time; killed", child.role)
                os.kill(child.pid, signal.SIGKILL)
                os.waitpid(child.pid, 0)
                self._status = 1


def _end_with_parent(parent: int) -> None:
    """End this child when its supervisor is gone, even by kill -9."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(ORPHAN_POLL_S)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, name="parent-watch", daemon=True).start()
