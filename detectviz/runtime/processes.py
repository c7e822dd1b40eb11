"""Heartbeats of processes, so that readiness can say which role is missing."""

import logging
import threading
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta

from django.db import close_old_connections
from django.db.utils import DatabaseError

from detectviz.clock import utc_now
from detectviz.runtime.leases import process_owner
from detectviz.runtime.models import ProcessHeartbeat
from detectviz.runtime.modules import ModuleStatus, Runner

BEAT_S = 3.0
ALIVE_S = 10.0

_runners: list[Runner] = []

logger = logging.getLogger(__name__)


def runner_use(runner: Runner) -> None:
    """Have this process's heartbeat tell of the modules of ``runner``."""
    _runners[:] = [runner]


def heartbeat_record(*, role: str, started_at: datetime, now: datetime) -> None:
    """Say that this process is alive, and how its modules are."""
    modules = [_as_row(status) for runner in _runners for status in runner.statuses()]
    ProcessHeartbeat.objects.update_or_create(
        owner=process_owner(),
        defaults={"role": role, "started_at": started_at, "seen_at": now, "modules": modules},
    )
    ProcessHeartbeat.objects.filter(seen_at__lt=now - timedelta(days=1)).delete()


def _as_row(status: ModuleStatus) -> dict[str, object]:
    return {**asdict(status), "depends_on": list(status.depends_on), "state": status.state.value}


def heartbeat_list(now: datetime) -> list[ProcessHeartbeat]:
    """Return the processes that are alive, by role."""
    alive = ProcessHeartbeat.objects.filter(seen_at__gte=now - timedelta(seconds=ALIVE_S))
    return list(alive.order_by("role", "owner"))


@dataclass(slots=True)
class HeartbeatModule:
    """Records this process's heartbeat from a thread."""

    role: str
    name: str = "heartbeat"
    depends_on: Sequence[str] = ("drivers",)
    _stopping: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def start(self) -> None:
        """Record once, then keep recording."""
        started_at = utc_now()
        heartbeat_record(role=self.role, started_at=started_at, now=started_at)
        self._thread = threading.Thread(
            target=self._run, args=(started_at,), name="heartbeat", daemon=True
        )
        self._thread.start()

    def _run(self, started_at: datetime) -> None:
        while not self._stopping.wait(BEAT_S):
            try:
                close_old_connections()
                heartbeat_record(role=self.role, started_at=started_at, now=utc_now())
            except DatabaseError as error:
                logger.warning("heartbeat not recorded: %s", error)

    def stop(self, deadline_s: float) -> None:
        """Stop, and take the row away so that readiness notices at once."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join(deadline_s)
        ProcessHeartbeat.objects.filter(owner=process_owner()).delete()
