"""Drivers: the outside systems a process works with, as modules that start first and stop last."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass

from django.conf import settings
from django.db import connections
from django.utils.module_loading import import_string

from detectviz.runtime.caching import cache_connection
from detectviz.runtime.driving import DriverModule
from detectviz.runtime.modules import Module
from detectviz.runtime.plugin_drivers import is_database, plugin_driver_modules
from detectviz.tsdb.interface import SeriesStore, StoreError
from detectviz.tsdb.sending.store import RemoteStore

ROLES_WITHOUT_SERIES = frozenset({"beat", "sys"})

logger = logging.getLogger(__name__)


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
    plugins = plugin_driver_modules(roles)
    first = [one for one in plugins if is_database(one)]
    database = database_driver([one.name for one in first])
    drivers: list[Module] = [*first, database, *(one for one in plugins if one not in first)]
    if set(roles) - ROLES_WITHOUT_SERIES:
        drivers += [series_driver(), cache_driver()]
    if "web" in roles and settings.AUTH_PLUGINS:
        drivers.append(sign_in_driver())
    return [*drivers, DriversModule(depends_on=tuple(driver.name for driver in drivers))]


def database_driver(depends_on: Sequence[str] = ()) -> DriverModule:
    """Return the driver of the SQL database: this process's connections to it."""
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
        depends_on=depends_on,
    )


def database_drivers(*, timeout_s: float) -> list[DriverModule]:
    """Return what has to answer before the database can be prepared; its connections come last."""
    reaching = [one.driver for one in plugin_driver_modules(()) if is_database(one)]
    drivers = [*reaching, database_driver()]
    for driver in drivers:
        driver.timeout_s = timeout_s
    return drivers


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
