"""Tables out of JSON over HTTP."""

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from itertools import islice
from typing import Final, cast

import jsonpath
from jsonpath.exceptions import JSONPathError

from detectviz.contracts.config import get_objects, get_text
from detectviz.contracts.datasource import DataQuery, DatasourceContext, Health, ResourceRequest
from detectviz.contracts.errors import PluginError, QueryError
from detectviz.contracts.frames import FieldType, Frame
from detectviz.contracts.http_source import HttpSource, relative_path
from detectviz.contracts.point_frames import moment, text_labels
from detectviz.contracts.sql.tables import Column
from detectviz.contracts.sql.values import milliseconds
from detectviz.contracts.table_frames import table_frames
from detectviz.contracts.types import JsonObject, JsonValue

NAME: Final = "The JSON API"
_MOST_DESCENTS: Final = 10
_MOST_COLUMNS: Final = 500
_TYPES: Final = {
    "time": FieldType.TIME,
    "number": FieldType.NUMBER,
    "string": FieldType.STRING,
    "boolean": FieldType.BOOLEAN,
}
_Path = jsonpath.JSONPath | jsonpath.CompoundJSONPath


class JsonDatasource:
    """Asks for JSON and takes rows and columns out of it."""

    def query(self, query: DataQuery, context: DatasourceContext) -> Sequence[Frame]:
        """Return the rows as a table, or as series."""
        model = query.model
        rows_path = compile_path(get_text(model, "rows", "$") or "$")
        columns = get_objects(model, "columns")
        paths = [compile_path(get_text(column, "path")) for column in columns]
        rows = _rows(rows_path, _ask(query, context), context.max_rows + 1)
        if not columns:
            names = list(dict.fromkeys(name for row in rows for name in _members(row)))
            names = names[:_MOST_COLUMNS]
            made = [Column(name=name) for name in names]
            cells: Iterator[Sequence[object]] = (
                [_members(row).get(name) for name in names] for row in rows
            )
        else:
            kinds = [get_text(column, "type", "auto") for column in columns]
            made = [
                Column(name=get_text(column, "name") or get_text(column, "path"), type=kind)
                for column, kind in zip(columns, map(_TYPES.get, kinds), strict=True)
            ]
            cells = (
                [_cell(path, row, kind) for path, kind in zip(paths, kinds, strict=True)]
                for row in rows
            )
        is_series = get_text(model, "format") == "time_series" and bool(rows)
        return table_frames(
            made,
            cells,
            query=query,
            context=context,
            executed_query=f"{get_text(model, 'method', 'GET')} {get_text(model, 'path')}",
            shape="time_series" if is_series else "table",
        )

    def check_health(self, context: DatasourceContext) -> Health:
        """Ask for JSON."""
        path = get_text(context.settings.json_data, "health_path")
        try:
            _read(context, path)
        except PluginError as error:
            return Health(status="error", message=error.message)
        return Health(status="ok", message=f"{NAME} answers with JSON.")

    def call_resource(self, request: ResourceRequest, context: DatasourceContext) -> JsonObject:
        """Return the ``fields`` of the first row of the parameters ``path`` and ``rows``."""
        if request.path != "fields":
            raise QueryError("There is no such resource; use fields.", status=404)
        document = _read(context, request.parameters.get("path", ""))
        rows = _rows(compile_path(request.parameters.get("rows", "$")), document, 1)
        return {"fields": list(_members(rows[0])) if rows else []}


@lru_cache(maxsize=1024)
def compile_path(path: str) -> _Path:
    """Return a JSONPath; raise QueryError for what is none or takes too much."""
    if path.count("..") > _MOST_DESCENTS or "=~" in path:
        raise QueryError(f"Use at most {_MOST_DESCENTS} times .. and no =~ in a JSONPath.")
    try:
        return _environment().compile(path)
    except (JSONPathError, RecursionError) as error:
        raise QueryError(f"This is not a JSONPath: {str(error).splitlines()[0]}") from error


@lru_cache(maxsize=1)
def _environment() -> jsonpath.JSONPathEnvironment:
    environment = jsonpath.JSONPathEnvironment()
    for name in ("match", "search"):
        # These run a backtracking engine on patterns and texts that are not ours.
        environment.function_extensions.pop(name, None)
    return environment


def _ask(query: DataQuery, context: DatasourceContext) -> JsonValue:
    path = get_text(query.model, "path")
    if get_text(query.model, "method", "GET") != "POST":
        return _read(context, path)
    try:
        body: JsonValue = json.loads(get_text(query.model, "body") or "{}")
    except (ValueError, RecursionError) as error:
        raise QueryError(f"The body is no JSON: {error}") from error
    place, parameters = relative_path(path)
    return _source(context).post_json(place, body, parameters)


def _read(context: DatasourceContext, path: str) -> JsonValue:
    place, parameters = relative_path(path)
    return _source(context).get(place, parameters)


def _source(context: DatasourceContext) -> HttpSource:
    return HttpSource(context, name=NAME, reason=_reason)


def _reason(document: JsonValue) -> str:
    said = text_labels(document)
    return said.get("message") or said.get("error") or said.get("detail", "")


def _rows(path: _Path, document: JsonValue, most: int) -> list[JsonValue]:
    try:
        found = [
            cast("JsonValue", each.obj) for each in islice(path.finditer(_whole(document)), most)
        ]
    except (JSONPathError, RecursionError, TypeError) as error:
        raise QueryError(f"The JSONPath cannot be applied: {error}") from error
    if len(found) == 1 and isinstance(found[0], list):
        return list(found[0][:most])
    return found


def _whole(document: JsonValue) -> JsonObject | list[JsonValue]:
    if not isinstance(document, (Mapping, list)):
        raise QueryError("The answer is neither an object nor a list.", status=422)
    return document


def _members(row: JsonValue) -> JsonObject:
    return row if isinstance(row, Mapping) else {"value": row}


def _cell(path: _Path, row: JsonValue, kind: str) -> object:
    if not isinstance(row, (Mapping, list)):
        row = [row]  # $[0] is the value itself
    try:
        found = next(iter(path.finditer(row)), None)
    except (JSONPathError, RecursionError, TypeError) as error:
        raise QueryError(f"The JSONPath cannot be applied: {error}") from error
    return None if found is None else _typed(cast("JsonValue", found.obj), kind)


def _typed(value: JsonValue, kind: str) -> object:
    if value is None or kind == "auto":
        return value
    if kind == "time":
        return _moment(value)
    if kind == "boolean":
        return value if isinstance(value, bool) else str(value).lower() in {"true", "1", "yes"}
    if kind == "string":
        return value if isinstance(value, str) else json.dumps(value)
    try:
        return float(value)  # type: ignore[arg-type]  # what is no number raises
    except (TypeError, ValueError):
        return None


def _moment(value: JsonValue) -> datetime | None:
    try:
        return moment(milliseconds(float(value)))  # type: ignore[arg-type]  # what is no number raises
    except (TypeError, ValueError):
        pass
    try:
        found = datetime.fromisoformat(str(value))
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)
