"""Drivers: the outside systems a process works with, as modules that start first and stop last."""

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import redis
from django.conf import settings
from django.db import connections
from django.utils.module_loading import import_string

from detectviz.contracts.errors import ConfigurationError
from detectviz.contracts.masking import masked
from detectviz.runtime.caching import cache_connection
from detectviz.runtime.modules import Module, ModuleError
from detectviz.tsdb.interface import SeriesStore, StoreError
from detectviz.tsdb.sending.store import RemoteStore

ANSWER_TIMEOUT_S = 30.0
ASK_TIMEOUT_S = 5.0
POLL_S = 0.5
ROLES_WITHOUT_SERIES = frozenset({"beat", "sys"})

logger = logging.getLogger(__name__)


@dataclass(slots=True, kw_only=True)
class DriverModule:
    """One outside system. ``ask`` raises until it answers; ``variable`` says where it is.

    ``address`` may carry a password: it is masked where it is told, as are the words of ``ask``.
    An error with ``retryable`` False is not waited out.
    """

    name: str
    variable: str
    address: str
    ask: Callable[[], object]
    close: Callable[[], object] = lambda: None
    depends_on: Sequence[str] = ()
    timeout_s: float = ANSWER_TIMEOUT_S
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], object] = time.sleep

    def start(self) -> None:
        """Wait until it answers; raise ModuleError naming it and the variable to change."""
        ends_at = self.clock() + self.timeout_s
        while True:
            try:
                self.ask()
            except Exception as error:  # noqa: BLE001 - whatever went wrong is why it does not answer
                is_final = not getattr(error, "retryable", not getattr(error, "permanent", False))
                if is_final or self.clock() >= ends_at:
                    raise ModuleError(self._complaint(error)) from None
                self.sleep(POLL_S)
            else:
                return

    def stop(self, deadline_s: float) -> None:
        """Let go of it."""
        self.close()

    def _complaint(self, error: Exception) -> str:
        reason = str(error).strip().partition("\n")[0]
        if self.address:
            reason = reason.replace(self.address, str(self._shown))
        if isinstance(error, ConfigurationError):
            return f"{self.name}: {reason}"
        return f"{self.name} ({self._shown}) does not answer: {reason}. Look at {self.variable}."

    @property
    def _shown(self) -> object:
        return masked(self.address)


@dataclass(slots=True, kw_only=True)
class DriversModule:
    """All drivers of the process: what every service depends on, whichever there are."""

    depends_on: Sequence[str]
    name: str = "drivers"

    def start(self) -> None:
        """Do nothing: the drivers have started."""

    def stop(self, deadline_s: float) -> None:
        """Do nothing: the drivers stop next."""


def driver_modules(*roles: str) -> list[Module]:
    """Return the drivers of a process of these roles, and the module that stands for all."""
    drivers = [database_driver()]
    if not settings.IS_EMBEDDED:
        drivers.append(broker_driver())
    if set(roles) - ROLES_WITHOUT_SERIES:
        drivers += [series_driver(), cache_driver()]
    if "web" in roles and settings.AUTH_PLUGINS:
        drivers.append(sign_in_driver())
    return [*drivers, DriversModule(depends_on=tuple(driver.name for driver in drivers))]


def database_driver() -> DriverModule:
    """Return the driver of the SQL database."""
    database = settings.DATABASES["default"]
    address = str(database["NAME"])
    if database.get("HOST"):
        address = f"{database['HOST']}:{database.get('PORT')}/{address}"
    return DriverModule(
        name="database",
        variable="DETECTVIZ_DATABASE_URL",
        address=address,
        # Asked for anew each time: a connection belongs to the thread that looks it up.
        ask=lambda: connections["default"].ensure_connection(),  # noqa: PLW0108 - see above
        close=connections.close_all,
    )


def broker_driver() -> DriverModule:
    """Return the driver of Redis, which carries tasks, signals and the cache."""

    def ask() -> None:
        with redis.Redis.from_url(
            settings.REDIS_URL, socket_timeout=ASK_TIMEOUT_S, socket_connect_timeout=ASK_TIMEOUT_S
        ) as client:
            client.ping()

    return DriverModule(
        name="broker", variable="DETECTVIZ_REDIS_URL", address=settings.REDIS_URL, ask=ask
    )


def cache_driver() -> DriverModule:
    """Return the driver of the cache, a plugin."""
    return DriverModule(
        name="cache",
        variable="DETECTVIZ_CACHE_URL",
        address=settings.CACHE_URL,
        ask=lambda: cache_connection().get(["start"]),
        depends_on=("database",),
    )


def sign_in_driver() -> DriverModule:
    """Return the driver of the auth plugins: a wrong configuration of one ends the start."""
    return DriverModule(
        name="sign-in",
        variable="DETECTVIZ_AUTH",
        address="",
        ask=import_string(settings.DETECTVIZ_AUTHENTICATORS),
        depends_on=("database",),
    )


def _ask_series(store: SeriesStore) -> None:
    """Raise unless the store works; one that took samples before may be away, its queue is here."""
    try:
        store.check()
    except StoreError as error:
        if not (error.retryable and isinstance(store, RemoteStore)):
            raise
        if not store.queue_status().sent:
            raise
        logger.warning("the series store is away, samples wait in the queue: %s", error)


def series_driver() -> DriverModule:
    """Return the driver of the process's series store."""
    store = import_string(settings.DETECTVIZ_SERIES_STORE)
    return DriverModule(
        name="series store",
        variable="DETECTVIZ_TSDB_URL" if settings.TSDB_URL else "DETECTVIZ_DATA_DIR",
        address=settings.TSDB_URL or str(settings.DATA_DIR),
        ask=lambda: _ask_series(store()),
        close=lambda: store().close(),
    )
