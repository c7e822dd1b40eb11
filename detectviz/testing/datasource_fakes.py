"""What a datasource is given in tests: connector, instances, HTTP, the org's series."""

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from threading import Lock
from typing import Final, TypeVar, cast

from detectviz.contracts.datasource import (
    Connector,
    DataQuery,
    DatasourceContext,
    DatasourceSettings,
    Instances,
    TimeRange,
)
from detectviz.contracts.errors import (
    CertificateError,
    DeadlineExceededError,
    EgressDeniedError,
    NetworkError,
    PluginError,
    QueryError,
)
from detectviz.contracts.frames import Field, FieldType, Frame
from detectviz.contracts.network import HttpClient, HttpRequest, HttpResponse, Phases
from detectviz.contracts.series import SeriesQuerier
from detectviz.contracts.types import JsonObject, JsonValue, PluginKind
from detectviz.pluginhost.configuration import fill_defaults, validate
from detectviz.testing.plugins import built_in_plugins

T = TypeVar("T")
HOUR_MS: Final = 3_600_000
# 2026-01-15T12:00:00Z: recorded answers stay inside of the range.
END_MS: Final = 1_768_478_400_000
TIMEOUT_S: Final = 10.0
DENIED: Final = "reaching 169.254.169.254 is not allowed; see DETECTVIZ_EGRESS_ALLOW"


class FakeConnector:
    """contracts' Connector: names of ``addresses``, files of ``files``, everything else as it is.

    ``error`` is raised in place of every answer.
    """

    def __init__(
        self,
        *,
        addresses: Mapping[str, str] | None = None,
        files: Mapping[str, str] | None = None,
        error: PluginError | None = None,
    ) -> None:
        self._addresses = addresses or {}
        self._files = files or {}
        self._error = error
        self.asked: list[tuple[str, int]] = []

    def address(self, host: str, port: int) -> str:
        """Return the address given for ``host``, or ``host``."""
        self.asked.append((host, port))
        if self._error is not None:
            raise self._error
        return self._addresses.get(host, host)

    def file(self, path: str) -> str:
        """Return the file given for ``path``; refuse every other."""
        if self._error is not None:
            raise self._error
        if path not in self._files:
            raise PluginError(
                f"{path} lies outside of the folders of DETECTVIZ_DATASOURCE_FILES_DIR.",
                permanent=True,
            )
        return self._files[path]


class MemoryInstances:
    """contracts' Instances of one datasource, until ``close``."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._kept: tuple[object, Callable[[], None]] | None = None
        self.made = 0

    def get(self, factory: Callable[[], T], close: Callable[[T], None]) -> T:
        """Return the kept value, made the first time."""
        with self._lock:
            if self._kept is None:
                value = factory()
                self.made += 1
                self._kept = (value, lambda: close(value))
            return cast("T", self._kept[0])

    def close(self) -> None:
        """Close the kept value, as the host does when the datasource changes."""
        with self._lock:
            kept, self._kept = self._kept, None
        if kept is not None:
            kept[1]()


class FakeHttp:
    """contracts' HttpClient: ``answer`` answers or raises; the requests are kept."""

    def __init__(self, answer: Callable[[HttpRequest], HttpResponse]) -> None:
        self._answer = answer
        self.requests: list[HttpRequest] = []

    def fetch(self, request: HttpRequest) -> HttpResponse:
        """Answer, cut at ``max_body_bytes`` as the host does."""
        self.requests.append(request)
        response = self._answer(request)
        if len(response.body) <= request.max_body_bytes:
            return response
        return replace(response, body=response.body[: request.max_body_bytes], body_truncated=True)

    def require_allowed(self, host: str, port: int) -> None:
        """Allow every host."""


class FakeSeries:
    """contracts' SeriesQuerier over one series, ``up{job="node"}``, that is always 1."""

    def __init__(self, metric: str = "up", **labels: str) -> None:
        self.labels = {"__name__": metric, **(labels or {"job": "node"})}

    def instant(self, promql: str, *, time_ms: int, timeout_s: float) -> Frame:
        """Return 1 for the metric; refuse what has no name in it."""
        self._require(promql)
        return Frame(fields=(self._number([1.0]),), shape="numeric")

    def range(
        self, promql: str, *, start_ms: int, end_ms: int, step_ms: int, timeout_s: float
    ) -> Sequence[Frame]:
        """Return 1 at every step for the metric."""
        self._require(promql)
        times = list(range(start_ms, end_ms + 1, step_ms))
        field = Field(name="time", type=FieldType.TIME, values=times)
        return [Frame(fields=(field, self._number([1.0] * len(times))), shape="time-series")]

    def label_names(self, matchers: Sequence[str], *, start_ms: int, end_ms: int) -> list[str]:
        """Return the names of its labels."""
        return list(self.labels)

    def label_values(
        self, name: str, matchers: Sequence[str], *, start_ms: int, end_ms: int
    ) -> list[str]:
        """Return the one value there is, if any."""
        return [self.labels[name]] if name in self.labels else []

    def _number(self, values: list[float]) -> Field:
        return Field(
            name=self.labels["__name__"], type=FieldType.NUMBER, values=values, labels=self.labels
        )

    def _require(self, promql: str) -> None:
        if self.labels["__name__"] not in promql:
            raise QueryError(f"parse error in {promql!r}")


def http_response(
    body: bytes, *, status_code: int = 200, content_type: str = "application/json"
) -> HttpResponse:
    """Return an answer as the host's client would."""
    return HttpResponse(
        status_code=status_code,
        headers=(("Content-Type", content_type),),
        body=body,
        body_truncated=False,
        content_length=len(body),
        effective_url="",
        version="1.1",
        redirects=0,
        remote_ip="127.0.0.1",
        remote_port=80,
        phases=Phases(),
    )


def _raises(error: PluginError) -> Callable[[HttpRequest], HttpResponse]:
    def answer(request: HttpRequest) -> HttpResponse:
        raise error

    return answer


def _says(body: bytes) -> Callable[[HttpRequest], HttpResponse]:
    return lambda _: http_response(body)


def bad_answers() -> dict[str, Callable[[HttpRequest], HttpResponse]]:
    """Return what an HTTP server can do wrong, by name: a plugin bears every one."""
    deadline = DeadlineExceededError("timed out after 1 s", phase="receive")
    bodies = {"empty": b"", "garbage": bytes(range(256)) * 16, "html": b"<html>Sign in</html>"}
    bodies |= {"null": b"null", "list": b"[]", "object": b"{}", "deep": b"[" * 100_000}
    return {
        "refused": _raises(NetworkError("connection refused", phase="connect")),
        "certificate": _raises(CertificateError("certificate expired on 2020-01-01")),
        "deadline": _raises(deadline),
        "denied": _raises(EgressDeniedError(DENIED)),
        "unauthorised": lambda _: http_response(b"go away", status_code=401),
        "missing": lambda _: http_response(b"404 page not found", status_code=404),
        "server-error": lambda _: http_response(b"upstream failed", status_code=503),
        **{name: _says(body) for name, body in bodies.items()},
    }


def datasource_settings(
    plugin: str,
    *,
    url: str = "",
    user: str = "",
    database: str = "",
    json_data: JsonObject | None = None,
    secrets: Mapping[str, str] | None = None,
    uid: str = "conformance",
    basic_auth_user: str = "",
) -> DatasourceSettings:
    """Return settings as the host hands them over: checked, defaults filled.

    Fail the test when the plugin's schema refuses them.
    """
    schema = built_in_plugins().manifest(PluginKind.DATASOURCE, plugin).config_schema
    given: dict[str, JsonValue] = dict(secrets or {})
    checked = validate(schema, json_data or {}, given)
    assert not checked.problems, checked.problems
    return DatasourceSettings(
        uid=uid,
        name=uid,
        version=1,
        url=url,
        user=user,
        database=database,
        basic_auth=bool(basic_auth_user),
        basic_auth_user=basic_auth_user,
        json_data=checked.config,
        secrets=checked.secrets,
    )


def datasource_context(
    settings: DatasourceSettings,
    *,
    connector: Connector | None = None,
    instances: Instances | None = None,
    http: HttpClient | None = None,
    series: SeriesQuerier | None = None,
    timeout_s: float = TIMEOUT_S,
    max_rows: int = 100_000,
    max_bytes: int = 16_777_216,
    is_cancelled: Callable[[], bool] = lambda: False,
) -> DatasourceContext:
    """Return the context of one call; ``instances`` are kept by whoever closes them."""
    refused = _raises(NetworkError("connection refused", phase="connect"))
    return DatasourceContext(
        org="acme",
        settings=settings,
        timeout_s=timeout_s,
        max_rows=max_rows,
        max_bytes=max_bytes,
        http=http or FakeHttp(refused),
        connector=connector or FakeConnector(),
        instances=instances or MemoryInstances(),
        is_cancelled=is_cancelled,
        now=lambda: datetime.fromtimestamp(END_MS / 1000, UTC),
        logger=logging.getLogger("conformance"),
        series=series,
    )


def data_query(
    plugin: str,
    model: JsonObject,
    *,
    start_ms: int = END_MS - HOUR_MS,
    end_ms: int = END_MS,
    interval_ms: int = 60_000,
) -> DataQuery:
    """Return a query as the host hands it over, defaults filled.

    Fail the test when the plugin's query schema refuses it.
    """
    schema = built_in_plugins().manifest(PluginKind.DATASOURCE, plugin).query_schema
    checked = validate(schema, model, {})
    assert not checked.problems, checked.problems
    return DataQuery(
        ref_id="A",
        model=fill_defaults(schema, model),
        range=TimeRange(start_ms=start_ms, end_ms=end_ms),
        interval_ms=interval_ms,
        max_points=1_000,
    )


class Cancellation:
    """An ``is_cancelled`` that turns true ``after_s`` seconds from now."""

    def __init__(self, after_s: float) -> None:
        self._at = time.monotonic() + after_s

    def __call__(self) -> bool:
        """Say whether it is time."""
        return time.monotonic() >= self._at
