"""Which modules make up which process."""

import logging
import signal
import socket
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import cast

from django.conf import settings
from django.utils.module_loading import import_string

from detectviz.events.relay import EventBusModule
from detectviz.runtime.drivers import ROLES_WITHOUT_SERIES, driver_modules
from detectviz.runtime.memory import arrays_kept
from detectviz.runtime.modules import Module, ModuleError, Runner
from detectviz.runtime.passage import socket_path
from detectviz.runtime.processes import HeartbeatModule, runner_use
from detectviz.runtime.registration import Registry
from detectviz.runtime.series import SeriesSenderModule
from detectviz.runtime.servers import (
    BeatModule,
    HeavyModule,
    SysModule,
    WebModule,
    WorkerModule,
)
from detectviz.runtime.systemd import Notifier
from detectviz.runtime.wakeups import WakeupsModule

logger = logging.getLogger(__name__)

_BACKLOG = 128
# Started beside web when needed. What writes stands back less: others wait for its locks.
LATE_NICENESS = {"heavy": 10, "bulk": 5}
ROLES_WITHOUT_PLUGINS = frozenset({"beat", "sys"})
WORK_QUEUES = ("evaluate", "notify", "jobs")
ROLES = ("web", "collector", "control", "worker", "beat", "sys")
# ``cli`` is the command line itself and ``agent`` a name kept for what will check elsewhere.
APPLICATIONS = ("all", "web", "worker", "beat", "sys", "agent", "cli")
_CHOICES = ", ".join(APPLICATIONS[:5])
_ROLES_OF = {
    "all": ("web", "collector", "worker", "beat", "sys"),
    "web": ("web",),
    "worker": ("collector", "worker", "sys"),
    "beat": ("beat", "sys"),
    "sys": ("sys",),
}


def _collection() -> Module:
    module: Module = import_string(settings.DETECTVIZ_COLLECTION_MODULE)()
    return module


def _worker_of(roles: Collection[str]) -> WorkerModule | None:
    """Return the one Celery worker of a process, consuming for all its roles."""
    if "control" in roles:
        return WorkerModule(queues=("collect", *WORK_QUEUES), is_sole=True)
    queues = pool_queues()
    work = tuple(queue for queue in queues if queue in WORK_QUEUES) if "worker" in roles else ()
    if "collector" not in roles or settings.IS_EMBEDDED:
        return WorkerModule(queues=work, concurrency=settings.POOL_CONCURRENCY) if work else None
    if not work:
        # Beat's tick reaches a collector as a Celery task; its pool is the consuming thread itself.
        return WorkerModule(queues=("collect",), pool="solo", concurrency=1)
    return WorkerModule(queues=("collect", *work), concurrency=settings.POOL_CONCURRENCY)


def _services(roles: Collection[str]) -> list[Callable[[], Module]]:
    """Return what serves in a process of these roles, in the order it starts."""
    is_control = "control" in roles  # the embedded size: worker and beat share a process
    worker = _worker_of(roles)
    choices: list[tuple[bool, Callable[[], Module]]] = [
        ("collector" in roles, _collection),
        (worker is not None, lambda: cast("Module", worker)),
        (bool({"worker", "control"} & set(roles)), EventBusModule),
        (is_control, WakeupsModule),
        (is_control or "beat" in roles, lambda: BeatModule(is_sole=is_control)),
        (is_control or "sys" in roles, SysModule),
        ("web" in roles, WebModule),
    ]
    return [make for is_wanted, make in choices if is_wanted]


def pool_queues() -> tuple[str, ...]:
    """Return the queues that workers of this deployment's pool take tasks from."""
    return tuple(settings.POOL_QUEUES) or ("collect", *WORK_QUEUES)


def applications_parse(words: str) -> tuple[str, ...]:
    """Return the applications of ``web,beat``; raise ModuleError for what can't run (together)."""
    names = tuple(dict.fromkeys(word.strip() for word in words.split(",") if word.strip()))
    unknown = [name for name in names if name not in APPLICATIONS]
    if unknown or not names:
        named = unknown[0] if unknown else words
        raise ModuleError(f"There is no application {named!r}; choose from {_CHOICES}.")
    if "cli" in names:
        raise ModuleError(
            "The application cli runs one command and ends, so it runs with no other and not by "
            "up: type detectviz and the command."
        )
    if "agent" in names:
        raise ModuleError(
            f"The application agent is reserved: nothing runs by it yet; choose from {_CHOICES}."
        )
    if "all" in names and len(names) > 1:
        raise ModuleError("The application all is every other one: give it alone.")
    return names


def processes_of(applications: Sequence[str], *, is_embedded: bool) -> tuple[str, ...]:
    """Return the roles of the processes that ``detectviz up --app …`` runs, web first."""
    if is_embedded:
        return ("web", "collector", "control")
    roles = {role for name in applications for role in _ROLES_OF[name]}
    queues = pool_queues()
    if "collect" not in queues:
        roles.discard("collector")
    if not set(queues) & set(WORK_QUEUES):
        roles.discard("worker")
    return tuple(role for role in _ROLES_OF["all"] if role in roles)


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


def registry_of(role: str, listeners: Mapping[str, socket.socket] | None = None) -> Registry:
    """Return what a process of ``role`` can run; several roles in one are joined by ``+``."""
    roles = role.split("+")
    registry = Registry()
    for driver in driver_modules(*roles):
        registry.register_invisible(driver.name, _made(driver), needs=driver.depends_on)
    registry.register_invisible("heartbeat", lambda: HeartbeatModule(role=role), needs=("drivers",))
    background = ["drivers", "heartbeat"]
    if settings.TSDB_URL and set(roles) - ROLES_WITHOUT_SERIES:
        registry.register_invisible("series-sender", SeriesSenderModule, needs=("drivers",))
        background.append("series-sender")
    if set(roles) - ROLES_WITHOUT_PLUGINS:
        make_plugins = import_string(settings.DETECTVIZ_PLUGINS_MODULE)
        registry.register_invisible("plugins", make_plugins, needs=("drivers",))
        background.append("plugins")
    if listeners and role in listeners:
        services: list[Module] = [HeavyModule(listeners[role])]
    else:
        services = [make() for make in _services(roles)]
    for module in services:
        registry.register(module.name, _made(module), needs=(*background, *module.depends_on))
    return registry


def _made(module: Module) -> Callable[[], Module]:
    return lambda: module


def modules_of(role: str, listeners: Mapping[str, socket.socket] | None = None) -> Sequence[Module]:
    """Return the modules of one process; late ones have their ``listeners``."""
    registry = registry_of(role, listeners)
    return registry.modules_for(registry.visible)


def run_role(
    role: str,
    on_running: Callable[[], object] = lambda: None,
    listeners: Mapping[str, socket.socket] | None = None,
) -> int:
    """Run one supervised process until it is told to stop; return its exit status."""
    runner = Runner(modules_of(role, listeners), on_running=on_running)
    # Ctrl-C reaches the whole process group; the supervisor alone decides the order.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    return _run(role, runner)


def run_alone(roles: Sequence[str], service: Notifier) -> int:
    """Run several roles as this one process, without a supervisor; return its exit status."""
    role = "+".join(roles)
    runner = Runner(
        modules_of(role),
        on_running=lambda: service.ready(f"runs {', '.join(roles)}"),
        on_tick=service.beat,
        on_stopping=service.stopping,
    )
    signal.signal(signal.SIGINT, lambda *_: runner.stop_requested.set())
    return _run(role, runner)


def _run(role: str, runner: Runner) -> int:
    signal.signal(signal.SIGTERM, lambda *_: runner.stop_requested.set())
    _show_name(role)
    runner_use(runner)
    if set(role.split("+")) & {"web", "heavy"}:
        arrays_kept()
    logger.info("%s starts", role)
    return runner.run()


def _show_name(role: str) -> None:
    """Let `ps` and `top` tell the processes apart (Linux keeps 15 characters)."""
    with suppress(OSError):
        Path("/proc/self/comm").write_text(f"dv:{role}", encoding="ascii")
