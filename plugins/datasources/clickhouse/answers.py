"""Reading what ClickHouse answers: JSONCompact, or the text of an exception."""

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime
from http import HTTPStatus
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from detectviz.contracts.errors import DeadlineExceededError, PluginError, QueryError
from detectviz.contracts.frames import FieldType
from detectviz.contracts.network import HttpResponse
from detectviz.contracts.sql.tables import Column
from detectviz.contracts.types import JsonObject, JsonValue

READONLY_CODE: Final = 164
_TIMEOUT_CODES: Final = frozenset({159, 160})
_SIGN_IN_CODES: Final = frozenset({192, 193, 194, 516})
_BUSY_CODES: Final = frozenset({202, 209, 210, 279})
_LONGEST_REASON: Final = 1_000
_CODE: Final = re.compile(r"Code:\s*(\d+)")  # noqa: TID251 - our own constant
_WRAPPER: Final = re.compile(r"^(?:Nullable|LowCardinality)\((.*)\)$")  # noqa: TID251 - the same
_ZONE: Final = re.compile(r"^DateTime(?:64)?\((?:\d+,\s*)?'([^']+)'\)$")  # noqa: TID251 - the same
_PREFIXES: Final = (
    ("Int", FieldType.NUMBER),
    ("UInt", FieldType.NUMBER),
    ("Float", FieldType.NUMBER),
    ("Decimal", FieldType.NUMBER),
    ("Bool", FieldType.BOOLEAN),
    ("Date", FieldType.TIME),
    ("Array", FieldType.OTHER),
    ("Tuple", FieldType.OTHER),
    ("Map", FieldType.OTHER),
    ("Nested", FieldType.OTHER),
    ("JSON", FieldType.OTHER),
    ("Object", FieldType.OTHER),
)


def error_code(response: HttpResponse) -> int:
    """Return the code of ClickHouse's exception, 0 where there is none."""
    said = response.header("X-ClickHouse-Exception-Code")
    if said and said.isdigit():
        return int(said)
    found = _CODE.search(response.body[:_LONGEST_REASON].decode("utf-8", "replace"))
    return int(found[1]) if found and response.status_code != HTTPStatus.OK else 0


def raise_for(response: HttpResponse, reason: str) -> None:
    """Raise what fits an answer that is no success; ``reason`` is its text without secrets."""
    code = error_code(response)
    if response.status_code == HTTPStatus.OK and not code:
        return
    said = reason[:_LONGEST_REASON].strip() or f"status {response.status_code}"
    unauthorised = {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}
    if code in _SIGN_IN_CODES or (not code and response.status_code in unauthorised):
        raise PluginError(f"ClickHouse refuses to let us in: {said}")
    if code in _TIMEOUT_CODES:
        raise DeadlineExceededError(f"ClickHouse stopped the query: {said}", phase="receive")
    if code in _BUSY_CODES or not code:
        raise PluginError(f"ClickHouse cannot answer: {said}")
    raise QueryError(f"ClickHouse refuses the query: {said}")


def read_answer(response: HttpResponse) -> tuple[list[Column], Iterator[Sequence[object]]]:
    """Return columns and rows of a JSONCompact answer; points in time as datetimes.

    Raise PluginError for what is no such answer, QueryError for one that was cut.
    """
    if response.body_truncated:
        raise QueryError("The answer is larger than allowed; ask for fewer rows.", status=413)
    document = _document(response.body)
    meta, data = document.get("meta"), document.get("data")
    if not _is_meta(meta) or not _is_rows(data):
        raise PluginError("What answered is not ClickHouse's JSONCompact; leave out FORMAT.")
    assert isinstance(meta, list)
    assert isinstance(data, list)
    types = [_plain_type(str(each["type"])) for each in meta]
    columns = [
        Column(name=str(each["name"]), type=_field_type(kind))
        for each, kind in zip(meta, types, strict=True)
    ]
    server_zone = _zone(response.header("X-ClickHouse-Timezone") or "")
    readers = [_reader(kind, server_zone) for kind in types]
    return columns, _rows(data, readers)


def _document(body: bytes) -> JsonObject:
    try:
        document = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise PluginError("What answered is not ClickHouse: its answer is no JSON.") from error
    if not isinstance(document, dict):
        raise PluginError("What answered is not ClickHouse: its answer is no object.")
    return document


def _is_meta(meta: object) -> bool:
    return isinstance(meta, list) and all(
        isinstance(each, Mapping) and {"name", "type"} <= set(each) for each in meta
    )


def _is_rows(data: object) -> bool:
    return isinstance(data, list) and all(isinstance(row, list) for row in data)


def _rows(
    data: list[list[JsonValue]], readers: Sequence[Callable[[JsonValue], object]]
) -> Iterator[Sequence[object]]:
    for row in data:
        if len(row) != len(readers):
            raise PluginError("A row of ClickHouse's answer has another length than its head.")
        yield [
            None if value is None else read(value) for read, value in zip(readers, row, strict=True)
        ]


def _plain_type(kind: str) -> str:
    while (found := _WRAPPER.match(kind)) is not None:
        kind = found[1]
    return kind


def _field_type(kind: str) -> FieldType:
    return next((found for prefix, found in _PREFIXES if kind.startswith(prefix)), FieldType.STRING)


def _reader(kind: str, server_zone: ZoneInfo | None) -> Callable[[JsonValue], object]:
    found = _field_type(kind)
    if found is FieldType.NUMBER:
        return _number
    if found is FieldType.TIME:
        own = _ZONE.match(kind)
        zone = _zone(own[1]) if own else server_zone

        def moment(value: JsonValue) -> object:
            return _moment(str(value), zone, is_date=not kind.startswith("DateTime"))

        return moment
    if found is FieldType.STRING:
        return str
    return lambda value: value


def _number(value: JsonValue) -> object:
    """Read a number that may be quoted, as 64-bit ones and NaN are."""
    if not isinstance(value, str):
        return value
    try:
        return int(value)
    except ValueError:
        pass
    try:
        return float(value)
    except ValueError as error:
        raise PluginError("ClickHouse calls a number what is none.") from error


def _moment(text: str, zone: ZoneInfo | None, *, is_date: bool) -> object:
    # Nine digits of a second are more than Python reads.
    head, dot, tail = text.partition(".")
    digits = tail.rstrip("Z")
    if dot:
        text = f"{head}.{digits[:6]:0<6}{tail[len(digits) :]}"
    try:
        if is_date:
            return date.fromisoformat(text)
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=zone or UTC)


def _zone(name: str) -> ZoneInfo | None:
    try:
        return ZoneInfo(name) if name else None
    except (ZoneInfoNotFoundError, ValueError):
        return None
