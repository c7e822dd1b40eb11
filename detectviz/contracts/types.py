"""Plain types shared by every contract."""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import TypeAlias

JsonScalar: TypeAlias = str | int | float | bool | None
JsonValue: TypeAlias = JsonScalar | Sequence["JsonValue"] | Mapping[str, "JsonValue"]
JsonObject: TypeAlias = Mapping[str, JsonValue]

Labels: TypeAlias = Mapping[str, str]


class PluginKind(StrEnum):
    """The kinds of plugin this host can run; the value is the folder below ``plugins/``."""

    AUTH = "auth"
    CACHE = "cache"
    COLLECTOR = "collectors"
    DATASOURCE = "datasources"
    DISCOVERY = "discovery"
    DRIVER = "drivers"
    EVENTBUS = "eventbus"
    EXPORTER = "exporters"
    IMPORTER = "importers"
    MIDDLEWARE = "middleware"
    NOTIFIER = "notifiers"
    PAGES = "pages"
    PROCESSOR = "processors"
    THEME = "themes"
    TOOL = "tools"
    VISUALIZER = "visualizers"


class CheckState(StrEnum):
    """Outcome of one check, and the state of a monitor."""

    UP = "up"
    DEGRADED = "degraded"
    DOWN = "down"
    UNKNOWN = "unknown"


class AlertStatus(StrEnum):
    """Status of an alert inside a notification, as Alertmanager spells it."""

    FIRING = "firing"
    RESOLVED = "resolved"
