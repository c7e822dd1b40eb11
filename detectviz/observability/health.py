"""Readiness: what must answer before this deployment can do its job."""

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass

import orjson
import redis
from django.conf import settings
from django.db import connection
from django.utils.module_loading import import_string

from detectviz.clock import utc_now
from detectviz.runtime.models import Lease
from detectviz.runtime.processes import heartbeat_list
from detectviz.tsdb.sending.store import RemoteStore

WORKING_ROLES = {"collector", "worker"}


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
    """Ask every component now."""
    checks: dict[str, Callable[[], str]] = {
        "database": _database,
        "tsdb": _tsdb,
        "broker": _broker,
        "scheduler": _scheduler,
        "workers": _workers,
    }
    return HealthReport(components=tuple(_ask(name, check) for name, check in checks.items()))


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
    redis.Redis.from_url(settings.REDIS_URL, socket_timeout=2).ping()
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
