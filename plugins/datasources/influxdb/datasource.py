"""Queries of InfluxDB 1, 2 and 3 over their HTTP APIs."""

import json
from collections.abc import Iterator, Sequence
from typing import Final

from detectviz.contracts.config import get_text
from detectviz.contracts.datasource import (
    DataQuery,
    DatasourceContext,
    Health,
    ProxyRoute,
    ResourceRequest,
)
from detectviz.contracts.errors import ConfigurationError, PluginError, QueryError
from detectviz.contracts.frames import Frame
from detectviz.contracts.http_source import (
    HttpSource,
    auth_headers,
    basic_header,
    parse_json,
    require_object,
)
from detectviz.contracts.network import HttpResponse
from detectviz.contracts.point_frames import text_labels
from detectviz.contracts.sql.macros import expand, require_reading
from detectviz.contracts.sql.tables import Column
from detectviz.contracts.table_frames import table_frames
from detectviz.contracts.types import JsonObject, JsonValue
from plugins.datasources.influxdb import flux, influxql
from plugins.datasources.influxdb.dialect import DIALECT, read_moment

NAME: Final = "InfluxDB"
_CSV: Final = "application/csv"
_MOST_NAMES: Final = 20_000
_FIELD: Final = {"InfluxQL": "influxql", "Flux": "flux", "SQL": "sql"}
_TRIES: Final = {
    "InfluxQL": "SHOW DATABASES",
    "Flux": "buckets() |> limit(n: 1)",
    "SQL": "SELECT 1",
}
_SHOWN: Final = {
    "databases": "SHOW DATABASES",
    "measurements": "SHOW MEASUREMENTS",
    "fields": "SHOW FIELD KEYS",
    "tags": "SHOW TAG KEYS",
}


class InfluxdbDatasource:
    """Asks in the language of the server's version."""

    proxy_routes = (ProxyRoute(method="GET", path="ping|health|api/v2/buckets"),)

    def proxy_headers(self, context: DatasourceContext) -> Sequence[tuple[str, str]]:
        """Return the headers that authenticate."""
        return _headers(context)

    def query(self, query: DataQuery, context: DatasourceContext) -> Sequence[Frame]:
        """Return the answer of one query in the datasource's language."""
        language = _language(context)
        text = get_text(query.model, _FIELD[language]).strip()
        if not text:
            raise QueryError(
                f"Write the query in {_FIELD[language]}: the datasource is {language}."
            )
        if language == "InfluxQL":
            return _ask_influxql(text, query, context)
        if language == "Flux":
            return _ask_flux(text, query, context)
        return _ask_sql(text, query, context)

    def check_health(self, context: DatasourceContext) -> Health:
        """Ask something small, as a query would be asked."""
        language = _language(context)
        try:
            if language == "InfluxQL":
                influxql.read_series(_send_influxql(context, _TRIES[language], ""))
            elif language == "Flux":
                flux.read_tables(_send_flux(context, _TRIES[language]).body)
            else:
                list(_sql_rows(_send_sql(context, _TRIES[language])))
        except PluginError as error:
            return Health(status="error", message=error.message)
        message = f"{NAME} answers {language}. Its credentials should be those of a reader."
        return Health(status="ok", message=message, details={"language": language})

    def call_resource(self, request: ResourceRequest, context: DatasourceContext) -> JsonObject:
        """Return ``databases``, ``measurements``, ``fields``, ``tags`` or ``tag_values``.

        The parameters ``measurement`` and ``tag`` choose. They are InfluxDB 1's; InfluxDB 2 has
        ``buckets``.
        """
        language = _language(context)
        if request.path == "buckets" and language == "Flux":
            return {"buckets": _buckets(context)}
        if language == "InfluxQL" and (request.path in _SHOWN or request.path == "tag_values"):
            statement = _show(request)
            series, _ = influxql.read_series(_send_influxql(context, statement, ""))
            # Tag values come in pairs with their key.
            place = 1 if request.path == "tag_values" else 0
            names = dict.fromkeys(str(row[place]) for each in series for row in each.rows)
            return {request.path: list(names)[:_MOST_NAMES]}
        raise QueryError(
            f"There is no such resource of a datasource that is {language}.", status=404
        )


def _language(context: DatasourceContext) -> str:
    return get_text(context.settings.json_data, "version", "InfluxQL")


def _headers(context: DatasourceContext) -> list[tuple[str, str]]:
    settings = context.settings
    if _language(context) == "InfluxQL" and settings.user:
        return [basic_header(settings.user, settings.secrets.get("password", ""))]
    token = settings.secrets.get("token", "")
    if _language(context) == "Flux" and token:
        return [("Authorization", f"Token {token}")]
    return auth_headers(context)


def _reason(document: JsonValue) -> str:
    said = text_labels(document)
    return said.get("error") or said.get("message", "")


def _source(context: DatasourceContext) -> HttpSource:
    return HttpSource(context, name=NAME, reason=_reason, headers=_headers(context))


# --- InfluxQL -----------------------------------------------------------------------------------
def _ask_influxql(text: str, query: DataQuery, context: DatasourceContext) -> list[Frame]:
    statement = influxql.fill_in(text, query)
    policy = get_text(query.model, "retention_policy")
    series, notices = influxql.read_series(_send_influxql(context, statement, policy))
    is_series = get_text(query.model, "format", "time_series") == "time_series"
    if is_series and influxql.is_timed(series):
        alias = get_text(query.model, "alias")
        return influxql.point_frames(series, notices, context, statement, alias)
    return influxql.row_frames(series, notices, context, statement, query)


def _send_influxql(context: DatasourceContext, statement: str, policy: str) -> JsonValue:
    parameters = {"q": statement, "epoch": "ms", "db": context.settings.database}
    if policy:
        parameters["rp"] = policy
    return _source(context).post_form("query", parameters)


def _show(request: ResourceRequest) -> str:
    measurement = request.parameters.get("measurement", "")
    chosen = f" FROM {influxql.quoted(measurement)}" if measurement else ""
    if request.path == "tag_values":
        tag = influxql.quoted(request.parameters.get("tag", ""))
        return f"SHOW TAG VALUES{chosen} WITH KEY = {tag}"
    return _SHOWN[request.path] + (chosen if request.path in {"fields", "tags"} else "")


# --- Flux ---------------------------------------------------------------------------------------
def _ask_flux(text: str, query: DataQuery, context: DatasourceContext) -> list[Frame]:
    config = context.settings.json_data
    script = flux.fill_in(
        text,
        query,
        bucket=get_text(config, "default_bucket"),
        organisation=get_text(config, "organization"),
    )
    tables = flux.read_tables(_send_flux(context, script).body)
    if get_text(query.model, "format", "time_series") == "time_series":
        return flux.point_frames(tables, context, script)
    return flux.row_frames(tables, context, script, query)


def _send_flux(context: DatasourceContext, script: str) -> HttpResponse:
    document = {
        "query": script,
        "type": "flux",
        "dialect": {"header": True, "annotations": ["datatype", "group", "default"]},
    }
    return _source(context).fetch(
        "api/v2/query", _organisation(context), body=json.dumps(document).encode(), accept=_CSV
    )


def _organisation(context: DatasourceContext) -> dict[str, str]:
    name = get_text(context.settings.json_data, "organization")
    if not name:
        raise ConfigurationError("Set the organisation.", field="/organization")
    return {"org": name}


def _buckets(context: DatasourceContext) -> list[str]:
    document = _source(context).get("api/v2/buckets", {**_organisation(context), "limit": "100"})
    found = require_object(document, NAME).get("buckets")
    return [text_labels(each).get("name", "") for each in found] if isinstance(found, list) else []


# --- SQL ----------------------------------------------------------------------------------------
def _ask_sql(text: str, query: DataQuery, context: DatasourceContext) -> list[Frame]:
    expansion = expand(text, dialect=DIALECT, range=query.range, interval_ms=query.interval_ms)
    require_reading(expansion.sql, DIALECT)
    rows = list(_sql_rows(_send_sql(context, expansion.sql)))
    names = list(dict.fromkeys(name for row in rows for name in row))
    is_series = get_text(query.model, "format", "time_series") == "time_series" and bool(names)
    return table_frames(
        [Column(name=name) for name in names],
        ([read_moment(row.get(name)) for name in names] for row in rows),
        query=query,
        context=context,
        executed_query=expansion.sql,
        shape="time_series" if is_series else "table",
    )


def _send_sql(context: DatasourceContext, sql: str) -> HttpResponse:
    document = {"db": context.settings.database, "q": sql, "format": "jsonl"}
    return _source(context).fetch("api/v3/query_sql", body=json.dumps(document).encode())


def _sql_rows(response: HttpResponse) -> Iterator[JsonObject]:
    for line in response.body.splitlines():
        if line.strip():
            yield require_object(parse_json(line, NAME), NAME)
