"""Datasources: one verb, ``query``; what else a plugin can do are Protocols of their own.

The host owns concurrency, deadlines, circuit breaking, caching of settings, permissions and the
way of a frame to JSON. A plugin owns one wire protocol.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, Protocol, TypeVar

from detectviz.contracts.frames import Frame
from detectviz.contracts.network import HttpClient
from detectviz.contracts.series import SeriesQuerier
from detectviz.contracts.types import JsonObject

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasourceSettings:
    """One configured datasource. ``secrets`` are decrypted; no plugin keeps or logs them.

    ``json_data`` has passed the plugin's config schema, defaults filled.
    """

    uid: str
    name: str
    version: int
    url: str = ""
    user: str = ""
    database: str = ""
    basic_auth: bool = False
    basic_auth_user: str = ""
    json_data: JsonObject = field(default_factory=dict)
    secrets: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeRange:
    """From ``start_ms`` to ``end_ms``, Unix milliseconds, both ends included."""

    start_ms: int
    end_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DataQuery:
    """One query. ``model`` has passed the plugin's ``query.schema.json``, defaults filled.

    Text of ``model`` is final but for the plugin's own macros; ``interval_ms`` is the distance of
    points that fits ``max_points`` into the range.
    """

    ref_id: str
    model: JsonObject
    range: TimeRange
    interval_ms: int
    max_points: int


class Instances(Protocol):
    """What a plugin keeps between calls for one version of one datasource: a pool, a session."""

    def get(self, factory: Callable[[], T], close: Callable[[T], None]) -> T:
        """Return the kept value, made by ``factory`` the first time.

        The host calls ``close`` when the datasource changes or goes, or has not been used for a
        while, and never while a call of it is under way.
        """


class Connector(Protocol):
    """The guarded way of client libraries that open sockets of their own."""

    def address(self, host: str, port: int) -> str:
        """Return the IP address to connect to in place of ``host``.

        It has passed the egress policy. Raise EgressDeniedError, or NetworkError when the name
        cannot be resolved.
        """

    def file(self, path: str) -> str:
        """Return the real path of a file the operator let datasources read.

        Raise PluginError naming the setting when ``path`` lies outside.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasourceContext:
    """Everything one call may use.

    ``max_rows`` and ``max_bytes`` bound one answer: a plugin stops reading there and adds a
    warning notice. ``is_cancelled`` turns true when nobody waits for the answer any more.
    ``series`` is the org's own store, given to plugins whose manifest asks for it.
    """

    org: str
    settings: DatasourceSettings
    timeout_s: float
    max_rows: int
    max_bytes: int
    http: HttpClient
    connector: Connector
    instances: Instances
    is_cancelled: Callable[[], bool]
    now: Callable[[], datetime]
    logger: logging.Logger
    series: SeriesQuerier | None = None


class Datasource(Protocol):
    """A datasource plugin's capability class; constructed once per process, without arguments.

    Called from several threads at once.
    """

    def query(self, query: DataQuery, context: DatasourceContext) -> Sequence[Frame]:
        """Answer one query.

        Raise QueryError for a query the datasource refuses, another PluginError when it does not
        answer; ``permanent`` says whether asking again can help.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """The outcome of "Save & test": ``message`` is one sentence for the operator."""

    status: Literal["ok", "error"]
    message: str
    details: JsonObject = field(default_factory=dict)


class HealthChecker(Protocol):
    """A datasource that can tell whether it works. Without it the host runs no check."""

    def check_health(self, context: DatasourceContext) -> Health:
        """Connect as a query would; a failed check is a result, not an exception."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourceRequest:
    """A call of a plugin's own resource, as ``tables`` or ``labels/job/values``."""

    path: str
    method: Literal["GET", "POST"] = "GET"
    parameters: Mapping[str, str] = field(default_factory=dict)
    body: JsonObject = field(default_factory=dict)


class ResourceCaller(Protocol):
    """A datasource with resources: what its query editor asks (tables, metrics, labels)."""

    def call_resource(self, request: ResourceRequest, context: DatasourceContext) -> JsonObject:
        """Answer; raise QueryError(``status`` 404) for a path there is not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProxyRoute:
    """What the datasource proxy lets through.

    ``path`` is a regular expression (RE2) for all of the path below the datasource's URL, without
    the leading slash.
    """

    method: Literal["GET", "POST"]
    path: str


class Proxied(Protocol):
    """An HTTP datasource that may be reached through the proxy."""

    proxy_routes: Sequence[ProxyRoute]

    def proxy_headers(self, context: DatasourceContext) -> Sequence[tuple[str, str]]:
        """Return the headers that authenticate; the caller's own have been taken away."""
