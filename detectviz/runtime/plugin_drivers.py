"""Outside systems that driver plugins reach: waited for at the start, looked at, let go of last."""

import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from django.conf import settings

from detectviz.composition.building import DriverUse
from detectviz.composition.model import DATABASE_TYPES
from detectviz.contracts.driver import Driver, DriverContext, DriverHandle
from detectviz.contracts.errors import ConfigurationError, PluginError
from detectviz.contracts.types import PluginKind
from detectviz.pluginhost.errors import PluginHostError
from detectviz.runtime.chosen import ChosenPlugin, chosen_host, plugin_chosen
from detectviz.runtime.driving import DriverModule, WatchedDriverModule

TIMEOUT_S = 5.0
_APPLICATIONS = {
    "heavy": {"web"},
    "bulk": {"web"},
    "collector": {"worker"},
    "control": {"worker", "beat", "sys"},
}

T = TypeVar("T")


def driver_uses(roles: Sequence[str]) -> tuple[DriverUse, ...]:
    """Return the outside systems that processes of ``roles`` want reached; no roles: all."""
    wanted = {name for role in roles for name in _APPLICATIONS.get(role, {role})}
    uses = settings.DEPLOYMENT.drivers if settings.COMPOSITION else _of_settings()
    return tuple(
        use for use in uses if not wanted or not use.applications or use.applications & wanted
    )


def _of_settings() -> tuple[DriverUse, ...]:
    """Return what the variables name where no composition was chosen."""
    uses: list[DriverUse] = []
    if settings.DATABASE_URL.startswith("postgres"):
        url = settings.DATABASE_URL
        uses.append(DriverUse(name="database", type="postgresql", config={"url": url}))
    if not settings.IS_EMBEDDED:
        uses.append(DriverUse(name="redis", type="redis", config={"url": settings.REDIS_URL}))
    return tuple(uses)


def plugin_driver_modules(roles: Sequence[str]) -> list[WatchedDriverModule]:
    """Return the modules of what driver plugins reach; all come after the database."""
    return [_module(use) for use in driver_uses(roles)]


def is_database(module: WatchedDriverModule) -> bool:
    """Return whether a module reaches the SQL database, which others wait for."""
    return not module.depends_on


def _module(use: DriverUse) -> WatchedDriverModule:
    reached = Reached(use=use, setting=_setting_of(use))
    driver = DriverModule(
        name=f"driver:{use.name}",
        variable=reached.setting,
        address=str(use.config.get("url", "")),
        ask=reached.ask,
        close=reached.close,
        depends_on=() if use.type in DATABASE_TYPES else ("database",),
    )
    return WatchedDriverModule(driver=driver, says=lambda: reached.says)


def _setting_of(use: DriverUse) -> str:
    """Return what to change when it does not answer."""
    if settings.COMPOSITION:
        return f"spec.drivers.{use.name} of the composition {settings.COMPOSITION}"
    return "DETECTVIZ_DATABASE_URL" if use.type in DATABASE_TYPES else "DETECTVIZ_REDIS_URL"


@dataclass(slots=True)
class Reached:
    """One system by its plugin. ``ask`` reaches it, or looks whether it is still there."""

    use: DriverUse
    setting: str
    says: str = ""
    _handle: DriverHandle | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def ask(self) -> None:
        """Raise PluginError unless it answers; what answers is in ``says``."""
        with self._lock:
            chosen = plugin_chosen(
                PluginKind.DRIVER, self.use.type, setting=self.setting, given=self.use.config
            )
            try:
                self.says = self._asked(chosen)
            except ConfigurationError as error:
                told = f"{error.message.rstrip('.')}. Look at {self.setting}."
                raise ConfigurationError(told, field=error.field) from error

    def close(self) -> None:
        """Let go of it."""
        with self._lock:
            handle, self._handle = self._handle, None
        if handle is not None:
            handle.close()

    def _asked(self, chosen: ChosenPlugin) -> str:
        if self._handle is None:
            plugin: Driver = chosen.instance
            self._handle = _call(chosen, lambda: plugin.open(_context(chosen)))
        return _call(chosen, self._handle.check)


def _call(chosen: ChosenPlugin, work: Callable[[], T]) -> T:
    """Return what ``work`` does by the plugin, counted under its name; raise what it raised."""
    client = chosen_host().client
    try:
        return client.call(PluginKind.DRIVER, chosen.name, "open", lambda _: work())
    except PluginHostError as error:
        if isinstance(error.__cause__, PluginError):
            raise error.__cause__ from None
        raise


def _context(chosen: ChosenPlugin) -> DriverContext:
    return DriverContext(
        config=chosen.config,
        secrets=chosen.secrets,
        timeout_s=TIMEOUT_S,
        logger=logging.getLogger(f"detectviz.plugins.drivers.{chosen.name}"),
    )
