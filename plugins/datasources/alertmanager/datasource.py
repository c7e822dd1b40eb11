"""Alerts and silences over Alertmanager's API v2."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Final

from detectviz.contracts.config import get_bool, get_text, get_texts
from detectviz.contracts.datasource import (
    DataQuery,
    DatasourceContext,
    Health,
    ProxyRoute,
    ResourceRequest,
)
from detectviz.contracts.errors import PluginError, QueryError
from detectviz.contracts.frames import FieldType, Frame
from detectviz.contracts.http_source import (
    HttpSource,
    auth_headers,
    require_list,
    require_object,
)
from detectviz.contracts.point_frames import PointFrames, text_labels
from detectviz.contracts.sql.tables import Column
from detectviz.contracts.table_frames import table_frames
from detectviz.contracts.types import JsonObject, JsonValue

NAME: Final = "Alertmanager"
_Column = tuple[str, FieldType, Callable[[JsonObject], object]]
_TIME, _TEXT, _OTHER = FieldType.TIME, FieldType.STRING, FieldType.OTHER


class AlertmanagerDatasource:
    """Lists what Alertmanager has now."""

    proxy_routes = (
        ProxyRoute(method="GET", path="api/v2/(alerts|alerts/groups|silences|receivers|status)"),
        ProxyRoute(method="GET", path="api/v2/silence/[0-9a-f-]+"),
    )

    def proxy_headers(self, context: DatasourceContext) -> Sequence[tuple[str, str]]:
        """Return the headers that authenticate, and the tenant."""
        return auth_headers(context)

    def query(self, query: DataQuery, context: DatasourceContext) -> Sequence[Frame]:
        """Return a table of alerts or silences, or the number of alerts by severity."""
        model, kind = query.model, get_text(query.model, "kind", "alerts")
        parameters = [("filter", each) for each in get_texts(model, "matchers")]
        if kind == "silences":
            columns, found = _SILENCES, _ask(context, "silences", parameters)
            found = [each for each in found if _is_wanted(each, model)]
        else:
            columns, found = _ALERTS, _ask(context, "alerts", parameters + _states(model))
        shown = " ".join(f"{name}={value}" for name, value in parameters)
        if kind == "count":
            return _count(found, context, shown)
        return table_frames(
            [Column(name=name, type=type_) for name, type_, _ in columns],
            _rows(columns, found),
            query=query,
            context=context,
            executed_query=shown,
        )

    def check_health(self, context: DatasourceContext) -> Health:
        """Ask for its status."""
        try:
            status = require_object(_source(context).get("api/v2/status"), NAME)
            version = str(require_object(status.get("versionInfo"), NAME).get("version"))
        except PluginError as error:
            return Health(status="error", message=error.message)
        return Health(
            status="ok", message=f"{NAME} {version} answers.", details={"version": version}
        )

    def call_resource(self, request: ResourceRequest, context: DatasourceContext) -> JsonObject:
        """Return ``receivers``, or the ``labels`` of the alerts there are with their values."""
        if request.path == "receivers":
            found = _ask(context, "receivers", [])
            return {"receivers": [str(each.get("name", "")) for each in found]}
        if request.path == "labels":
            values: dict[str, set[str]] = {}
            for alert in _ask(context, "alerts", []):
                for name, value in text_labels(alert.get("labels")).items():
                    values.setdefault(name, set()).add(value)
            return {"labels": {name: sorted(values[name]) for name in sorted(values)}}
        raise QueryError("There is no such resource; use receivers or labels.", status=404)


def _reason(document: JsonValue) -> str:
    """Return what Alertmanager says of a failure: a bare text, or a message."""
    if isinstance(document, str):
        return document
    return text_labels(document).get("message", "")


def _source(context: DatasourceContext) -> HttpSource:
    return HttpSource(context, name=NAME, reason=_reason)


def _ask(
    context: DatasourceContext, path: str, parameters: Sequence[tuple[str, str]]
) -> list[JsonObject]:
    found = require_list(_source(context).get(f"api/v2/{path}", parameters), NAME)
    return [require_object(each, NAME) for each in found]


def _states(model: JsonObject) -> list[tuple[str, str]]:
    chosen = [
        (name, str(get_bool(model, name, default=True)).lower())
        for name in ("active", "silenced", "inhibited")
    ]
    receiver = get_text(model, "receiver")
    return [*chosen, ("receiver", receiver)] if receiver else chosen


def _is_wanted(silence: JsonObject, model: JsonObject) -> bool:
    if _state(silence) == "expired":
        return get_bool(model, "expired")
    return get_bool(model, "active", default=True)


def _count(found: Sequence[JsonObject], context: DatasourceContext, shown: str) -> list[Frame]:
    counts = Counter(text_labels(each.get("labels")).get("severity", "") for each in found)
    frames = PointFrames(context, shown)
    for severity in sorted(counts):
        frames.add_number({"severity": severity}, counts[severity], name="alerts")
    if not counts:
        frames.add_number({}, 0, name="alerts")
    return frames.frames()


def _rows(columns: Sequence[_Column], found: Sequence[JsonObject]) -> Iterator[Sequence[object]]:
    for each in found:
        yield [read(each) for _, _, read in columns]


def _moment(name: str) -> Callable[[JsonObject], object]:
    def read(each: JsonObject) -> datetime | None:
        try:
            moment = datetime.fromisoformat(str(each.get(name)))
        except ValueError:
            return None
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)

    return read


def _text(name: str) -> Callable[[JsonObject], object]:
    return lambda each: str(each.get(name) or "")


def _label(name: str) -> Callable[[JsonObject], object]:
    return lambda each: text_labels(each.get("labels")).get(name, "")


def _state(each: JsonObject) -> str:
    return text_labels(each.get("status")).get("state", "")


def _status_list(name: str) -> Callable[[JsonObject], object]:
    def read(each: JsonObject) -> str:
        status = each.get("status")
        listed = status.get(name) if isinstance(status, Mapping) else None
        return ", ".join(map(str, listed)) if isinstance(listed, list) else ""

    return read


def _receivers(each: JsonObject) -> str:
    listed = each.get("receivers")
    if not isinstance(listed, list):
        return ""
    return ", ".join(text_labels(one).get("name", "") for one in listed)


def _matchers(each: JsonObject) -> str:
    listed = each.get("matchers")
    if not isinstance(listed, list):
        return ""
    return ", ".join(_matcher(one) for one in listed)


def _matcher(value: JsonValue) -> str:
    if not isinstance(value, Mapping):
        return ""
    is_equal = value.get("isEqual", True)
    signs = ("=~", "!~") if value.get("isRegex") else ("=", "!=")
    return f'{value.get("name")}{signs[0] if is_equal else signs[1]}"{value.get("value")}"'


_ALERTS: Final[Sequence[_Column]] = (
    ("starts_at", _TIME, _moment("startsAt")),
    ("ends_at", _TIME, _moment("endsAt")),
    ("state", _TEXT, _state),
    ("alertname", _TEXT, _label("alertname")),
    ("severity", _TEXT, _label("severity")),
    ("receivers", _TEXT, _receivers),
    ("labels", _OTHER, lambda each: text_labels(each.get("labels"))),
    ("annotations", _OTHER, lambda each: text_labels(each.get("annotations"))),
    ("silenced_by", _TEXT, _status_list("silencedBy")),
    ("inhibited_by", _TEXT, _status_list("inhibitedBy")),
    ("generator_url", _TEXT, _text("generatorURL")),
    ("fingerprint", _TEXT, _text("fingerprint")),
)
_SILENCES: Final[Sequence[_Column]] = (
    ("starts_at", _TIME, _moment("startsAt")),
    ("ends_at", _TIME, _moment("endsAt")),
    ("state", _TEXT, _state),
    ("matchers", _TEXT, _matchers),
    ("created_by", _TEXT, _text("createdBy")),
    ("comment", _TEXT, _text("comment")),
    ("id", _TEXT, _text("id")),
)
