"""The bus this deployment chose, opened through the plugin host, behind a circuit breaker."""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import orjson
from django.conf import settings
from django.utils.module_loading import import_string

from detectviz.contracts.errors import ConfigurationError
from detectviz.contracts.eventbus import EventBus, EventBusConnection, EventBusContext
from detectviz.contracts.types import JsonObject, PluginKind
from detectviz.events.telemetry import bus_failures_total
from detectviz.pluginhost.configuration import validate

SCHEMES = {
    "memory": "memory",
    "redis": "redis",
    "rediss": "redis",
    "unix": "redis",
    "nats": "nats",
    "tls": "nats",
    "kafka": "kafka",
}
TIMEOUT_S, REDELIVER_S = 5.0, 60.0
FIRST_PAUSE_S, LONGEST_PAUSE_S = 1.0, 60.0

logger = logging.getLogger(__name__)


def driver_name() -> str:
    """Return the plugin that serves ``DETECTVIZ_EVENTBUS_URL``: its scheme says which."""
    scheme = urlsplit(settings.EVENTBUS_URL).scheme
    return SCHEMES.get(scheme, scheme)


def bus_open() -> EventBusConnection:
    """Open a connection; raise ConfigurationError naming the setting, or NetworkError."""
    name = driver_name()
    host = import_string(settings.DETECTVIZ_PLUGIN_HOST)()
    config, secrets = _configuration(host.manifest(PluginKind.EVENTBUS, name).config_schema)
    plugin: EventBus = host.load(PluginKind.EVENTBUS, name)
    context = EventBusContext(
        config=config,
        secrets=secrets,
        timeout_s=TIMEOUT_S,
        redeliver_s=REDELIVER_S,
        client_id="detectviz",
        logger=logger,
    )
    return plugin.open(context)


def _configuration(schema: JsonObject) -> tuple[JsonObject, dict[str, str]]:
    try:
        given = orjson.loads(settings.EVENTBUS_CONFIG or "{}")
    except ValueError as error:
        raise ConfigurationError("DETECTVIZ_EVENTBUS_CONFIG is no JSON object.") from error
    if not isinstance(given, dict):
        raise ConfigurationError("DETECTVIZ_EVENTBUS_CONFIG is no JSON object.")
    properties = schema["properties"]
    hidden = {
        key
        for key, row in (properties.items() if isinstance(properties, dict) else ())
        if isinstance(row, dict) and row.get("writeOnly")
    }
    open_values = {key: value for key, value in given.items() if key not in hidden}
    secrets = {key: str(value) for key, value in given.items() if key in hidden}
    checked = validate(schema, {**open_values, "url": settings.EVENTBUS_URL}, secrets)
    if checked.problems:
        told = "; ".join(f"{each.field}: {each.message}" for each in checked.problems)
        raise ConfigurationError(f"DETECTVIZ_EVENTBUS_CONFIG: {told}")
    return checked.config, secrets


@dataclass(slots=True)
class Breaker:
    """Leaves a bus alone that failed: for a second first, twice as long each time."""

    clock: Callable[[], float] = time.monotonic
    failures: int = 0
    _closed_at: float = field(default=float("-inf"))

    @property
    def is_open(self) -> bool:
        """Say whether the bus is to be left alone now."""
        return self.clock() < self._closed_at

    def fail(self) -> None:
        """Note a failure."""
        self.failures += 1
        bus_failures_total.labels(driver_name()).inc()
        pause_s = min(FIRST_PAUSE_S * 2 ** min(self.failures - 1, 10), LONGEST_PAUSE_S)
        self._closed_at = self.clock() + pause_s

    def succeed(self) -> None:
        """Forget the failures."""
        self.failures = 0
        self._closed_at = float("-inf")
