"""Which modules make up which process."""

import logging
import signal
import socket
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import FrameType

from django.conf import settings
from django.utils.module_loading import import_string

from detectviz.runtime.drivers import ROLES_WITHOUT_SERIES, driver_modules
from detectviz.runtime.memory import arrays_kept
from detectviz.runtime.modules import Module, Runner
from detectviz.runtime.passage import socket_path
from detectviz.runtime.processes import HeartbeatModule
from detectviz.runtime.series import SeriesSenderModule
from detectviz.runtime.servers import (
    BeatModule,
    HeavyModule,
    SysModule,
    WebModule,
    WorkerModule,
)
from detectviz.runtime.wakeups import WakeupsModule

logger = logging.getLogger(__name__)

_BACKLOG = 128
# Started beside web when needed. What writes stands back less: others wait for its locks.
LATE_NICENESS = {"heavy": 10, "bulk": 5}
WORK_QUEUES = ("evaluate", "notify", "jobs")


def _collection() -> Module:
    module: Module = import_string(settings.DETECTVIZ_COLLECTION_MODULE)()
    return module


def _web() -> list[Module]:
    return [WebModule()]


def _collector() -> list[Module]:
    modules = [_collection()]
    if not settings.IS_EMBEDDED:
        # Beat's tick reaches a collector as a Celery task; the pool is the consuming thread itself.
        modules.append(WorkerModule(queues=("collect",), pool="solo", concurrency=1))
    return modules


def _worker() -> list[Module]:
    return [WorkerModule(queues=WORK_QUEUES)]


def _beat() -> list[Module]:
    return [BeatModule()]


def _control() -> list[Module]:
    """The embedded size: worker and beat share a process, and so the in-memory broker."""
    worker = WorkerModule(queues=("collect", *WORK_QUEUES), is_sole=True)
    return [worker, WakeupsModule(), BeatModule(is_sole=True), SysModule()]


ROLES: dict[str, Callable[[], list[Module]]] = {
    "web": _web,
    "collector": _collector,
    "control": _control,
    "worker": _worker,
    "beat": _beat,
    "sys": lambda: [SysModule()],
}


def processes_of(application: str, *, is_embedded: bool) -> tuple[str, ...]:
    """Return the roles of the processes that ``detectviz up --app …`` runs."""
    if is_embedded:
        return ("web", "collector", "control")
    return {
        "all": ("web", "collector", "worker", "beat", "sys"),
        "web": ("web",),
        "worker": ("collector", "worker", "sys"),
        "beat": ("beat", "sys"),
        "sys": ("sys",),
    }[application]


def late_listeners(roles: Sequence[str]) -> dict[str, socket.socket]:
    """Listen for what web will hand over, where there is a web and the addresses can be had."""
    listeners: dict[str, socket.socket] = {}
    if "web" in roles:
        for role in LATE_NICENESS:
            listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            try:
                _listen(listener, _late_path(role))
            except OSError as error:
                listener.close()
                logger.warning("heavy requests stay in the web process: %s", error)
            else:
                listeners[role] = listener
    return listeners


def late_forget(listeners: Mapping[str, socket.socket]) -> None:
    """Close what ``late_listeners`` opened."""
    for role, listener in listeners.items():
        listener.close()
        _late_path(role).unlink(missing_ok=True)


def _listen(listener: socket.socket, path: Path) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    listener.bind(str(path))
    path.chmod(0o600)
    listener.listen(_BACKLOG)


def _late_path(role: str) -> Path:
    return socket_path(Path(settings.DATA_DIR), role)


def modules_of(role: str, listeners: Mapping[str, socket.socket] | None = None) -> Sequence[Module]:
    """Return the modules of one process; late ones have their ``listeners``."""
    common: list[Module] = [*driver_modules(role), HeartbeatModule(role=role)]
    if settings.TSDB_URL and role not in ROLES_WITHOUT_SERIES:
        common.append(SeriesSenderModule())
    if listeners and role in listeners:
        return [*common, HeavyModule(listeners[role])]
    return [*common, *ROLES[role]()]


def run_role(role: str, listeners: Mapping[str, socket.socket] | None = None) -> int:
    """Run one process until it is told to stop; return its exit status."""
    runner = Runner(modules_of(role, listeners))

    def stop(number: int, frame: FrameType | None) -> None:
        runner.stop_requested.set()

    signal.signal(signal.SIGTERM, stop)
    # Ctrl-C reaches the whole process group; the supervisor alone decides the order.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _show_name(role)
    if role in {"web", "heavy"}:
        arrays_kept()
    logger.info("%s starts", role)
    return runner.run()


def _show_name(role: str) -> None:
    """Let `ps` and `top` tell the processes apart (Linux keeps 15 characters)."""
    with suppress(OSError):
        Path("/proc/self/comm").write_text(f"dv:{role}", encoding="ascii")
