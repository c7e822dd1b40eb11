"""Queries of ClickHouse, over HTTP."""

from collections.abc import Iterator, Mapping, Sequence
from math import ceil
from typing import Any, Final
from urllib.parse import urlencode, urlsplit

from detectviz.contracts.config import get_bool, get_text
from detectviz.contracts.datasource import DataQuery, DatasourceContext, Health, ResourceRequest
from detectviz.contracts.errors import ConfigurationError, PluginError, QueryError
from detectviz.contracts.frames import Frame
from detectviz.contracts.network import HttpRequest, HttpResponse, TlsOptions
from detectviz.contracts.sql.connections import without_secrets
from detectviz.contracts.sql.health import healthy
from detectviz.contracts.sql.tables import Column, make_frames, read_statement
from detectviz.contracts.sql.watch import Watch
from detectviz.contracts.types import JsonObject
from plugins.datasources.clickhouse.answers import (
    READONLY_CODE,
    error_code,
    raise_for,
    read_answer,
)
from plugins.datasources.clickhouse.dialect import DIALECT

# JSON is larger than what it says; the values are counted again once they are read.
_JSON_OVERHEAD: Final = 4
_SPARE_BYTES: Final = 65_536
_ABOUT: Final = "SELECT version(), currentUser()"
_GRANTS: Final = "SHOW GRANTS"
_HARMLESS: Final = ("SELECT", "SHOW", "DICTGET", "USAGE", "NONE")
_TABLES: Final = (
    "SELECT database, name FROM system.tables WHERE database NOT IN"
    " ('system', 'information_schema', 'INFORMATION_SCHEMA') ORDER BY database, name"
)
_COLUMNS: Final = (
    "SELECT name, type FROM system.columns WHERE table = {table:String}"
    " AND database = if({schema:String} = '', currentDatabase(), {schema:String})"
    " ORDER BY position"
)
_MOST_NAMED: Final = 4


class ClickhouseDatasource:
    """Asks the HTTP interface, read-only and within limits the query cannot lift."""

    def query(self, query: DataQuery, context: DatasourceContext) -> Sequence[Frame]:
        """Return the rows of one statement that reads."""
        statement = read_statement(query, DIALECT)
        watch = Watch(context)
        columns, rows = _ask(context, watch, statement.sql)
        return make_frames(statement, columns, rows, context, check=watch.check)

    def check_health(self, context: DatasourceContext) -> Health:
        """Connect, and warn about a user that can write."""
        try:
            _, about = _ask(context, Watch(context), _ABOUT)
            version, user = next(about, ("unknown version", context.settings.user))
            _, grants = _ask(context, Watch(context), _GRANTS)
            ways = sorted({way for row in grants for way in _ways_to_write(str(row[0]))})
        except (PluginError, ValueError, IndexError) as error:
            return Health(status="error", message=str(error))
        return healthy(
            f"ClickHouse {version}",
            role=str(user),
            ways_to_write=ways[:_MOST_NAMED],
            is_encrypted=_base_url(context).startswith("https:"),
        )

    def call_resource(self, request: ResourceRequest, context: DatasourceContext) -> JsonObject:
        """Return ``tables``, or the ``columns`` of the parameters ``table`` and ``schema``."""
        if request.path == "tables":
            _, rows = _ask(context, Watch(context), _TABLES)
            return {"tables": [{"schema": str(row[0]), "name": str(row[1])} for row in rows]}
        if request.path == "columns":
            given = {
                "param_table": request.parameters.get("table", ""),
                "param_schema": request.parameters.get("schema", ""),
            }
            _, rows = _ask(context, Watch(context), _COLUMNS, given)
            return {"columns": [{"name": str(row[0]), "type": str(row[1])} for row in rows]}
        raise QueryError("There is no such resource; use tables or columns.", status=404)


def _ask(
    context: DatasourceContext,
    watch: Watch,
    sql: str,
    parameters: Mapping[str, str] | None = None,
) -> tuple[list[Column], Iterator[Sequence[Any]]]:
    """Return columns and rows of one statement, asked within the limits of the context."""
    watch.check()
    given = dict(parameters or {})
    response = _fetch(context, watch, sql, {**_limits(context, watch), **given})
    if error_code(response) == READONLY_CODE and b"setting" in response.body.lower():
        # A user that may not even change settings is read-only already, by its profile.
        response = _fetch(context, watch, sql, given)
    watch.check()
    said = response.body[:_SPARE_BYTES].decode("utf-8", "replace")
    raise_for(response, without_secrets(said, context.settings.secrets))
    return read_answer(response)


def _limits(context: DatasourceContext, watch: Watch) -> dict[str, str]:
    """Return the settings of a query; ``readonly=1`` keeps it from changing any of them."""
    return {
        "readonly": "1",
        "max_execution_time": str(ceil(watch.left_s)),
        "max_result_rows": str(context.max_rows + 1),
        "max_result_bytes": str(context.max_bytes * _JSON_OVERHEAD),
        "result_overflow_mode": "break",
        "cancel_http_readonly_queries_on_client_close": "1",
        "date_time_output_format": "iso",
        "output_format_json_quote_denormals": "1",
        "output_format_json_quote_64bit_integers": "0",
    }


def _fetch(
    context: DatasourceContext, watch: Watch, sql: str, parameters: Mapping[str, str]
) -> HttpResponse:
    settings = context.settings
    asked = {"default_format": "JSONCompact", "wait_end_of_query": "1", **parameters}
    if settings.database:
        asked["database"] = settings.database
    config = settings.json_data
    headers = [("Content-Type", "text/plain; charset=utf-8")]
    if settings.user:
        headers.append(("X-ClickHouse-User", settings.user))
    if settings.secrets.get("password"):
        headers.append(("X-ClickHouse-Key", settings.secrets["password"]))
    return context.http.fetch(
        HttpRequest(
            url=f"{_base_url(context)}?{urlencode(asked)}",
            method="POST",
            headers=headers,
            body=sql.encode(),
            timeout_s=watch.left_s,
            follow_redirects=False,
            max_body_bytes=context.max_bytes * _JSON_OVERHEAD + _SPARE_BYTES,
            tls=TlsOptions(
                verify=not get_bool(config, "tls_skip_verify"),
                ca_pem=get_text(config, "tls_ca"),
                certificate_pem=get_text(config, "tls_certificate"),
                private_key_pem=settings.secrets.get("tls_key", ""),
            ),
        )
    )


def _base_url(context: DatasourceContext) -> str:
    text = context.settings.url.strip()
    url = text if "://" in text else f"http://{text}"
    try:
        parts = urlsplit(url)
        is_fit = parts.scheme in {"http", "https"} and parts.hostname and not parts.username
    except ValueError:
        is_fit = False
    if not is_fit or parts.query or parts.fragment:
        raise ConfigurationError(
            "Write the address as http://host:8123 or https://host:8443.", field="/url"
        )
    return f"{parts.scheme}://{parts.netloc}{parts.path or '/'}"


def _ways_to_write(grant: str) -> list[str]:
    """Return what a line of SHOW GRANTS allows beyond reading."""
    head, _, _ = grant.removeprefix("GRANT ").partition(" ON ")
    if " TO " in head:
        return []  # a role that is granted; its own rights are lines of their own
    privileges = [each.partition("(")[0].strip() for each in head.split(",")]
    return [f"has {each}" for each in privileges if each and not each.upper().startswith(_HARMLESS)]
