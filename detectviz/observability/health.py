"""Readiness: what must answer before this deployment can do its job."""

import math
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass

import orjson
from django.conf import settings
from django.db import connection, connections
from django.utils.module_loading import import_string

from detectviz.clock import utc_now
from detectviz.composition.model import Health
from detectviz.runtime.models import Lease
from detectviz.runtime.processes import heartbeat_list
from detectviz.runtime.redis_client import redis_client
from detectviz.tsdb.sending.store import RemoteStore

WORKING_ROLES = {"collector", "worker"}
_latest: "dict[Health, tuple[float, HealthReport]]" = {}
_lock = threading.Lock()


@dataclass(frozen=True, slots=True, kw_only=True)
class ComponentHealth:
    """One thing that must answer."""

    name: str
    is_ok: bool
    message: str
    duration_ms: float


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthReport:
    """All of them."""

    components: tuple[ComponentHealth, ...]

    @property
    def is_ready(self) -> bool:
        """True when every component answers."""
        return all(component.is_ok for component in self.components)

    def as_json(self) -> bytes:
        """Return the report for an answer."""
        return orjson.dumps(
            {
                "status": "ready" if self.is_ready else "not ready",
                "failing": [item.name for item in self.components if not item.is_ok],
                "components": [asdict(component) for component in self.components],
            }
        )


def health_report() -> HealthReport:
    """Ask the components the composition includes: now, or once in its ``interval``."""
    wanted = settings.DEPLOYMENT.health
    if not wanted.interval_s:
        return _report(wanted)
    with _lock:
        answered_at, report = _latest.get(wanted, (-math.inf, None))
        if report is None or time.monotonic() - answered_at >= wanted.interval_s:
            report = _report(wanted)
            _latest[wanted] = time.monotonic(), report
        return report


def _report(wanted: Health) -> HealthReport:
    checks: dict[str, Callable[[], str]] = {
        "database": _database,
        "tsdb": _tsdb,
        "broker": _broker,
        "scheduler": _scheduler,
        "workers": _workers,
    }
    chosen = [(name, check) for name, check in checks.items() if name in wanted.include]
    if not wanted.timeout_s:
        return HealthReport(components=tuple(_ask(name, check) for name, check in chosen))
    waited = [_Waited(name, check, wanted.timeout_s) for name, check in chosen]
    return HealthReport(components=tuple(one.answer() for one in waited))


class _Waited:
    """One question in a thread of its own, so that one without an answer holds up no other."""

    def __init__(self, name: str, check: Callable[[], str], timeout_s: float) -> None:
        self._name = name
        self._ends_at = time.monotonic() + timeout_s
        self._timeout_s = timeout_s
        self._answers: list[ComponentHealth] = []
        self._thread = threading.Thread(target=self._run, args=(check,), daemon=True)
        self._thread.start()

    def _run(self, check: Callable[[], str]) -> None:
        try:
            self._answers.append(_ask(self._name, check))
        finally:
            connections.close_all()  # this thread ends with its question

    def answer(self) -> ComponentHealth:
        self._thread.join(max(self._ends_at - time.monotonic(), 0.0))
        if self._answers:
            return self._answers[0]
        message = f"no answer within {self._timeout_s:g} s"
        return ComponentHealth(
            name=self._name, is_ok=False, message=message, duration_ms=self._timeout_s * 1000
        )


def _ask(name: str, check: Callable[[], str]) -> ComponentHealth:
    started = time.perf_counter()
    try:
        message, is_ok = check(), True
    except Exception as error:  # noqa: BLE001 - whatever went wrong is the answer
        message, is_ok = f"{type(error).__name__}: {error}", False
    duration_ms = round((time.perf_counter() - started) * 1000, 2)
    return ComponentHealth(name=name, is_ok=is_ok, message=message, duration_ms=duration_ms)


def _database() -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    return connection.vendor


def _tsdb() -> str:
    store = import_string(settings.DETECTVIZ_SERIES_STORE)()
    store.check()
    return store.describe() if isinstance(store, RemoteStore) else "embedded"


def _broker() -> str:
    if settings.IS_EMBEDDED:
        return "in memory"
    redis_client(timeout_s=2).ping()
    return "redis"


def _scheduler() -> str:
    holder = Lease.objects.filter(name="beat", expires_at__gte=utc_now()).first()
    if holder is None:
        raise RuntimeError("no process holds the beat lease")
    return f"{holder.owner} (epoch {holder.epoch})"


def _workers() -> str:
    roles = {role for process in heartbeat_list(utc_now()) for role in process.role.split("+")}
    # The embedded control process works, too.
    if "control" in roles:
        roles.add("worker")
    missing = sorted(WORKING_ROLES - roles)
    if missing:
        raise RuntimeError(f"no living process of role {', '.join(missing)}")
    return ", ".join(sorted(roles))
