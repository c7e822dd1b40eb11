"""A composition as typed values."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any

from detectviz.contracts.durations import parse_duration_s
from detectviz.contracts.types import JsonObject, JsonValue

DATABASE_TYPES = frozenset({"sqlite", "postgresql"})
SERIES_TYPES = frozenset({"victoriametrics", "prometheus", "mimir"})
MAIL_TYPE = "smtp"
# Drivers Detectviz brings itself; every other type is the plugin ``drivers/<type>``.
OWN_TYPES = frozenset({"sqlite"}) | SERIES_TYPES
COMPONENTS = ("database", "tsdb", "broker", "scheduler", "workers")
QUEUES = ("collect", "evaluate", "notify", "jobs")
DEFAULT_CONCURRENCY = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Application:
    """One unit that scales on its own, and what it uses."""

    name: str
    drivers: tuple[str, ...] = ()
    plugins: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Driver:
    """An outside system. ``url`` is text, a reference, or None where the type has a default.

    ``config`` is what its plugin wants to know beside the address; it may hold references.
    """

    name: str
    type: str
    url: JsonValue = None
    config: JsonObject = field(default_factory=dict)

    @property
    def is_plugin(self) -> bool:
        """Return whether a plugin reaches it."""
        return self.type not in OWN_TYPES


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """What fills one place (broker, cache, event bus, series store), and through which driver."""

    type: str
    driver: str = ""
    config: JsonObject = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One plugin of an ordered list, such as sign-in; ``config`` may hold references."""

    name: str
    config: JsonObject = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class PluginUse:
    """Plugins that are there: ``collectors/http`` or a pattern; ``config`` may hold references."""

    name: str
    is_enabled: bool = True
    config: JsonObject = field(default_factory=dict)
    depends_on: tuple[str, ...] = ()

    def covers(self, pattern: str) -> bool:
        """Return whether this declares (some of) what ``pattern`` asks for."""
        return fnmatchcase(self.name, pattern) or fnmatchcase(pattern, self.name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """What readiness asks, how long an answer counts, how long an answer may take (0: for ever)."""

    include: tuple[str, ...] = COMPONENTS
    interval_s: float = 0.0
    timeout_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Pool:
    """Workers that take the same queues. ``shards`` divides the monitors among its collectors."""

    name: str
    queues: tuple[str, ...]
    concurrency: int = DEFAULT_CONCURRENCY
    shards: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Composition:
    """What one deployment is made of."""

    name: str
    title: str
    description: str
    version: str
    applications: Mapping[str, Application]
    drivers: Mapping[str, Driver]
    broker: Choice
    cache: Choice
    eventbus: Choice
    tsdb: Choice
    plugins: tuple[PluginUse, ...]
    health: Health
    pools: tuple[Pool, ...] = ()
    auth: tuple[Part, ...] = ()
    middleware: tuple[Part, ...] = ()
    is_one_process: bool = False

    @property
    def database(self) -> Driver | None:
        """Return the driver of the SQL database, if one is declared."""
        return next((one for one in self.drivers.values() if one.type in DATABASE_TYPES), None)

    @property
    def mail(self) -> Driver | None:
        """Return the driver of the mail server, if one is declared."""
        return next((one for one in self.drivers.values() if one.type == MAIL_TYPE), None)


def composition_of(value: Any) -> Composition:
    """Return the typed form of a document that its schema accepts."""
    metadata, spec = value["metadata"], value["spec"]
    scaling = spec.get("scaling", {})
    return Composition(
        name=metadata["name"],
        title=metadata.get("title", metadata["name"]),
        description=metadata.get("description", ""),
        version=metadata.get("version", ""),
        applications={
            name: Application(
                name=name,
                drivers=tuple(described.get("drivers", ())),
                plugins=tuple(described.get("plugins", ())),
            )
            for name, described in spec["applications"].items()
        },
        drivers={name: Driver(name=name, **one) for name, one in spec["drivers"].items()},
        broker=Choice(**spec["broker"]),
        cache=Choice(**spec["cache"]),
        eventbus=Choice(**spec.get("eventbus", {"type": "in-process"})),
        tsdb=Choice(**spec["tsdb"]),
        plugins=tuple(_plugin(described) for described in spec["plugins"]),
        health=_health(spec.get("health", {})),
        pools=tuple(
            Pool(**{**described, "queues": tuple(described["queues"])})
            for described in scaling.get("pools", ())
        ),
        auth=tuple(Part(**described) for described in spec.get("auth", ())),
        middleware=tuple(Part(**described) for described in spec.get("middleware", ())),
        is_one_process=scaling.get("processes") == "one",
    )


def _plugin(described: Any) -> PluginUse:
    return PluginUse(
        name=described["name"],
        is_enabled=described.get("enabled", True),
        config=described.get("config", {}),
        depends_on=tuple(described.get("depends_on", ())),
    )


def _health(described: Any) -> Health:
    include = described.get("include", "all")
    return Health(
        include=COMPONENTS if include == "all" else tuple(include),
        interval_s=parse_duration_s(described.get("interval", "0s")),
        timeout_s=parse_duration_s(described.get("timeout", "0s")),
    )
